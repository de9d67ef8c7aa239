//! Agents: sessions of a coding agent with any model, and any outside agent command.
//!
//! Owns: asking models (the only crate with Rig), tools, the session loop, profiles. Never does: storage and isolation.
//! A session writes through a [`Journal`] and acts through an [`Environment`]; whoever calls brings both.
//! Start at [`Session`], then [`tools::Tool`] and [`RigService`].

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test fails by panicking"))]

pub mod command;
pub mod conversation;
pub mod environment;
mod external;
mod journal;
mod profile;
pub mod provider;
mod secret;
mod session;
pub mod tools;

pub use command::{CommandRunner, ProcessRunner};
pub use environment::{Environment, LocalEnvironment};
pub use external::{ExternalAgent, ExternalError, TASK_FILE_VARIABLE};
pub use journal::{Journal, JournalError};
pub use profile::Profile;
pub use provider::{Provider, ProviderConfig, RigService};
pub use secret::Secret;
pub use session::{Control, ControlFull, Session, SessionConfig, SessionError};

/// As events hold durations.
fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
