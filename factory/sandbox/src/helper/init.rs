//! PID 1 of a sandbox: finishes the root, starts commands, reaps, and answers the host until it hangs up.
//!
//! Never runs the commands' code, never reads their output, and is out of their reach: they share its uid, but it
//! holds capabilities that they lack and is not dumpable, so that the kernel refuses ptrace and `/proc/1`.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::{Errno, read};
use rustix::process::{
    DumpableBehavior, Pid, Signal, WaitOptions, kill_process_group, set_dumpable_behavior,
    set_parent_process_death_signal, wait,
};
use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities};

use super::command::Launch;
use super::root::{self, Trees};
use super::{Failure, Stage, network, report};
use crate::kernel::{self, Fork};
use crate::process::Exit;
use crate::wire::{self, DESCRIPTORS_MAX, Reply, Request, Setup};

/// Becomes init; returns only by ending the process, and with it the sandbox.
pub(super) fn main(control: BorrowedFd<'_>, setup: &Setup, trees: Trees) -> ! {
    let code = match prepare(setup, trees).and_then(|signals| serve(control, setup, &signals)) {
        Ok(()) => 0,
        Err(failure) => {
            report(control, failure);
            1
        }
    };
    std::process::exit(code)
}

fn prepare(setup: &Setup, trees: Trees) -> Result<OwnedFd, Failure> {
    rustix::thread::set_name(c"init").stage("take a neutral name")?;
    set_parent_process_death_signal(Some(Signal::KILL)).stage("die with the watchdog")?;
    root::build(setup, trees)?;
    rustix::system::sethostname(b"localhost").stage("set the host name")?;
    network::start_loopback().stage("start loopback")?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable).stage("hide init")?;
    // What is left: dropping the bounding set of each command, and that commands stay below init in rank.
    let kept = CapabilitySet::SETPCAP;
    set_capabilities(None, CapabilitySets { effective: kept, permitted: kept, inheritable: CapabilitySet::empty() })
        .stage("drop capabilities")?;
    kernel::child_signals().stage("watch children")
}

fn serve(control: BorrowedFd<'_>, setup: &Setup, signals: &OwnedFd) -> Result<(), Failure> {
    wire::send(control, &Reply::Ready, &[]).stage("report")?;
    // Compiled after the report, while the host prepares its first command.
    let mut init = Init { control, launch: Launch::new(setup)?, running: HashMap::new() };
    loop {
        let mut events = [PollFd::from_borrowed_fd(control, PollFlags::IN), PollFd::new(signals, PollFlags::IN)];
        match poll(&mut events, None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error).stage("wait for events"),
        }
        let (request, child) = (events[0].revents(), events[1].revents());
        if !child.is_empty() {
            init.reap(signals).stage("report an exit")?;
        }
        if !request.is_empty() {
            match wire::receive(control).stage("receive a request")? {
                Some((request, fds)) => init.perform(request, fds).stage("answer a request")?,
                None => return Ok(()),
            }
        }
    }
}

struct Init<'a> {
    control: BorrowedFd<'a>,
    launch: Launch,
    /// Commands whose leader has not been reaped, so that their pid cannot mean another process.
    running: HashMap<Pid, u64>,
}

impl Init<'_> {
    fn perform(&mut self, request: Request, fds: Vec<OwnedFd>) -> io::Result<()> {
        match request {
            Request::Setup(_) => Err(io::Error::new(io::ErrorKind::InvalidData, "a sandbox is set up once")),
            Request::Start { id, argv, env, cwd } => {
                let fds: [OwnedFd; DESCRIPTORS_MAX] = fds
                    .try_into()
                    .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "a command needs four descriptors"))?;
                match kernel::fork() {
                    Ok(Fork::Child) => self.launch.exec(&argv, &env, &cwd, &fds),
                    Ok(Fork::Parent(pid)) => {
                        self.running.insert(pid, id);
                    }
                    Err(error) => Launch::refuse(&fds[3], "fork", &error),
                }
                Ok(())
            }
            Request::Signal { id, signal } => {
                self.signal(id, signal);
                Ok(())
            }
            Request::Listen { id, port } => self.hand_over(id, network::listener(port)),
            Request::Socket { id } => self.hand_over(id, network::stream()),
        }
    }

    /// A command that has ended meanwhile is not an error: the host learns of its end by another packet.
    fn signal(&self, id: u64, signal: i32) {
        let pid = self.running.iter().find(|(_, running)| **running == id).map(|(pid, _)| *pid);
        if let (Some(pid), Some(signal)) = (pid, Signal::from_named_raw(signal)) {
            kill_process_group(pid, signal).ok();
        }
    }

    fn hand_over(&self, id: u64, socket: io::Result<OwnedFd>) -> io::Result<()> {
        match socket {
            Ok(socket) => wire::send(self.control, &Reply::Socket { id, error: None }, &[socket.as_fd()]),
            Err(error) => wire::send(self.control, &Reply::Socket { id, error: Some(error.to_string()) }, &[]),
        }
    }

    /// Collects every child that has ended: commands, and orphans that the kernel gave to init.
    fn reap(&mut self, signals: &OwnedFd) -> io::Result<()> {
        // Emptied before the wait: a child that ends afterwards makes it readable again.
        while read(signals, &mut [0u8; 1024]).is_ok_and(|length| length > 0) {}
        loop {
            let (pid, status) = match wait(WaitOptions::NOHANG) {
                Ok(Some(ended)) => ended,
                Ok(None) | Err(Errno::CHILD) => return Ok(()),
                Err(Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            };
            let exit = match (status.exit_status(), status.terminating_signal()) {
                (Some(code), _) => Exit::Code(code),
                (None, Some(signal)) => Exit::Signal(signal),
                (None, None) => continue,
            };
            if let Some(id) = self.running.remove(&pid) {
                wire::send(self.control, &Reply::Exited { id, exit }, &[])?;
            }
        }
    }
}
