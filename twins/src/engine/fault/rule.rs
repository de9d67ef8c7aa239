//! One rule as it is written: which requests, counted how, and what goes wrong. Checked before it is armed.

use std::{collections::BTreeMap, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::kind::{FaultKind, Target};
use crate::{
    engine::{core::Transport, outbox::Treatment, stale::CALLS_MAX as LAG_CALLS_MAX},
    http::Cut,
    twin::Refusal,
};

const DELAY_MS_MAX: u64 = 60_000; // longer than any client waits
const DELAY_MS_DEFAULT: u64 = 200;
const RETRY_AFTER_S_DEFAULT: u64 = 1;
const WINDOW_MS_DEFAULT: u64 = 60_000; // what most services count by
const DRIBBLE_BYTES_DEFAULT: u64 = 16;
const DRIBBLE_MS_DEFAULT: u64 = 20;
const TIMES_MAX: u64 = 100;

/// Which requests fail, and how.
///
/// ```json
/// {"operation": "payment_intents.create", "where": {"$.request.form.amount": "2400"}, "first": 1, "kind": "hang"}
/// ```
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct FaultRule {
    /// An operation of the twin, or `*` for each; rules about connections and webhooks leave it out.
    #[serde(default = "each", skip_serializing_if = "is_each")]
    pub operation: String,
    /// For webhooks: the type of the event, or `*`; each where left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// JSON paths into the call (`$.request.…`) or the webhook (`$.event.…`) and the values they must have; numbers
    /// and text compare alike.
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
    /// From this virtual time on, in milliseconds since the space's start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_ms: Option<u64>,
    /// Up to and without this virtual time, in milliseconds since the space's start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_ms: Option<u64>,
    pub kind: FaultKind,
    /// For `status` and `error_event`: 400 to 599; 500 where left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// For `rate_limit`, in seconds; 1 where left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_s: Option<u64>,
    /// For `latency` and `webhook_delayed`, in milliseconds of real time, at most 60,000; 200 where left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay_ms: Option<u64>,
    /// For `quota`: how many requests pass in a window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// For `quota`, in milliseconds of virtual time; a minute where left out. Windows begin at the space's start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window_ms: Option<u64>,
    /// For `cut_body`: how much of the body arrives; half where left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_bytes: Option<u64>,
    /// For streams, counted from 0; the one in the middle where left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_event: Option<u32>,
    /// For `dribble`: the size of a piece; 16 where left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// For `dribble`, in milliseconds of real time, at most 60,000; 20 where left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval_ms: Option<u64>,
    /// For `stale_read`: how many calls of this twin the answer does not know of, at most 1,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lag_calls: Option<u32>,
    /// For `stale_read`: how old the answer is, in milliseconds of virtual time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lag_ms: Option<u64>,
    /// For `webhook_duplicated`: 2 to 100; 2 where left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u64>,
}

fn each() -> String {
    "*".to_owned()
}

fn is_each(operation: &str) -> bool {
    operation == "*"
}

impl FaultRule {
    pub(crate) fn transport(&self) -> Transport {
        match self.kind {
            FaultKind::Hang | FaultKind::TimeoutAfterCommit => Transport::Hang,
            FaultKind::Refuse | FaultKind::Reset | FaultKind::RefuseAfterCommit => Transport::Reset,
            FaultKind::Close => Transport::Close,
            FaultKind::Garbage => Transport::Garbage,
            FaultKind::Latency => {
                Transport::Late { delay: self.delay(), at_event: self.at_event.map(|at| at as usize) }
            }
            FaultKind::Dribble => Transport::Dribble {
                bytes: usize::try_from(self.bytes.unwrap_or(DRIBBLE_BYTES_DEFAULT)).unwrap_or(usize::MAX),
                interval: Duration::from_millis(self.interval_ms.unwrap_or(DRIBBLE_MS_DEFAULT)),
            },
            FaultKind::MalformedJson => Transport::Garbled,
            FaultKind::MalformedChunk => Transport::MalformedChunk,
            FaultKind::CutBody => Transport::Cut(self.cut()),
            FaultKind::Duplicate => Transport::Duplicate,
            _ => Transport::Whole,
        }
    }

    fn delay(&self) -> Duration {
        Duration::from_millis(self.delay_ms.unwrap_or(DELAY_MS_DEFAULT))
    }

    fn cut(&self) -> Cut {
        match (self.after_bytes, self.at_event) {
            (Some(bytes), _) => Cut::AfterBytes(usize::try_from(bytes).unwrap_or(usize::MAX)),
            (None, Some(event)) => Cut::BeforeEvent(event as usize),
            (None, None) => Cut::Half,
        }
    }

    /// What the service says instead of performing, if it says something.
    pub(crate) fn refusal(&self) -> Option<Refusal> {
        match self.kind {
            FaultKind::Status => Some(self.failure()),
            FaultKind::RateLimit | FaultKind::Quota => {
                Some(Refusal::RateLimited { retry_after_s: self.retry_after_s.unwrap_or(RETRY_AFTER_S_DEFAULT) })
            }
            FaultKind::AuthExpired => Some(Refusal::CredentialsExpired),
            _ => None,
        }
    }

    /// The failure of the service itself that `status` names.
    pub(crate) fn failure(&self) -> Refusal {
        Refusal::Status(self.status.unwrap_or(500))
    }

    /// What happens to a webhook that the rule hits.
    pub(crate) fn treatment(&self) -> Treatment {
        match self.kind {
            FaultKind::WebhookDelayed => Treatment::Late(self.delay()),
            FaultKind::WebhookDuplicated => Treatment::Copies(self.times.unwrap_or(2)),
            FaultKind::WebhookReordered => Treatment::Overtaken,
            FaultKind::WebhookWronglySigned => Treatment::WronglySigned,
            FaultKind::WebhookUnsigned => Treatment::Unsigned,
            FaultKind::WebhookStale => Treatment::Stale,
            FaultKind::WebhookDropped => Treatment::Dropped,
            _ => Treatment::Plain,
        }
    }

    pub(crate) fn quota(&self) -> Option<(u32, u64)> {
        let window_ms = self.window_ms.unwrap_or(WINDOW_MS_DEFAULT);
        (self.kind == FaultKind::Quota).then(|| (self.limit.unwrap_or_default(), window_ms))
    }

    /// Says what is wrong with the rule for a twin that has these operations.
    pub(super) fn check(&self, operations: &[&str]) -> Result<(), String> {
        self.check_target(operations)?;
        self.check_counts()?;
        self.check_bounds()?;
        self.check_owners()
    }

    fn check_target(&self, operations: &[&str]) -> Result<(), String> {
        let target = self.kind.target();
        let named = self.operation != "*";
        if named && matches!(target, Target::Connections | Target::Handshakes | Target::Webhooks) {
            return Err(format!("`{}` counts no operations; leave `operation` out", self.kind.name()));
        }
        if named && !operations.contains(&self.operation.as_str()) {
            let known = operations.join(", ");
            return Err(format!("unknown operation `{}`; it has {known}, or `*`", self.operation));
        }
        if self.event.is_some() && target != Target::Webhooks {
            return Err(format!("`event` belongs to webhooks, not to kind `{}`", self.kind.name()));
        }
        if matches!(target, Target::Connections | Target::Handshakes) && !self.matching.is_empty() {
            return Err("`where` looks into requests; a refused connection has none".to_owned());
        }
        Ok(())
    }

    fn check_counts(&self) -> Result<(), String> {
        let wrong = if self.first.is_some() && self.every.is_some() {
            "`first` and `every` exclude each other; give one"
        } else if self.first == Some(0) || self.every == Some(0) {
            "`first` and `every` count from 1"
        } else if self.from_ms.zip(self.until_ms).is_some_and(|(from, until)| from >= until) {
            "`from_ms` must come before `until_ms`"
        } else if self.kind == FaultKind::Quota && (self.first.is_some() || self.every.is_some() || self.after > 0) {
            "`quota` counts by itself; leave `first`, `every` and `after` out"
        } else if self.kind == FaultKind::Quota && self.limit.is_none() {
            "`quota` needs `limit`: how many requests pass in a window"
        } else if self.kind == FaultKind::StaleRead && self.lag_calls.is_some() == self.lag_ms.is_some() {
            "`stale_read` needs one of `lag_calls` and `lag_ms`"
        } else if self.after_bytes.is_some() && self.at_event.is_some() {
            "`after_bytes` and `at_event` exclude each other; give one"
        } else {
            return Ok(());
        };
        Err(wrong.to_owned())
    }

    fn check_bounds(&self) -> Result<(), String> {
        let lag_calls_max = u32::try_from(LAG_CALLS_MAX).unwrap_or(u32::MAX);
        let wrong = if self.delay_ms.is_some_and(|delay| delay > DELAY_MS_MAX) {
            format!("`delay_ms` is at most {DELAY_MS_MAX}")
        } else if self.interval_ms.is_some_and(|interval| interval > DELAY_MS_MAX) {
            format!("`interval_ms` is at most {DELAY_MS_MAX}")
        } else if self.status.is_some_and(|status| !(400..600).contains(&status)) {
            "`status` is an error: 400 to 599".to_owned()
        } else if self.window_ms == Some(0) || self.bytes == Some(0) {
            "`window_ms` and `bytes` count from 1".to_owned()
        } else if self.lag_calls.is_some_and(|calls| calls == 0 || calls > lag_calls_max) {
            format!("`lag_calls` is 1 to {LAG_CALLS_MAX}")
        } else if self.times.is_some_and(|times| !(2..=TIMES_MAX).contains(&times)) {
            format!("`times` is 2 to {TIMES_MAX}")
        } else {
            return Ok(());
        };
        Err(wrong)
    }

    /// A field that means nothing for the rule's kind is a mistake of its author.
    fn check_owners(&self) -> Result<(), String> {
        use FaultKind as Kind;
        let fields: [(&str, bool, &[Kind]); 11] = [
            ("status", self.status.is_some(), &[Kind::Status, Kind::ErrorEvent]),
            ("retry_after_s", self.retry_after_s.is_some(), &[Kind::RateLimit]),
            ("delay_ms", self.delay_ms.is_some(), &[Kind::Latency, Kind::WebhookDelayed]),
            ("limit", self.limit.is_some(), &[Kind::Quota]),
            ("window_ms", self.window_ms.is_some(), &[Kind::Quota]),
            ("after_bytes", self.after_bytes.is_some(), &[Kind::CutBody]),
            (
                "at_event",
                self.at_event.is_some(),
                &[Kind::CutBody, Kind::Latency, Kind::MalformedEvent, Kind::ErrorEvent],
            ),
            ("bytes", self.bytes.is_some(), &[Kind::Dribble]),
            ("interval_ms", self.interval_ms.is_some(), &[Kind::Dribble]),
            ("lag_calls` or `lag_ms", self.lag_calls.is_some() || self.lag_ms.is_some(), &[Kind::StaleRead]),
            ("times", self.times.is_some(), &[Kind::WebhookDuplicated]),
        ];
        for (field, given, owners) in fields {
            if given && !owners.contains(&self.kind) {
                let owners: Vec<_> = owners.iter().map(|kind| format!("`{}`", kind.name())).collect();
                return Err(format!(
                    "`{field}` belongs to kind {}, not to `{}`",
                    owners.join(" or "),
                    self.kind.name()
                ));
            }
        }
        Ok(())
    }
}
