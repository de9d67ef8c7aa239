//! Killed at any moment, in any process.
