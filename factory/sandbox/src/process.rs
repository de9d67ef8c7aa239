//! A command in a sandbox: what to run, its streams while it runs, and how it ended.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::pipe::{Receiver, Sender};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::channel::Channel;
use crate::wire::Request;
use crate::{Error, Result};

/// How long a command may run when it does not say.
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(600);
/// How much of each output stream is kept when the command does not say.
const OUTPUT_BYTES_DEFAULT: usize = 4 * 1024 * 1024;
/// Between the polite signal and the deadly one.
const TERMINATE_GRACE: Duration = Duration::from_secs(2);
/// What a pipe can still hold when its writer has ended: the kernel's upper bound for unprivileged users.
const PIPE_BYTES_MAX: usize = 1024 * 1024;
const CHUNK_BYTES: usize = 64 * 1024;

/// What to run, and within what bounds.
#[derive(Clone, Debug)]
pub struct Command {
    /// The program, looked up in the environment's `PATH`, and its arguments.
    pub argv: Vec<String>,
    /// Over the sandbox's environment.
    pub env: BTreeMap<String, String>,
    /// A guest path. Default: `/`.
    pub cwd: PathBuf,
    /// For [`crate::Sandbox::run`]; [`Process::stdin`] otherwise.
    pub stdin: Vec<u8>,
    /// For `run`: then its process group gets SIGTERM, and 2 s later SIGKILL. Default: 10 min.
    pub timeout: Duration,
    /// For `run`: how much of each output stream is kept; the rest is read and dropped. Default: 4 MiB.
    pub output_bytes_max: usize,
}

impl Command {
    pub fn new<S: Into<String>>(argv: impl IntoIterator<Item = S>) -> Self {
        Self {
            argv: argv.into_iter().map(Into::into).collect(),
            env: BTreeMap::new(),
            cwd: "/".into(),
            stdin: Vec::new(),
            timeout: TIMEOUT_DEFAULT,
            output_bytes_max: OUTPUT_BYTES_DEFAULT,
        }
    }

    #[must_use]
    pub fn cwd(mut self, cwd: impl Into<PathBuf>) -> Self {
        self.cwd = cwd.into();
        self
    }

    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.insert(name.into(), value.into());
        self
    }

    #[must_use]
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = bytes.into();
        self
    }

    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    #[must_use]
    pub fn output_bytes_max(mut self, bytes: usize) -> Self {
        self.output_bytes_max = bytes;
        self
    }
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exit {
    Code(i32),
    Signal(i32),
    /// It ran too long and was killed.
    TimedOut,
}

impl Exit {
    #[must_use]
    pub fn is_success(self) -> bool {
        self == Self::Code(0)
    }
}

/// What a finished command leaves.
#[derive(Clone, Debug)]
pub struct Output {
    pub status: Exit,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
    /// Whether either stream was longer than what is kept.
    pub truncated: bool,
    pub duration_ms: u64,
}

/// Signals for a command's process group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    Hangup,
    Interrupt,
    Terminate,
    Kill,
}

impl Signal {
    fn number(self) -> i32 {
        match self {
            Self::Hangup => libc::SIGHUP,
            Self::Interrupt => libc::SIGINT,
            Self::Terminate => libc::SIGTERM,
            Self::Kill => libc::SIGKILL,
        }
    }
}

/// A running command. Dropping it kills its process group; a background process that left the group lives on until
/// the sandbox ends.
#[derive(Debug)]
pub struct Process {
    /// Take them to use them; a stream that is dropped is closed.
    pub stdin: Option<Sender>,
    pub stdout: Option<Receiver>,
    pub stderr: Option<Receiver>,
    id: u64,
    channel: Arc<Channel>,
    exit: oneshot::Receiver<Exit>,
    ended: Option<Exit>,
}

impl Process {
    pub(crate) fn new(
        channel: Arc<Channel>,
        id: u64,
        exit: oneshot::Receiver<Exit>,
        [stdout, stderr]: [Receiver; 2],
        stdin: Sender,
    ) -> Self {
        Self { stdin: Some(stdin), stdout: Some(stdout), stderr: Some(stderr), id, channel, exit, ended: None }
    }

