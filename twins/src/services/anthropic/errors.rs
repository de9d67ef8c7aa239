//! Anthropic's errors: `{type: error, error: {type, message}, request_id}`.

use serde_json::json;

use crate::{
    http::Reply,
    twin::{Context, Refusal},
};

pub(super) fn error(context: &Context<'_>, status: u16, kind: &str, message: &str) -> Reply {
    let body = json!({"type": "error", "error": {"type": kind, "message": message}, "request_id": request_id(context)});
    Reply::json(status, &body)
}

pub(super) fn invalid(context: &Context<'_>, message: &str) -> Reply {
    error(context, 400, "invalid_request_error", message)
}

pub(super) fn not_found(context: &Context<'_>, message: &str) -> Reply {
    error(context, 404, "not_found_error", message)
}

pub(super) fn out_of_credit(context: &Context<'_>) -> Reply {
    invalid(
        context,
        "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or purchase credits.",
    )
}

pub(super) fn request_id(context: &Context<'_>) -> String {
    format!("req_011C{}", &context.request_token[..20])
}

/// The script cannot answer. Clients retry most 5xx; this header tells them that it is of no use.
pub(super) fn unscripted(context: &Context<'_>, message: &str) -> Reply {
    error(context, 501, "api_error", message).header("x-should-retry", "false")
}

pub(super) fn refusal(context: &Context<'_>, refusal: &Refusal) -> Reply {
    let say = |status, kind, message: &str| error(context, status, kind, message);
    match refusal {
        Refusal::CredentialsMissing => say(401, "authentication_error", "x-api-key header is required"),
        Refusal::CredentialsWrong => say(401, "authentication_error", "API key is invalid."),
        Refusal::CredentialsExpired => say(401, "authentication_error", "API key is expired."),
        Refusal::Unimplemented { method, path } => {
            unscripted(context, &format!("the anthropic twin does not implement {method} {path}"))
        }
        Refusal::BodyTooLarge { .. } => say(413, "request_too_large", "Request exceeds the maximum size"),
        Refusal::BodyMalformed { why } => {
            say(400, "invalid_request_error", &format!("The request body is not valid JSON: {why}"))
        }
        Refusal::RateLimited { retry_after_s } => rate_limited(context, *retry_after_s),
        Refusal::Status(status) => {
            let (kind, message) = of_status(*status);
            say(*status, kind, message)
        }
        Refusal::IdempotencyMismatch { .. } | Refusal::IdempotencyInUse { .. } | Refusal::IdempotencyKeyTooLong => {
            say(400, "invalid_request_error", "The idempotency key cannot be used")
        }
    }
}

fn rate_limited(context: &Context<'_>, retry_after_s: u64) -> Reply {
    let message = "This request would exceed your organization's rate limit. Please try again later.";
    let reset = context.now.saturating_add(jiff::SignedDuration::from_secs(retry_after_s.min(86_400).cast_signed()));
    let reset = reset.expect("a signed duration saturates").strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    error(context, 429, "rate_limit_error", message)
        .header("retry-after", retry_after_s.to_string())
        .header("anthropic-ratelimit-requests-limit", "50")
        .header("anthropic-ratelimit-requests-remaining", "0")
        .header("anthropic-ratelimit-requests-reset", reset)
}

fn of_status(status: u16) -> (&'static str, &'static str) {
    match status {
        401 => ("authentication_error", "API key is invalid."),
        403 => ("permission_error", "Your API key does not have permission to use the specified resource."),
        404 => ("not_found_error", "Not found"),
        413 => ("request_too_large", "Request exceeds the maximum size"),
        429 => ("rate_limit_error", "This request would exceed your organization's rate limit."),
        504 => ("timeout_error", "The request timed out"),
        529 => ("overloaded_error", "Overloaded"),
        500.. => ("api_error", "Internal server error"),
        _ => ("invalid_request_error", "The request was refused"),
    }
}
