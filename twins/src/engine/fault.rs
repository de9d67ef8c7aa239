//! Faults: counted, never random, refused when they are written wrongly. A rule names an operation, which of its
//! requests are hit, and what goes wrong; the twin's dialect decides how an HTTP fault reads.

use std::{collections::BTreeMap, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use serde_json_path::JsonPath;

use super::{core::Transport, journal::CallRequest};
use crate::{TwinError, http::Request, twin::Refusal};

const RULES_MAX: usize = 256; // per twin; a scenario arms a handful
const DELAY_MS_MAX: u64 = 60_000; // longer than any client waits
const DELAY_MS_DEFAULT: u64 = 200;
const RETRY_AFTER_S_DEFAULT: u64 = 1;

/// Which requests fail, and how.
///
/// ```json
/// {"operation": "payment_intents.create", "where": {"$.request.form.amount": "2400"}, "first": 1, "kind": "hang"}
/// ```
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct FaultRule {
    /// An operation of the twin, or `*` for each.
    pub operation: String,
    /// JSON paths into the call (`$.request.…`) and the values they must have; numbers and text compare alike.
    #[serde(default, rename = "where", skip_serializing_if = "BTreeMap::is_empty")]
    pub matching: BTreeMap<String, Value>,
    /// Hit only the first n matching requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<u32>,
    /// Hit every k-th matching request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<u32>,
    /// Let so many matching requests pass before counting starts.
    #[serde(default)]
    pub after: u32,
    pub kind: FaultKind,
    /// For `status`: 400 to 599; 500 where left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// For `rate_limit`, in seconds; 1 where left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_s: Option<u64>,
    /// For `latency`, in milliseconds of real time, at most 60,000; 200 where left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay_ms: Option<u64>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// Never answers; the operation does not happen.
    Hang,
    /// The connection is reset; the operation does not happen.
    Reset,
    /// The operation happens, then the connection is reset.
    RefuseAfterCommit,
    /// The operation happens and is answered late.
    Latency,
    /// The service's own error body with `status`; the operation does not happen.
    Status,
    /// The service's own 429 with `Retry-After`; the operation does not happen.
    RateLimit,
    /// The operation happens, then nothing is answered.
    TimeoutAfterCommit,
    /// The operation happens; the body does not parse.
    MalformedJson,
    /// The operation happens; the connection closes in the middle of the body.
    CutBody,
    /// The service's own answer to an expired credential; the operation does not happen.
    AuthExpired,
}

impl FaultKind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Hang => "hang",
            Self::Reset => "reset",
            Self::RefuseAfterCommit => "refuse_after_commit",
            Self::Latency => "latency",
            Self::Status => "status",
            Self::RateLimit => "rate_limit",
            Self::TimeoutAfterCommit => "timeout_after_commit",
            Self::MalformedJson => "malformed_json",
            Self::CutBody => "cut_body",
            Self::AuthExpired => "auth_expired",
        }
    }

    /// Whether the operation happens.
    pub(crate) fn performs(self) -> bool {
        match self {
            Self::Hang | Self::Reset | Self::Status | Self::RateLimit | Self::AuthExpired => false,
            Self::RefuseAfterCommit
            | Self::Latency
            | Self::TimeoutAfterCommit
            | Self::MalformedJson
            | Self::CutBody => true,
        }
    }
}

impl FaultRule {
    pub(crate) fn transport(&self) -> Transport {
        match self.kind {
            FaultKind::Hang | FaultKind::TimeoutAfterCommit => Transport::Hang,
            FaultKind::Reset | FaultKind::RefuseAfterCommit => Transport::Reset,
            FaultKind::Latency => Transport::After(Duration::from_millis(self.delay_ms.unwrap_or(DELAY_MS_DEFAULT))),
            FaultKind::MalformedJson => Transport::Garbled,
            FaultKind::CutBody => Transport::Cut,
            FaultKind::Status | FaultKind::RateLimit | FaultKind::AuthExpired => Transport::Whole,
        }
    }

    /// What the service says instead of performing, if it says something.
    pub(crate) fn refusal(&self) -> Option<Refusal> {
        match self.kind {
            FaultKind::Status => Some(Refusal::Status(self.status.unwrap_or(500))),
            FaultKind::RateLimit => {
                Some(Refusal::RateLimited { retry_after_s: self.retry_after_s.unwrap_or(RETRY_AFTER_S_DEFAULT) })
            }
            FaultKind::AuthExpired => Some(Refusal::CredentialsExpired),
            _ => None,
        }
    }

