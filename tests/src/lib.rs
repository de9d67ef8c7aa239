//! What the end-to-end tests share: the built binaries as a user runs them, a real browser, and a factory that exists
//! only in memory.

pub mod browser;
pub mod factory;
pub mod fixtures;
