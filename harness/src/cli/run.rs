//! `harness run`.

use std::{
    io::{self, IsTerminal as _, Write as _},
    num::NonZero,
    path::PathBuf,
};

use clap::Args;
use harness::{
    Gate, Launcher, Plan, ProcessLauncher, Report, StopEarly, SubjectConfig, Suite, UrlLauncher,
    report::{JsonLines, Paint, junit, terminal},
};
use regex::Regex;
use reqwest::Url;
use tokio::signal::unix::{SignalKind, signal};

use super::{Failed, Selection, progress::Watch, runtime, say};

const TRIALS_MAX: u32 = 100_000;
const JOBS_MAX: u16 = 256; // more subjects than that do not start any faster
const INTERRUPTED: u8 = 130; // 128 + SIGINT, as shells expect

#[derive(Debug, Args)]
pub(super) struct RunArgs {
    #[command(flatten)]
    selection: Selection,
    /// Test what already runs here, instead of starting the subject
    #[arg(long, value_name = "URL")]
    target: Option<Url>,
    /// Trials of each scenario
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=i64::from(TRIALS_MAX)))]
    trials: u32,
    /// Trials that run at once [default: the number of cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=i64::from(JOBS_MAX)))]
    jobs: Option<u16>,
    /// Gives the same random values again [default: drawn, and printed]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Of intervals and bounds
    #[arg(long, value_name = "P", default_value_t = 0.95, value_parser = share)]
    confidence: f64,
    /// Satisfied when the lower bound of satisfaction reaches this, instead of when every trial passes
    #[arg(long, value_name = "P", value_parser = share)]
    target_satisfaction: Option<f64>,
    /// End the run when it cannot be satisfied any more
    #[arg(long)]
    stop_early: bool,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
    /// Append events and records, one JSON object a line
    #[arg(long, value_name = "FILE")]
    jsonl: Option<PathBuf>,
    /// Go on where the run that wrote the --jsonl file ended
    #[arg(long, requires = "jsonl", requires = "seed")]
    resume: bool,
    /// Write `JUnit` XML
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Only scenarios whose name, tag or requirement matches
    #[arg(long, value_name = "REGEX")]
    filter: Option<Regex>,
}

/// A probability strictly between 0 and 1.
fn share(text: &str) -> Result<f64, String> {
    let share = text.parse().ok().filter(|share| 0.0 < *share && *share < 1.0);
    share.ok_or_else(|| "write a number above 0 and below 1, like 0.95".to_owned())
}

pub(super) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get)
}

pub(super) fn run(arguments: &RunArgs) -> Result<u8, Failed> {
    let subject = arguments.subject()?;
    let suite = arguments.suite(&subject)?;
    let plan = arguments.plan(suite, subject)?;
    let lines = arguments.jsonl.as_deref().map(JsonLines::append_to).transpose()?;
    let planned = plan.suite.scenarios.len() * plan.trials as usize;
    let watch = Watch::new(planned, plan.done.len(), lines);
    let launcher = arguments.launcher();
    let report = runtime()?.block_on(async {
        tokio::select! {
            report = run_plan(plan, launcher.as_ref(), &watch) => report.map(Some),
            () = interrupted() => Ok(None),
        }
    })?;
    watch.clear();
    let Some(report) = report else {
        writeln!(io::stderr(), "interrupted; every subject that was started is dead")?;
        return Ok(INTERRUPTED);
    };
    arguments.show(&report)?;
    Ok(report.exit_code())
}

async fn run_plan(plan: Plan, launcher: &dyn Launcher, watch: &Watch) -> Result<Report, Failed> {
    Ok(harness::run(plan, launcher, None, watch).await?)
}

async fn interrupted() {
    let Ok(mut terminate) = signal(SignalKind::terminate()) else { return std::future::pending().await };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}

impl RunArgs {
    fn subject(&self) -> Result<SubjectConfig, Failed> {
        match &self.target {
            Some(url) => Ok(SubjectConfig::already_running(url.as_str())),
            None => Ok(SubjectConfig::load(&self.selection.subject)?),
        }
    }

    fn suite(&self, subject: &SubjectConfig) -> Result<Suite, Failed> {
        let suite = self.selection.suite(subject)?;
        let Some(filter) = &self.filter else { return Ok(suite) };
        let all = suite.scenarios.len();
        let suite = suite.filtered(filter);
        if suite.scenarios.is_empty() {
            return Err(Failed::Use(format!("--filter `{filter}` matches none of {all} scenarios")));
        }
        Ok(suite)
    }

    fn plan(&self, suite: Suite, subject: SubjectConfig) -> Result<Plan, Failed> {
        let confidence = self.confidence;
        let gate = self
            .target_satisfaction
            .map_or(Gate::Every { confidence }, |target| Gate::LowerBound { target, confidence });
        let done = match self.jsonl.as_deref().filter(|path| self.resume && path.exists()) {
            Some(path) => JsonLines::read(path)?,
            None => Vec::new(),
        };
        Ok(Plan {
            suite,
            subject,
            root: self.selection.subject.clone(),
            trials: self.trials,
            seed: self.seed.unwrap_or_else(|| u64::from(rand::random::<u32>())),
            jobs: self.jobs.map_or_else(cores, usize::from),
            done,
            gate,
            stop_early: if self.stop_early { StopEarly::WhenHopeless } else { StopEarly::Never },
        })
    }

    fn launcher(&self) -> Box<dyn Launcher> {
        let processes = ProcessLauncher::new(std::env::vars_os().filter_map(|(name, value)| {
            // A name or value that is not UTF-8 cannot stand in harness.yaml either.
            Some((name.into_string().ok()?, value.into_string().ok()?))
        }));
        match &self.target {
            Some(url) => Box::new(UrlLauncher::new(url.clone(), processes)),
            None => Box::new(processes),
        }
    }

    fn show(&self, report: &Report) -> Result<(), Failed> {
        if let Some(path) = &self.junit {
            std::fs::write(path, junit(report))?;
        }
        if self.json {
            say(&serde_json::to_string_pretty(report).map_err(io::Error::from)?)?;
        } else {
            let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
            let is_plain = no_color || !io::stdout().is_terminal();
            let paint = if is_plain { Paint::Plain } else { Paint::Colour };
            say(terminal(report, paint).trim_end())?;
        }
        Ok(())
    }
}
