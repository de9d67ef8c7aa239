//! Finds processes that escaped their subject's process group, by the mark that each inherited: the trial's own TMPDIR.
//! An environment that was cleared hides a process from this; a sandbox's PID namespace does not have that hole.

use std::path::Path;

use rustix::process::{Pid, Signal, kill_process};

use super::Leaks;

/// [`sweep`] after a short command: only processes that are younger than it, of which there are few.
pub(super) fn sweep_since(tmp_dir: &Path, group: Pid) -> Leaks {
    sweep_of(tmp_dir, group, pids().filter(|pid| *pid > group.as_raw_nonzero().get()))
}

/// Kills and names every process that carries `tmp_dir` as TMPDIR and is not of `group` (which was killed already).
pub(super) fn sweep(tmp_dir: &Path, group: Pid) -> Leaks {
    sweep_of(tmp_dir, group, pids())
}

fn sweep_of(tmp_dir: &Path, group: Pid, pids: impl Iterator<Item = i32>) -> Leaks {
    let mark = format!("TMPDIR={}\0", tmp_dir.display());
    let mut processes: Vec<_> = pids.filter_map(|pid| escaped(pid, mark.as_bytes(), group)).collect();
    processes.sort();
    Leaks { processes }
}

fn pids() -> impl Iterator<Item = i32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn escaped(pid: i32, mark: &[u8], group: Pid) -> Option<String> {
    let environment = std::fs::read(format!("/proc/{pid}/environ")).ok()?;
    let is_marked = environment.windows(mark.len()).any(|window| window == mark);
    if !is_marked || group_of(pid)? == group.as_raw_nonzero().get() {
        return None;
    }
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    // It may have ended meanwhile; then there is nothing left to kill.
    kill_process(Pid::from_raw(pid)?, Signal::KILL).ok();
    Some(format!("{pid} {}", name.trim()))
}

/// Field 5 of `/proc/PID/stat`, counted after the name, which may hold spaces and parentheses.
fn group_of(pid: i32) -> Option<i32> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(2)?.parse().ok()
}
