//! Integration tests of the sandbox.
mod life;
mod support;
