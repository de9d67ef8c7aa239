//! A living sandbox: start commands, open doors, end it.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::{Gid, Uid, fchown};
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::{self, Receiver, Sender};
use tokio_util::sync::CancellationToken;

use crate::channel::Channel;
use crate::error::Doing;
use crate::spec::check_egress;
use crate::wire::Request;
use crate::{Command, Egress, Error, Output, Process, Result, forward};

/// Death is a matter of milliseconds, unless a process inside waits for a disk.
const KILL_TIMEOUT: Duration = Duration::from_secs(20);
/// A reason why a command does not run is a sentence.
const REASON_BYTES_MAX: u64 = 4096;

/// Made by [`crate::Sandboxes::create`]. Dropping it kills everything inside, without waiting for that.
#[derive(Debug)]
pub struct Sandbox {
    channel: Arc<Channel>,
    env: BTreeMap<String, String>,
    /// The host uid of the commands, where it differs from ours.
    uid: Option<u32>,
    /// Cancelled when everything inside is dead and what belonged to the sandbox is removed.
    ended: CancellationToken,
}

impl Sandbox {
    pub(crate) fn new(
        channel: Arc<Channel>,
        env: BTreeMap<String, String>,
        uid: Option<u32>,
        ended: CancellationToken,
    ) -> Self {
        Self { channel, env, uid, ended }
    }

    /// Runs a command to its end. What it leaves in the background lives on.
    ///
    /// # Cancel safety
    /// Dropping the future kills the command's process group.
    pub async fn run(&self, command: Command) -> Result<Output> {
        self.spawn(&command).await?.finish(&command).await
    }

    /// Starts a command; `stdin`, `timeout` and `output_bytes_max` are the caller's business.
    pub async fn spawn(&self, command: &Command) -> Result<Process> {
        if command.argv.is_empty() {
            return Err(Error::Start("run a command without a program".into()));
        }
        let doing = || "make pipes for a command".into();
        let (stdin, their_stdin) = self.pipe_in().doing(doing)?;
        let (stdout, their_stdout) = self.pipe_out().doing(doing)?;
        let (stderr, their_stderr) = self.pipe_out().doing(doing)?;
        let (mut status, their_status) = self.pipe_out().doing(doing)?;
        let (id, exit) = self.channel.expect_exit()?;
        let mut env = self.env.clone();
        env.extend(command.env.clone());
        let request = Request::Start { id, argv: command.argv.clone(), env, cwd: command.cwd.clone() };
        let theirs = [their_stdin, their_stdout, their_stderr, their_status];
        self.channel.send(&request, &theirs.each_ref().map(AsFd::as_fd)).await?;
        // Ours would keep the streams open after the command's end.
        drop(theirs);
        let process = Process::new(Arc::clone(&self.channel), id, exit, [stdout, stderr], stdin);
        let mut reason = String::new();
        (&mut status).take(REASON_BYTES_MAX).read_to_string(&mut reason).await.doing(|| "start a command".into())?;
        if reason.is_empty() { Ok(process) } else { Err(Error::Start(reason)) }
    }

    /// Opens a port on the host's loopback that leads to `127.0.0.1:inner_port` inside, connection by connection:
    /// where nobody listens inside, a connection is accepted and closed.
    pub async fn expose(&self, inner_port: u16) -> Result<SocketAddr> {
        forward::expose(&self.channel, inner_port).await
    }

    /// Opens one more door from the inside to a service on the host's loopback.
    pub async fn allow(&self, egress: Egress) -> Result<()> {
        check_egress(&egress)?;
        forward::allow(&self.channel, egress).await
    }

    /// Kills everything inside. When this returns, nothing of it is alive.
    pub async fn kill(self) -> Result<()> {
        self.channel.close();
        tokio::time::timeout(KILL_TIMEOUT, self.ended.cancelled())
            .await
            .map_err(|_| Error::KillTimeout { limit: KILL_TIMEOUT })
    }

    /// Resolves when the sandbox has ended by itself, for example because its init was killed for lack of memory.
    pub async fn ended(&self) {
        self.ended.cancelled().await;
    }

    fn pipe_in(&self) -> io::Result<(Sender, OwnedFd)> {
        let (ours, theirs) = pipe::pipe()?;
        Ok((ours, self.hand_over(theirs.into_blocking_fd()?)?))
    }

    fn pipe_out(&self) -> io::Result<(Receiver, OwnedFd)> {
        let (theirs, ours) = pipe::pipe()?;
        Ok((ours, self.hand_over(theirs.into_blocking_fd()?)?))
    }

    /// Makes the pipe the command's own, so that it can open `/dev/stdout`.
    fn hand_over(&self, fd: OwnedFd) -> io::Result<OwnedFd> {
        if let Some(uid) = self.uid {
            fchown(&fd, Some(Uid::from_raw(uid)), Some(Gid::from_raw(uid)))?;
        }
        Ok(fd)
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.channel.close();
    }
}
