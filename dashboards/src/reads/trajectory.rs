//! One trajectory in detail, read out of the record that the harness left with the trial (`harness::TrialRecord`).
//!
//! The record is the harness's own format and grows with it, so reading is lenient: what is known gets a place on the
//! page, and the whole record is shown below it in any case.

use model::event::grade::TrialFinished;
use serde::Serialize;
use serde_json::Value;

#[derive(Clone, Debug, Serialize)]
pub struct Trajectory {
    /// The trial; its record is moved to `record`.
    pub trial: TrialFinished,
    pub seed: Option<String>,
    pub theme: Option<String>,
    /// Set where an earlier attempt was spoiled by the machine.
    pub attempt: Option<u64>,
    pub steps: Vec<Step>,
    /// How many requests the twins received in all.
    pub twin_calls: Option<u64>,
    /// Judges' answers, as they stand in the record.
    pub judgments: Vec<Value>,
    /// The end of the software's own log, where the trial is not satisfied.
    pub subject_log: Option<String>,
    /// Processes that had escaped from the software and were killed.
    pub leaked: Vec<String>,
    pub record: Option<Value>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Step {
    /// `setup`, `steps` or `teardown`.
    pub phase: String,
    pub name: String,
    /// `http`, `twin`, `fault`, `restart`, …
    pub kind: String,
    pub state: StepState,
    pub duration_ms: Option<u64>,
    pub attempts: Option<u64>,
    /// Every expectation that did not hold, in words.
    pub mismatches: Vec<String>,
    /// What was done and what came back: `request`, `response`, `rule`, `stdout`, …
    pub evidence: Vec<Part>,
    /// What the step saw of a twin's journal.
    pub calls: Vec<TwinCall>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StepState {
    Passed,
    Failed,
    /// Rules hold, and no judge answered.
    Unjudged,
    /// The machine failed, or the scenario's own set-up.
    Infra,
    /// The record does not say.
    Unknown,
}

/// A named piece of a step's evidence.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Part {
    pub name: String,
    pub value: Value,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TwinCall {
    pub seq: Option<u64>,
    pub twin: String,
    pub operation: String,
    pub fault: Option<String>,
    pub status: Option<u64>,
    pub request: Option<Value>,
    pub response: Option<Value>,
}

impl Trajectory {
    pub fn from_trial(mut trial: TrialFinished) -> Self {
        let record = trial.record.take();
        let whole = record.clone().unwrap_or(Value::Null);
        Self {
            trial,
            seed: text(&whole, "seed"),
            theme: text(&whole, "theme"),
            attempt: number(&whole, "attempt").filter(|attempt| *attempt > 1),
            steps: list(&whole, "steps").iter().enumerate().map(|(n, step)| Step::read(n, step)).collect(),
            twin_calls: number(&whole, "twin_calls"),
            judgments: list(&whole, "judge").to_vec(),
            subject_log: text(&whole, "subject_log").filter(|log| !log.is_empty()),
            leaked: texts(&whole, "leaked"),
            record,
        }
    }
}

impl Step {
    fn read(index: usize, step: &Value) -> Self {
        let evidence = &step["evidence"];
        Self {
            phase: text(step, "phase").unwrap_or_default(),
            name: text(step, "name").unwrap_or_else(|| format!("step {}", index + 1)),
            kind: text(step, "kind").unwrap_or_default(),
            state: StepState::read(step),
            duration_ms: number(step, "duration_ms"),
            attempts: number(step, "attempts").filter(|attempts| *attempts > 1),
            mismatches: texts(step, "mismatches"),
            evidence: parts(evidence),
            calls: list(evidence, "calls").iter().map(TwinCall::read).collect(),
        }
    }
}

impl StepState {
    fn read(step: &Value) -> Self {
        match step["verdict"].as_str() {
            Some("passed") => Self::Passed,
            Some("failed") => Self::Failed,
            Some("unjudged") => Self::Unjudged,
            Some("infra") => Self::Infra,
            _ => Self::Unknown,
        }
    }
}

/// All of the evidence but calls, which have a place of their own.
fn parts(evidence: &Value) -> Vec<Part> {
    let named = |(name, value): (&String, &Value)| Part { name: heading(name), value: value.clone() };
    match evidence {
        Value::Object(fields) => {
            fields.iter().filter(|(name, value)| *name != "calls" && !value.is_null()).map(named).collect()
        }
        Value::Null => Vec::new(),
        other => vec![Part { name: "Evidence".to_owned(), value: other.clone() }],
    }
}

/// `exit_code` is headed "Exit code".
fn heading(field: &str) -> String {
    let words = field.replace('_', " ");
    let mut chars = words.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

impl TwinCall {
    fn read(call: &Value) -> Self {
        Self {
            seq: number(call, "seq"),
            twin: text(call, "twin").unwrap_or_default(),
            operation: text(call, "operation").unwrap_or_else(|| "an unknown operation".to_owned()),
            fault: text(call, "fault"),
            status: call.pointer("/response/status").and_then(Value::as_u64),
            request: part(call, "request"),
            response: part(call, "response"),
        }
    }
}

fn part(value: &Value, key: &str) -> Option<Value> {
    value.get(key).filter(|part| !part.is_null()).cloned()
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn texts(value: &Value, key: &str) -> Vec<String> {
    list(value, key).iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn number(value: &Value, key: &str) -> Option<u64> {
    value.get(key).and_then(Value::as_u64)
}

/// A field in words; `None` where it is missing or null.
fn text(value: &Value, key: &str) -> Option<String> {
    match value.get(key)? {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use model::{event::grade::TrialVerdict, id::ActionId, verdict::Suite};
    use serde_json::json;

    use super::*;

    fn trial(record: Option<Value>) -> TrialFinished {
        TrialFinished {
            action: ActionId::new("visible", 1, 1),
            suite: Suite::Visible,
            scenario: "buys".into(),
            requirements: vec!["R1".into()],
            trial: 0,
            verdict: TrialVerdict::Unsatisfied,
            failure: None,
            duration_ms: 3,
            record,
        }
    }

    /// As `harness::TrialRecord` is written; that the two agree is tested end to end over a real run.
    #[test]
    fn a_record_becomes_steps_with_mismatches_evidence_and_calls() {
        let record = json!({
            "seed": 7, "theme": "retries", "attempt": 1, "twin_calls": 4, "judge": [], "subject_log": "died\n",
            "steps": [
                { "phase": "steps", "step": 1, "name": "POST /orders", "kind": "http", "verdict": "failed", "duration_ms": 2,
                  "attempts": 1, "mismatches": ["status: expected 201, got 500"],
                  "evidence": { "request": { "method": "POST" }, "response": null } },
                { "phase": "steps", "step": 2, "name": "one charge", "kind": "twin", "verdict": "passed", "duration_ms": 1,
                  "attempts": 3, "evidence": { "twin": "stripe", "count": 1, "calls": [
                    { "seq": 4, "twin": "stripe", "operation": "refunds.create", "response": { "status": 200 } }] } },
            ],
        });
        let read = Trajectory::from_trial(trial(Some(record)));
        assert_eq!((read.seed.as_deref(), read.attempt, read.twin_calls), (Some("7"), None, Some(4)));
        assert_eq!(read.subject_log.as_deref(), Some("died\n"));
        assert_eq!(read.steps[0].state, StepState::Failed);
        assert_eq!(read.steps[0].mismatches, ["status: expected 201, got 500"]);
        let names: Vec<&str> = read.steps[0].evidence.iter().map(|part| part.name.as_str()).collect();
        assert_eq!(names, ["Request"], "nothing is shown of what is null");
        assert_eq!((read.steps[1].state, read.steps[1].attempts), (StepState::Passed, Some(3)));
        assert_eq!(read.steps[1].calls[0].status, Some(200));
        assert!(read.record.is_some() && read.trial.record.is_none());
    }

    #[test]
    fn a_record_of_another_shape_still_reads() {
        for record in [None, Some(json!(3)), Some(json!({ "steps": "none", "twin_calls": [1, null] }))] {
            assert!(Trajectory::from_trial(trial(record)).steps.is_empty());
        }
        let read = Trajectory::from_trial(trial(Some(json!({ "steps": [3, { "evidence": "cut" }] }))));
        assert_eq!((read.steps[0].name.as_str(), read.steps[0].state), ("step 1", StepState::Unknown));
        assert_eq!(read.steps[1].evidence[0].value, json!("cut"));
    }
}
