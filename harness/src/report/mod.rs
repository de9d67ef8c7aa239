//! What a run shows: counts, intervals, the gate, and everything that was not counted. Renderers are modules here.

mod compare;
mod ctrf;
mod diff;
mod events;
mod format;
mod github;
mod html;
mod junit;
mod paint;
mod roster;
mod status;
mod tally;
mod tap;
mod terminal;
mod words;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

pub use compare::{Compared, Comparison, Gap, Side, Turn, comparison_text};
pub use ctrf::ctrf;
pub use events::JsonLines;
pub use format::Format;
pub use github::{annotations, markdown};
pub use html::{Gallery, html};
pub use junit::junit;
pub use paint::Paint;
pub use roster::{Entry, Roster};
pub use tally::{FAILURES_KEPT_MAX, Tally};
pub use tap::tap;
pub use terminal::terminal;
pub use words::{plural, printable};

use crate::{
    expect::cut,
    record::{Failure, StepRecord, StepVerdict, TrialRecord, Verdict},
    run::Gate,
    scenario::{Kind, Skipped},
    stats::{Cell, Count, Flake, Interval, Split},
};

const SENT_BYTES_MAX: usize = 400; // a few lines of a terminal; the page has it all

/// The result of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    pub subject: String,
    pub suite: Kind,
    pub outcome: Outcome,
    pub gate: Gate,
    pub seed: u64,
    #[serde(default)]
    pub started_at: Option<Timestamp>,
    /// Weighted mean over the scenarios with a valid trial; absent where there is none.
    pub satisfaction: Option<f64>,
    /// Two-sided, at the gate's confidence: exact, at the effective number of trials.
    #[serde(default)]
    pub interval: Option<Interval>,
    /// Clustered by scenario.
    pub standard_error: Option<f64>,
    /// One-sided, at the gate's confidence.
    pub lower_bound: Option<f64>,
    /// Trials of each scenario that would lift the bound to the target at the present rates; absent where none would,
    /// or no target is set.
    pub trials_needed: Option<u32>,
    /// How far several tries, or several users, can rely on it. Averages over the scenarios by their weights, for the
    /// numbers of tries that every scenario has.
    #[serde(default)]
    pub passes: Vec<Passes>,
    pub planned: u32,
    /// Valid or not.
    pub executed: u32,
    pub scenarios: Vec<ScenarioReport>,
    /// Scenarios that a file says not to run; they count neither way.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skipped: Vec<Skipped>,
    /// What the command was given to select scenarios and subject; without values that may be secrets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub arguments: Vec<String>,
    /// Trials that are not counted, with the reason; of each scenario at most [`FAILURES_KEPT_MAX`].
    pub invalid: Vec<Invalid>,
    #[serde(default, skip_serializing_if = "Leaked::is_none")]
    pub leaked: Leaked,
    pub duration_ms: u64,
}

/// What a run amounts to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Satisfied,
    Unsatisfied,
    /// More trials than allowed are invalid or were not run, and they could change the answer: nothing can be concluded.
    Infra,
}

/// One scenario over its trials.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScenarioReport {
    pub scenario: String,
    pub title: String,
    pub requirements: Vec<String>,
    pub theme: Option<String>,
    pub weight: f64,
    /// Where it is written.
    #[serde(default)]
    pub file: String,
    #[serde(default)]
    pub tags: Vec<String>,
    pub count: Count,
    /// Trials, valid or not.
    #[serde(default)]
    pub executed: u32,
    pub flake: Flake,
    /// Wilson, two-sided, at the gate's confidence.
    pub interval: Interval,
    /// Clopper and Pearson's, likewise.
    #[serde(default)]
    pub exact_interval: Option<Interval>,
    #[serde(default)]
    pub passes: Vec<Passes>,
    /// Where judges voted more than once: whose wavering it is.
    #[serde(default)]
    pub judged: Vec<Judged>,
    /// Of all trials together.
    pub duration_ms: u64,
    #[serde(default)]
    pub slowest_ms: u64,
    /// The first that were not satisfied, at most [`FAILURES_KEPT_MAX`].
    pub failures: Vec<TrialFailure>,
}

