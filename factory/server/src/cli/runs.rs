//! `factory runs`: what was run, newest first.

use std::io::Write as _;

use clap::Args;

use crate::{config::Config, wiring};

#[derive(Debug, Args)]
pub(crate) struct RunsArguments {
    /// At most this many.
    #[arg(long, default_value_t = 20)]
    limit: u64,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

pub(crate) async fn list(config: &Config, arguments: &RunsArguments) -> anyhow::Result<u8> {
    let store = wiring::store(config).await?;
    let runs = store.runs(arguments.limit, None).await?;
    let mut out = std::io::stdout().lock();
    for run in &runs {
        if arguments.json {
            serde_json::to_writer(&mut out, run)?;
            writeln!(out)?;
        } else {
            let verdict = run.verdict.map_or("running", model::verdict::Verdict::words);
            writeln!(out, "{}  {:<22} {:<16} {}", run.run, verdict, run.spec, run.created_at)?;
        }
    }
    if runs.is_empty() && !arguments.json {
        writeln!(out, "no runs yet; start one with `factory run specs/NAME.md`")?;
    }
    drop(out);
    store.close().await;
    Ok(0)
}
