//! The factory's hands: compiles a spec to a seed and performs the actions that [`model::run::decide`] asks for.
//!
//! Owns: seed, dispatch, grading, gate, feedback, publishing. Never decides what comes next (that is `model`), never
//! writes SQL (that is `store`), and gives nothing of `holdout/` to `sandbox` or `agents`. Start at [`seed::compile`],
//! then [`worker::drive`].

pub mod feedback;
pub mod gate;
pub mod gc;
pub mod identity;
mod journal;
mod launcher;
pub mod layout;
pub mod leak;
pub mod model_access;
mod model_hub;
mod perform;
pub mod repo;
mod runner;
pub mod seed;
pub mod task;
pub mod worker;

use std::path::PathBuf;

use model::id::RunId;

/// What performers work with; one for a process.
pub struct Factory {
    pub store: store::Store,
    pub sandboxes: sandbox::Sandboxes,
    /// Where runs keep their files; see [`layout::RunDir`].
    pub home: PathBuf,
    /// The provider whose key is set, if any.
    pub provider: Option<model_access::Provider>,
    /// Folders with programs that sandboxes see read-only under the same path.
    pub tools: Vec<PathBuf>,
    /// `PATH` of commands in sandboxes.
    pub path: String,
    /// Trials at a time.
    pub jobs: usize,
    /// Names this process in the log and in its leases; see [`identity::own`].
    pub worker: String,
}

impl Error {
    /// Whether another worker, or this one a little later, may get further.
    fn may_pass(&self) -> bool {
        match self {
            Self::Store(store::Error::Database(_)) | Self::NotClaimable(_) | Self::Lease(_) => true,
            Self::Append(error) => matches!(
                error,
                store::AppendError::Fenced { .. } | store::AppendError::Store(store::Error::Database(_))
            ),
            Self::Seed(error) => matches!(error, seed::Error::Io { .. } | seed::Error::Store(_)),
            Self::Store(store::Error::Unreadable { .. })
            | Self::NotARun(_)
            | Self::NothingToDo(_)
            | Self::Performer(_)
            | Self::Unreadable { .. }
            | Self::NoQuestion { .. }
            | Self::NoSuchChoice { .. } => false,
        }
    }
}

/// Why a run could not be driven. What the flow can handle is an outcome, not an error.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error(transparent)]
    Append(#[from] store::AppendError),
    #[error("stream `{0}` does not start with `run.created`: it is not a run")]
    NotARun(RunId),
    #[error("{0} is finished, or another worker has it; see `factory runs`")]
    NotClaimable(RunId),
    #[error("{0} has not finished and has nothing to do: this is a bug of the flow engine")]
    NothingToDo(RunId),
    #[error(
        "the record of {scenario} #{trial} cannot be read: it is from another version of the factory; start a new run"
    )]
    Unreadable { scenario: String, trial: u32 },
    #[error("a performer panicked: {0}")]
    Performer(String),
    #[error(transparent)]
    Lease(#[from] store::LeaseError),
    #[error(transparent)]
    Seed(#[from] seed::Error),
    #[error("{run} asks no question; see `factory runs`")]
    NoQuestion { run: RunId },
    #[error("{run} can be answered with {}, not `{answer}`", .choices.join(" or "))]
    NoSuchChoice { run: RunId, answer: String, choices: Vec<String> },
}
