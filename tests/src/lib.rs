//! What the end-to-end tests share: a real browser, and a factory that exists only in memory.

pub mod browser;
pub mod fixtures;
