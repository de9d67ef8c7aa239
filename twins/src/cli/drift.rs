//! `twins drift`: a table of differences for people, JSON for programs; ends with 1 where one is not known.

use std::{io::stdout, path::PathBuf, process::ExitCode};

use anyhow::Result;
use twins::{Drift, DriftOptions, DriftReport, Verdict, drift};

use super::say;

#[derive(clap::Args)]
pub(super) struct Options {
    /// The folder of a Python package in the style of `openai` and `anthropic`: its types are read, nothing is run.
    #[arg(long, value_name = "DIR")]
    sdk: Option<PathBuf>,
    /// What a service was recorded to answer (`twins record`); can be given again.
    #[arg(long = "recording", value_name = "FILE")]
    recordings: Vec<PathBuf>,
    /// The exported journal of a twin that was driven (`GET ADMIN/journal/export`); can be given again.
    #[arg(long = "journal", value_name = "FILE")]
    journals: Vec<PathBuf>,
    /// A path whose ids look like words, with its parameters: `/repos/{owner}/{repo}`; can be given again.
    #[arg(long = "path", value_name = "TEMPLATE")]
    paths: Vec<String>,
    /// Differences that are known: a YAML list of `difference` and `reason`.
    #[arg(long, value_name = "FILE")]
    allow: Option<PathBuf>,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(options: Options) -> Result<ExitCode> {
    let Options { sdk, recordings, journals, paths, allow, json } = options;
    let report = drift(&DriftOptions { sdk, recordings, journals, paths, allow })?;
    if json {
        say(&mut stdout(), &serde_json::to_string_pretty(&report)?)?;
    } else {
        say(&mut stdout(), &table(&report))?;
    }
    Ok(if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn table(report: &DriftReport) -> String {
    let mut text = String::new();
    for difference in &report.differences {
        text.push_str(&row(difference));
    }
    for stale in &report.stale {
        text.push_str(&format!("{stale}\n"));
    }
    let unknown = report.differences.iter().filter(|difference| difference.reason.is_none()).count();
    let known = report.differences.len() - unknown;
    let (recorded, twin) = (report.only_recorded.len(), report.only_twin.len());
    text.push_str(&format!(
        "{} operations compared: {unknown} differences, {known} known ones; only recorded: {recorded}, only of the twin: {twin}",
        report.compared
    ));
    text
}

fn row(difference: &Drift) -> String {
    let Drift { operation, status, path, about, verdict, reason, .. } = difference;
    let verdict = match (reason, verdict) {
        (Some(reason), _) => format!("known: {reason}"),
        (None, Verdict::TwinDrift) => "the twin is alone".to_owned(),
        (None, Verdict::ServiceChanged) => "the recording is alone".to_owned(),
        (None, Verdict::SdkDrift) => "the SDK is alone".to_owned(),
        (None, Verdict::Differs) => "they differ".to_owned(),
    };
    let mut text = format!("{operation} {status} {path} {about}\n    {verdict}");
    for (side, said) in [("sdk", &difference.sdk), ("recorded", &difference.recorded), ("twin", &difference.twin)] {
        if let Some(said) = said {
            text.push_str(&format!("; {side}: {said}"));
        }
    }
    text + "\n"
}
