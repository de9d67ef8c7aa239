//! `harness runs` and `harness verify`: what is stored.

use std::io;

use clap::Args;
use harness::{
    Outcome,
    journal::{Ending, RunId, StoredRun},
    report::plural,
};
use jiff::{Timestamp, tz::TimeZone};
use serde::Serialize;
use serde_json::json;

use super::{Failed, INFRA, StoreArgs, say};

#[derive(Args, Debug)]
pub(super) struct RunsArgs {
    #[command(flatten)]
    store: StoreArgs,
    /// Print the list as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
pub(super) struct VerifyArgs {
    /// An id, the start or end of one, `latest`, `previous`, or the path of a run's folder
    #[arg(default_value = "latest")]
    run: String,
    #[command(flatten)]
    store: StoreArgs,
    /// Print what was found as JSON
    #[arg(long)]
    json: bool,
}

/// One line of the list.
#[derive(Serialize)]
struct Line {
    id: RunId,
    started_at: Timestamp,
    subject: String,
    scenarios: usize,
    trials: u32,
    seed: u64,
    git_head: Option<String>,
    /// Absent where the run did not end.
    ended: Option<Ending>,
}

pub(super) fn list(arguments: &RunsArgs) -> Result<u8, Failed> {
    let store = arguments.store.open();
    let mut lines = Vec::new();
    for id in store.ids()? {
        // A run whose folder is damaged is not in the way of the others.
        if let Ok(run) = store.open(id.as_str()) {
            lines.push(line(&run));
        }
    }
    if arguments.json {
        say(&serde_json::to_string_pretty(&lines).map_err(io::Error::from)?)?;
        return Ok(0);
    }
    if lines.is_empty() {
        say("no run is stored yet; `harness run` stores one")?;
    }
    for line in &lines {
        say(&line.text())?;
    }
    Ok(0)
}

pub(super) fn verify(arguments: &VerifyArgs) -> Result<u8, Failed> {
    let run = arguments.store.open().open(&arguments.run)?;
    let id = &run.manifest().id;
    if arguments.json {
        let (records, wrong) = run.verify().map_or_else(|error| (None, Some(error.to_string())), |n| (Some(n), None));
        let status = if wrong.is_some() { INFRA } else { 0 };
        let found = json!({ "id": id, "records": records, "ended": run.ending().is_some(), "wrong": wrong });
        say(&serde_json::to_string_pretty(&found).map_err(io::Error::from)?)?;
        return Ok(status);
    }
    let records = run.verify()?;
    let end = if run.ending().is_some() { "" } else { "; it has not ended" };
    say(&format!("{id}: {}, each as it was written{end}", plural(records as usize, "record")))?;
    Ok(0)
}

fn line(run: &StoredRun) -> Line {
    let manifest = run.manifest();
    Line {
        id: manifest.id.clone(),
        started_at: manifest.started_at,
        subject: manifest.roster.subject.clone(),
        scenarios: manifest.roster.scenarios.len(),
        trials: manifest.roster.trials,
        seed: manifest.roster.seed,
        git_head: manifest.git_head.clone(),
        ended: run.ending(),
    }
}

impl Line {
    fn text(&self) -> String {
        let started = self.started_at.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S");
        let result = self.ended.as_ref().map_or_else(
            || "did not end".to_owned(),
            |ended| format!("{}, {} of {} trials", in_words(ended.outcome), ended.satisfied, ended.valid),
        );
        let commit = self.git_head.as_deref().and_then(|head| head.get(..9)).unwrap_or("-");
        let scenarios = plural(self.scenarios, "scenario");
        format!("{}  {started}  {commit}  {}: {result}, {scenarios}", self.id, self.subject)
    }
}

fn in_words(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Satisfied => "satisfied",
        Outcome::Unsatisfied => "not satisfied",
        Outcome::Infra => "nothing can be concluded",
    }
}
