//! `twins`: serves digital twins for any product, in any language.

mod cli;

use std::process::ExitCode;

use clap::Parser;

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_max_level(tracing::Level::WARN).init();
    match cli::run(cli::Cli::parse()).await {
        Ok(code) => code,
        Err(error) => {
            cli::say(&mut std::io::stderr(), &format!("error: {error:#}")).ok();
            ExitCode::from(2)
        }
    }
}
