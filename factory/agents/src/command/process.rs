//! A command as a plain process of this machine: no isolation at all.

use std::{
    os::unix::process::ExitStatusExt,
    process::{ExitStatus, Stdio},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use model::event::agent::OutputStream;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    process::Child,
    sync::mpsc,
};
use tokio_util::task::AbortOnDropHandle;

use super::{Command, CommandRunner, Exit, Finished, OutputChunk, RunnerError};

const TERM_GRACE: Duration = Duration::from_secs(2);
const PIPE_GRACE: Duration = Duration::from_millis(500); // a process that left the group may hold the pipes for ever
const CHUNK_BYTES_MAX: usize = 16 * 1024;

/// Runs commands in a process group of their own, which is killed when the command ends.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProcessRunner;

#[async_trait]
impl CommandRunner for ProcessRunner {
    async fn run(&self, command: Command, output: mpsc::Sender<OutputChunk>) -> Result<Finished, RunnerError> {
        let started = Instant::now();
        let mut child = spawn(&command)?;
        let group = Group::of(&child);
        let stdin = child.stdin.take();
        let input = AbortOnDropHandle::new(tokio::spawn(async move {
            // A command that reads nothing closes the pipe: that is its right.
            if let Some(mut stdin) = stdin {
                stdin.write_all(&command.stdin).await.ok();
            }
        }));
        let readers = [
            pump(child.stdout.take(), OutputStream::Stdout, output.clone()),
            pump(child.stderr.take(), OutputStream::Stderr, output),
        ];
        let exit = exit(&mut child, &group, command.timeout).await;
        drop((group, input));
        for reader in readers {
            // What is not read by then is held by somebody else.
            tokio::time::timeout(PIPE_GRACE, reader).await.ok();
        }
        Ok(Finished { exit: exit?, duration: started.elapsed() })
    }
}

fn spawn(command: &Command) -> Result<Child, RunnerError> {
    let program = command.argv.first().cloned().unwrap_or_default();
    tokio::process::Command::new(&program)
        .args(command.argv.iter().skip(1))
        .env_clear()
        .envs(&command.env)
        .current_dir(&command.cwd)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .map_err(|source| RunnerError::Start { program, source })
}

async fn exit(child: &mut Child, group: &Group, timeout: Duration) -> Result<Exit, RunnerError> {
    let unavailable = |error: std::io::Error| RunnerError::Unavailable(format!("wait for the command: {error}"));
    if let Ok(status) = tokio::time::timeout(timeout, child.wait()).await {
        return status.map(exit_of).map_err(unavailable);
    }
    group.signal(Signal::TERM);
    if tokio::time::timeout(TERM_GRACE, child.wait()).await.is_err() {
        group.signal(Signal::KILL);
        child.wait().await.map_err(unavailable)?;
    }
    Ok(Exit::TimedOut)
}

fn exit_of(status: ExitStatus) -> Exit {
    match (status.code(), status.signal()) {
        (Some(code), _) => Exit::Code(code),
        (None, signal) => Exit::Signal(signal.unwrap_or_default()),
    }
}

fn pump(
    from: Option<impl AsyncRead + Unpin + Send + 'static>,
    stream: OutputStream,
    to: mpsc::Sender<OutputChunk>,
) -> AbortOnDropHandle<()> {
    let reading = tokio::spawn(async move {
        let Some(mut from) = from else { return };
        let mut buffer = vec![0; CHUNK_BYTES_MAX];
        let mut read = true;
        while read {
            read = match from.read(&mut buffer).await {
                Ok(0) | Err(_) => false,
                Ok(count) => {
                    // Nobody may be listening: the pipe must be drained all the same, or the command would hang.
                    to.send(OutputChunk { stream, bytes: buffer[..count].to_vec() }).await.ok();
                    true
                }
            };
        }
    });
    AbortOnDropHandle::new(reading)
}

/// Kills the group when it goes out of scope, so that no path, not even a dropped future, leaves a process behind.
struct Group(Option<Pid>);

impl Group {
    fn of(child: &Child) -> Self {
        Self(child.id().and_then(|id| Pid::from_raw(id.cast_signed())))
    }

    fn signal(&self, signal: Signal) {
        if let Some(group) = self.0 {
            // Already gone is what is wanted.
            kill_process_group(group, signal).ok();
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}
