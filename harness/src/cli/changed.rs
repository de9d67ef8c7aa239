//! Whether a subject is still the one that a run began with.

use std::{
    path::{Path, PathBuf},
    time::SystemTime,
};

use ignore::{DirEntry, WalkBuilder};

use super::watch::NOISE;

/// A file of the tree that was written after `since`; what git ignores does not count, nor what tools write.
pub(super) fn changed_after(root: &Path, since: SystemTime) -> Option<PathBuf> {
    let is_source = |entry: &DirEntry| !NOISE.iter().any(|noise| entry.file_name() == noise.trim_end_matches('/'));
    let mut walk = WalkBuilder::new(root);
    walk.hidden(false).require_git(false).parents(true).filter_entry(is_source);
    let is_newer = |entry: &DirEntry| {
        let written = entry.metadata().ok().filter(std::fs::Metadata::is_file).and_then(|it| it.modified().ok());
        written.is_some_and(|written| written > since)
    };
    walk.build().flatten().find(is_newer).map(DirEntry::into_path)
}
