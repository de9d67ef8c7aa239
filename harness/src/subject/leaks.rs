//! Finds processes that escaped their subject's process group, by the mark that each inherited: the trial's own TMPDIR.
//! An environment that was cleared hides a process from this; a sandbox's PID namespace does not have that hole.

use std::{path::Path, str::FromStr};

use rustix::process::{Pid, Signal, kill_process};

use super::Leaks;

/// When a process started, in ticks since the machine did. Numbers of processes begin anew at some point; this does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Birth(u64);

impl Birth {
    /// `None` when it has been collected already.
    pub(super) fn of(pid: Pid) -> Option<Self> {
        born(pid.as_raw_nonzero().get())
    }
}

/// [`sweep`] after a short command: only processes that are no older than it, of which there are few.
pub(super) fn sweep_since(tmp_dir: &Path, group: Pid, birth: Option<Birth>) -> Leaks {
    sweep_of(tmp_dir, group, pids().filter(|pid| born(*pid) >= birth))
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

const GROUP: usize = 5;
const STARTED: usize = 22;

fn group_of(pid: i32) -> Option<i32> {
    field(pid, GROUP)
}

fn born(pid: i32) -> Option<Birth> {
    field(pid, STARTED).map(Birth)
}

/// A field of `/proc/PID/stat`, from 1. Those after the name are counted from its end: it may hold spaces and parentheses.
fn field<T: FromStr>(pid: i32, number: usize) -> Option<T> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(number - 3)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use rustix::process::{Pid, getpid, getppid};

    use super::{Birth, field};

    #[test]
    fn a_child_is_no_older_than_its_parent_whatever_their_numbers_are() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let births = [getppid().unwrap(), getpid(), Pid::from_child(&child)].map(|pid| Birth::of(pid).unwrap());
        child.kill().unwrap();
        assert!(births.is_sorted(), "{births:?}");
        let zombie = Birth::of(Pid::from_child(&child));
        assert_eq!(zombie, Some(births[2]), "known until it is collected");
        child.wait().unwrap();
    }

    #[test]
    fn a_name_with_parentheses_hides_no_field() {
        let parent = getppid().unwrap().as_raw_nonzero().get();
        std::fs::write("/proc/self/comm", "a) S (b").unwrap();
        assert_eq!(field(getpid().as_raw_nonzero().get(), 4), Some(parent));
    }
}
