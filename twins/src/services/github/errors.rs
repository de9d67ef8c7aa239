//! How the service says no.

use serde_json::{Value, json};

use crate::{http::Reply, twin::Refusal};

const DOCUMENTATION: &str = "https://docs.github.com/rest";

pub(super) fn failed(status: u16, message: &str) -> Reply {
    let body = json!({"message": message, "documentation_url": DOCUMENTATION, "status": status.to_string()});
    Reply::json(status, &body)
}

/// Also what one gets who may not see it.
pub(super) fn not_found() -> Reply {
    failed(404, "Not Found")
}

pub(super) fn requires_authentication() -> Reply {
    failed(401, "Requires authentication")
}

/// `code` is `missing`, `missing_field`, `invalid`, `already_exists` or `unprocessable`.
pub(super) fn invalid(resource: &str, field: &str, code: &str) -> Reply {
    rejected(vec![json!({"resource": resource, "field": field, "code": code})])
}

/// With the code `custom` and a sentence.
pub(super) fn invalid_because(resource: &str, field: &str, message: &str) -> Reply {
    rejected(vec![json!({"resource": resource, "code": "custom", "field": field, "message": message})])
}

fn rejected(errors: Vec<Value>) -> Reply {
    let body = json!({"message": "Validation Failed", "errors": errors, "documentation_url": DOCUMENTATION,
        "status": "422"});
    Reply::json(422, &body)
}

/// Where the service describes the fault in one sentence instead of by field.
pub(super) fn unprocessable(message: &str) -> Reply {
    failed(422, message)
}

pub(super) fn refusal(refusal: &Refusal) -> Reply {
    match refusal {
        Refusal::CredentialsMissing => requires_authentication(),
        Refusal::CredentialsWrong | Refusal::CredentialsExpired => failed(401, "Bad credentials"),
        Refusal::Unimplemented { method, path } => {
            failed(501, &format!("the github twin does not implement {method} {path}"))
        }
        Refusal::BodyTooLarge { .. } => failed(413, "Payload Too Large"),
        Refusal::BodyMalformed { .. } => failed(400, "Problems parsing JSON"),
        Refusal::RateLimited { retry_after_s } => {
            let message = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again. \
                If you reach out to GitHub Support for help, please include the request ID.";
            failed(403, message).header("retry-after", retry_after_s.to_string())
        }
        Refusal::Status(502) => failed(502, "Server Error"),
        Refusal::Status(503) => failed(503, "No server is currently available to service your request."),
        Refusal::Status(500) => failed(500, "Server Error"),
        Refusal::Status(429) => failed(429, "You have exceeded a secondary rate limit."),
        Refusal::Status(404) => not_found(),
        Refusal::Status(status) => failed(*status, "Something went wrong"),
        Refusal::IdempotencyMismatch { .. } | Refusal::IdempotencyInUse { .. } | Refusal::IdempotencyKeyTooLong => {
            failed(400, "Bad Request")
        }
    }
}
