//! Finds processes that escaped their subject's process group, in three ways: by the mark that each inherited, the trial's
//! own TMPDIR; by descent, while an ancestor lives; and, where a [`Nursery`] adopts what nobody else waits for, by that.
//! What a process does to hide from one of them does not hide it from the others.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use rustix::process::{
    Pid, Signal, WaitOptions, getpid, kill_process, kill_process_group, set_child_subreaper, waitpid,
};

use super::Leaks;

const ROUNDS_MAX: usize = 10; // what is killed may have started others meanwhile
const DYING: Duration = Duration::from_millis(1); // about as long as it takes the kernel to bury one

/// When a process started, in ticks since the machine did. Numbers of processes begin anew at some point; this does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Birth(u64);

impl Birth {
    /// `None` when it has been collected already.
    pub(super) fn of(pid: Pid) -> Option<Self> {
        Process::of(raw(pid)).map(|process| process.birth)
    }
}

/// A process that was started here as the leader of a group. Dropping it ends it.
#[derive(Debug)]
pub(super) struct Leader {
    id: Pid,
    birth: Option<Birth>,
    /// All that it starts carries this.
    tmp_dir: PathBuf,
    nursery: Nursery,
    has_ended: AtomicBool,
}

impl Leader {
    pub(super) fn new(id: Pid, tmp_dir: &Path, nursery: &Nursery) -> Self {
        let birth = Birth::of(id);
        nursery.open(raw(id), birth);
        Self { id, birth, tmp_dir: tmp_dir.to_owned(), nursery: nursery.clone(), has_ended: AtomicBool::new(false) }
    }

    /// Sends its group a signal, which may be gone already.
    pub(super) fn signal(&self, signal: Signal) {
        // Its number may be that of another one since it was collected, and so may its group's.
        if Birth::of(self.id).is_none_or(|birth| Some(birth) == self.birth) {
            kill_process_group(self.id, signal).ok();
        }
    }

    /// Kills its group, and kills and names what had left that. To be asked once: nothing can be left after that.
    pub(super) fn end(&self) -> Leaks {
        if self.has_ended.swap(true, Ordering::Relaxed) {
            return Leaks::default();
        }
        // Before it is killed: orphans have no ancestors.
        let mut left = self.escaped_family();
        self.signal(Signal::KILL);
        let mut named = BTreeSet::new();
        for _ in 0..ROUNDS_MAX {
            let processes = processes();
            let open = self.nursery.close(raw(self.id));
            let escaped =
                processes.into_iter().filter(|process| process.group != raw(self.id) && process.id != raw(self.id));
            left.extend(escaped.filter(|process| open.have_left(process) || self.marked(process)));
            let killed: Vec<_> = left.drain(..).filter_map(|process| process.killed()).collect();
            if killed.is_empty() {
                break;
            }
            named.extend(killed);
            thread::sleep(DYING);
        }
        Leaks { processes: named.into_iter().collect() }
    }

    /// All that descends from it and has left its group.
    fn escaped_family(&self) -> Vec<Process> {
        // Most commands have ended by themselves.
        if self.birth.is_none() || Birth::of(self.id) != self.birth {
            return Vec::new();
        }
        let mut family = BTreeSet::from([raw(self.id)]);
        // A child is no older than its parent, so one look at all in the order of their births finds every generation.
        let descends = |process: &Process| family.contains(&process.parent) && family.insert(process.id);
        let escaped = processes().into_iter().filter(descends);
        escaped.filter(|process| process.group != raw(self.id)).collect()
    }

    fn marked(&self, process: &Process) -> bool {
        Some(process.birth) >= self.birth && process.carries(&mark(&self.tmp_dir, "\0"))
    }
}

impl Drop for Leader {
    fn drop(&mut self) {
        self.end();
    }
}

/// Kills what a harness that was killed has left behind: everything whose TMPDIR is in `folder`.
pub(crate) fn kill_marked(folder: &Path) {
    let mark = mark(folder, "");
    processes().iter().filter(|process| process.carries(&mark)).for_each(|process| drop(process.killed()));
}

fn mark(folder: &Path, end: &str) -> Vec<u8> {
    format!("TMPDIR={}{end}", folder.display()).into_bytes()
}

