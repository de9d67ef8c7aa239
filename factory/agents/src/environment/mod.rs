//! Where a session's tools act: a tree of files and a place to run commands.
//!
//! Owns: the seam [`Environment`], and [`LocalEnvironment`] for a tree on this host. Never does: isolation of commands,
//! which is the [`CommandRunner`](crate::command::CommandRunner)'s.

mod local;
mod path;
mod search;
mod tree;

use std::time::Duration;

use async_trait::async_trait;

use crate::command::{Exit, RunnerError};

pub use local::LocalEnvironment;
pub use path::{PathError, WorkspacePath};
pub use search::{Found, GlobQuery, GrepQuery, Hit, SearchError, Searched};
pub use tree::Tree;

/// A workspace as the tools see it. All paths are inside it, whatever symlinks say.
#[async_trait]
pub trait Environment: Send + Sync {
    /// Where commands see the workspace, such as `/workspace`.
    fn home(&self) -> &str;

    /// The whole file; [`FileError::TooLarge`] beyond `bytes_max`, before any of it is read.
    async fn read(&self, path: &WorkspacePath, bytes_max: u64) -> Result<Vec<u8>, FileError>;

    /// All of the new content or the old one, never a mix. Makes missing folders; keeps the mode of a file that exists.
    async fn write(&self, path: &WorkspacePath, bytes: Vec<u8>) -> Result<Written, FileError>;

    async fn remove(&self, path: &WorkspacePath) -> Result<(), FileError>;

    /// One folder, by name.
    async fn list(&self, path: &WorkspacePath) -> Result<Vec<Entry>, FileError>;

    async fn stat(&self, path: &WorkspacePath) -> Result<Stat, FileError>;

    async fn grep(&self, query: GrepQuery) -> Result<Searched<Hit>, SearchError>;

    /// Newest first.
    async fn glob(&self, query: GlobQuery) -> Result<Searched<Found>, SearchError>;

    async fn run(&self, command: ShellCommand) -> Result<ShellOutput, RunnerError>;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    Created,
    Replaced,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub name: String,
    pub kind: Kind,
    pub size_bytes: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    File,
    Folder,
    Link,
    Other,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    pub kind: Kind,
    pub size_bytes: u64,
    /// Nanoseconds since 1970.
    pub modified_ns: i128,
}

/// A line for the shell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShellCommand {
    pub command: String,
    pub timeout: Duration,
    /// Inside the workspace.
    pub cwd: WorkspacePath,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShellOutput {
    pub exit: Exit,
    pub stdout: String,
    pub stderr: String,
    pub duration: Duration,
}

impl ShellOutput {
    pub fn timed_out(&self) -> bool {
        self.exit == Exit::TimedOut
    }
}

#[derive(Debug, thiserror::Error)]
pub enum FileError {
    #[error("`{0}` does not exist")]
    NotFound(String),
    #[error("`{0}` leaves the workspace, through a symlink or an absolute link; only files inside it can be used")]
    Escapes(String),
    #[error("`{0}` is a folder")]
    IsFolder(String),
    #[error("`{0}` is not a folder")]
    NotFolder(String),
    #[error("`{0}` is neither a file nor a folder")]
    Special(String),
    #[error("`{path}` has {size_bytes} bytes and only {bytes_max} can be read at once; use `grep` or `shell` for it")]
    TooLarge { path: String, size_bytes: u64, bytes_max: u64 },
    #[error("`{path}`: {source}")]
    Io { path: String, source: std::io::Error },
}

impl FileError {
    fn from_errno(path: &str, errno: rustix::io::Errno) -> Self {
        use rustix::io::Errno;
        let path = path.to_owned();
        match errno {
            Errno::NOENT => Self::NotFound(path),
            Errno::XDEV | Errno::LOOP => Self::Escapes(path),
            Errno::ISDIR => Self::IsFolder(path),
            Errno::NOTDIR => Self::NotFolder(path),
            Errno::NXIO | Errno::NODEV => Self::Special(path),
            other => Self::Io { path, source: other.into() },
        }
    }
}
