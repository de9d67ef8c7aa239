//! What is kept of a trial. The serialised forms are contracts: reports, the factory's events and resumed runs read
//! them.

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::{expect::cut, scenario::Kind};

/// Of one body or output in the evidence.
pub const EVIDENCE_BODY_BYTES_MAX: usize = 16 * 1024; // a screenful or two; thousands of trials stay storable

/// Of one step's evidence as JSON. Above it only the start is kept, as text.
pub(crate) const EVIDENCE_BYTES_MAX: usize = 128 * 1024; // a page that a browser still shows at once

/// Of all steps of one trial together. Above it the evidence of steps that passed is left out.
pub(crate) const TRIAL_EVIDENCE_BYTES_MAX: usize = 32 * 1024 * 1024; // 256 of the largest; each job holds so much

/// Cuts long texts, and the whole where it is still too long. Tells the length as JSON too.
pub(crate) fn bounded(mut evidence: Json) -> (Json, usize) {
    cut_texts(&mut evidence);
    let text = evidence.to_string();
    if text.len() <= EVIDENCE_BYTES_MAX {
        return (evidence, text.len());
    }
    (serde_json::json!({ "cut": cut(text, EVIDENCE_BODY_BYTES_MAX) }), EVIDENCE_BODY_BYTES_MAX)
}

fn cut_texts(value: &mut Json) {
    match value {
        Json::String(text) if text.len() > EVIDENCE_BODY_BYTES_MAX => {
            *text = cut(std::mem::take(text), EVIDENCE_BODY_BYTES_MAX);
        }
        Json::Array(items) => items.iter_mut().for_each(cut_texts),
        Json::Object(map) => map.values_mut().for_each(cut_texts),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
    }
}

/// One trial, finished.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrialRecord {
    pub suite: Kind,
    pub scenario: String,
    pub requirements: Vec<String>,
    pub theme: Option<String>,
    /// From 1.
    pub trial: u32,
    /// 1, or 2 where the first attempt was invalid.
    pub attempt: u32,
    /// Of this trial: gives the same random values again.
    pub seed: u64,
    pub verdict: Verdict,
    /// Why it is not satisfied.
    pub failure: Option<Failure>,
    pub duration_ms: u64,
    pub steps: Vec<StepRecord>,
    pub judge: Vec<judges::Verdict>,
    /// How many requests the twins received.
    pub twin_calls: u64,
    /// The end of the subject's log, where the trial is not satisfied.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub subject_log: String,
    /// Processes that had escaped; they were killed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub leaked: Vec<String>,
}

/// How a trial counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Satisfied,
    Unsatisfied,
    /// Rules hold, but a judge was needed and none answered: not valid.
    Unjudged,
    /// The machine or the scenario's own set-up failed: not valid.
    Infra,
}

impl Verdict {
    /// Whether the trial says something about the subject.
    pub fn is_valid(self) -> bool {
        match self {
            Self::Satisfied | Self::Unsatisfied => true,
            Self::Unjudged | Self::Infra => false,
        }
    }
}

/// The first thing that went wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failure {
    /// Its position within its phase, from 1; 0 before the first step.
    pub step: usize,
    pub name: String,
    /// One line and, where it helps, what follows.
    pub message: String,
    pub expected: Option<String>,
    pub observed: Option<String>,
}

/// One step, finished.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepRecord {
    pub phase: Phase,
    /// From 1, within its phase.
    pub step: usize,
    pub name: String,
    pub kind: String,
    /// Where it is written: `file:line:col`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub place: String,
    pub verdict: StepVerdict,
    pub duration_ms: u64,
    /// How often it was tried, by `retry`.
    pub attempts: u32,
    /// Every expectation that did not hold, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mismatches: Vec<String>,
    pub evidence: Json,
}

impl StepRecord {
    /// One that was not tried yet.
    pub(crate) fn new(phase: Phase, step: usize, name: String, kind: &str) -> Self {
        Self {
            phase,
            step,
            name,
            kind: kind.to_owned(),
            place: String::new(),
            verdict: StepVerdict::Passed,
            duration_ms: 0,
            attempts: 0,
            mismatches: Vec::new(),
            evidence: Json::Null,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    Setup,
    Steps,
    Teardown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepVerdict {
    Passed,
    /// Its `if` was false.
    Skipped,
    Failed,
    Unjudged,
    Infra,
}

/// Which trial of which scenario.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrialId {
    pub suite: Kind,
    pub scenario: String,
    pub trial: u32,
}

impl TrialRecord {
    pub fn id(&self) -> TrialId {
        TrialId { suite: self.suite, scenario: self.scenario.clone(), trial: self.trial }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{EVIDENCE_BODY_BYTES_MAX, EVIDENCE_BYTES_MAX, bounded};

    #[test]
    fn evidence_is_bounded_by_text_and_as_a_whole() {
        assert_eq!(bounded(json!({ "a": ["b", 1] })), (json!({ "a": ["b", 1] }), 13));
        let long = "x".repeat(EVIDENCE_BODY_BYTES_MAX + 1);
        let (cut, _) = bounded(json!({ "calls": [{ "text": long }] }));
        assert!(cut["calls"][0]["text"].as_str().unwrap().ends_with("bytes in all)"));
        let (many, _) = bounded(vec![long; 20].into());
        assert!(many["cut"].is_string() && many.to_string().len() < EVIDENCE_BYTES_MAX, "{}", many.to_string().len());
    }
}
