#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may panic"))]
pub mod stats;
pub mod text;
pub mod expect;
pub mod subject;
