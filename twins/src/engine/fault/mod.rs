//! Faults: counted, never random, refused when they are written wrongly. A rule names an operation, which of its
//! requests are hit, and what goes wrong; the twin's dialect decides how an HTTP fault reads.
//!
//! `kind` lists what can go wrong, `rule` is what a person writes, here the rules of a twin are counted.

mod kind;
mod rule;

use serde::Serialize;
use serde_json::{Value, json};
use serde_json_path::JsonPath;

pub(crate) use self::kind::Target;
pub use self::{kind::FaultKind, rule::FaultRule};
use super::journal::CallRequest;
use crate::{
    TwinError,
    http::Request,
    tls::Handshake,
    twin::{AnyTwin, Event},
};

const RULES_MAX: usize = 256; // per twin; a scenario arms a handful

/// A rule with its counts.
#[derive(Clone, Debug, Serialize)]
pub struct FaultStatus {
    /// Counts from 1 in the order of arming; calls that it hit name it.
    pub number: u32,
    pub rule: FaultRule,
    /// Requests that fitted operation, time and `where`.
    pub matched: u32,
    /// Requests that were hit.
    pub fired: u32,
}

/// The armed rules of one twin; the first that fires wins.
#[derive(Clone, Debug, Default)]
pub(crate) struct Faults {
    armed: Vec<Armed>,
    next_number: u32,
}

#[derive(Clone, Debug)]
struct Armed {
    status: FaultStatus,
    conditions: Vec<(JsonPath, Value)>,
    /// Of a quota: which window was counted last, and how many requests it had.
    window: (u64, u32),
}

/// A rule that hits this time.
pub(crate) struct Hit {
    pub(crate) number: u32,
    pub(crate) rule: FaultRule,
}

/// What a rule is asked about.
struct Occasion<'a> {
    target: Target,
    operation: &'a str,
    /// For reading only, as far as one can tell.
    harmless: bool,
    /// Since the space's start, in virtual time.
    elapsed_ms: u64,
}

impl Faults {
    pub(crate) fn arm(&mut self, twin: &dyn AnyTwin, rule: FaultRule) -> Result<(), TwinError> {
        let bad = |why: String| TwinError::FaultRule { twin: twin.manifest().name.to_owned(), why };
        rule.check(&twin.operations()).map_err(bad)?;
        if twin.protocol().is_some() && rule.kind.is_about_http() {
            return Err(bad(format!("`{}` breaks HTTP, which its clients do not speak", rule.kind.name())));
        }
        if self.armed.len() == RULES_MAX {
            return Err(bad(format!("{RULES_MAX} rules are armed already; clear them first")));
        }
        let conditions = conditions(&rule.matching).map_err(bad)?;
        self.next_number += 1;
        let status = FaultStatus { number: self.next_number, rule, matched: 0, fired: 0 };
        self.armed.push(Armed { status, conditions, window: (0, 0) });
        Ok(())
    }

    pub(crate) fn clear(&mut self) {
        self.armed.clear();
    }

    pub(crate) fn status(&self) -> Vec<FaultStatus> {
        self.armed.iter().map(|armed| armed.status.clone()).collect()
    }

    /// Whether older states are needed to answer from.
    pub(crate) fn want_history(&self) -> bool {
        self.armed.iter().any(|armed| armed.status.rule.kind == FaultKind::StaleRead)
    }

    /// The first rule that hits. Rules behind it do not count this request, so that "one 429, then one time-out" is
    /// two rules with `first: 1`.
    pub(crate) fn fire(&mut self, operation: &str, request: &Request, elapsed_ms: u64) -> Option<Hit> {
        let harmless = matches!(request.method.as_str(), "GET" | "HEAD");
        let occasion = Occasion { target: Target::Requests, operation, harmless, elapsed_ms };
        self.first_hit(&occasion, || json!({ "request": CallRequest::of(request) }))
    }

    /// Whether the next connection is refused.
    pub(crate) fn refuse_connection(&mut self, elapsed_ms: u64) -> bool {
        let occasion = Occasion { target: Target::Connections, operation: "*", harmless: false, elapsed_ms };
        self.first_hit(&occasion, || Value::Null).is_some()
    }

    /// How the next handshake goes.
    pub(crate) fn handshake(&mut self, elapsed_ms: u64) -> Handshake {
        let occasion = Occasion { target: Target::Handshakes, operation: "*", harmless: false, elapsed_ms };
        self.first_hit(&occasion, || Value::Null).map_or(Handshake::Sound, |hit| hit.rule.kind.handshake())
    }

