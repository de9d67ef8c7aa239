//! What was to be run: everything that a report needs to know beside the records. It is stored with a run, so that the
//! report can be made again without the scenario files.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    run::{Bar, Gate, Plan},
    scenario::{Kind, Scenario, Skipped},
};

/// The scenarios of a run and how many trials each was to have.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Roster {
    pub subject: String,
    pub suite: Kind,
    pub gate: Gate,
    /// Share of a scenario's trials that may be invalid.
    #[serde(default)]
    pub allow_invalid: f64,
    pub seed: u64,
    #[serde(default)]
    pub started_at: Option<Timestamp>,
    /// Of each scenario.
    pub trials: u32,
    /// In the order in which they are reported.
    pub scenarios: Vec<Entry>,
    /// What files say is not to be run.
    #[serde(default)]
    pub skipped: Vec<Skipped>,
    /// What the command was given to select scenarios and subject; without values that may be secrets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub arguments: Vec<String>,
}

/// One scenario of a roster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    pub scenario: String,
    pub title: String,
    #[serde(default)]
    pub requirements: Vec<String>,
    #[serde(default)]
    pub theme: Option<String>,
    pub weight: f64,
    /// Where it is written.
    #[serde(default)]
    pub file: String,
    #[serde(default)]
    pub tags: Vec<String>,
}

impl Roster {
    /// The roster of a run that starts now.
    pub fn of(plan: &Plan) -> Self {
        Self {
            subject: plan.subject.name.clone(),
            suite: plan.suite.kind,
            gate: plan.gate,
            allow_invalid: plan.allow_invalid,
            seed: plan.seed,
            started_at: Some(Timestamp::now()),
            trials: plan.trials,
            scenarios: plan.suite.scenarios.iter().map(|scenario| Entry::of(scenario)).collect(),
            skipped: plan.suite.skipped.clone(),
            arguments: plan.arguments.clone(),
        }
    }

    pub(crate) fn bar(&self) -> Bar {
        Bar { gate: self.gate, trials: self.trials, allow_invalid: self.allow_invalid }
    }
}

impl Entry {
    fn of(scenario: &Scenario) -> Self {
        Self {
            scenario: scenario.slug.clone(),
            title: scenario.title.clone(),
            requirements: scenario.requirements.clone(),
            theme: scenario.theme.clone(),
            weight: scenario.weight,
            tags: scenario.tags.clone(),
            file: scenario.source().name().trim_start_matches("./").to_owned(),
        }
    }
}
