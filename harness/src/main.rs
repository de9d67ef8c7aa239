//! The binary `harness`: scenarios against any repository, without a factory, a database or an account.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may panic"))]

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    rustls::crypto::ring::default_provider().install_default().ok();
    cli::main()
}
