//! Running commands: what is asked, what comes back, and the seam behind which a sandbox or a plain process does it.

mod capture;
mod environment;
mod process;

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use async_trait::async_trait;
use model::event::agent::OutputStream;
use tokio::sync::mpsc;

pub use capture::{Captured, capture};
pub use environment::without_secrets;
pub use process::ProcessRunner;

/// Chunks that may wait for a reader: beyond them the command is held back, so memory stays bounded.
pub const CHUNKS_MAX: usize = 64;

/// Where commands run: a sandbox in the factory, a plain process in tests and in `factory tool`.
#[async_trait]
pub trait CommandRunner: Send + Sync {
    /// Runs to the end. Output goes to `output` while it comes; a receiver that is gone means that nobody reads, not
    /// that the command must stop. The time-out is the runner's to keep: `SIGTERM` to the group, then `SIGKILL`.
    ///
    /// # Cancel safety
    /// Dropping the future kills the command and all that it started.
    async fn run(&self, command: Command, output: mpsc::Sender<OutputChunk>) -> Result<Finished, RunnerError>;
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    pub argv: Vec<String>,
    /// The whole environment: nothing else is inherited.
    pub env: BTreeMap<String, String>,
    /// As the command sees it.
    pub cwd: PathBuf,
    pub stdin: Vec<u8>,
    pub timeout: Duration,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputChunk {
    pub stream: OutputStream,
    pub bytes: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finished {
    pub exit: Exit,
    pub duration: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    Code(i32),
    Signal(i32),
    TimedOut,
}

impl Exit {
    pub fn success(self) -> bool {
        self == Self::Code(0)
    }
}

impl std::fmt::Display for Exit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit {code}"),
            Self::Signal(signal) => write!(f, "signal {signal}"),
            Self::TimedOut => f.write_str("timed out"),
        }
    }
}

/// The command did not run, or what became of it is unknown.
#[derive(Debug, thiserror::Error)]
pub enum RunnerError {
    #[error("start `{program}`: {source}")]
    Start { program: String, source: std::io::Error },
    /// The place where commands run is gone, or refused.
    #[error("{0}")]
    Unavailable(String),
}
