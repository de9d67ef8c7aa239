//! Prints progress: signs and colours on a terminal, plain lines elsewhere, JSON Lines for machines.

use std::{
    io::{IsTerminal as _, Write as _, stderr, stdout},
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use controller::{Factory, worker::End};
use harness::report::printable;
use indicatif::{ProgressBar, ProgressStyle};
use model::{
    budget::{Spend, usd},
    event::{Body, Event, StreamId, grade::GateEvaluated, run::BranchWritten},
    id::RunId,
    run::State,
    verdict::Verdict,
};
use serde::Serialize;
use store::AnchorError;
use tracing::warn;

use crate::{
    cli,
    progress::{Line, Mark, Progress},
};

/// Where a run's progress goes.
pub(crate) enum Terminal {
    /// One JSON object a line on standard output: every event, then the summary.
    Json,
    Text {
        progress: Progress,
        bar: ProgressBar,
        colour: bool,
        started: Instant,
    },
}

impl Terminal {
    pub(crate) fn new(json: bool) -> Self {
        if json {
            return Self::Json;
        }
        let colour = stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        let bar = if stderr().is_terminal() { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
        bar.set_style(ProgressStyle::with_template("{spinner} {msg} · {elapsed}").expect("a literal template"));
        bar.enable_steady_tick(Duration::from_millis(120));
        Self::Text { progress: Progress::default(), bar, colour, started: Instant::now() }
    }

    pub(crate) fn show(&mut self, event: &Event) -> std::io::Result<()> {
        match self {
            Self::Json => {
                let mut out = stdout().lock();
                serde_json::to_writer(&mut out, event)?;
                out.write_all(b"\n")?;
                out.flush()
            }
            Self::Text { progress, bar, colour, started } => {
                let lines = progress.on(event);
                let elapsed = started.elapsed();
                bar.suspend(|| lines.iter().try_for_each(|line| print(line, *colour, elapsed)))?;
                bar.set_message(progress.status());
                Ok(())
            }
        }
    }

    pub(crate) fn close(&self) {
        if let Self::Text { bar, .. } = self {
            bar.finish_and_clear();
        }
    }
}

/// The sign says what the colour says, so that nothing is lost without colour.
fn print(line: &Line, colour: bool, elapsed: Duration) -> std::io::Result<()> {
    let (sign, code) = match line.mark {
        Mark::Good => ("  ✓ ", "32"),
        Mark::Bad => ("  ✗ ", "31"),
        Mark::Note => ("  · ", "36"),
        Mark::Heading => ("", "1"),
        Mark::Detail => ("    ", "2"),
    };
    let mut err = stderr().lock();
    let text = printable(&line.text).replace('\n', "\n      ");
    let time = if line.mark == Mark::Heading { format!("  {:.1} s", elapsed.as_secs_f64()) } else { String::new() };
    if colour {
        writeln!(err, "\u{1b}[{code}m{sign}{text}\u{1b}[0m{time}")
    } else {
        writeln!(err, "{sign}{text}{time}")
    }
}

/// Prints an error with its causes, and gives the exit status.
pub(crate) fn fail(error: &anyhow::Error, status: u8) -> ExitCode {
    let mut err = stderr().lock();
    let mut texts: Vec<String> = Vec::new();
    for cause in error.chain() {
        let text = printable(&cause.to_string());
        // Transparent errors repeat their source's text.
        if texts.last().is_none_or(|last| !last.contains(&text)) {
            texts.push(text);
        }
    }
    let written = texts.iter().enumerate().try_for_each(|(n, text)| match n {
        0 => writeln!(err, "error: {text}"),
        _ => writeln!(err, "  caused by: {text}"),
    });
    // Nobody is left to tell.
    drop(written);
    ExitCode::from(status)
}

/// What a machine reads at the end of a run, and a person as text.
#[derive(Debug, Serialize)]
struct Summary<'a> {
    run: &'a RunId,
    verdict: &'static str,
    reason: String,
    exit_status: u8,
    iterations: u32,
    spent: Spend,
    elapsed_ms: u64,
    gate: Option<&'a GateEvaluated>,
    branch: Option<&'a BranchWritten>,
    audit: &'static str,
}

impl Terminal {
    /// Prints the end of a run; gives its exit status.
    pub(crate) async fn summary(&mut self, factory: &Factory, run: &RunId, end: &End) -> anyhow::Result<u8> {
        let events = factory.store.all_events(&StreamId::run(run)).await?;
        let state = State::replay(events.iter().map(|event| &event.body)).context("the run has no events")?;
        let audit = audit(factory, run).await?;
        let (verdict, reason) = words(end);
        let summary = Summary {
            run,
            verdict,
            reason,
            exit_status: cli::run::status(end),
            iterations: state.visits.get("build").copied().unwrap_or_default(),
            spent: state.spent,
            elapsed_ms: state.elapsed_ms(),
            gate: cli::run::last(&events, |body| if let Body::GateEvaluated(gate) = body { Some(gate) } else { None }),
            branch: cli::run::last(
                &events,
                |body| if let Body::BranchWritten(branch) = body { Some(branch) } else { None },
            ),
            audit,
        };
        match self {
            Self::Json => {
                let mut out = stdout().lock();
                serde_json::to_writer(&mut out, &summary)?;
                out.write_all(b"\n")?;
            }
            Self::Text { colour, .. } => print_summary(&summary, *colour)?,
        }
        Ok(summary.exit_status)
    }
}

/// Checks what this run has written, and puts it under the anchor.
async fn audit(factory: &Factory, run: &RunId) -> anyhow::Result<&'static str> {
    match factory.store.anchor_run(run).await {
        Ok(report) if report.first_bad.is_none() => Ok("verified"),
        Ok(_) => Ok("broken"),
        Err(AnchorError::Store(error)) => Err(error.into()),
        Err(error) => {
            warn!(%error, "the audit trail was not checked");
            Ok("not checked")
        }
    }
}

