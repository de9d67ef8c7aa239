//! `factory gc`: frees the folders of finished runs.

use std::io::Write as _;

use clap::Args;
use controller::gc::{self, Mode, Spare};
use jiff::{SignedDuration, Span, SpanRelativeTo, Timestamp};
use serde::Serialize;

use crate::{config::Config, wiring};

const KEPT_DEFAULT: usize = 10;

#[derive(Debug, Args)]
pub(crate) struct GcArguments {
    /// Leave this many finished runs as they are, the newest [default: 10].
    #[arg(long, value_name = "N", conflicts_with = "older_than")]
    keep: Option<usize>,
    /// Free runs that ended longer ago than this: `7d`, `12h`, `30m`.
    #[arg(long, value_name = "TIME", value_parser = age)]
    older_than: Option<SignedDuration>,
    /// Only tell what would be freed.
    #[arg(long)]
    dry_run: bool,
    /// A JSON object on standard output.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Report {
    dry_run: bool,
    freed_bytes: u64,
    runs: Vec<gc::Swept>,
}

fn age(text: &str) -> Result<SignedDuration, String> {
    let span: Span = text.parse().map_err(|_| "expected a time such as 7d, 12h or 30m".to_owned())?;
    let age = span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|error| error.to_string())?;
    if age.is_negative() { Err("a time is not negative".to_owned()) } else { Ok(age) }
}

pub(crate) async fn gc(config: &Config, arguments: &GcArguments) -> anyhow::Result<u8> {
    let spare = match arguments.older_than {
        Some(age) => Spare::EndedSince(Timestamp::now().saturating_sub(age)?),
        None => Spare::Newest(arguments.keep.unwrap_or(KEPT_DEFAULT)),
    };
    let mode = if arguments.dry_run { Mode::Pretend } else { Mode::Remove };
    let store = wiring::store(config).await?;
    let swept = gc::sweep(&store, &config.home, spare, mode).await;
    store.close().await;
    let runs = swept?;
    let report = Report { dry_run: arguments.dry_run, freed_bytes: runs.iter().map(|run| run.freed_bytes).sum(), runs };
    print(&report, arguments.json)?;
    Ok(0)
}

fn print(report: &Report, json: bool) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    if json {
        serde_json::to_writer(&mut out, report)?;
        return writeln!(out);
    }
    for run in &report.runs {
        writeln!(out, "{}  {:<16} {:>9}  ended {}", run.run, run.spec, size(run.freed_bytes), run.finished_at)?;
    }
    let verb = if report.dry_run { "would free" } else { "freed" };
    writeln!(out, "{verb} {} of {} finished runs; the log keeps them all", size(report.freed_bytes), report.runs.len())
}

fn size(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}
