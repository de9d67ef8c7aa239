//! One step on the page: its place in the waterfall, what did not hold, and its evidence.

use serde::Serialize;
use serde_json::Value as Json;

use super::{curl, document};
use crate::{
    record::{Phase, StepRecord, StepVerdict},
    report::words,
};

#[derive(Serialize)]
pub(super) struct StepView {
    phase: &'static str,
    number: usize,
    name: String,
    kind: String,
    place: String,
    word: &'static str,
    tone: &'static str,
    duration: String,
    /// Where it begins and how long it is, as shares of the trial.
    start: f64,
    share: f64,
    attempts: u32,
    mismatches: Vec<Mismatch>,
    exchange: Option<Exchange>,
    parts: Vec<Part>,
    is_open: bool,
}

/// An expectation that did not hold; the parts are empty where it is told in other words.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Mismatch {
    subject: String,
    expected: String,
    observed: String,
    text: String,
}

/// A request and what came back.
#[derive(Serialize)]
struct Exchange {
    method: String,
    target: String,
    status: Option<String>,
    latency: Option<String>,
    request: Vec<Part>,
    response: Vec<Part>,
    curl: Option<String>,
}

/// A named piece of evidence.
#[derive(Serialize)]
struct Part {
    name: String,
    lines: Vec<document::Line>,
}

impl StepView {
    pub(super) fn new(step: &StepRecord, start: f64, total_ms: u64) -> Self {
        let (word, tone) = match step.verdict {
            StepVerdict::Passed => ("passed", "good"),
            StepVerdict::Skipped => ("skipped", "odd"),
            StepVerdict::Failed => ("failed", "bad"),
            StepVerdict::Unjudged => ("not judged", "odd"),
            StepVerdict::Infra => ("not counted", "odd"),
        };
        let wrong: Vec<String> = step.mismatches.iter().filter_map(|text| path(text)).collect();
        let exchange = Exchange::of(&step.evidence, &wrong);
        let parts = match exchange {
            Some(_) => parts(&step.evidence, &["request", "response"], &wrong),
            None => parts(&step.evidence, &[], &wrong),
        };
        Self {
            phase: match step.phase {
                Phase::Setup => "set-up",
                Phase::Steps => "step",
                Phase::Teardown => "teardown",
            },
            number: step.step,
            name: words::printable(&step.name),
            kind: step.kind.clone(),
            place: step.place.clone(),
            word,
            tone,
            duration: words::duration(step.duration_ms),
            start,
            share: step.duration_ms as f64 / total_ms as f64,
            attempts: step.attempts,
            mismatches: step.mismatches.iter().map(|text| Mismatch::of(text)).collect(),
            exchange,
            parts,
            is_open: step.verdict == StepVerdict::Failed,
        }
    }
}

impl Mismatch {
    fn of(text: &str) -> Self {
        let split = text.split_once(": expected ").and_then(|(subject, rest)| {
            let (expected, observed) = rest.split_once(", got ")?;
            Some((subject, expected, observed))
        });
        let (subject, expected, observed) = split.unwrap_or_default();
        let [subject, expected, observed, text] = [subject, expected, observed, text].map(words::printable);
        Self { subject, expected, observed, text }
    }
}

/// The place in a document that a mismatch is about: of `json $.total: expected 1, got 2`, `$.total`.
fn path(mismatch: &str) -> Option<String> {
    let (subject, _) = mismatch.split_once(": expected ")?;
    subject.split_once(" $").map(|(_, path)| format!("${path}"))
}

impl Exchange {
    fn of(evidence: &Json, wrong: &[String]) -> Option<Self> {
        let (request, response) = (&evidence["request"], &evidence["response"]);
        let method = request["method"].as_str()?;
        let text = |value: &Json| value.as_str().map(words::printable);
        let status = response["status"].as_u64().map(|status| status.to_string());
        Some(Self {
            method: words::printable(method),
            target: text(&request["path"]).or_else(|| text(&request["url"])).unwrap_or_default(),
            latency: response["latency_ms"].as_u64().map(words::duration),
            request: message("request", request, &[]),
            response: message("response", response, wrong),
            status,
            curl: curl::command(request).map(|command| words::printable(&command)),
        })
    }
}

/// The headers, as they are on the wire, and the body.
fn message(name: &str, message: &Json, wrong: &[String]) -> Vec<Part> {
    let headers: Vec<String> =
        curl::entries(&message["headers"]).map(|(name, value)| format!("{name}: {value}")).collect();
    let headers = part(&format!("{name} headers"), &headers.join("\n").into(), &[]);
    headers.into_iter().chain(part(&format!("{name} body"), &message["body"], wrong)).collect()
}

/// Every member of the evidence that is not shown elsewhere.
fn parts(evidence: &Json, shown: &[&str], wrong: &[String]) -> Vec<Part> {
    match evidence {
        Json::Object(members) => {
            let others = members.iter().filter(|(name, _)| !shown.contains(&name.as_str()));
            others.filter_map(|(name, value)| part(name, value, wrong)).collect()
        }
        other => part("evidence", other, wrong).into_iter().collect(),
    }
}

/// `None` where there is nothing to show.
fn part(name: &str, value: &Json, wrong: &[String]) -> Option<Part> {
    let document = match value {
        Json::Null => return None,
        Json::String(text) if text.is_empty() => return None,
        Json::Object(map) if map.is_empty() => return None,
        Json::String(text) => document::parsed(text),
        other => Some(other.clone()),
    };
    let mut lines = match document {
        Some(document) => document::lines(&document, wrong),
        None => plain(value.as_str().unwrap_or_default()),
    };
    lines.iter_mut().for_each(|line| line.text = words::printable(&line.text));
    Some(Part { name: words::printable(&name.replace('_', " ")), lines })
}

fn plain(text: &str) -> Vec<document::Line> {
    text.lines().map(|text| document::Line { text: text.to_owned(), is_marked: false }).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Mismatch, part, path};

    #[test]
    fn a_mismatch_is_told_in_its_parts() {
        let mismatch = Mismatch::of("json $.a: expected 1, got 2");
        assert_eq!(
            (mismatch.subject.as_str(), mismatch.expected.as_str(), mismatch.observed.as_str()),
            ("json $.a", "1", "2")
        );
        assert_eq!(path("json $.lines[0].a: expected 1, got 2").as_deref(), Some("$.lines[0].a"));
        assert_eq!(path("status: expected 200, got 402, body: {\"a\": \" $.x\"}"), None);
        let other = Mismatch::of("in other words");
        assert_eq!((other.subject.as_str(), other.text.as_str()), ("", "in other words"));
    }

    #[test]
    fn evidence_that_says_nothing_takes_no_place() {
        for nothing in [json!(null), json!(""), json!({})] {
            assert!(part("body", &nothing, &[]).is_none());
        }
        let body = part("response_body", &json!("{\"a\":1}"), &["$.a".to_owned()]).unwrap();
        assert_eq!((body.name.as_str(), body.lines.len(), body.lines[1].is_marked), ("response body", 3, true));
    }
}
