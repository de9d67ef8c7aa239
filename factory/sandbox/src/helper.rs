//! The inside of the helper binary: from a plain process to a sandbox with a running init.
//!
//! [`main`] runs as two processes. The *watchdog* is the child that the library started; it makes the namespaces,
//! forks, and outlives init by a moment. *Init* is PID 1 of the new PID namespace; when it dies the kernel kills
//! everything inside. The watchdog kills it when the control socket closes, so that a factory killed with SIGKILL
//! leaves nothing behind; and it exits after init is reaped, so that its exit proves that nothing is left.
//!
//! Single-threaded throughout: that is what makes `fork` sound.

mod command;
mod init;
mod network;
mod root;
mod seccomp;

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::process::ExitCode;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::{
    DumpableBehavior, Gid, Pid, PidfdFlags, Signal, Uid, WaitOptions, getegid, geteuid, kill_process, pidfd_open,
    set_dumpable_behavior, waitpid,
};
use rustix::thread::{UnshareFlags, set_thread_groups, set_thread_res_gid, set_thread_res_uid};

use crate::kernel::{self, Fork};
use crate::wire::{self, Reply, Request};
use root::Trees;

/// The uid and gid that commands see themselves as.
const INNER_ID: u32 = 1000;

/// A step of the set-up that failed.
#[derive(Debug)]
struct Failure {
    stage: String,
    error: io::Error,
}

/// Names the step in which an error happened.
trait Stage<T> {
    fn stage(self, stage: impl Into<String>) -> Result<T, Failure>;
}

impl<T, E: Into<io::Error>> Stage<T> for Result<T, E> {
    fn stage(self, stage: impl Into<String>) -> Result<T, Failure> {
        self.map_err(|error| Failure { stage: stage.into(), error: error.into() })
    }
}

/// Runs the helper; standard input is the control socket.
pub fn main() -> ExitCode {
    let stdin = io::stdin();
    match run(stdin.as_fd()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            report(stdin.as_fd(), failure);
            ExitCode::FAILURE
        }
    }
}

/// Tells the host why there is no sandbox. A host that is gone needs no answer.
fn report(control: BorrowedFd<'_>, failure: Failure) {
    let reply = Reply::Failed { stage: failure.stage, error: failure.error.to_string() };
    wire::send(control, &reply, &[]).ok();
}

fn run(control: BorrowedFd<'_>) -> Result<(), Failure> {
    // The host sends this after it has put this process into its cgroup, so everything below is accounted there.
    let Some((Request::Setup(setup), _)) = wire::receive(control).stage("receive the set-up")? else {
        return Err(io::Error::from(io::ErrorKind::UnexpectedEof)).stage("receive the set-up");
    };
    let trees = match setup.become_uid {
        // Root sees every path, the unprivileged uid might not: a workspace may lie below a private directory.
        Some(uid) => {
            let trees = Trees::open(&setup)?;
            become_user(uid).stage("drop root")?;
            enter_namespaces()?;
            trees
        }
        None => {
            enter_namespaces()?;
            Trees::open(&setup)?
        }
    };
    match kernel::fork().stage("fork init")? {
        Fork::Child => init::main(control, &setup, trees),
        Fork::Parent(init) => watch(control, init).stage("watch init"),
    }
}

fn become_user(id: u32) -> io::Result<()> {
    let (uid, gid) = (Uid::from_raw(id), Gid::from_raw(id));
    set_thread_groups(&[])?;
    set_thread_res_gid(gid, gid, gid)?;
    set_thread_res_uid(uid, uid, uid)?;
    // A change of uid makes /proc/self belong to root, and the id maps below could not be written.
    set_dumpable_behavior(DumpableBehavior::Dumpable)?;
    Ok(())
}

/// Leaves every namespace of the host, all at once: there is no partly isolated sandbox.
fn enter_namespaces() -> Result<(), Failure> {
    let (uid, gid) = (geteuid(), getegid());
    let all = UnshareFlags::NEWUSER
        | UnshareFlags::NEWNS
        | UnshareFlags::NEWPID
        | UnshareFlags::NEWNET
        | UnshareFlags::NEWIPC
        | UnshareFlags::NEWUTS
        | UnshareFlags::NEWCGROUP;
    kernel::unshare(all).stage("make namespaces")?;
    std::fs::write("/proc/self/setgroups", "deny").stage("deny setgroups")?;
    std::fs::write("/proc/self/uid_map", format!("{INNER_ID} {} 1", uid.as_raw())).stage("map the uid")?;
    std::fs::write("/proc/self/gid_map", format!("{INNER_ID} {} 1", gid.as_raw())).stage("map the gid")
}

/// Waits for init's end and hastens it when the host hangs up. After this, nothing of the sandbox is alive: init is
/// reaped only after the kernel has killed and reaped all other processes of its PID namespace.
fn watch(control: BorrowedFd<'_>, init: Pid) -> io::Result<()> {
    let pidfd = pidfd_open(init, PidfdFlags::empty())?;
    loop {
        let mut events = [
            PollFd::new(&pidfd, PollFlags::IN),
            // No event is asked for: a hang-up is always reported, and the packets are init's to read.
            PollFd::from_borrowed_fd(control, PollFlags::empty()),
        ];
        match poll(&mut events, None) {
            Ok(_) => break,
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    // Harmless when init has ended: it stays a zombie, and its pid its own, until the wait below.
    kill_process(init, Signal::KILL).ok();
    while let Err(Errno::INTR) = waitpid(Some(init), WaitOptions::empty()) {}
    Ok(())
}
