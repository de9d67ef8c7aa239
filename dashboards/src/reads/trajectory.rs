//! One trajectory in detail, read out of the record that the harness left with the trial.
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
    pub steps: Vec<Step>,
    pub twin_calls: Vec<TwinCall>,
    /// Judges' answers, as they stand in the record.
    pub judgments: Vec<Value>,
    pub record: Option<Value>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Step {
    pub name: String,
    /// `http`, `twin`, `fault`, `restart`, …
    pub kind: String,
    /// `None` where nothing was expected, or the step was never reached.
    pub passed: Option<bool>,
    pub duration_ms: Option<u64>,
    pub request: Option<Value>,
    pub response: Option<Value>,
    pub checks: Vec<Check>,
    /// Other things that the harness noted.
    pub note: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Check {
    pub what: String,
    pub passed: bool,
    pub expected: Option<Value>,
    pub observed: Option<Value>,
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
            seed: text(&whole, &["seed"]),
            theme: text(&whole, &["theme"]),
            steps: list(&whole, "steps").iter().enumerate().map(|(n, step)| Step::read(n, step)).collect(),
            twin_calls: list(&whole, "twin_calls").iter().map(TwinCall::read).collect(),
            judgments: list(&whole, "judge").to_vec(),
            record,
        }
    }
}

impl Step {
    fn read(index: usize, step: &Value) -> Self {
        Self {
            name: text(step, &["name", "title"]).unwrap_or_else(|| format!("step {}", index + 1)),
            kind: text(step, &["kind", "step"]).unwrap_or_default(),
            passed: step.get("passed").or_else(|| step.get("ok")).and_then(Value::as_bool),
            duration_ms: step.get("duration_ms").and_then(Value::as_u64),
            request: part(step, "request"),
            response: part(step, "response"),
            checks: list(step, if step.get("checks").is_some() { "checks" } else { "expectations" })
                .iter()
                .map(Check::read)
                .collect(),
            note: text(step, &["note", "message", "error"]),
        }
    }
}

impl Check {
    fn read(check: &Value) -> Self {
        Self {
            what: text(check, &["what", "name", "message", "path"]).unwrap_or_else(|| "expectation".to_owned()),
            passed: check.get("passed").or_else(|| check.get("ok")).and_then(Value::as_bool).unwrap_or(false),
            expected: part(check, "expected"),
            observed: part(check, "observed"),
        }
    }
}

impl TwinCall {
    fn read(call: &Value) -> Self {
        Self {
            seq: call.get("seq").and_then(Value::as_u64),
            twin: text(call, &["twin"]).unwrap_or_default(),
            operation: text(call, &["operation"]).unwrap_or_default(),
            fault: text(call, &["fault"]),
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

/// The first of `keys` that holds something to say.
fn text(value: &Value, keys: &[&str]) -> Option<String> {
    keys.iter().find_map(|key| match value.get(key)? {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    })
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

    #[test]
    fn a_record_becomes_steps_checks_and_twin_calls() {
        let record = json!({
            "seed": 7, "theme": "retries",
            "steps": [{ "kind": "http", "passed": false, "checks": [{ "what": "status", "passed": false, "expected": 201, "observed": 500 }] }],
            "twin_calls": [{ "seq": 4, "twin": "stripe", "operation": "refunds.create", "response": { "status": 200 } }],
        });
        let read = Trajectory::from_trial(trial(Some(record)));
        assert_eq!(read.seed.as_deref(), Some("7"));
        assert_eq!(read.steps[0].name, "step 1");
        assert_eq!(read.steps[0].checks[0].observed, Some(json!(500)));
        assert_eq!(read.twin_calls[0].status, Some(200));
        assert!(read.record.is_some() && read.trial.record.is_none());
    }

    #[test]
    fn a_record_of_another_shape_still_reads() {
        for record in [None, Some(json!(3)), Some(json!({ "steps": "none", "twin_calls": [1, null] }))] {
            assert!(Trajectory::from_trial(trial(record)).steps.is_empty());
        }
    }
}
