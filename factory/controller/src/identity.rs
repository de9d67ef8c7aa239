//! Names a worker so that another one on the same machine can see whether it still lives.
//!
//! A name says which process (pid and start time, since pids come back) of which machine (pid namespace and boot). Only
//! somebody of the same machine may judge, and in doubt a worker lives: its lease will expire by itself.

use std::{fs, path::Path};

use rustix::{
    io::Errno,
    process::{Pid, test_kill_process},
};

/// The present process' name; without /proc one that nobody can judge.
pub fn own() -> String {
    let pid = std::process::id();
    match (machine(), status(pid)) {
        (Some(machine), Some(status)) => format!("pid-{pid}-{}@{machine}", status.started),
        _ => format!("pid-{pid}"),
    }
}

/// Whether the worker of this name is known to be dead.
pub(crate) fn is_dead(worker: &str) -> bool {
    let Some((process, of)) = worker.split_once('@') else { return false };
    let Some((pid, started)) = process.strip_prefix("pid-").and_then(|text| text.split_once('-')) else { return false };
    let (Ok(pid), Ok(started)) = (pid.parse(), started.parse()) else { return false };
    machine().is_some_and(|here| here == of) && is_gone(pid, started)
}

/// One machine since its boot, or one container of it: what pids have their meaning in.
fn machine() -> Option<String> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let namespace = fs::read_link("/proc/self/ns/pid").ok()?;
    let namespace = namespace.to_str()?.strip_prefix("pid:[")?.strip_suffix(']')?.to_owned();
    Some(format!("{namespace}-{}", boot.trim()))
}

fn is_gone(pid: u32, started: u64) -> bool {
    match status(pid) {
        Some(status) => status.started != started || status.zombie,
        // /proc may hide other users' processes; the kernel does not.
        None => i32::try_from(pid)
            .ok()
            .and_then(Pid::from_raw)
            .is_some_and(|pid| test_kill_process(pid) == Err(Errno::SRCH)),
    }
}

struct Status {
    /// In clock ticks since the boot.
    started: u64,
    /// Dead, and its parent has not asked how it ended.
    zombie: bool,
}

fn status(pid: u32) -> Option<Status> {
    let text = fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat")).ok()?;
    // The name before the last bracket may hold anything, also brackets and spaces.
    let mut fields = text.rsplit_once(')')?.1.split_whitespace();
    let zombie = matches!(fields.next()?, "Z" | "X");
    let started = fields.nth(18)?.parse().ok()?;
    Some(Status { started, zombie })
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    fn named(pid: u32, started: u64) -> String {
        format!("pid-{pid}-{started}@{}", machine().expect("/proc"))
    }

    #[test]
    fn the_living_are_not_dead() {
        assert!(own().contains('@'), "{}", own());
        assert!(!is_dead(&own()));
    }

    #[test]
    fn who_was_killed_is_dead_before_and_after_it_is_reaped() {
        let mut child = Command::new("sleep").arg("60").stdin(Stdio::null()).spawn().expect("sleep");
        let name = named(child.id(), status(child.id()).expect("it lives").started);
        assert!(!is_dead(&name));
        child.kill().expect("kill");
        while !status(child.id()).expect("nobody has reaped it").zombie {
            std::thread::yield_now();
        }
        assert!(is_dead(&name), "as a zombie");
        child.wait().expect("reaped");
        assert!(is_dead(&name));
    }

    #[test]
    fn a_pid_that_came_back_is_another_process() {
        let me = std::process::id();
        let started = status(me).expect("alive").started;
        assert!(!is_dead(&named(me, started)));
        assert!(is_dead(&named(me, started - 1)));
    }

    #[test]
    fn nobody_judges_a_worker_elsewhere_or_an_unknown_name() {
        for name in ["pid-999999", "w1", "pid-1-2@other-boot", "pid-x-y@z", ""] {
            assert!(!is_dead(name), "{name}");
        }
    }
}
