//! How a service says no: RFC 7644, 3.12.

use serde_json::json;

use crate::{http::Reply, twin::Refusal};

/// Why a request cannot be done, before it is an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refused {
    status: u16,
    /// The `scimType`, where there is one.
    kind: Option<&'static str>,
    detail: String,
}

impl Refused {
    /// 400 with a `scimType`.
    pub(super) fn bad(kind: &'static str, detail: impl Into<String>) -> Self {
        Self { status: 400, kind: Some(kind), detail: detail.into() }
    }

    pub(super) fn value(detail: impl Into<String>) -> Self {
        Self::bad("invalidValue", detail)
    }

    pub(super) fn syntax(detail: impl Into<String>) -> Self {
        Self::bad("invalidSyntax", detail)
    }

    pub(super) fn status(status: u16, detail: impl Into<String>) -> Self {
        Self { status, kind: None, detail: detail.into() }
    }

    pub(super) fn taken(detail: impl Into<String>) -> Self {
        Self { status: 409, kind: Some("uniqueness"), detail: detail.into() }
    }

    pub(super) fn not_found(id: &str) -> Self {
        Self::status(404, format!("Resource {id} not found."))
    }
}

impl From<Refused> for Reply {
    fn from(refused: Refused) -> Self {
        let mut body = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"], "detail": refused.detail,
            "status": refused.status.to_string()});
        if let Some(kind) = refused.kind {
            body["scimType"] = json!(kind);
        }
        Self::json(refused.status, &body)
    }
}

pub(super) fn refusal(refusal: &Refusal) -> Reply {
    let unauthorized = |challenge: &str| {
        let reply =
            Reply::from(Refused::status(401, "Authorization failure. The authorization header is invalid or missing."));
        reply.header("www-authenticate", challenge)
    };
    match refusal {
        Refusal::CredentialsMissing => unauthorized("Bearer realm=\"scim\""),
        Refusal::CredentialsWrong | Refusal::CredentialsExpired => {
            unauthorized("Bearer realm=\"scim\", error=\"invalid_token\"")
        }
        Refusal::Unimplemented { method, path } => {
            Refused::status(501, format!("The scim twin does not implement {method} {path}.")).into()
        }
        Refusal::BodyTooLarge { bytes_max } => {
            Refused::status(413, format!("The size of the request exceeds the limit of {bytes_max} bytes.")).into()
        }
        Refusal::BodyMalformed { .. } => Refused::syntax("Request is unparsable.").into(),
        Refusal::RateLimited { retry_after_s } => {
            let reply = Reply::from(Refused::status(429, "Too many requests."));
            reply.header("retry-after", retry_after_s.to_string())
        }
        Refusal::Status(status) => Refused::status(*status, "The service met an unexpected condition.").into(),
        Refusal::IdempotencyMismatch { .. } | Refusal::IdempotencyInUse { .. } | Refusal::IdempotencyKeyTooLong => {
            Refused::syntax("Request is unparsable.").into()
        }
    }
}
