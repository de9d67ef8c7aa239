//! What a run shows: counts, intervals, the gate, and everything that was not counted. Renderers are modules here.

mod events;
mod junit;
mod terminal;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use events::JsonLines;
pub use junit::junit;
pub use terminal::{Paint, failure_text, printable, terminal};

use crate::{
    record::{Failure, TrialRecord, Verdict},
    run::{Gate, Plan, cells},
    scenario::Kind,
    stats::{self, Cell, Count, Flake, Interval},
};

/// The result of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    pub subject: String,
    pub suite: Kind,
    pub outcome: Outcome,
    pub gate: Gate,
    pub seed: u64,
    /// Weighted mean over the scenarios with a valid trial; absent where there is none.
    pub satisfaction: Option<f64>,
    pub standard_error: Option<f64>,
    /// One-sided, at the gate's confidence.
    pub lower_bound: Option<f64>,
    /// Valid trials that would lift the bound to the target at the present rate; absent where none would, or no
    /// target is set.
    pub trials_needed: Option<u32>,
    pub planned: u32,
    /// Valid or not.
    pub executed: u32,
    pub scenarios: Vec<ScenarioReport>,
    /// Trials that are not counted, with the reason.
    pub invalid: Vec<Invalid>,
    pub duration_ms: u64,
    #[serde(skip)]
    pub records: Vec<TrialRecord>,
}

/// What a run amounts to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Satisfied,
    Unsatisfied,
    /// A scenario has no valid trial, so nothing can be concluded.
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
    pub count: Count,
    pub flake: Flake,
    /// Wilson, two-sided, at the gate's confidence.
    pub interval: Interval,
    pub duration_ms: u64,
    /// One for each trial that was not satisfied.
    pub failures: Vec<TrialFailure>,
}

/// Why one trial failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrialFailure {
    pub trial: u32,
    /// Gives the trial's random values again.
    pub seed: u64,
    pub failure: Failure,
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

impl Report {
    pub(crate) fn new(plan: &Plan, mut records: Vec<TrialRecord>, took: Duration) -> Self {
        let order = |slug: &str| plan.suite.scenarios.iter().position(|scenario| scenario.slug == slug);
        records.sort_by_key(|record| (order(&record.scenario), record.trial));
        let cells: Vec<Cell> = cells(plan, &records).into_iter().map(|(cell, _)| cell).collect();
        let pooled = stats::pooled(&cells);
        let confidence = plan.gate.confidence();
        let planned = plan.trials.saturating_mul(u32::try_from(cells.len()).unwrap_or(u32::MAX));
        Self {
            subject: plan.subject.name.clone(),
            suite: plan.suite.kind,
            outcome: outcome(plan.gate, &cells),
            gate: plan.gate,
            seed: plan.seed,
            satisfaction: pooled.map(|pooled| pooled.satisfaction),
            standard_error: pooled.map(|pooled| pooled.standard_error),
            lower_bound: pooled.map(|pooled| pooled.lower_bound(confidence)),
            trials_needed: pooled.and_then(|pooled| match plan.gate {
                Gate::Every { .. } => None,
                Gate::LowerBound { target, confidence } => {
                    stats::trials_needed(pooled.satisfaction, pooled.effective_trials, target, confidence)
                }
            }),
            planned,
            executed: u32::try_from(records.len()).unwrap_or(u32::MAX),
            scenarios: scenarios(plan, &records, &cells),
            invalid: records.iter().filter(|record| !record.verdict.is_valid()).map(invalid).collect(),
            duration_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            records,
        }
    }

    /// Valid trials of the whole suite.
    pub fn count(&self) -> Count {
        let sum = |of: fn(&Count) -> u32| self.scenarios.iter().map(|scenario| of(&scenario.count)).sum();
        Count { satisfied: sum(|count| count.satisfied), valid: sum(|count| count.valid) }
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

fn outcome(gate: Gate, cells: &[Cell]) -> Outcome {
    let lacks_valid = cells.iter().any(|cell| cell.count.valid == 0);
    let has_failure = cells.iter().any(|cell| cell.count.satisfied < cell.count.valid);
    if gate.is_reached(cells) {
        Outcome::Satisfied
    } else if lacks_valid && !has_failure {
        Outcome::Infra
    } else {
        Outcome::Unsatisfied
    }
}

fn scenarios(plan: &Plan, records: &[TrialRecord], cells: &[Cell]) -> Vec<ScenarioReport> {
    let of = |(scenario, cell): (&std::sync::Arc<crate::scenario::Scenario>, &Cell)| ScenarioReport {
        scenario: scenario.slug.clone(),
        title: scenario.title.clone(),
        requirements: scenario.requirements.clone(),
        theme: scenario.theme.clone(),
        weight: scenario.weight,
        count: cell.count,
        flake: Flake::of(cell.count),
        interval: stats::wilson(cell.count, plan.gate.confidence()),
        duration_ms: of_scenario(records, &scenario.slug).map(|record| record.duration_ms).sum(),
        failures: of_scenario(records, &scenario.slug).filter_map(failure).collect(),
    };
    plan.suite.scenarios.iter().zip(cells).map(of).collect()
}

fn of_scenario<'a>(records: &'a [TrialRecord], slug: &'a str) -> impl Iterator<Item = &'a TrialRecord> {
    records.iter().filter(move |record| record.scenario == slug)
}

fn failure(record: &TrialRecord) -> Option<TrialFailure> {
    let failure = record.failure.clone().filter(|_| record.verdict == Verdict::Unsatisfied)?;
    Some(TrialFailure { trial: record.trial, seed: record.seed, failure })
}

fn invalid(record: &TrialRecord) -> Invalid {
    Invalid {
        scenario: record.scenario.clone(),
        trial: record.trial,
        verdict: record.verdict,
        reason: record.failure.as_ref().map_or_else(String::new, |failure| failure.message.clone()),
    }
}

#[cfg(test)]
mod samples;
