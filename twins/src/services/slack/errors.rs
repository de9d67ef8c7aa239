//! How the service says no: `ok: false` and a code, nearly always with status 200.

use std::borrow::Cow;

use serde_json::{Value, json};

use crate::{http::Reply, twin::Refusal};

/// A refusal by a method. A code alone is one.
#[derive(Debug)]
pub(super) struct Failure {
    status: u16,
    code: Cow<'static, str>,
    /// Fields besides `ok` and `error`.
    more: Vec<(&'static str, Value)>,
    headers: Vec<(&'static str, String)>,
}

impl From<&'static str> for Failure {
    fn from(code: &'static str) -> Self {
        Self::new(code)
    }
}

impl Failure {
    pub(super) fn new(code: impl Into<Cow<'static, str>>) -> Self {
        Self { status: 200, code: code.into(), more: Vec::new(), headers: Vec::new() }
    }

    /// An argument that is missing or no good, as the service explains it.
    pub(super) fn argument(why: &str) -> Self {
        Self::new("invalid_arguments").explained(why)
    }

    pub(super) fn rate_limited(retry_after_s: u64) -> Self {
        let headers = vec![("retry-after", retry_after_s.to_string())];
        Self { status: 429, headers, ..Self::new("ratelimited") }
    }

    #[must_use]
    pub(super) fn explained(self, why: &str) -> Self {
        self.with("response_metadata", json!({"messages": [format!("[ERROR] {why}")]}))
    }

    #[must_use]
    pub(super) fn with(mut self, field: &'static str, value: impl Into<Value>) -> Self {
        self.more.push((field, value.into()));
        self
    }

    pub(super) fn code(&self) -> &str {
        &self.code
    }

    pub(super) fn reply(self) -> Reply {
        let mut body = json!({"ok": false, "error": self.code});
        for (field, value) in self.more {
            body[field] = value;
        }
        self.headers.into_iter().fold(Reply::json(self.status, &body), |reply, (name, value)| reply.header(name, value))
    }
}

pub(super) fn refusal(refusal: &Refusal) -> Reply {
    let failed = |status, code: &str| Reply::json(status, &json!({"ok": false, "error": code}));
    match refusal {
        Refusal::CredentialsMissing => failed(200, "not_authed"),
        Refusal::CredentialsWrong => failed(200, "invalid_auth"),
        Refusal::CredentialsExpired => failed(200, "token_expired"),
        Refusal::Unimplemented { method, path } => {
            let gap = format!("the slack twin does not implement {method} {path}");
            Reply::json(501, &json!({"ok": false, "error": "unknown_method", "detail": gap}))
        }
        Refusal::BodyTooLarge { .. } => failed(413, "request_too_large"),
        Refusal::BodyMalformed { .. } => failed(200, "invalid_json"),
        Refusal::RateLimited { retry_after_s } => Failure::rate_limited(*retry_after_s).reply(),
        Refusal::Status(503) => failed(503, "service_unavailable"),
        Refusal::Status(status) => failed(*status, "internal_error"),
        Refusal::IdempotencyMismatch { .. } | Refusal::IdempotencyInUse { .. } | Refusal::IdempotencyKeyTooLong => {
            failed(200, "invalid_arguments")
        }
    }
}
