//! How the service says no: `statusCode`, `name`, `message`.

use serde_json::json;

use crate::{http::Reply, twin::Refusal};

/// Stands for a key that may only send.
pub(super) const RESTRICTED: u16 = 401;

pub(super) fn error(status: u16, name: &str, message: &str) -> Reply {
    Reply::json(status, &json!({"statusCode": status, "name": name, "message": message}))
}

pub(super) fn invalid(message: &str) -> Reply {
    error(422, "validation_error", message)
}

pub(super) fn missing(field: &str) -> Reply {
    error(422, "missing_required_field", &format!("Missing `{field}` field."))
}

pub(super) fn not_found(what: &str) -> Reply {
    error(404, "not_found", &format!("{what} not found"))
}

pub(super) fn refusal(refusal: &Refusal) -> Reply {
    match refusal {
        Refusal::CredentialsMissing => error(401, "missing_api_key", "Missing API key in the authorization header."),
        Refusal::CredentialsWrong | Refusal::CredentialsExpired => error(403, "invalid_api_key", "API key is invalid."),
        Refusal::Unimplemented { method, path } => {
            error(501, "not_implemented", &format!("the resend twin does not implement {method} {path}"))
        }
        Refusal::BodyTooLarge { bytes_max } => {
            error(413, "validation_error", &format!("The request body is larger than {bytes_max} bytes."))
        }
        Refusal::BodyMalformed { .. } => error(400, "validation_error", "The request body is not valid JSON."),
        Refusal::RateLimited { retry_after_s } => {
            let text = "Too many requests. You can only make 10 requests per second. See rate limit response headers for more information. Or contact support to increase rate limit.";
            error(429, "rate_limit_exceeded", text)
                .header("ratelimit-limit", "10")
                .header("ratelimit-remaining", "0")
                .header("ratelimit-reset", retry_after_s.to_string())
                .header("retry-after", retry_after_s.to_string())
        }
        Refusal::Status(RESTRICTED) => {
            error(401, "restricted_api_key", "This API key is restricted to only send emails")
        }
        Refusal::Status(503) => error(503, "service_unavailable", "The service is temporarily unavailable."),
        Refusal::Status(status) => error(*status, "application_error", "An unexpected error occurred."),
        Refusal::IdempotencyMismatch { .. } => {
            error(409, "invalid_idempotent_request", "Same idempotency key used with a different request payload.")
        }
        Refusal::IdempotencyInUse { .. } => error(
            409,
            "concurrent_idempotent_requests",
            "Same idempotency key used while original request is still in progress.",
        ),
        Refusal::IdempotencyKeyTooLong => error(400, "invalid_idempotency_key", "The key must be between 1-256 chars."),
    }
}
