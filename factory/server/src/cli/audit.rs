//! `factory audit`: is the trail whole and untouched?

use std::{io::Write as _, path::PathBuf};

use clap::{Args, Subcommand};

use crate::{config::Config, wiring};

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Recompute every hash chain, compare heads and counts, and compare with the anchor if there is one.
    Verify(AuditArguments),
    /// Write the signed heads of all streams to a file outside of the database.
    Anchor(AuditArguments),
}

#[derive(Debug, Args)]
pub(crate) struct AuditArguments {
    /// The anchor file [default: anchor.json in the factory's home].
    #[arg(long)]
    file: Option<PathBuf>,
    /// A JSON object on standard output.
    #[arg(long)]
    json: bool,
}

/// 0 whole, 1 broken.
pub(crate) async fn audit(config: &Config, command: &AuditCommand) -> anyhow::Result<u8> {
    let store = wiring::store(config).await?;
    let (AuditCommand::Verify(arguments) | AuditCommand::Anchor(arguments)) = command;
    let file = arguments.file.clone().unwrap_or_else(|| store.anchor_path());
    let mut out = std::io::stdout().lock();
    let status = match command {
        AuditCommand::Verify(_) => {
            let report = store.verify(file.exists().then_some(file.as_path())).await?;
            if arguments.json {
                serde_json::to_writer(&mut out, &report)?;
                writeln!(out)?;
            } else {
                match &report.first_bad {
                    None => {
                        let anchored = report.anchored_events.map_or_else(
                            || "no anchor to compare with; write one with `factory audit anchor`".to_owned(),
                            |events| format!("{events} events agree with the anchor"),
                        );
                        writeln!(out, "whole: {} events in {} streams; {anchored}", report.events, report.streams)?;
                    }
                    Some(bad) => writeln!(out, "broken: {bad}")?,
                }
            }
            u8::from(report.first_bad.is_some())
        }
        AuditCommand::Anchor(_) => {
            let anchored = store.anchor(&file).await?;
            if arguments.json {
                serde_json::to_writer(&mut out, &anchored)?;
                writeln!(out)?;
            } else {
                writeln!(out, "{} events anchored in {}", anchored.events, file.display())?;
            }
            0
        }
    };
    drop(out);
    store.close().await;
    Ok(status)
}
