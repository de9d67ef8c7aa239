//! Finds processes that escaped their subject's process group, in three ways: by the mark that each inherited, the trial's
//! own TMPDIR; by descent, while an ancestor lives; and, where a [`Nursery`] adopts what nobody else waits for, by that.
//! What a process does to hide from one of them does not hide it from the others.

use std::{
    collections::BTreeSet,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rustix::process::{Pid, Signal, WaitOptions, getpid, kill_process, set_child_subreaper, waitpid};

use super::Leaks;

const ROUNDS_MAX: usize = 32; // what is killed may have started others meanwhile; these are its orphans
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

/// A process that was started here, for as long as it may leave others behind.
#[derive(Debug)]
pub(super) struct Leader {
    pub(super) id: Pid,
    birth: Option<Birth>,
    nursery: Nursery,
}

impl Leader {
    pub(super) fn new(id: Pid, nursery: &Nursery) -> Self {
        let birth = Birth::of(id);
        nursery.open(raw(id), birth);
        Self { id, birth, nursery: nursery.clone() }
    }

    /// All that descends from it and has left its group. To be asked before it is killed: orphans have no ancestors.
    pub(super) fn family(&self) -> Family {
        let processes = processes();
        let mut ancestors = BTreeSet::from([raw(self.id)]);
        let is_alive = processes.iter().any(|process| process.id == raw(self.id) && Some(process.birth) == self.birth);
        // A child is no older than its parent, so one look at all in the order of their births finds every generation.
        let escaped = processes.into_iter().filter(|process| {
            is_alive
                && ancestors.contains(&process.parent)
                && ancestors.insert(process.id)
                && process.group != raw(self.id)
        });
        Family(escaped.collect())
    }

    /// Kills and names what it left, apart from its group, which was killed already.
    pub(super) fn sweep(&self, family: Family, tmp_dir: &Path) -> Leaks {
        let mut found: Vec<_> = family.0.iter().filter_map(Process::killed).collect();
        let mark = format!("TMPDIR={}\0", tmp_dir.display());
        let processes = processes().into_iter();
        let young = processes.filter(|process| Some(process.birth) >= self.birth && process.group != raw(self.id));
        found.extend(young.filter(|process| process.carries(mark.as_bytes())).filter_map(|process| process.killed()));
        found.extend(self.nursery.close(raw(self.id)));
        found.sort();
        found.dedup();
        Leaks { processes: found }
    }
}

impl Drop for Leader {
    fn drop(&mut self) {
        self.nursery.close(raw(self.id));
    }
}

/// What descended from a [`Leader`] while it lived.
#[derive(Debug, Default)]
pub(super) struct Family(Vec<Process>);

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

    /// Kills and names the orphans that cannot be anybody else's.
    fn close(&self, id: i32) -> Vec<String> {
        let Some(open) = &self.0 else { return Vec::new() };
        let mut open = open.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(position) = open.iter().position(|one| one.id == id) else { return Vec::new() };
        open.remove(position);
        let mut named = Vec::new();
        for _ in 0..ROUNDS_MAX {
            let adopted = processes().into_iter().filter(|process| process.parent == raw(getpid()));
            // The rest of its own group is dying.
            let orphans = adopted.filter(|process| ![process.id, process.group].contains(&id));
            let orphans = orphans.filter(|process| !open.iter().any(|one| one.may_have_left(process)));
            let killed: Vec<_> = orphans.filter_map(|process| process.killed()).collect();
            if killed.is_empty() {
                break;
            }
            named.extend(killed);
            std::thread::sleep(DYING);
        }
        named
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

impl Open {
    fn may_have_left(&self, process: &Process) -> bool {
        [process.id, process.group].contains(&self.id) || self.birth <= Some(process.birth)
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
