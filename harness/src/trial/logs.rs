//! The whole logs of subjects whose trials are not satisfied, kept beside the run: a record holds the end of one only.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use crate::{step::secrets::Secrets, subject::whole};

const RUN_BYTES_MAX: u64 = 256 * 1024 * 1024; // 64 logs at their largest; more of them tell nothing new

/// The folder of one run's logs.
#[derive(Debug)]
pub(crate) struct Logs {
    folder: PathBuf,
    bytes_left: AtomicU64,
}

impl Logs {
    pub(crate) fn below(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), bytes_left: AtomicU64::new(RUN_BYTES_MAX) }
    }

    /// Keeps a log without its secrets, as `<trial>.log`. What cannot be written is missing, and nothing else
    /// is: logs are evidence, not truth.
    pub(super) fn keep(&self, trial: &str, log: &Path, secrets: &Secrets) {
        let mut text = whole(log);
        secrets.hide_text(&mut text);
        let take = |left: u64| left.checked_sub(text.len() as u64);
        if text.is_empty() || self.bytes_left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_err() {
            return;
        }
        if fs::create_dir_all(&self.folder).is_ok() {
            fs::write(self.folder.join(format!("{}.log", trial.replace('/', "-"))), text).ok();
        }
    }
}