fn words(end: &End) -> (&'static str, String) {
    match end {
        End::Finished(finished) => (finished.verdict.words(), finished.reason.clone()),
        End::Parked(parked) => (Verdict::NeedsPerson.words(), parked.question.clone()),
        End::Released => ("interrupted", "go on with `factory resume`".to_owned()),
    }
}

fn print_summary(summary: &Summary<'_>, colour: bool) -> std::io::Result<()> {
    let mut out = stdout().lock();
    let bold = |text: &str| if colour { format!("\u{1b}[1m{text}\u{1b}[0m") } else { text.to_owned() };
    writeln!(out, "\n{}: {}", bold(summary.verdict), printable(&summary.reason))?;
    if let Some(gate) = summary.gate {
        writeln!(out, "\nevidence (trials satisfied, visible + hidden)")?;
        for evidence in &gate.requirements {
            let satisfied = evidence.visible_satisfied + evidence.holdout_satisfied;
            let trials = evidence.visible_trials + evidence.holdout_trials;
            let sign = if trials > 0 && satisfied == trials { '✓' } else { '✗' };
            let split = format!(
                "{}/{} + {}/{}",
                evidence.visible_satisfied,
                evidence.visible_trials,
                evidence.holdout_satisfied,
                evidence.holdout_trials
            );
            writeln!(out, "  {sign} {:<4} {split:<14} {}", evidence.requirement, printable(&evidence.text))?;
        }
    }
    writeln!(out)?;
    let seconds = summary.elapsed_ms as f64 / 1000.0;
    let (tokens, cost) = (summary.spent.tokens(), usd(summary.spent.cost_usd_micros));
    writeln!(out, "  {} iterations, {seconds:.1} s, {tokens} tokens, {cost} at list price", summary.iterations)?;
    if let Some(branch) = summary.branch {
        writeln!(out, "  branch {}   (git show {})", branch.branch, branch.branch)?;
    }
    writeln!(out, "  audit trail {}   (factory audit verify)", summary.audit)?;
    writeln!(out, "  run {}", summary.run)
}
