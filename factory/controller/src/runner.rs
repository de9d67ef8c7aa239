//! Runs an agent's commands in its sandbox.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use agents::command::{Command, CommandRunner, Exit, Finished, OutputChunk, RunnerError};
use async_trait::async_trait;
use model::event::agent::OutputStream;
use sandbox::{Process, Sandbox};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::unix::pipe::Receiver,
    sync::mpsc,
    task::JoinSet,
};

const CHUNK_BYTES: usize = 16 * 1024;
/// Between SIGTERM and SIGKILL.
const GRACE: Duration = Duration::from_secs(2);
/// How long output may still come after the command's own end: a background process can hold the pipe for ever.
const DRAIN: Duration = Duration::from_millis(200);

/// [`CommandRunner`] over one sandbox.
pub(crate) struct SandboxRunner(pub(crate) Arc<Sandbox>);

#[async_trait]
impl CommandRunner for SandboxRunner {
    async fn run(&self, command: Command, output: mpsc::Sender<OutputChunk>) -> Result<Finished, RunnerError> {
        let started = Instant::now();
        let mut inside = sandbox::Command::new(command.argv).cwd(command.cwd);
        inside.env = command.env;
        let mut process = self.0.spawn(&inside).await.map_err(|error| RunnerError::Unavailable(error.to_string()))?;
        let feed = process.stdin.take().map(|mut stdin| {
            let bytes = command.stdin;
            tokio::spawn(async move { stdin.write_all(&bytes).await })
        });
        let streams = [(process.stdout.take(), OutputStream::Stdout), (process.stderr.take(), OutputStream::Stderr)];
        let mut readers = JoinSet::new();
        for (pipe, stream) in streams {
            if let Some(pipe) = pipe {
                readers.spawn(forward(pipe, stream, output.clone()));
            }
        }
        drop(output);
        let exit = wait(&mut process, command.timeout).await?;
        tokio::time::timeout(DRAIN, async { while readers.join_next().await.is_some() {} }).await.ok();
        if let Some(feed) = feed {
            feed.abort();
        }
        Ok(Finished { exit, duration: started.elapsed() })
    }
}

async fn forward(mut pipe: Receiver, stream: OutputStream, output: mpsc::Sender<OutputChunk>) {
    let mut buffer = vec![0; CHUNK_BYTES];
    while let Ok(read @ 1..) = pipe.read(&mut buffer).await {
        // A receiver that is gone means that nobody reads; the command goes on.
        output.send(OutputChunk { stream, bytes: buffer[..read].to_vec() }).await.ok();
    }
}

async fn wait(process: &mut Process, timeout: Duration) -> Result<Exit, RunnerError> {
    let gone = |error: sandbox::Error| RunnerError::Unavailable(error.to_string());
    match tokio::time::timeout(timeout, process.wait()).await {
        Ok(exit) => Ok(match exit.map_err(gone)? {
            sandbox::Exit::Code(code) => Exit::Code(code),
            sandbox::Exit::Signal(signal) => Exit::Signal(signal),
            sandbox::Exit::TimedOut => Exit::TimedOut,
        }),
        Err(_) => {
            process.signal(sandbox::Signal::Terminate).await.map_err(gone)?;
            if tokio::time::timeout(GRACE, process.wait()).await.is_err() {
                process.kill().await.map_err(gone)?;
            }
            Ok(Exit::TimedOut)
        }
    }
}
