//! The Common Test Report Format (<https://ctrf.io>), version 0.0.0 of its schema: one test per scenario.

use serde_json::{Map, Value as Json, json};

use super::{Invalid, Report, ScenarioReport, status::Status, words};
use crate::stats::Flake;

/// The whole report as one JSON document.
pub fn ctrf(report: &Report) -> Json {
    let start = report.started_at.map_or(0, jiff::Timestamp::as_millisecond);
    let flaky = report.scenarios.iter().filter(|scenario| scenario.flake == Flake::Flaky).count();
    let mut document = json!({
        "reportFormat": "CTRF",
        "specVersion": "0.0.0",
        "generatedBy": "harness",
        "results": {
            "tool": { "name": "harness", "version": env!("CARGO_PKG_VERSION") },
            "summary": {
                "tests": report.scenarios.len() + report.skipped.len(),
                "passed": report.having(Status::Passed),
                "failed": report.having(Status::Failed),
                "skipped": report.having(Status::Skipped) + report.skipped.len(),
                "pending": 0,
                "other": report.having(Status::Error),
                "flaky": flaky,
                "start": start,
                "stop": start.saturating_add_unsigned(report.duration_ms),
                "duration": report.duration_ms,
                "extra": {
                    "outcome": report.outcome,
                    "satisfaction": report.satisfaction,
                    "interval": report.interval,
                    "lower_bound": report.lower_bound,
                    "seed": report.seed,
                },
            },
            "tests": tests(report),
        },
    });
    if let Some(leaked) = words::leaked(report) {
        document["results"]["summary"]["extra"]["leaked"] = json!(leaked);
    }
    if let Some(at) = report.started_at {
        document["timestamp"] = json!(at);
    }
    document
}

/// Those that files say not to run come last.
fn tests(report: &Report) -> Vec<Json> {
    let run = report.cases().map(|(scenario, status, invalid)| test(report, scenario, status, &invalid));
    let skipped = report.skipped.iter().map(|skipped| {
        json!({
            "name": skipped.scenario, "status": word(Status::Skipped), "rawStatus": "skipped", "duration": 0,
            "suite": [report.subject], "message": skipped.reason,
        })
    });
    run.chain(skipped).collect()
}

fn test(report: &Report, scenario: &ScenarioReport, status: Status, invalid: &[&Invalid]) -> Json {
    let mut test = Map::new();
    let mut set = |name: &str, value: Json| test.insert(name.to_owned(), value);
    set("name", json!(scenario.scenario));
    set("status", json!(word(status)));
    set("rawStatus", json!(words::flake(scenario)));
    set("duration", json!(scenario.duration_ms));
    set("suite", json!([report.subject]));
    set("flaky", json!(scenario.flake == Flake::Flaky));
    set("retries", json!(scenario.executed.saturating_sub(1)));
    set("labels", json!({ "title": scenario.title, "weight": scenario.weight }));
    if !scenario.requirements.is_empty() || !scenario.tags.is_empty() {
        set("tags", json!([scenario.requirements.as_slice(), scenario.tags.as_slice()].concat()));
    }
    if !scenario.file.is_empty() {
        set("filePath", json!(scenario.file));
    }
    let first = scenario.failures.first();
    if let Some(line) = first.and_then(|failed| line(&failed.place)) {
        set("line", json!(line));
    }
    let message = first.map(|failed| format!("{}: {}", words::place(failed), failed.failure.message));
    if let Some(message) = message.or_else(|| invalid.first().map(|trial| trial.reason.clone())) {
        set("message", json!(message));
    }
    let attempts = attempts(scenario, invalid);
    if !attempts.is_empty() {
        set("retryAttempts", attempts.into());
    }
    let count = scenario.count;
    let extra = json!({ "satisfied": count.satisfied, "valid": count.valid, "interval": scenario.interval });
    set("extra", extra);
    Json::Object(test)
}

/// Of the trials, those that have something to say.
fn attempts(scenario: &ScenarioReport, invalid: &[&Invalid]) -> Vec<Json> {
    let failed = scenario.failures.iter().map(|failed| {
        let (message, seed) = (&failed.failure.message, failed.seed);
        json!({ "attempt": failed.trial, "status": "failed", "message": message, "extra": { "seed": seed } })
    });
    let invalid =
        invalid.iter().map(|trial| json!({ "attempt": trial.trial, "status": "other", "message": trial.reason }));
    failed.chain(invalid).collect()
}

