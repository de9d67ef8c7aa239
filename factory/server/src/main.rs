//! The binary `factory`: command line, HTTP, wiring. Thin: everything it does is somebody else's function.

mod cli;
mod config;
mod exit;
mod folds;
mod progress;
mod reads;
mod signals;
mod tails;
mod terminal;
mod wiring;

use std::process::ExitCode;

use clap::Parser as _;
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    // One TLS library for the whole process, before anything connects.
    rustls::crypto::ring::default_provider().install_default().ok();
    let arguments = cli::Arguments::parse();
    let filter = EnvFilter::try_from_env("FACTORY_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return terminal::fail(&anyhow::Error::new(error), exit::INFRASTRUCTURE),
    };
    let status = runtime.block_on(cli::execute(arguments));
    // A blocked read of standard input must not hold the process back.
    runtime.shutdown_timeout(std::time::Duration::from_secs(2));
    status
}