    /// Checks the rule against the operations of `twin`.
    fn check(&self, twin: &str, operations: &[&str]) -> Result<(), TwinError> {
        let bad = |why: String| Err(TwinError::FaultRule { twin: twin.to_owned(), why });
        if self.operation != "*" && !operations.contains(&self.operation.as_str()) {
            let known = operations.join(", ");
            return bad(format!("unknown operation `{}`; it has {known}, or `*`", self.operation));
        }
        if self.first.is_some() && self.every.is_some() {
            return bad("`first` and `every` exclude each other; give one".to_owned());
        }
        if self.first == Some(0) || self.every == Some(0) {
            return bad("`first` and `every` count from 1".to_owned());
        }
        if self.delay_ms.is_some_and(|delay| delay > DELAY_MS_MAX) {
            return bad(format!("`delay_ms` is at most {DELAY_MS_MAX}"));
        }
        if self.status.is_some_and(|status| !(400..600).contains(&status)) {
            return bad("`status` is an error: 400 to 599".to_owned());
        }
        for (field, given, kind) in [
            ("status", self.status.is_some(), FaultKind::Status),
            ("retry_after_s", self.retry_after_s.is_some(), FaultKind::RateLimit),
            ("delay_ms", self.delay_ms.is_some(), FaultKind::Latency),
        ] {
            if given && self.kind != kind {
                return bad(format!("`{field}` belongs to kind `{}`, not to `{}`", kind.name(), self.kind.name()));
            }
        }
        Ok(())
    }
}

/// A rule with its counts.
#[derive(Clone, Debug, Serialize)]
pub struct FaultStatus {
    pub rule: FaultRule,
    /// Requests that fitted operation and `where`.
    pub matched: u32,
    /// Requests that were hit.
    pub fired: u32,
}

/// The armed rules of one twin; the first that fires wins.
#[derive(Clone, Debug, Default)]
pub(crate) struct Faults(Vec<Armed>);

#[derive(Clone, Debug)]
struct Armed {
    status: FaultStatus,
    conditions: Vec<(JsonPath, Value)>,
}

impl Faults {
    pub(crate) fn arm(&mut self, twin: &str, operations: &[&str], rule: FaultRule) -> Result<(), TwinError> {
        rule.check(twin, operations)?;
        let bad = |why: String| TwinError::FaultRule { twin: twin.to_owned(), why };
        if self.0.len() == RULES_MAX {
            return Err(bad(format!("{RULES_MAX} rules are armed already; clear them first")));
        }
        let parse = |(path, value): (&String, &Value)| match JsonPath::parse(path) {
            Ok(parsed) => Ok((parsed, value.clone())),
            Err(error) => Err(bad(format!("`{path}` is no JSON path: {error}"))),
        };
        let conditions = rule.matching.iter().map(parse).collect::<Result<_, _>>()?;
        self.0.push(Armed { status: FaultStatus { rule, matched: 0, fired: 0 }, conditions });
        Ok(())
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    pub(crate) fn status(&self) -> Vec<FaultStatus> {
        self.0.iter().map(|armed| armed.status.clone()).collect()
    }

    /// The first rule that hits. Rules behind it do not count this request, so that "one 429, then one time-out" is
    /// two rules with `first: 1`.
    pub(crate) fn fire(&mut self, operation: &str, request: &Request) -> Option<FaultRule> {
        let mut hit = None;
        for armed in &mut self.0 {
            if hit.is_none() && armed.hits(operation, request) {
                armed.status.fired += 1;
                hit = Some(armed.status.rule.clone());
            }
        }
        hit
    }
}

impl Armed {
    fn hits(&mut self, operation: &str, request: &Request) -> bool {
        let rule = &self.status.rule;
        if rule.operation != "*" && rule.operation != operation || !self.fits(request) {
            return false;
        }
        let number = self.status.matched;
        self.status.matched += 1;
        let Some(counted) = number.checked_sub(rule.after) else { return false };
        match (rule.first, rule.every) {
            (Some(first), _) => counted < first,
            (None, Some(every)) => (counted + 1) % every == 0,
            (None, None) => true,
        }
    }

    fn fits(&self, request: &Request) -> bool {
        if self.conditions.is_empty() {
            return true;
        }
        let call = json!({ "request": CallRequest::of(request) });
        self.conditions.iter().all(|(path, expected)| path.query(&call).iter().any(|found| alike(found, expected)))
    }
}

/// Form fields are text, so `2400` in a rule means "2400" as well.
fn alike(found: &Value, expected: &Value) -> bool {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    found == expected || text(found) == text(expected)
}
