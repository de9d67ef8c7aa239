//! The tools of an agent: what a model may call, each with arguments that are checked before anything happens.
//!
//! Owns: the trait [`Tool`], the [`Toolbox`] that a session calls through, and the built-in tools, one file each.
//! Never does: deciding whether a call may run. Whatever goes wrong becomes a result that the model can read.

pub(crate) mod change;
mod edit_file;
mod edit_text;
mod glob;
mod grep;
mod ls;
mod read_file;
mod shell;
mod shown;
mod toolbox;
mod write_file;

use std::future::Future;

use model::event::agent::FileChange;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::{
    command::RunnerError,
    environment::{Environment, FileError, PathError, SearchError, WorkspacePath},
};

pub use edit_file::EditFile;
pub use glob::GlobFiles;
pub use grep::Grep;
pub use ls::Ls;
pub use read_file::ReadFile;
pub use shell::Shell;
pub use shown::Shown;
pub use toolbox::{CallOutcome, Toolbox};
pub use write_file::WriteFile;

/// One tool.
///
/// Arguments are a struct with `deny_unknown_fields`; its field docs are what the model reads.
pub trait Tool: Send + Sync + 'static {
    const NAME: &'static str;
    const DESCRIPTION: &'static str;
    const EFFECT: Effect;
    /// How much of the output the model sees.
    const SHOWN: Shown;
    type Arguments: DeserializeOwned + JsonSchema + Send + Sync;

    /// What the call is going to make of a file, for tools that know it beforehand: an interrupted call can then be told
    /// apart from one that was never made.
    fn change(
        &self,
        _arguments: &Self::Arguments,
        _environment: &dyn Environment,
    ) -> impl Future<Output = Option<FileChange>> + Send {
        async { None }
    }

    fn call(
        &self,
        arguments: Self::Arguments,
        environment: &dyn Environment,
    ) -> impl Future<Output = Result<String, ToolError>> + Send;
}

/// What a call may change, and so what may be done with one that a crash interrupted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Runs at the same time as others, and again after a crash.
    ReadOnly,
    /// Changes something, but twice is as good as once: alone, and again after a crash.
    Repeatable,
    /// Alone. Again after a crash only where its [`Tool::change`] shows that it took no effect; else the model is told
    /// what is known.
    Mutating,
}

/// Why a call failed, in words for the model.
#[derive(Debug, thiserror::Error)]
pub enum ToolError {
    #[error(transparent)]
    Path(#[from] PathError),
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Search(#[from] SearchError),
    #[error(transparent)]
    Runner(#[from] RunnerError),
    #[error("{0}")]
    Told(String),
}

fn path(given: &str, environment: &dyn Environment) -> Result<WorkspacePath, PathError> {
    WorkspacePath::parse(given, environment.home())
}

/// Where a search begins that may say where.
fn path_or_root(given: Option<&str>, environment: &dyn Environment) -> Result<WorkspacePath, PathError> {
    given.map_or_else(|| Ok(WorkspacePath::root()), |given| path(given, environment))
}

/// Text of a file for a tool that works on text.
fn utf8(bytes: Vec<u8>, path: &WorkspacePath) -> Result<String, ToolError> {
    String::from_utf8(bytes)
        .map_err(|_| ToolError::Told(format!("`{path}` is not UTF-8 text; change it with `shell` or `write_file`")))
}
