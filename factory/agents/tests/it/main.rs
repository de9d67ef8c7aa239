//! Sessions, tools and outside commands, over real HTTP and on real files.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

extern crate factory_agents as agents;

mod commands;
mod external;
mod files;
mod resume;
mod sessions;
mod support;
mod tools;
mod wires;