fn word(status: Status) -> &'static str {
    match status {
        Status::Passed => "passed",
        Status::Failed => "failed",
        Status::Error => "other",
        Status::Skipped => "skipped",
    }
}

/// Of `file:line:col`.
pub(super) fn line(place: &str) -> Option<u64> {
    place.rsplit(':').nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::ctrf;
    use crate::report::samples;

    /// What version 0.0.0 of the format asks for, as far as we write it.
    fn schema() -> serde_json::Value {
        let text = json!({ "type": "string", "minLength": 1 });
        let number = json!({ "type": "integer", "minimum": 0 });
        let status = json!({ "enum": ["passed", "failed", "skipped", "pending", "other"] });
        let attempt = json!({
            "type": "object", "required": ["attempt", "status"], "additionalProperties": false,
            "properties": { "attempt": { "type": "integer", "minimum": 1 }, "status": status, "message": text, "extra": { "type": "object" } },
        });
        let test = json!({
            "type": "object", "required": ["name", "status", "duration"], "additionalProperties": false,
            "properties": {
                "name": text, "status": status, "rawStatus": text, "duration": number, "flaky": { "type": "boolean" },
                "suite": { "type": "array", "minItems": 1, "items": text }, "tags": { "type": "array", "items": text },
                "labels": { "type": "object", "additionalProperties": { "type": ["string", "number", "boolean"] } },
                "retries": number, "filePath": text, "line": number, "message": text,
                "retryAttempts": { "type": "array", "items": attempt }, "extra": { "type": "object" },
            },
        });
        let counts = ["tests", "passed", "failed", "skipped", "pending", "other", "start", "stop"];
        let mut properties = json!({ "flaky": number, "duration": number, "extra": { "type": "object" } });
        counts.iter().for_each(|name| properties[*name] = number.clone());
        let summary =
            json!({ "type": "object", "required": counts, "additionalProperties": false, "properties": properties });
        let tool = json!({ "type": "object", "required": ["name"], "properties": { "name": text, "version": text }, "additionalProperties": false });
        json!({
            "type": "object", "required": ["reportFormat", "specVersion", "results"],
            "properties": {
                "reportFormat": { "const": "CTRF" },
                "specVersion": { "type": "string", "pattern": "^[0-9]+\\.[0-9]+\\.[0-9]+$" },
                "results": {
                    "type": "object", "required": ["tool", "summary", "tests"], "additionalProperties": false,
                    "properties": { "tool": tool, "summary": summary, "tests": { "type": "array", "items": test } },
                },
            },
        })
    }

    #[test]
    fn the_document_is_what_the_format_asks_for() {
        let schema = jsonschema::validator_for(&schema()).unwrap();
        for report in [samples::report(), samples::good(), samples::with_skipped()] {
            let document = ctrf(&report);
            let wrong: Vec<_> = schema.iter_errors(&document).map(|error| error.to_string()).collect();
            assert!(wrong.is_empty(), "{wrong:#?}");
        }
    }

    #[test]
    fn what_a_file_says_not_to_run_is_a_skipped_test_with_its_reason() {
        let document = ctrf(&samples::with_skipped());
        let (summary, tests) = (&document["results"]["summary"], &document["results"]["tests"]);
        assert_eq!((&summary["tests"], &summary["passed"], &summary["skipped"]), (&json!(3), &json!(2), &json!(1)));
        let test = &tests[2];
        assert_eq!((&test["status"], &test["message"]), (&json!("skipped"), &json!("not <built> yet")));
    }

    #[test]
    fn the_summary_adds_up_and_flakes_are_told() {
        let document = ctrf(&samples::report());
        let summary = &document["results"]["summary"];
        assert_eq!((&summary["passed"], &summary["failed"], &summary["other"]), (&json!(1), &json!(2), &json!(1)));
        assert_eq!((&summary["flaky"], &summary["tests"]), (&json!(1), &json!(4)));
        let bad = &document["results"]["tests"][1];
        assert_eq!(
            (&bad["filePath"], &bad["line"], &bad["flaky"]),
            (&json!("scenarios/bad.yaml"), &json!(4), &json!(false))
        );
        assert_eq!(bad["retryAttempts"].as_array().map(Vec::len), Some(2));
    }
}
