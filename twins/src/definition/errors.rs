//! What goes wrong, by kind, and how the twin says it.

use std::collections::BTreeMap;

use serde_json::json;

use super::template::{Node, Scope, Text};
use crate::{http::Reply, twin::Refusal};

/// Every kind of error, with its usual status.
const KINDS: [(&str, u16); 16] = [
    ("credentials_missing", 401),
    ("credentials_wrong", 401),
    ("credentials_expired", 401),
    ("forbidden", 403),
    ("not_found", 404),
    ("conflict", 409),
    ("state", 409),
    ("invalid", 400),
    ("malformed", 400),
    ("too_large", 413),
    ("rate_limited", 429),
    ("idempotency_mismatch", 409),
    ("idempotency_in_use", 409),
    ("unimplemented", 501),
    ("injected", 500),
    ("broken", 500),
];

/// The kinds that a definition may write about, for messages.
pub(super) fn kinds() -> String {
    KINDS.map(|(kind, _)| kind).join(", ")
}

pub(super) fn lasting_kind(kind: &str) -> Option<&'static str> {
    KINDS.iter().find(|(known, _)| *known == kind).map(|(known, _)| *known)
}

/// Something that an operation refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) kind: &'static str,
    pub(super) message: String,
    pub(super) field: Option<String>,
    /// Instead of the usual one.
    pub(super) status: Option<u16>,
    pub(super) retry_after_s: Option<u64>,
}

impl Problem {
    pub(super) fn new(kind: &'static str, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), field: None, status: None, retry_after_s: None }
    }

    pub(super) fn at(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }

    /// A template that fails: the definition's mistake, not the client's.
    pub(super) fn broken(why: impl Into<String>) -> Self {
        Self::new("broken", why)
    }

    pub(super) fn of(refusal: &Refusal) -> Self {
        match refusal {
            Refusal::CredentialsMissing => Self::new("credentials_missing", "credentials are missing"),
            Refusal::CredentialsWrong => Self::new("credentials_wrong", "the credentials are not valid"),
            Refusal::CredentialsExpired => Self::new("credentials_expired", "the credentials have expired"),
            Refusal::Unimplemented { method, path } => {
                Self::new("unimplemented", format!("this twin has no operation for {method} {path}"))
            }
            Refusal::BodyTooLarge { bytes_max } => {
                Self::new("too_large", format!("the body is larger than {bytes_max} bytes"))
            }
            Refusal::BodyMalformed { why } => Self::new("malformed", format!("the body cannot be read: {why}")),
            Refusal::RateLimited { retry_after_s } => {
                Self { retry_after_s: Some(*retry_after_s), ..Self::new("rate_limited", "too many requests") }
            }
            Refusal::Status(status) => Self { status: Some(*status), ..Self::new("injected", "the request failed") },
            Refusal::IdempotencyMismatch { key, .. } => Self::new(
                "idempotency_mismatch",
                format!("the idempotency key `{key}` was used for a request with other parameters"),
            ),
            Refusal::IdempotencyInUse { key } => {
                Self::new("idempotency_in_use", format!("a request with the idempotency key `{key}` is on its way"))
            }
            Refusal::IdempotencyKeyTooLong => Self::new("invalid", "the idempotency key is too long"),
        }
    }
}

/// How one kind is said.
#[derive(Clone, Debug, Default)]
pub(super) struct Saying {
    pub(super) status: Option<u16>,
    pub(super) headers: Vec<(String, Text)>,
    pub(super) body: Option<Node>,
    pub(super) message: Option<Text>,
}

/// By kind; `all` is for the others.
#[derive(Clone, Debug, Default)]
pub(super) struct Sayings(pub(super) BTreeMap<String, Saying>);

impl Sayings {
    pub(super) fn reply(&self, problem: &Problem, mut scope: Scope<'_>) -> Reply {
        let (own, all) = (self.0.get(problem.kind), self.0.get("all"));
        let usual = KINDS.iter().find(|(kind, _)| *kind == problem.kind).map_or(500, |(_, status)| *status);
        let status = problem.status.or_else(|| own?.status).unwrap_or(usual);
        scope.set("kind", problem.kind);
        scope.set("status", status);
        scope.set("field", problem.field.clone());
        scope.set("retry_after_s", problem.retry_after_s);
        scope.set("message", problem.message.clone());
        if let Some(message) = own.and_then(|saying| saying.message.as_ref()) {
            scope.set("message", scope.text(message).unwrap_or_else(|why| why));
        }
        let body = own.and_then(|saying| saying.body.as_ref()).or_else(|| all?.body.as_ref());
        let usual_body = || {
            let mut error = json!({"kind": problem.kind, "message": scope.get("message")});
            if let Some(field) = &problem.field {
                error["field"] = json!(field);
            }
            json!({ "error": error })
        };
        let body = match body.map(|body| scope.value(body)) {
            Some(Ok(Some(body))) => body,
            Some(Err(why)) => json!({"error": {"kind": "broken", "message": why}}),
            None | Some(Ok(None)) => usual_body(),
        };
        let mut reply = Reply::json(status, &body);
        for (name, value) in [all, own].into_iter().flatten().flat_map(|saying| &saying.headers) {
            // One that cannot be rendered is left out: the body says more.
            if let Ok(value) = scope.text(value) {
                reply.set(name.clone(), value);
            }
        }
        if let Some(seconds) = problem.retry_after_s {
            reply.set("retry-after", seconds.to_string());
        }
        reply
    }
}
