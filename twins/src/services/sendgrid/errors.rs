//! How the service says no: a list of errors, each with a message and perhaps a field.

use serde_json::{Value, json};

use crate::{
    http::Reply,
    twin::{Context, Refusal},
};

const HELP: &str = "http://sendgrid.com/docs/API_Reference/Web_API_v3/Mail/errors.html";

pub(super) fn problem(message: &str, field: &str) -> Value {
    let help = if field.is_empty() { Value::Null } else { json!(format!("{HELP}#message.{field}")) };
    json!({"message": message, "field": if field.is_empty() { Value::Null } else { json!(field) }, "help": help})
}

pub(super) fn bare(message: &str) -> Value {
    problem(message, "")
}

pub(super) fn errors(status: u16, problems: impl Into<Vec<Value>>) -> Reply {
    Reply::json(status, &json!({ "errors": problems.into() }))
}

pub(super) fn refusal(context: &Context<'_>, refusal: &Refusal) -> Reply {
    match refusal {
        Refusal::CredentialsMissing => errors(401, [bare("Permission denied, wrong credentials")]),
        Refusal::CredentialsWrong | Refusal::CredentialsExpired => {
            errors(401, [bare("The provided authorization grant is invalid, expired, or revoked")])
        }
        Refusal::Unimplemented { method, path } => {
            errors(501, [bare(&format!("the sendgrid twin does not implement {method} {path}"))])
        }
        Refusal::BodyTooLarge { bytes_max } => {
            errors(413, [bare(&format!("The JSON payload is larger than {bytes_max} bytes"))])
        }
        Refusal::BodyMalformed { .. } => errors(400, [bare("Bad Request")]),
        Refusal::RateLimited { retry_after_s } => errors(429, [bare("too many requests")])
            .header("x-ratelimit-limit", "600")
            .header("x-ratelimit-remaining", "0")
            .header("x-ratelimit-reset", context.unix().saturating_add_unsigned(*retry_after_s).to_string())
            .header("retry-after", retry_after_s.to_string()),
        Refusal::Status(status) => errors(*status, [bare(reason(*status))]),
        Refusal::IdempotencyMismatch { .. } | Refusal::IdempotencyInUse { .. } | Refusal::IdempotencyKeyTooLong => {
            errors(400, [bare("Bad Request")])
        }
    }
}

fn reason(status: u16) -> &'static str {
    match status {
        403 => "access forbidden",
        503 => "The service is temporarily unavailable",
        _ => "An unexpected error has occurred",
    }
}
