//! `twin`: what an outside service was asked, and what it knows now.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value as Json, json};
use tokio::time::{Instant, sleep};

use super::{
    Captures, Halt, Kind, Outcome, Stage, Step,
    capture::{CaptureRule, capture},
    document::{Around, check_document, check_document_rules},
};
use crate::{
    arrange::Abilities,
    expect::{JsonPathText, Material, Mismatch, cut, same, shown},
    scenario::{Expect, LintCode, Lower},
    text::{Entries, Node, Period, Placed, RenderError, Scope, Text},
};

const WITHIN_MAX: Duration = Duration::from_mins(1);
const LOOK_EVERY: Duration = Duration::from_millis(10);
const CALLS_SHOWN_MAX: usize = 20; // in the evidence; the count says how many there were

pub(super) const KIND: Kind = Kind {
    name: "twin",
    needs: &[],
    takes: &["calls"],
    expects: &["count", "jsonpath", "checks", "order", "state"],
    captures: Captures::Values,
    lower: |parts, lower| Some(self::lower(parts.file.twin?, parts.file.calls, parts.expect, parts.captures, lower)),
};

/// Which of a twin's calls.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CallsFile {
    /// `resource.verb`; left out, all calls.
    #[serde(default)]
    operation: Option<Text>,
    /// `JSONPath` into the call → the value there; numbers and texts of the same digits are equal here.
    #[serde(default, rename = "where")]
    matching: Entries<Node>,
    /// Wait so long until the expectations hold. Default: look once. At most 60s.
    #[serde(default)]
    within: Option<Placed<Period>>,
}

#[derive(Debug)]
struct TwinLook {
    twin: String,
    operation: Option<Text>,
    matching: Vec<(JsonPathText, Node)>,
    within: Duration,
    expect: Expect,
    captures: Entries<CaptureRule>,
}

pub(crate) fn lower(
    twin: Text,
    calls: Option<CallsFile>,
    expect: Placed<Expect>,
    captures: Entries<CaptureRule>,
    lower: &mut Lower<'_>,
) -> Box<dyn Step> {
    let CallsFile { operation, matching, within } = calls.unwrap_or_default();
    let known = lower.twin(&twin);
    if let Some(known) = &known {
        check_operation(known, operation.as_ref(), lower);
    }
    check_document_rules(&expect, &captures, Around::Nothing, lower);
    known.iter().for_each(|known| check_order(known, &expect, operation.as_ref(), lower));
    let within = lower.period(within.as_ref(), Duration::ZERO, WITHIN_MAX);
    let mut paths = Vec::new();
    for (path, node) in matching.0 {
        match JsonPathText::unplaced(&path) {
            Ok(path) => paths.push((path, node)),
            Err(message) => lower.refuse(LintCode::BadPath, path.place, message),
        }
    }
    let twin = called(&twin, known.as_deref());
    Box::new(TwinLook { twin, operation, matching: paths, within, expect: expect.value, captures })
}

/// What the twin is called at run time, however a step names it.
pub(super) fn called(written: &Text, twin: Option<&Abilities>) -> String {
    twin.map_or_else(|| written.value.clone(), |known| known.name().to_owned())
}

/// Refuses an operation that the twin does not have.
pub(super) fn check_operation(twin: &Abilities, operation: Option<&Text>, lower: &mut Lower<'_>) -> bool {
    let Some(operation) = operation.filter(|operation| !twin.has_operation(operation)) else { return true };
    let message = format!("the twin `{}` has no operation `{}`", twin.name(), operation.value);
    let hint = twin.operations_like(operation);
    lower.refuse_with(LintCode::UnknownOperation, operation.place, message, hint);
    false
}

fn check_order(twin: &Arc<Abilities>, expect: &Expect, operation: Option<&Text>, lower: &mut Lower<'_>) {
    if let Some(operation) = operation.filter(|_| !expect.order.is_empty()) {
        let message = "`order` names operations itself, so `calls` cannot be of one operation";
        lower.refuse(LintCode::StepKind, operation.place, message);
    }
    for text in &expect.order {
        let (name, operation) = split(twin.name(), text);
        let placed = |value: &str| Text { value: value.to_owned(), place: text.place };
        let of = if name == twin.name() { Some(Arc::clone(twin)) } else { lower.twin(&placed(name)) };
        if let Some(of) = of {
            check_operation(&of, Some(&placed(operation)), lower);
        }
    }
    for pair in expect.order.windows(2).filter(|pair| pair[0].value == pair[1].value) {
        let message = "repeats in a row count once; assert a `count` instead";
        lower.refuse(LintCode::BadExpectation, pair[1].place, message);
    }
}

/// `twin/operation`, or an operation of the step's own twin.
fn split<'a>(twin: &'a str, written: &'a str) -> (&'a str, &'a str) {
    written.split_once('/').unwrap_or((twin, written))
}

