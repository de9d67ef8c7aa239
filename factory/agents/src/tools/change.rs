//! Whether an interrupted change of a file took effect, read off the file itself.

use model::{event::agent::FileChange, hash::Digest};

use super::edit_file::FILE_BYTES_MAX;
use crate::environment::{Environment, WorkspacePath};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    Untouched,
    Done,
    /// The file is neither what it was nor what it should become.
    Unknown,
}

pub(super) fn of(path: &WorkspacePath, before: &str, after: &str) -> FileChange {
    let [before, after] = [before, after].map(|text| Digest::of(text.as_bytes()));
    FileChange { path: path.to_string(), before, after }
}

pub(crate) async fn progress(change: &FileChange, environment: &dyn Environment) -> Progress {
    let Ok(path) = WorkspacePath::parse(&change.path, environment.home()) else { return Progress::Unknown };
    let Ok(bytes) = environment.read(&path, FILE_BYTES_MAX).await else { return Progress::Unknown };
    match Digest::of(&bytes) {
        found if found == change.before => Progress::Untouched,
        found if found == change.after => Progress::Done,
        _ => Progress::Unknown,
    }
}
