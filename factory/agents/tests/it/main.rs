//! Sessions, tools and outside commands, over real HTTP and on real files.

extern crate factory_agents as agents;

mod commands;
mod external;
mod files;
mod resume;
mod sessions;
mod support;
mod tools;
mod wires;
