//! Events of grading: trials, scores, the gate, and what went back to the builder.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    hash::Digest,
    id::ActionId,
    verdict::{Score, Suite},
};

/// A scenario showed that it can fail: red on a nop and on a canned 200.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ControlProved {
    pub action: ActionId,
    pub suite: Suite,
    /// In a run's own stream a holdout stands under its alias.
    pub scenario: String,
    pub sound: bool,
    /// What was wrong where it is not sound.
    pub finding: Option<String>,
}

/// One trajectory was judged.
///
/// Invariant: in a run's own stream a holdout carries its alias, its requirements and its verdict, and nothing that
/// was in its file; the whole record goes to the sealed stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrialFinished {
    pub action: ActionId,
    pub suite: Suite,
    /// The scenario's name; for a holdout in a run's own stream an alias such as `holdout-3`.
    pub scenario: String,
    pub requirements: Vec<String>,
    pub trial: u32,
    pub verdict: TrialVerdict,
    /// First difference, for people and, of visible scenarios, for the builder.
    pub failure: Option<String>,
    pub duration_ms: u64,
    /// The harness's whole record of the trajectory; `None` where it is sealed.
    pub record: Option<Value>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrialVerdict {
    Satisfied,
    Unsatisfied,
    /// A judge was asked for and none answered.
    Unjudged,
    /// Infrastructure spoiled it: listed, tried again, never counted.
    Infra,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SuiteScored {
    pub action: ActionId,
    pub suite: Suite,
    pub iteration: u32,
    /// Digest of the tree that was graded.
    pub tree: Digest,
    pub score: Score,
}

/// The gate's whole reasoning, so that it can be checked by hand.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GateEvaluated {
    pub action: ActionId,
    pub iteration: u32,
    pub target: f64,
    pub visible: Score,
    pub holdout: Score,
    /// Visible minus holdout satisfaction, with its Newcombe interval.
    pub gap: f64,
    pub gap_low: f64,
    pub gap_high: f64,
    pub satisfied: bool,
    pub reason: String,
    pub requirements: Vec<RequirementEvidence>,
}

/// What stands behind one requirement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequirementEvidence {
    pub requirement: String,
    pub text: String,
    pub visible_trials: u32,
    pub visible_satisfied: u32,
    pub holdout_trials: u32,
    pub holdout_satisfied: u32,
}

/// The text that goes back to the builder, after the leak scanner passed it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedbackComposed {
    pub action: ActionId,
    pub iteration: u32,
    pub text: String,
    /// The ledger: what of the holdout was disclosed with it.
    pub disclosures: Vec<Disclosure>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disclosure {
    pub requirement: String,
    pub theme: String,
    /// `a few`, `about half`, `most`, `all`: never a count.
    pub share: String,
}

/// The scanner found holdout text in something that was about to reach an agent role; it was withheld.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeakCaught {
    pub action: ActionId,
    /// Where it was found: `feedback`, `task`, `tree` …
    pub surface: String,
    /// Aliases of the holdouts concerned.
    pub holdouts: Vec<String>,
}
