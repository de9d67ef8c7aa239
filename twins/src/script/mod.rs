//! Scripts that the LLM twin plays: a file says which turn answers which request, so that the whole path from an
//! agent to the socket runs without a model. A script sees only what the request carries; it never remembers.
//!
//! ```yaml
//! script: greet
//! model: claude-sonnet-4-6
//! turns:
//!   - turn: look
//!     when: { assistant_turns: 0, has_tool: read_file }
//!     say: "I read {{ request.tools | length }} tools."
//!     calls:
//!       - read_file: { path: README.md }
//!   - turn: done
//!     say: Done.
//! ```
//!
//! `format` is the file as written, `conditions` what `when` means, `transcript` the facts of a conversation in any
//! provider's form, `play` the choice and the making of an answer.

mod conditions;
mod format;
mod play;
mod transcript;

use std::path::Path;

use located::{Diagnostics, Source};

pub(crate) use self::{
    format::{Script, StopReason, Usage},
    play::{Block, Facts},
    transcript::Transcript,
};

/// Reads and checks a script with every file it names.
///
/// # Errors
/// Everything that is wrong, each with its place.
pub fn check(path: &Path) -> Result<(), Diagnostics> {
    load(path).map(drop)
}

pub(crate) fn load(path: &Path) -> Result<Script, Diagnostics> {
    let source = Source::read(path)?;
    let folder = path.parent().unwrap_or_else(|| Path::new("."));
    Script::parse(&source, folder)
}