    /// Waits for the command's own end, not for what it left running.
    ///
    /// # Cancel safety
    /// May be called again after it was cancelled, and after it returned.
    pub async fn wait(&mut self) -> Result<Exit> {
        if let Some(exit) = self.ended {
            return Ok(exit);
        }
        let exit = (&mut self.exit).await.map_err(|_| Error::Gone)?;
        self.ended = Some(exit);
        Ok(exit)
    }

    /// Signals the command's process group. A command that has ended is no error.
    pub async fn signal(&self, signal: Signal) -> Result<()> {
        if self.ended.is_some() {
            return Ok(());
        }
        self.channel.send(&Request::Signal { id: self.id, signal: signal.number() }, &[]).await
    }

    /// Kills the command's process group and waits for the command's end.
    pub async fn kill(&mut self) -> Result<Exit> {
        self.signal(Signal::Kill).await?;
        self.wait().await
    }

    /// Feeds, reads and waits, within the command's bounds.
    pub(crate) async fn finish(mut self, command: &Command) -> Result<Output> {
        let started = Instant::now();
        let exited = CancellationToken::new();
        let (stdin, stdout, stderr) = (self.stdin.take(), self.stdout.take(), self.stderr.take());
        let feed = async {
            if let Some(mut stdin) = stdin {
                // A command need not read its input; it may also outlive whoever reads.
                tokio::select! {
                    _ = stdin.write_all(&command.stdin) => {}
                    () = exited.cancelled() => {}
                }
            }
        };
        let wait = async {
            let status = self.wait_within(command.timeout).await;
            exited.cancel();
            status
        };
        let limit = command.output_bytes_max;
        let (status, (), stdout, stderr) =
            tokio::join!(wait, feed, collect(stdout, limit, &exited), collect(stderr, limit, &exited));
        let (stdout, stderr) = (stdout.doing_output()?, stderr.doing_output()?);
        Ok(Output {
            status: status?,
            truncated: stdout.truncated || stderr.truncated,
            stdout: stdout.bytes,
            stderr: stderr.bytes,
            duration_ms: started.elapsed().as_millis().try_into().unwrap_or(u64::MAX),
        })
    }

    async fn wait_within(&mut self, timeout: Duration) -> Result<Exit> {
        if let Ok(exit) = tokio::time::timeout(timeout, self.wait()).await {
            return exit;
        }
        self.signal(Signal::Terminate).await?;
        if tokio::time::timeout(TERMINATE_GRACE, self.wait()).await.is_err() {
            self.kill().await?;
        }
        Ok(Exit::TimedOut)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.ended.is_none() {
            self.channel.try_send(&Request::Signal { id: self.id, signal: libc::SIGKILL });
        }
    }
}

#[derive(Debug, Default)]
struct Captured {
    bytes: Vec<u8>,
    truncated: bool,
}

impl Captured {
    fn push(&mut self, bytes: &[u8], limit: usize) {
        let room = limit.saturating_sub(self.bytes.len());
        self.bytes.extend_from_slice(&bytes[..bytes.len().min(room)]);
        self.truncated |= bytes.len() > room;
    }
}

trait DoingOutput {
    fn doing_output(self) -> Result<Captured>;
}

impl DoingOutput for io::Result<Captured> {
    fn doing_output(self) -> Result<Captured> {
        crate::error::Doing::doing(self, || "read a command's output".into())
    }
}

/// Reads until the end of the stream; or, once the command has ended, what it left in the pipe: a background process
/// may hold the stream open for ever.
async fn collect(pipe: Option<Receiver>, limit: usize, exited: &CancellationToken) -> io::Result<Captured> {
    let mut captured = Captured::default();
    let Some(mut pipe) = pipe else { return Ok(captured) };
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        tokio::select! {
            read = pipe.read(&mut chunk) => match read? {
                0 => return Ok(captured),
                length => captured.push(&chunk[..length], limit),
            },
            () = exited.cancelled() => break,
        }
    }
    let mut left = PIPE_BYTES_MAX;
    while left > 0 {
        // Straight from the kernel: the event loop may not know yet that the pipe is readable.
        match rustix::io::read(pipe.as_fd(), &mut chunk) {
            Ok(0) | Err(Errno::AGAIN) => break,
            Ok(length) => captured.push(&chunk[..length], limit),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        left = left.saturating_sub(chunk.len());
    }
    Ok(captured)
}
