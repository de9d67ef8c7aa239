//! How Okta says no: a code, a sentence, and an id under which its support would find the case.

use serde_json::{Value, json};

use crate::{
    http::Reply,
    twin::{Context, Refusal},
};

/// An error before it has its id: `(status, code, sentence)`.
pub(super) type Error = (u16, &'static str, &'static str);

pub(super) const BODY_MALFORMED: Error = (400, "E0000003", "The request body was not well-formed.");
pub(super) const AUTHENTICATION_FAILED: Error = (401, "E0000004", "Authentication failed");
pub(super) const NO_SESSION: Error = (403, "E0000005", "Invalid session");
pub(super) const FORBIDDEN: Error = (403, "E0000006", "You do not have permission to perform the requested action");
pub(super) const INTERNAL: Error = (500, "E0000009", "Internal Server Error");
pub(super) const READ_ONLY: Error = (503, "E0000010", "Service is in read only mode");
pub(super) const TOKEN_INVALID: Error = (401, "E0000011", "Invalid token provided");
pub(super) const CREDENTIALS_NOT_UPDATED: Error = (403, "E0000014", "Update of credentials failed");
pub(super) const ALREADY_ACTIVE: Error = (403, "E0000016", "Activation failed because the user is already active");
pub(super) const SEARCH_INVALID: Error = (400, "E0000031", "Invalid search criteria.");
pub(super) const UNLOCK_NOT_ALLOWED: Error = (403, "E0000032", "Unlock is not allowed for this user.");
pub(super) const FORGOT_NOT_ALLOWED: Error = (403, "E0000034", "Forgot password not allowed on specified user.");
pub(super) const WRONG_STATUS: Error = (403, "E0000038", "This operation is not allowed in the user's current status.");
pub(super) const TOO_MANY: Error = (429, "E0000047", "API call exceeded rate limit due to too many requests.");
pub(super) const UNSUPPORTED: (u16, &str) = (501, "E0000060");

pub(super) fn failed(context: &Context<'_>, error: Error) -> Reply {
    let (status, code, summary) = error;
    said(context, status, code, summary, &[])
}

pub(super) fn not_found(context: &Context<'_>, id: &str, kind: &str) -> Reply {
    said(context, 404, "E0000007", &format!("Not found: Resource not found: {id} ({kind})"), &[])
}

/// `field` is what the sentence names; the causes say more.
pub(super) fn invalid(context: &Context<'_>, field: &str, causes: &[String]) -> Reply {
    said(context, 400, "E0000001", &format!("Api validation failed: {field}"), causes)
}

/// With reasons.
pub(super) fn because(context: &Context<'_>, error: Error, causes: &[String]) -> Reply {
    let (status, code, summary) = error;
    said(context, status, code, summary, causes)
}

fn said(context: &Context<'_>, status: u16, code: &str, summary: &str, causes: &[String]) -> Reply {
    let causes: Vec<Value> = causes.iter().map(|cause| json!({"errorSummary": cause})).collect();
    Reply::json(
        status,
        &json!({"errorCode": code, "errorSummary": summary, "errorLink": code,
            "errorId": format!("oae{}", &context.request_token[..22]), "errorCauses": causes}),
    )
}

pub(super) fn refusal(context: &Context<'_>, refusal: &Refusal) -> Reply {
    match refusal {
        Refusal::CredentialsMissing => failed(context, NO_SESSION),
        Refusal::CredentialsWrong | Refusal::CredentialsExpired => failed(context, TOKEN_INVALID),
        Refusal::Unimplemented { method, path } => {
            let (status, code) = UNSUPPORTED;
            let summary = format!("Unsupported operation: the okta twin does not implement {method} {path}");
            said(context, status, code, &summary, &[])
        }
        Refusal::BodyTooLarge { .. } => said(context, 413, "E0000003", "The request body was too large.", &[]),
        Refusal::BodyMalformed { .. } => failed(context, BODY_MALFORMED),
        Refusal::RateLimited { retry_after_s } => {
            let reset = context.unix() + i64::try_from(*retry_after_s).unwrap_or(i64::MAX / 2);
            failed(context, TOO_MANY)
                .header("x-rate-limit-remaining", "0")
                .header("x-rate-limit-reset", reset.to_string())
        }
        Refusal::Status(429) => failed(context, TOO_MANY).header("x-rate-limit-remaining", "0"),
        Refusal::Status(503) => failed(context, READ_ONLY),
        Refusal::Status(status) => {
            let (_, code, summary) = INTERNAL;
            said(context, *status, code, summary, &[])
        }
        Refusal::IdempotencyMismatch { .. } | Refusal::IdempotencyInUse { .. } | Refusal::IdempotencyKeyTooLong => {
            failed(context, BODY_MALFORMED)
        }
    }
}
