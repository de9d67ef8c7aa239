//! The factory's hands: compiles a spec to a seed and performs the actions that [`model::run::decide`] asks for.
//!
//! Owns: seed, dispatch, grading, gate, feedback, publishing. Never decides what comes next (that is `model`), never
//! writes SQL (that is `store`), and gives nothing of `holdout/` to `sandbox` or `agents`.

pub mod feedback;
pub mod leak;
pub mod model_access;
pub mod repo;
pub mod task;
