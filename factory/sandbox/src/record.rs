//! What outlives a crash: a small file per sandbox that tells who owned it and what is left to remove.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Records are small; a larger file is none of ours.
const RECORD_BYTES_MAX: u64 = 64 * 1024;

/// A process that cannot be mistaken for a later one with the same pid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ProcessId {
    pub(crate) pid: u32,
    /// Clock ticks after boot at which it started.
    started_ticks: u64,
}

impl ProcessId {
    /// The process that now has `pid`, if any.
    pub(crate) fn of(pid: u32) -> Option<Self> {
        // The name, in parentheses, may contain anything; after it comes the state, and 19 fields later the start.
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let mut fields = stat.rsplit_once(") ")?.1.split(' ');
        let zombie = fields.next()? == "Z";
        let started_ticks = fields.nth(18)?.parse().ok()?;
        (!zombie).then_some(Self { pid, started_ticks })
    }

    pub(crate) fn is_alive(&self) -> bool {
        Self::of(self.pid).as_ref() == Some(self)
    }
}

/// One sandbox, on disk while it lives.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Record {
    owner: ProcessId,
    watchdog: ProcessId,
    cgroups: Vec<PathBuf>,
}

impl Record {
    pub(crate) fn write(path: &Path, watchdog: ProcessId, cgroups: &[PathBuf]) -> io::Result<RecordFile> {
        let owner = ProcessId::of(std::process::id()).ok_or(io::ErrorKind::NotFound)?;
        let file = RecordFile(path.to_owned());
        fs::write(path, serde_json::to_vec(&Self { owner, watchdog, cgroups: cgroups.to_owned() })?)?;
        Ok(file)
    }

    /// Removes what a dead owner left; `false` while the owner lives or something resists.
    pub(crate) fn reap(path: &Path) -> io::Result<bool> {
        if fs::symlink_metadata(path)?.len() > RECORD_BYTES_MAX {
            return Ok(false);
        }
        let record: Self = serde_json::from_slice(&fs::read(path)?)?;
        if record.owner.is_alive() {
            return Ok(false);
        }
        if record.watchdog.is_alive() {
            // Init dies with the watchdog, and the rest with init.
            let pid =
                rustix::process::Pid::from_raw(record.watchdog.pid.cast_signed()).ok_or(io::ErrorKind::InvalidData)?;
            rustix::process::kill_process(pid, rustix::process::Signal::KILL)?;
        }
        for dir in &record.cgroups {
            match fs::remove_dir(dir) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Ok(false),
                _ => {}
            }
        }
        fs::remove_file(path)?;
        Ok(true)
    }
}

/// Removes the record when dropped.
#[derive(Debug)]
pub(crate) struct RecordFile(PathBuf);

impl Drop for RecordFile {
    fn drop(&mut self) {
        fs::remove_file(&self.0).ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_live_process_is_itself_and_a_reused_pid_is_not() {
        let me = ProcessId::of(std::process::id()).unwrap();
        assert!(me.is_alive());
        assert!(!ProcessId { started_ticks: me.started_ticks + 1, ..me }.is_alive());
    }
}