#[async_trait]
impl Step for TwinLook {
    fn kind(&self) -> &'static str {
        "twin"
    }

    fn title(&self) -> String {
        let operation = self.operation.as_ref().map_or("calls", |operation| operation.as_str());
        format!("twin {} {operation}", self.twin)
    }

    fn asserts(&self) -> bool {
        !self.expect.is_empty()
    }

    fn twin(&self) -> Option<&str> {
        Some(&self.twin)
    }

    async fn run(&self, stage: &mut Stage<'_>) -> Result<Outcome, Halt> {
        let deadline = Instant::now() + stage.actor.patience.grant(self.within);
        loop {
            let outcome = self.look(stage)?;
            if outcome.mismatches.is_empty() || Instant::now() >= deadline {
                return Ok(outcome);
            }
            sleep(LOOK_EVERY).await;
        }
    }
}

impl TwinLook {
    fn look(&self, stage: &Stage<'_>) -> Result<Outcome, Halt> {
        let scope = &stage.scope;
        let operation = self.operation.as_ref().map(|operation| operation.as_str());
        let mut calls = stage.world.calls(&self.twin, operation)?;
        let all = calls.len();
        let wanted = self.matching.iter().map(|(path, node)| Ok((path, scope.node(node)?)));
        let wanted = wanted.collect::<Result<Vec<_>, RenderError>>()?;
        calls.retain(|call| wanted.iter().all(|(path, value)| is_there(call, path, value, scope)));
        let count = calls.len();
        let calls = Json::Array(calls);
        let mut found = Vec::new();
        if let Some(bound) = &self.expect.count
            && let Some(words) = bound.refuses(count as f64, scope)?
        {
            let of_all = if wanted.is_empty() { String::new() } else { format!(" (of {all} without the condition)") };
            found.push(Mismatch::new(self.words(&wanted), words, format!("{count}{of_all}")));
        }
        let material = Material::json(&calls);
        found.extend(check_document(&self.expect, &material, scope)?);
        if !self.expect.order.is_empty() {
            let mut calls = stage.world.all_calls()?;
            calls.retain(|call| {
                call["twin"] != *self.twin || wanted.iter().all(|(path, value)| is_there(call, path, value, scope))
            });
            found.extend(self.check_order(&calls));
        }
        if !self.expect.state.is_empty() {
            let state = stage.world.state(&self.twin).map_err(Halt::Infra)?;
            for check in &self.expect.state {
                found.extend(check.check(&state, scope)?);
            }
        }
        let mut outcome = Outcome { mismatches: found, ..Outcome::default() };
        capture(&self.captures, &material, scope, &mut outcome)?;
        drop(material);
        outcome.evidence = evidence(&self.twin, count, calls);
        Ok(outcome)
    }

    fn check_order(&self, calls: &[Json]) -> Option<Mismatch> {
        let order: Vec<_> = self.expect.order.iter().map(|text| split(&self.twin, text)).collect();
        let named = |call: &Json| {
            order.iter().position(|(twin, operation)| call["twin"] == **twin && call["operation"] == **operation)
        };
        let mut seen: Vec<_> = calls.iter().filter_map(|call| Some(order[named(call)?])).collect();
        seen.dedup();
        let words = |calls: &[(&str, &str)]| {
            let names = calls.iter().map(|(twin, operation)| match *twin == self.twin {
                true => (*operation).to_owned(),
                false => format!("{twin}/{operation}"),
            });
            names.collect::<Vec<_>>().join(", ")
        };
        let observed = if seen.is_empty() { "none of them".to_owned() } else { cut(words(&seen), 1_000) };
        (seen != order).then(|| Mismatch::new(format!("order of calls of {}", self.twin), words(&order), observed))
    }

    fn words(&self, wanted: &[(&JsonPathText, Json)]) -> String {
        let operation = self.operation.as_ref().map_or("any operation", |operation| operation.as_str());
        let conditions = wanted.iter().map(|(path, value)| format!(" where {} = {}", path.written(), shown(value)));
        format!("calls of {} {operation}{}", self.twin, conditions.collect::<String>())
    }
}

/// A form carries digits as text; a condition need not know that.
fn is_there(call: &Json, path: &JsonPathText, wanted: &Json, scope: &Scope) -> bool {
    let Ok(Some(got)) = path.find(call, scope) else { return false };
    let digits = |value: &Json| match value {
        Json::Number(number) => Some(number.to_string()),
        Json::String(text) => Some(text.clone()),
        Json::Bool(value) => Some(value.to_string()),
        Json::Null | Json::Array(_) | Json::Object(_) => None,
    };
    same(wanted, &got) || digits(wanted).is_some_and(|wanted| digits(&got) == Some(wanted))
}

fn evidence(twin: &str, count: usize, mut calls: Json) -> Json {
    if let Json::Array(calls) = &mut calls {
        calls.truncate(CALLS_SHOWN_MAX);
    }
    json!({ "twin": twin, "count": count, "calls": calls })
}
