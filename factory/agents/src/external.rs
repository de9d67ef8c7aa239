//! Any outside agent: a command that gets the task and changes the workspace.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use model::{
    event::agent::{CommandExited, CommandPrinted, CommandStarted, OutputStream},
    id::ActionId,
};
use tokio::{sync::mpsc, time::MissedTickBehavior};

use crate::{
    command::{CHUNKS_MAX, Command, CommandRunner, Finished, OutputChunk, RunnerError, without_secrets},
    environment::{Environment, FileError, WorkspacePath},
    journal::{Journal, JournalError},
    millis,
    session::Control,
};

const FLUSH_EVERY: Duration = Duration::from_millis(250); // live enough for a person, few enough events
const EVENT_BYTES_MAX: usize = 16 * 1024;
const PRINTED_BYTES_MAX: usize = 1024 * 1024; // of one command in the log; the rest is counted
const TASK_FILE: &str = ".factory/task.md";
/// Names the file that holds the task, for commands that do not read it from their input.
pub const TASK_FILE_VARIABLE: &str = "FACTORY_TASK_FILE";

/// A command given a task: on its standard input, and in a file.
pub struct ExternalAgent {
    pub action: ActionId,
    pub argv: Vec<String>,
    pub task: String,
    /// The command's environment; variables named like secrets are dropped.
    pub env: BTreeMap<String, String>,
    /// What is left of the wall time.
    pub timeout: Duration,
    pub environment: Arc<dyn Environment>,
    pub runner: Arc<dyn CommandRunner>,
}

#[derive(Debug, thiserror::Error)]
pub enum ExternalError {
    #[error("put the task where the agent finds it: {0}")]
    Task(#[from] FileError),
    #[error(transparent)]
    Runner(#[from] RunnerError),
    #[error(transparent)]
    Journal(#[from] JournalError),
}

impl ExternalAgent {
    /// Runs the command to its end; its output is recorded while it comes.
    pub async fn run(&self, journal: &dyn Journal, control: &Control) -> Result<CommandExited, ExternalError> {
        let task_file = WorkspacePath::parse(TASK_FILE, self.environment.home()).expect("a literal relative path");
        self.environment.write(&task_file, self.task.clone().into_bytes()).await?;
        let started = CommandStarted { action: self.action.clone(), argv: self.argv.clone() };
        journal.record(started.into()).await?;
        let begun = Instant::now();
        let outcome = self.supervise(journal, control).await;
        // What the agent did with the file does not matter, and it is no part of its work.
        self.environment.remove(&task_file).await.ok();
        let exited = self.exited(outcome?, begun.elapsed());
        journal.record(exited.clone().into()).await?;
        Ok(exited)
    }

    /// `None` where a person cancelled it.
    async fn supervise(&self, journal: &dyn Journal, control: &Control) -> Result<Option<Finished>, ExternalError> {
        let (sender, receiver) = mpsc::channel(CHUNKS_MAX);
        let printing = self.print(journal, receiver);
        // An event that cannot be stored ends the command too: nothing it does would be on record.
        let running = async {
            let command = async { Ok::<_, ExternalError>(self.runner.run(self.command(), sender).await?) };
            let printing = async { Ok(printing.await?) };
            tokio::try_join!(command, printing)
        };
        tokio::select! {
            biased;
            () = control.cancelled().cancelled() => Ok(None),
            outcome = running => outcome.map(|(finished, ())| Some(finished)),
        }
    }

    fn command(&self) -> Command {
        let home = PathBuf::from(self.environment.home());
        let mut env = without_secrets(self.env.clone());
        env.insert(TASK_FILE_VARIABLE.to_owned(), home.join(TASK_FILE).display().to_string());
        Command {
            argv: self.argv.clone(),
            env,
            cwd: home,
            stdin: self.task.clone().into_bytes(),
            timeout: self.timeout,
        }
    }

    async fn print(
        &self,
        journal: &dyn Journal,
        mut receiver: mpsc::Receiver<OutputChunk>,
    ) -> Result<(), JournalError> {
        let mut streams = [Printed::new(OutputStream::Stdout), Printed::new(OutputStream::Stderr)];
        let mut left = PRINTED_BYTES_MAX;
        let mut tick = tokio::time::interval(FLUSH_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut open = true;
        while open {
            let chunk = tokio::select! {
                chunk = receiver.recv() => chunk,
                _ = tick.tick() => {
                    self.flush(journal, &mut streams, Flush::Whole).await?;
                    continue;
                }
            };
            open = chunk.is_some();
            if let Some(chunk) = chunk {
                let kept = chunk.bytes.len().min(left);
                left -= kept;
                let stream = streams.iter_mut().find(|stream| stream.stream == chunk.stream);
                stream.expect("both streams are there").push(&chunk.bytes, kept);
            }
            if streams.iter().any(|stream| stream.bytes.len() >= EVENT_BYTES_MAX) {
                self.flush(journal, &mut streams, Flush::Whole).await?;
            }
        }
        self.flush(journal, &mut streams, Flush::Rest).await
    }

    async fn flush(&self, journal: &dyn Journal, streams: &mut [Printed], flush: Flush) -> Result<(), JournalError> {
        for printed in streams {
            let text = printed.take(flush);
            if !text.is_empty() {
                let printed = CommandPrinted { action: self.action.clone(), stream: printed.stream, text };
                journal.record(printed.into()).await?;
            }
        }
        Ok(())
    }

    fn exited(&self, finished: Option<Finished>, duration: Duration) -> CommandExited {
        CommandExited {
            action: self.action.clone(),
            status: finished.map_or_else(|| "cancelled".to_owned(), |finished| finished.exit.to_string()),
            success: finished.is_some_and(|finished| finished.exit.success()),
            duration_ms: millis(duration),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Flush {
    /// Whole characters only: the rest of a split one is still to come.
    Whole,
    Rest,
}

/// Output that waits for its event.
struct Printed {
    stream: OutputStream,
    bytes: Vec<u8>,
    dropped: usize,
}

impl Printed {
    fn new(stream: OutputStream) -> Self {
        Self { stream, bytes: Vec::new(), dropped: 0 }
    }

    fn push(&mut self, bytes: &[u8], kept: usize) {
        self.bytes.extend_from_slice(&bytes[..kept]);
        self.dropped += bytes.len() - kept;
    }

    fn take(&mut self, flush: Flush) -> String {
        let whole = match std::str::from_utf8(&self.bytes) {
            Err(error) if flush == Flush::Whole && error.error_len().is_none() => error.valid_up_to(),
            _ => self.bytes.len(),
        };
        let rest = self.bytes.split_off(whole);
        let bytes = std::mem::replace(&mut self.bytes, rest);
        let mut text = String::from_utf8_lossy(&bytes).into_owned();
        if flush == Flush::Rest && self.dropped > 0 {
            text.push_str(&format!("\n[… {} more bytes were not kept …]", self.dropped));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_character_that_is_split_over_two_events_is_not_broken() {
        let mut printed = Printed::new(OutputStream::Stdout);
        printed.push(&"a€".as_bytes()[..2], 2);
        assert_eq!(printed.take(Flush::Whole), "a");
        printed.push(&"€".as_bytes()[1..], 2);
        assert_eq!(printed.take(Flush::Whole), "€");
    }

    #[test]
    fn what_is_not_kept_is_counted() {
        let mut printed = Printed::new(OutputStream::Stderr);
        printed.push(b"abcdef", 2);
        assert_eq!(printed.take(Flush::Rest), "ab\n[… 4 more bytes were not kept …]");
    }
}
