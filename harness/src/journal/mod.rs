//! Runs as they are kept on disk: a folder for each, with what was run (`run.json`) and what came of it (`log.jsonl`).
//!
//! The log is a chain: each line carries the hash of itself and all before it, and the first is bound to `run.json`. A
//! log that was changed afterwards is refused with the line that is wrong; a last line that is torn, because its writer
//! was killed, is passed over. Never decides what a record means. Start at [`RunStore`], then [`StoredRun`].

mod chain;
mod git;
mod manifest;
mod reader;
mod store;
mod writer;

use std::{
    io,
    path::{Path, PathBuf},
};

pub use manifest::{Manifest, RunId};
pub use reader::{Ending, Records, StoredRun};
pub use store::{KEEP_DEFAULT, RunStore};
pub use writer::RunLog;

const MANIFEST: &str = "run.json";
const LOG: &str = "log.jsonl";

/// Why a run cannot be kept or read back.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    #[error("cannot use {}: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("{}: this is no stored run: {reason}; run it again", path.display())]
    Manifest { path: PathBuf, reason: String },
    #[error(
        "{}:{line}: {reason}; this log is no evidence any more: restore it, or run again",
        path.display()
    )]
    Tampered { path: PathBuf, line: usize, reason: String },
    #[error("there is no stored run `{name}`; `harness runs` lists what there is")]
    Unknown { name: String },
    #[error("`{name}` could be {ids}; write more of it")]
    Ambiguous { name: String, ids: String },
    #[error("no run is stored in {}; `harness run` stores one", path.display())]
    Empty { path: PathBuf },
    #[error("the run {id} is being written by another process; wait for its end")]
    Busy { id: RunId },
    #[error(
        "the writer of the log has stopped, since an earlier write failed; free some disk space and resume the run"
    )]
    Stopped,
}

impl JournalError {
    /// Whether another name, or a moment later, would do; nothing is damaged then.
    pub fn is_wrong_use(&self) -> bool {
        match self {
            Self::Unknown { .. } | Self::Ambiguous { .. } | Self::Empty { .. } | Self::Busy { .. } => true,
            Self::File { .. } | Self::Manifest { .. } | Self::Tampered { .. } | Self::Stopped => false,
        }
    }

    fn file(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::File { path: path.to_owned(), source }
    }
}
