//! Expectations that every kind of step with a document shares: `json`, `json_exact`, `jsonpath`, `json_schema`,
//! `checks`, `max_latency`.

use std::time::Duration;

use super::{Halt, capture::CaptureRule};
use crate::{
    expect::{Material, Mismatch, Mode, cut, difference},
    scenario::{Expect, LintCode, Lower},
    text::{Entries, Scope},
};

/// What is around the document of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Around {
    Nothing,
    /// Status, headers, cookies and the like.
    Response,
}

/// Prepares what can be before a trial, and refuses what a step without a response cannot be asked.
pub(super) fn check_document_rules(
    expect: &Expect,
    captures: &Entries<CaptureRule>,
    around: Around,
    lower: &mut Lower<'_>,
) {
    if let Some(schema) = &expect.json_schema {
        if let Some(file) = schema.file() {
            lower.names_shared(file);
        }
        if let Err(message) = schema.prepare(&lower.folder()) {
            lower.refuse(LintCode::BadExpectation, schema.place(), message);
        }
    }
    if around == Around::Response {
        return;
    }
    for check in expect.checks.iter().filter(|check| check.query().needs_response()) {
        let message = format!("`{}` needs a response, and this step has none", check.query().words());
        lower.refuse(LintCode::BadExpectation, check.place, message);
    }
    for (name, _) in captures.iter().filter(|(_, rule)| rule.needs_response()) {
        let message = format!("`{}` needs a response, and this step has none", name.value);
        lower.refuse(LintCode::BadCapture, name.place, message);
    }
}

/// Every expectation of the document that does not hold.
pub(super) fn check_document(expect: &Expect, material: &Material<'_>, scope: &Scope) -> Result<Vec<Mismatch>, Halt> {
    let mut found = Vec::new();
    let asks_json = expect.json.is_some()
        || expect.json_exact.is_some()
        || expect.json_schema.is_some()
        || !expect.jsonpath.is_empty();
    if asks_json {
        match material.as_json() {
            Ok(_) => found.extend(check_json(expect, material, scope)?),
            Err(error) => {
                found.push(Mismatch::new("body", "JSON", format!("{error}{}", brief(material.as_text()))));
            }
        }
    }
    for check in &expect.checks {
        found.extend(check.check(material, scope)?);
    }
    Ok(found)
}

fn check_json(expect: &Expect, material: &Material<'_>, scope: &Scope) -> Result<Vec<Mismatch>, Halt> {
    let Ok(got) = material.as_json() else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for (wanted, mode) in [(&expect.json, Mode::Partial), (&expect.json_exact, Mode::Exact)] {
        if let Some(wanted) = wanted {
            found.extend(difference(&scope.node(wanted)?, got, mode));
        }
    }
    for check in &expect.jsonpath {
        found.extend(check.check(got, scope)?);
    }
    if let Some(schema) = &expect.json_schema {
        found.extend(schema.check(got, scope)?);
    }
    Ok(found)
}

pub(super) fn check_latency(expect: &Expect, latency: Duration) -> Option<Mismatch> {
    let most = expect.max_latency.filter(|most| latency > most.0)?;
    Some(Mismatch::new("latency", format!("at most {most}"), format!("{} ms", latency.as_millis())))
}

/// The start of a body, where it helps to understand a failure.
pub(super) fn brief(text: &str) -> String {
    const BYTES_MAX: usize = 300; // a line or two of a report
    match text.trim() {
        "" => String::new(),
        text => format!(", body: {}", cut(text.to_owned(), BYTES_MAX)),
    }
}
