//! Listening to a stream of messages until something holds: what `sse` and `websocket` have in common.

use std::{num::NonZeroUsize, time::Duration};

use async_trait::async_trait;
use located::Place;
use reqwest::Url;
use serde_json::{Value as Json, json};
use tokio::time::{Instant, timeout_at};

use super::{Halt, Stage, http::pairs};
use crate::{
    expect::{Mismatch, PathCheck, Predicates, Response, cut},
    scenario::{Expect, LintCode, Lower},
    text::{Entries, Node, Period, Placed, RenderError, Scope, Text},
};

pub(super) const TIMEOUT_DEFAULT: Duration = Duration::from_secs(10);
pub(super) const TIMEOUT_MAX: Duration = Duration::from_mins(5);
pub(super) const MESSAGES_MAX: usize = 10_000; // of one step; a flood is no conversation
pub(super) const BYTES_MAX: usize = 4 * 1024 * 1024; // of one message, and of all that a step collects
const EVIDENCE_MESSAGES_MAX: usize = 50; // the count says how many there were
const ELAPSED_MAX: Duration = Duration::from_mins(1);

/// Where messages come from.
#[async_trait]
pub(super) trait Source: Send {
    /// `Ok(None)` is an orderly end; `Err` says what broke. Cancel safe: a message is given whole or kept.
    async fn next(&mut self) -> Result<Option<Json>, String>;
}

/// When a step has heard enough.
#[derive(Debug)]
pub(super) enum Until {
    Count(NonZeroUsize),
    Message(MessageRule),
    Closed,
    /// Listen for so long, whatever comes.
    Elapsed(Duration),
}

/// A message that fits in everything that is given.
#[derive(Debug)]
pub(super) struct MessageRule {
    pub(super) event: Option<Predicates>,
    pub(super) data: Option<Predicates>,
    pub(super) jsonpath: Vec<PathCheck>,
}

/// The parts of `until` as the files of both kinds write them.
pub(super) struct UntilParts {
    pub(super) count: Option<NonZeroUsize>,
    pub(super) message: MessageRule,
    pub(super) closed: Option<bool>,
    pub(super) elapsed: Option<Placed<Period>>,
    pub(super) place: Place,
}

impl UntilParts {
    pub(super) fn lower(self, lower: &mut Lower<'_>) -> Until {
        let Self { count, message, closed, elapsed, place } = self;
        let has_message = message.event.is_some() || message.data.is_some() || !message.jsonpath.is_empty();
        let forms = [count.is_some(), has_message, closed.is_some(), elapsed.is_some()];
        if forms.iter().filter(|is_given| **is_given).count() != 1 || closed == Some(false) {
            let hint = "a count, a message (by event, data or jsonpath), `closed: true`, or `elapsed`";
            lower.refuse_with(LintCode::StepKind, place, "`until` is one of several forms", hint);
        }
        if let Some(surplus) = count.filter(|count| count.get() > MESSAGES_MAX) {
            lower.refuse(LintCode::BadLimit, place, format!("{surplus} are too many; at most {MESSAGES_MAX}"));
        }
        let elapsed = elapsed.map(|period| lower.period(Some(&period), Duration::ZERO, ELAPSED_MAX));
        match (count, elapsed) {
            (Some(count), _) => Until::Count(count),
            (None, Some(elapsed)) => Until::Elapsed(elapsed),
            (None, None) if has_message => Until::Message(message),
            (None, None) => Until::Closed,
        }
    }
}

impl MessageRule {
    fn fits(&self, message: &Json, scope: &Scope) -> Result<bool, RenderError> {
        for (name, predicates) in [("event", &self.event), ("data", &self.data)] {
            if let Some(predicates) = predicates
                && !predicates.check(name, message.get(name), scope)?.is_empty()
            {
                return Ok(false);
            }
        }
        let document = message.get("json");
        for check in &self.jsonpath {
            if !check.check(document.unwrap_or(&Json::Null), scope)?.is_empty() {
                return Ok(false);
            }
        }
        Ok(self.jsonpath.is_empty() || document.is_some())
    }
}

/// What was heard, and why listening ended.
pub(super) struct Heard {
    pub(super) messages: Vec<Json>,
    pub(super) end: End,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// What was waited for is there.
    Met,
    Closed,
    Broken(String),
    TimedOut,
    Flooded,
}

/// Collects messages until the condition holds, the stream ends, or a bound is reached.
pub(super) async fn listen(
    source: &mut dyn Source,
    until: &Until,
    deadline: Instant,
    scope: &Scope,
) -> Result<Heard, RenderError> {
    let deadline = match until {
        Until::Elapsed(elapsed) => deadline.min(Instant::now() + *elapsed),
        Until::Count(_) | Until::Message(_) | Until::Closed => deadline,
    };
    let (mut messages, mut bytes) = (Vec::new(), 0);
    let end = loop {
        let message = match timeout_at(deadline, source.next()).await {
            Ok(Ok(Some(message))) => message,
            Ok(Ok(None)) => break End::Closed,
            Ok(Err(reason)) => break End::Broken(reason),
            Err(_) => break End::TimedOut,
        };
        bytes += message["data"].as_str().map_or(0, str::len);
        if bytes > BYTES_MAX || messages.len() == MESSAGES_MAX {
            break End::Flooded;
        }
        let is_met = match until {
            Until::Count(count) => messages.len() + 1 >= count.get(),
            Until::Message(rule) => rule.fits(&message, scope)?,
            Until::Closed | Until::Elapsed(_) => false,
        };
        messages.push(message);
        if is_met {
            break End::Met;
        }
    };
    let end = match (until, end) {
        (Until::Elapsed(_), End::TimedOut) | (Until::Closed, End::Closed) => End::Met,
        (_, end) => end,
    };
    Ok(Heard { messages, end })
}

