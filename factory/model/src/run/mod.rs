//! A run: its state as a fold over its events, and what follows each event.
//!
//! [`State::apply`] folds; [`decide`] says what one event leads to; [`settle`] goes on until only actions for workers
//! are left. All three are pure: the same events give the same state and the same decisions on every machine.

mod decide;
mod state;

pub use decide::{answered, decide, settle};
pub use state::{ActionState, Progress, State, Status};
