//! The words of the factory as types, and the one engine's pure half.
//!
//! Owns: ids, events, the spec and its seed, the flow graph, budgets, verdicts, and [`run::decide`], which says what
//! follows an event. Never does: I/O, clocks, randomness; whoever calls passes instants and ids in.
//! Start at [`event::Body`] (everything that can happen), then [`flow::Flow`], then [`run`].

pub mod budget;
pub mod event;
pub mod flow;
pub mod hash;
pub mod id;
pub mod run;
pub mod spec;
pub mod verdict;
