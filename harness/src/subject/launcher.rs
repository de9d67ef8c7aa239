//! The seam between trials and whatever runs a subject.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use async_trait::async_trait;
use reqwest::Url;
use serde::{Deserialize, Serialize};

use super::{Terminal, TerminalOutput};

/// What to start, and all that it may touch.
#[derive(Clone, Debug)]
pub struct LaunchRequest {
    pub argv: Vec<String>,
    pub env: BTreeMap<String, String>,
    /// Names that are passed through from the launcher's own environment, where they are set.
    pub env_allow: Vec<String>,
    /// The subject's tree; the working directory.
    pub root: PathBuf,
    /// Survives restarts within a trial.
    pub data_dir: PathBuf,
    /// Where the subject shall listen, as the subject sees it (loopback).
    pub port: u16,
    /// More such ports, for what it serves besides.
    pub further_ports: Vec<u16>,
    /// Loopback ports that the subject may reach: its twins.
    pub egress: Vec<u16>,
    /// Both output streams are appended to this file, bounded.
    pub log: PathBuf,
}

/// A command that ends by itself: a build, or an `exec` step.
#[derive(Clone, Debug)]
pub struct ExecRequest {
    pub argv: Vec<String>,
    pub env: BTreeMap<String, String>,
    pub env_allow: Vec<String>,
    pub root: PathBuf,
    pub access: TreeAccess,
    /// Relative to `root`, never outside of it.
    pub cwd: PathBuf,
    pub data_dir: PathBuf,
    /// Loopback ports that the command may reach: the twins and, in a trial, the subject.
    pub egress: Vec<u16>,
    pub stdin: Vec<u8>,
    pub timeout: Duration,
    /// Of each output stream; what comes after is read and dropped.
    pub output_bytes_max: usize,
}

/// What a command may do with the subject's tree. Only a build writes: what it leaves is what all trials grade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TreeAccess {
    ReadOnly,
    ReadWrite,
}

/// What a command left.
#[derive(Clone, Debug)]
pub struct ExecOutput {
    pub exit: Exit,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
    /// A stream was longer than it may be.
    pub truncated: bool,
    pub duration: Duration,
    /// Processes that had left its group.
    pub leaks: Leaks,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exit {
    Code(i32),
    Signal(i32),
    TimedOut,
}

impl std::fmt::Display for Exit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal(signal) => write!(f, "death by signal {signal}"),
            Self::TimedOut => f.write_str("a time-out"),
        }
    }
}

/// How to stop: at once, or asking first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Signal {
    Kill,
    Term,
}

/// Starts subjects and runs their commands.
#[async_trait]
pub trait Launcher: Send + Sync {
    /// Starts the subject and returns at once; readiness is the caller's business.
    async fn launch(&self, request: LaunchRequest) -> Result<Box<dyn Running>, LaunchError>;

    /// Runs a command to its end. A command that fails is an output, not an error.
    ///
    /// A launcher that isolates holds [`ExecRequest::access`]. [`super::ProcessLauncher`] cannot: its commands run as the
    /// caller, in the caller's own tree.
    async fn exec(&self, request: ExecRequest) -> Result<ExecOutput, LaunchError>;

    /// [`Launcher::exec`] on a terminal of its own. What `stdin` holds is typed first.
    async fn exec_on_terminal(&self, _: ExecRequest, _: Terminal) -> Result<TerminalOutput, LaunchError> {
        Err(LaunchError::Unsupported { what: "a command on a terminal", instead: "leave `pty` out" })
    }
}

/// A started subject. Dropping it must kill it.
#[async_trait]
pub trait Running: Send + Sync {
    /// Where the harness reaches the subject.
    fn base_url(&self) -> Url;

    /// Returns when the subject is dead.
    async fn stop(&mut self, how: Signal) -> Result<(), LaunchError>;

    /// How it ended, if it has ended.
    fn try_exit(&mut self) -> Option<String>;

    /// Kills whatever is left and says what had escaped.
    async fn close(self: Box<Self>) -> Leaks;
}

/// Processes that outlived their subject, as `pid name`. They were killed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leaks {
    pub processes: Vec<String>,
}

/// Why nothing was started.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// The subject's own fault: the trial fails.
    #[error("cannot start `{program}`: {reason}")]
    Subject { program: String, reason: String },
    /// The machine's fault: the trial is invalid.
    #[error("cannot start `{program}`: {reason}; install it, or name another program in harness.yaml")]
    Machine { program: String, reason: String },
    /// This machine, or this user, cannot make one: the trial is invalid.
    #[error("no sandbox can be made: {reason}\nhint: {instead}")]
    Sandbox { reason: String, instead: &'static str },
    #[error("{what} is impossible with this kind of subject; {instead}")]
    Unsupported { what: &'static str, instead: &'static str },
}

impl LaunchError {
    pub(crate) fn is_infra(&self) -> bool {
        match self {
            Self::Subject { .. } => false,
            Self::Machine { .. } | Self::Sandbox { .. } | Self::Unsupported { .. } => true,
        }
    }
}