    /// The rule that hits this webhook.
    pub(crate) fn fire_webhook(&mut self, event: &Event, elapsed_ms: u64) -> Option<Hit> {
        let occasion = Occasion { target: Target::Webhooks, operation: &event.kind, harmless: false, elapsed_ms };
        self.first_hit(
            &occasion,
            || json!({"event": serde_json::from_str::<Value>(&event.payload).unwrap_or_default()}),
        )
    }

    /// The answer was none that the rule could break: it has not hit.
    pub(crate) fn take_back(&mut self, hit: &Hit) {
        if let Some(armed) = self.armed.iter_mut().find(|armed| armed.status.number == hit.number) {
            armed.status.matched -= 1;
            armed.status.fired -= 1;
        }
    }

    fn first_hit(&mut self, occasion: &Occasion<'_>, shown: impl Fn() -> Value) -> Option<Hit> {
        let hitting = self.armed.iter_mut().find_map(|armed| {
            armed.hits(occasion, &shown).then(|| {
                armed.status.fired += 1;
                Hit { number: armed.status.number, rule: armed.status.rule.clone() }
            })
        });
        hitting.map(|mut hit| {
            if let Some((_, window_ms)) = hit.rule.quota() {
                let left_ms = window_ms - occasion.elapsed_ms % window_ms;
                hit.rule.retry_after_s = Some(left_ms.div_ceil(1_000));
            }
            hit
        })
    }
}

impl Armed {
    fn hits(&mut self, occasion: &Occasion<'_>, shown: &impl Fn() -> Value) -> bool {
        if !self.concerns(occasion) || !self.fits(shown) {
            return false;
        }
        let rule = &self.status.rule;
        let number = self.status.matched;
        self.status.matched += 1;
        if let Some((limit, window_ms)) = rule.quota() {
            let window = occasion.elapsed_ms / window_ms;
            let before = if self.window.0 == window { self.window.1 } else { 0 };
            self.window = (window, before.saturating_add(1));
            return before >= limit;
        }
        let Some(counted) = number.checked_sub(rule.after) else { return false };
        match (rule.first, rule.every) {
            (Some(first), _) => counted < first,
            (None, Some(every)) => (counted + 1) % every == 0,
            (None, None) => true,
        }
    }

    /// Whether the rule is about such a thing at such a time, before a look inside.
    fn concerns(&self, occasion: &Occasion<'_>) -> bool {
        let rule = &self.status.rule;
        let named = match rule.kind.target() {
            Target::Connections | Target::Handshakes => "*",
            Target::Webhooks => rule.event.as_deref().unwrap_or("*"),
            Target::Requests | Target::Streams => &rule.operation,
        };
        let target = match rule.kind.target() {
            // Whether the answer is a stream shows only when it is there; `take_back` is for those that are none.
            Target::Streams => Target::Requests,
            target => target,
        };
        let safe = rule.kind != FaultKind::StaleRead || named != "*" || occasion.harmless;
        target == occasion.target
            && (named == "*" || named == occasion.operation)
            && rule.from_ms.is_none_or(|from| occasion.elapsed_ms >= from)
            && rule.until_ms.is_none_or(|until| occasion.elapsed_ms < until)
            && safe
    }

    fn fits(&self, shown: &impl Fn() -> Value) -> bool {
        if self.conditions.is_empty() {
            return true;
        }
        let shown = shown();
        self.conditions.iter().all(|(path, expected)| path.query(&shown).iter().any(|found| alike(found, expected)))
    }
}

/// Parsed JSON paths with the values that they must have.
pub(crate) fn conditions<'a>(
    written: impl IntoIterator<Item = (&'a String, &'a Value)>,
) -> Result<Vec<(JsonPath, Value)>, String> {
    let parse = |(path, value): (&String, &Value)| match JsonPath::parse(path) {
        Ok(parsed) => Ok((parsed, value.clone())),
        Err(error) => Err(format!("`{path}` is no JSON path: {error}")),
    };
    written.into_iter().map(parse).collect()
}

/// Form fields are text, so `2400` in a rule means "2400" as well.
pub(crate) fn alike(found: &Value, expected: &Value) -> bool {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    found == expected || text(found) == text(expected)
}