impl ScenarioReport {
    fn has_invalid(&self) -> bool {
        self.executed > self.count.valid
    }
}

/// What k tries come to, unbiased.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Passes {
    pub k: u32,
    /// pass@k: at least one of them passes.
    pub at_least_one: f64,
    /// pass^k: all of them pass.
    pub all: f64,
}

/// The votes of one criterion over a scenario's trials.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Judged {
    pub criterion: String,
    pub split: Split,
}

/// Why one trial failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrialFailure {
    pub trial: u32,
    /// Gives the trial's random values again.
    pub seed: u64,
    pub failure: Failure,
    /// Where the step that failed is written: `file:line:col`; empty for a failure before the first step.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub place: String,
    /// What that step sent, in one line; empty where it sent nothing.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub sent: String,
    /// The end of the subject's log.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub subject_log: String,
}

/// A trial that is not counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Invalid {
    pub scenario: String,
    pub trial: u32,
    pub verdict: Verdict,
    pub reason: String,
}

/// Processes of the subject that outlived their trials; they were killed then.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Leaked {
    /// How many trials left some behind.
    pub trials: u32,
    pub processes: u32,
    /// Of what name, the first [`LEAKED_NAMES_MAX`] of them.
    pub names: Vec<String>,
}

/// Names of leaked processes that a report holds.
pub const LEAKED_NAMES_MAX: usize = 5; // a subject that leaks more has one cause for all

impl Leaked {
    fn is_none(&self) -> bool {
        self.trials == 0
    }
}

impl Report {
    /// Of a plan without scenarios: there was nothing to show, and it is shown.
    pub fn of_nothing(plan: &crate::Plan) -> Self {
        let mut nothing = Roster::of(plan);
        nothing.scenarios.clear();
        Self { outcome: Outcome::Satisfied, ..Tally::new(nothing).report(std::time::Duration::ZERO) }
    }

    /// Valid trials of the whole suite.
    pub fn count(&self) -> Count {
        let sum = |of: fn(&Count) -> u32| self.scenarios.iter().map(|scenario| of(&scenario.count)).sum();
        Count { satisfied: sum(|count| count.satisfied), valid: sum(|count| count.valid) }
    }

    pub(crate) fn cells(&self) -> Vec<Cell> {
        self.scenarios.iter().map(|scenario| Cell { count: scenario.count, weight: scenario.weight }).collect()
    }

    /// How many trials are not counted.
    pub fn invalid_count(&self) -> u32 {
        self.executed - self.count().valid
    }

    /// The exit status for a shell: 0 satisfied, 1 not, 5 nothing can be concluded.
    pub fn exit_code(&self) -> u8 {
        match self.outcome {
            Outcome::Satisfied => 0,
            Outcome::Unsatisfied => 1,
            Outcome::Infra => 5,
        }
    }
}

impl TrialFailure {
    fn of(record: &TrialRecord, failure: &Failure) -> Self {
        let is_it = |step: &&StepRecord| step.verdict == StepVerdict::Failed && step.step == failure.step;
        let step = record.steps.iter().find(is_it);
        Self {
            trial: record.trial,
            seed: record.seed,
            failure: failure.clone(),
            place: step.map_or_else(String::new, |step| step.place.clone()),
            sent: step.and_then(|step| sent(&step.evidence)).unwrap_or_default(),
            subject_log: record.subject_log.clone(),
        }
    }
}

/// `POST http://127.0.0.1:8080/orders {"sku":"mug"}`, of a step's evidence.
fn sent(evidence: &Json) -> Option<String> {
    let request = &evidence["request"];
    let line = format!("{} {}", request["method"].as_str()?, request["url"].as_str()?);
    let body = match &request["body"] {
        Json::Null => return Some(line),
        Json::String(text) => text.clone(),
        body => body.to_string(),
    };
    Some(cut(format!("{line} {body}"), SENT_BYTES_MAX))
}

impl Invalid {
    fn of(record: &TrialRecord) -> Self {
        Self {
            scenario: record.scenario.clone(),
            trial: record.trial,
            verdict: record.verdict,
            reason: record.failure.as_ref().map_or_else(String::new, |failure| failure.message.clone()),
        }
    }
}

#[cfg(test)]
mod samples;