impl Heard {
    pub(super) fn nothing() -> Self {
        Self { messages: Vec::new(), end: End::Met }
    }

    /// Why what was waited for did not come. `noun` names the messages.
    pub(super) fn mismatch(&self, until: &Until, timeout: Duration, noun: &str) -> Option<Mismatch> {
        let how = match &self.end {
            End::Met => return None,
            End::Closed => "then the end of the stream".to_owned(),
            End::Broken(reason) => format!("then a broken stream: {reason}"),
            End::TimedOut => format!("then nothing until the end of {}", Period(timeout)),
            End::Flooded => format!("then more than the {MESSAGES_MAX} messages or {BYTES_MAX} bytes that are kept"),
        };
        let last = self.messages.last().map_or_else(String::new, |last| format!(" (the last: {last})"));
        let observed = format!("{} {noun}{}, {how}", self.messages.len(), cut(last, 500));
        Some(Mismatch::new("until", until.words(noun), observed))
    }

    pub(super) fn evidence(&self) -> Json {
        self.messages.iter().take(EVIDENCE_MESSAGES_MAX).cloned().collect()
    }
}

impl Until {
    pub(super) fn words(&self, noun: &str) -> String {
        match self {
            Self::Count(count) => format!("{count} {noun}"),
            Self::Message(_) => format!("one of the {noun} to fit"),
            Self::Closed => "the end of the stream".to_owned(),
            Self::Elapsed(elapsed) => format!("a stream that stays open for {}", Period(*elapsed)),
        }
    }
}

/// `data` with what it says as JSON, where it is JSON.
pub(super) fn with_json(mut message: serde_json::Map<String, Json>, data: &str) -> Json {
    message.insert("data".to_owned(), data.into());
    if let Ok(document) = serde_json::from_str(data) {
        message.insert("json".to_owned(), document);
    }
    Json::Object(message)
}

/// Only the subject is ever addressed, whatever a captured value says.
pub(super) fn on_subject(base: &Url, path: &Text, scope: &Scope) -> Result<Url, Halt> {
    let path = scope.text(path)?;
    let elsewhere = || Mismatch::new("path", "one that is on the subject", format!("`{path}`"));
    let url = base.join(&path).map_err(|_| Halt::Failed(elsewhere()))?;
    if url.origin() == base.origin() { Ok(url) } else { Err(Halt::Failed(elsewhere())) }
}

/// The headers of a step, and the cookies of the trial where the step gives none.
pub(super) fn headers(written: &Entries<Node>, url: &Url, stage: &Stage<'_>) -> Result<Vec<(String, String)>, Halt> {
    let mut headers = pairs(written, &stage.scope)?;
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("cookie")) {
        let kept = stage.cookies.cookies(url).into_iter().map(|(name, value)| format!("{name}={value}"));
        let line = kept.collect::<Vec<_>>().join("; ");
        headers.extend((!line.is_empty()).then(|| ("cookie".to_owned(), line)));
    }
    Ok(headers)
}

/// Pairs as an object, for the evidence.
pub(super) fn shown_pairs(pairs: &[(String, String)]) -> Json {
    let entries = pairs.iter().map(|(name, value)| (name.clone(), Json::from(value.as_str())));
    entries.collect::<serde_json::Map<_, _>>().into()
}

/// Evaluates what is expected of the head of an answer.
pub(super) fn check_head(expect: &Expect, head: &Response, scope: &Scope) -> Result<Vec<Mismatch>, Halt> {
    let mut found = Vec::new();
    let status = expect.status.as_ref().map(|rule| rule.resolved(scope)).transpose()?;
    if let Some(rule) = status.filter(|rule| !rule.admits(head.status)) {
        found.push(Mismatch::new("status", rule.words(), head.status.to_string()));
    }
    for (name, predicates) in expect.headers.iter() {
        let value = head.header_value(name);
        found.extend(predicates.check(&format!("header {}", name.value), value.as_ref(), scope)?);
    }
    Ok(found)
}

/// Whether an answer with this status is fine; where no status is asked for, it is.
pub(super) fn admits(expect: &Expect, status: u16, scope: &Scope) -> Result<bool, RenderError> {
    let rule = expect.status.as_ref().map(|rule| rule.resolved(scope)).transpose()?;
    Ok(rule.is_none_or(|rule| rule.admits(status)))
}

/// The head of an answer, for the evidence.
pub(super) fn shown_head(head: &Response) -> Json {
    json!({ "status": head.status, "headers": shown_pairs(&head.headers) })
}

/// Refuses a path that is not relative to the subject.
pub(super) fn check_path(path: &Text, lower: &mut Lower<'_>) {
    if !path.starts_with('/') && !path.starts_with("{{") {
        lower.refuse_with(LintCode::BadPath, path.place, "the path is relative to the subject", "start it with `/`");
    }
}
