//! What others read: the events of a stream, and rows for pages.

mod events;
mod rows;
mod runs;

pub(crate) use events::events_page;
pub(crate) use rows::{id, word};
pub use runs::{AuditState, GateRow, RunHead, RunRow, RunStatus, SpecRow};
