//! Frees what finished runs need no more: seeds, workspaces and trees. Never touches the log, a run that can still go on,
//! or what a run was judged by: its spec, scenarios and holdouts stay.
//!
//! Killed anywhere, it leaves less to do for the next time: nothing reads these folders of a finished run.

use std::{
    fs, io,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use model::id::RunId;
use serde::Serialize;
use store::{QueueState, RunRow, Store};

use crate::layout::RunDir;

const BLOCK_BYTES: u64 = 512; // the unit of `st_blocks`, on every file system

/// Which finished runs are left as they are.
#[derive(Clone, Copy, Debug)]
pub enum Spare {
    /// That many, the ones that began last.
    Newest(usize),
    /// Those that ended at this instant or later.
    EndedSince(Timestamp),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Remove,
    /// Only tell what would be removed.
    Pretend,
}

/// A run of which something was removed.
#[derive(Clone, Debug, Serialize)]
pub struct Swept {
    pub run: RunId,
    pub spec: String,
    pub finished_at: Timestamp,
    /// On the disk.
    pub freed_bytes: u64,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("could not remove {path}; remove it by hand, and call `factory gc` again")]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// Frees the folders of finished runs below `home`, the newest first. Folders of runs that the log does not know stay.
pub async fn sweep(store: &Store, home: &Path, spare: Spare, mode: Mode) -> Result<Vec<Swept>, Error> {
    let mut swept = Vec::new();
    let mut newest = 0;
    for run in runs_of(home)? {
        let Some((row, finished_at)) = finished(store, &run).await? else { continue };
        newest += 1;
        let spared = match spare {
            Spare::Newest(count) => newest <= count,
            Spare::EndedSince(instant) => finished_at >= instant,
        };
        if spared {
            continue;
        }
        let folders = dispensable(&RunDir::new(home, &run), &row);
        let freeing = tokio::task::spawn_blocking(move || free(&folders, mode));
        let freed_bytes = freeing.await.expect("nothing in it panics")?;
        if freed_bytes > 0 {
            swept.push(Swept { run, spec: row.spec, finished_at, freed_bytes });
        }
    }
    Ok(swept)
}

/// The newest first: a run's id begins with its time.
fn runs_of(home: &Path) -> Result<Vec<RunId>, Error> {
    let path = home.join("runs");
    let entries = match fs::read_dir(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(|source| Error::Io { path, source })?,
    };
    let mut runs: Vec<RunId> = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    runs.sort_by(|a, b| b.cmp(a));
    Ok(runs)
}

/// Out of the queue as well: while a run is in it, actions beside its last one may still be at work.
async fn finished(store: &Store, run: &RunId) -> Result<Option<(RunRow, Timestamp)>, Error> {
    if store.queue_state(run).await? != Some(QueueState::Done) {
        return Ok(None);
    }
    let row = store.run(run).await?;
    Ok(row.and_then(|row| row.finished_at.map(|at| (row, at))))
}

/// Without a branch the trees are the only place of what was built.
fn dispensable(dir: &RunDir, row: &RunRow) -> Vec<PathBuf> {
    let trees = row.branch.is_some().then(|| dir.trees());
    [dir.works(), dir.trials(), dir.seed()].into_iter().chain(trees).collect()
}

fn free(folders: &[PathBuf], mode: Mode) -> Result<u64, Error> {
    let mut freed = 0;
    for folder in folders.iter().filter(|folder| folder.symlink_metadata().is_ok()) {
        freed += size(folder);
        if mode == Mode::Remove {
            remove(folder).map_err(|source| Error::Io { path: folder.clone(), source })?;
        }
    }
    Ok(freed)
}

fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        // A builder may have closed folders even to their owner.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            walk(folder, |path, metadata| {
                if metadata.is_dir() {
                    fs::set_permissions(path, fs::Permissions::from_mode(0o700)).ok();
                }
            });
            fs::remove_dir_all(folder)
        }
        done => done,
    }
}

fn size(folder: &Path) -> u64 {
    let mut bytes = 0;
    walk(folder, |_, metadata| bytes += metadata.blocks() * BLOCK_BYTES);
    bytes
}

/// Everything below and the folder itself, folders before what is in them. Follows no link; passes over what it cannot read.
fn walk(folder: &Path, mut visit: impl FnMut(&Path, &fs::Metadata)) {
    let mut open = vec![folder.to_owned()];
    while let Some(path) = open.pop() {
        let Ok(metadata) = path.symlink_metadata() else { continue };
        visit(&path, &metadata);
        if metadata.is_dir() {
            open.extend(fs::read_dir(&path).into_iter().flatten().flatten().map(|entry| entry.path()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_closed_by_a_builder_are_removed_and_links_are_not_followed() {
        let temp = tempfile::tempdir().expect("temp");
        let (work, outside) = (temp.path().join("work"), temp.path().join("outside"));
        fs::create_dir_all(work.join("closed/deep")).expect("folders");
        fs::create_dir(&outside).expect("a folder");
        fs::write(outside.join("kept"), "kept").expect("a file");
        fs::write(work.join("closed/deep/file"), vec![1; 100_000]).expect("a file");
        fs::write(work.join("open"), vec![1; 100_000]).expect("a file");
        std::os::unix::fs::symlink(&outside, work.join("link")).expect("a link");
        fs::set_permissions(work.join("closed"), fs::Permissions::from_mode(0o000)).expect("ours");
        assert!(free(std::slice::from_ref(&work), Mode::Pretend).expect("walks") > 0);
        assert!(work.exists());
        free(&[work.clone(), temp.path().join("never")], Mode::Remove).expect("removes");
        assert!(!work.exists());
        assert!(outside.join("kept").exists());
    }
}