/// Takes orphans in, if this process is one that adopts. An orphan does not tell whose child it was: it may be that of
/// everything that ran when it was born. So it is killed when the last of these has ended, which is at once where trials
/// do not run side by side.
#[derive(Clone, Debug, Default)]
pub(super) struct Nursery(Option<Arc<Mutex<Vec<Open>>>>);

/// Something that runs.
#[derive(Debug)]
struct Open {
    id: i32,
    birth: Option<Birth>,
}

impl Nursery {
    /// From now on this process adopts: all of its children must be started through this.
    pub(super) fn adopting() -> Self {
        // Where the kernel refuses, orphans are found by the other two ways only.
        let is_adopting = set_child_subreaper(Some(getpid())).is_ok();
        Self(is_adopting.then(Arc::default))
    }

    fn open(&self, id: i32, birth: Option<Birth>) {
        if let Some(open) = &self.0 {
            open.lock().unwrap_or_else(PoisonError::into_inner).push(Open { id, birth });
        }
    }

    /// Forgets one that runs, and gives those who have ended.
    fn close(&self, id: i32) -> Ended<'_> {
        let mut open = self.0.as_ref().map(|open| open.lock().unwrap_or_else(PoisonError::into_inner));
        if let Some(open) = &mut open {
            open.retain(|one| one.id != id);
        }
        Ended(open)
    }
}

/// Everything that was started here and does not run any more.
struct Ended<'a>(Option<MutexGuard<'a, Vec<Open>>>);

impl Ended<'_> {
    /// Whether a process is an orphan of theirs, and cannot be of anything that runs.
    fn have_left(&self, process: &Process) -> bool {
        let may_be_of = |one: &Open| [process.id, process.group].contains(&one.id) || one.birth <= Some(process.birth);
        process.parent == raw(getpid()) && self.0.as_ref().is_some_and(|open| !open.iter().any(may_be_of))
    }
}

#[derive(Debug)]
struct Process {
    id: i32,
    is_dead: bool,
    parent: i32,
    group: i32,
    birth: Birth,
}

/// All of this machine, the oldest first.
fn processes() -> Vec<Process> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let mut processes: Vec<_> = ids.filter_map(Process::of).collect();
    processes.sort_by_key(|process| (process.birth, process.id));
    processes
}

impl Process {
    fn of(id: i32) -> Option<Self> {
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        // Fields after the name are counted from its end: it may hold spaces and parentheses.
        let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
        let is_dead = fields.next()? == "Z";
        let (parent, group) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
        let birth = Birth(fields.nth(STARTED_AFTER_GROUP)?.parse().ok()?);
        Some(Self { id, is_dead, parent, group, birth })
    }

    fn carries(&self, mark: &[u8]) -> bool {
        let environment = std::fs::read(format!("/proc/{}/environ", self.id)).unwrap_or_default();
        environment.windows(mark.len()).any(|window| window == mark)
    }

    /// Its number and name. `None` where it has ended meanwhile, or another one has its number.
    fn killed(&self) -> Option<String> {
        let pid = Pid::from_raw(self.id)?;
        if Birth::of(pid) != Some(self.birth) {
            return None;
        }
        let name = std::fs::read_to_string(format!("/proc/{}/comm", self.id)).unwrap_or_default();
        if !self.is_dead {
            kill_process(pid, Signal::KILL).ok();
        }
        if self.parent == raw(getpid()) {
            // Nobody else collects what was adopted.
            waitpid(Some(pid), WaitOptions::NOHANG).ok();
        }
        (!self.is_dead).then(|| format!("{} {}", self.id, name.trim()))
    }
}

const STARTED_AFTER_GROUP: usize = 16; // the 22nd field; the group is the 5th

fn raw(pid: Pid) -> i32 {
    pid.as_raw_nonzero().get()
}

#[cfg(test)]
mod tests {
    use rustix::process::{Pid, getpid, getppid};

    use super::{Birth, Process, raw};

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
        std::fs::write("/proc/self/comm", "a) S (b").unwrap();
        let process = Process::of(raw(getpid())).unwrap();
        assert_eq!(process.parent, raw(getppid().unwrap()));
        assert_eq!(process.group, raw(rustix::process::getpgrp()));
    }
}
