//! `OpenAI`'s errors: `{error: {message, type, param, code}}`.

use axum::body::Bytes;
use serde_json::{Value, json};

use crate::{
    http::{Body, Reply, Request},
    twin::{Context, Refusal},
};

const KEYS_URL: &str = "https://platform.openai.com/account/api-keys";
const SHOWN_HEAD: usize = 8; // of a wrong key, before the stars
const SHOWN_TAIL: usize = 4;

pub(super) fn error(status: u16, kind: &str, message: &str, param: Option<&str>, code: Option<&str>) -> Reply {
    let body = json!({"error": {"message": message, "type": kind, "param": param, "code": code}});
    Reply::json(status, &body)
}

/// 400 about a parameter.
pub(super) fn invalid(message: &str, param: &str, code: Option<&str>) -> Reply {
    error(400, "invalid_request_error", message, Some(param), code)
}

pub(super) fn missing(param: &str) -> Reply {
    invalid(&format!("Missing required parameter: '{param}'."), param, Some("missing_required_parameter"))
}

pub(super) fn wrong_type(param: &str, wanted: &str, got: &Value) -> Reply {
    let got = match got {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    };
    let message = format!("Invalid type for '{param}': expected {wanted}, but got {got} instead.");
    invalid(&message, param, Some("invalid_type"))
}

pub(super) fn not_found(message: &str, param: Option<&str>) -> Reply {
    error(404, "invalid_request_error", message, param, None)
}

/// The script cannot answer. Clients retry most 5xx; this header tells them that it is of no use.
pub(super) fn unscripted(message: &str) -> Reply {
    error(501, "server_error", message, None, None).header("x-should-retry", "false")
}

pub(super) fn quota() -> Reply {
    let message = "You exceeded your current quota, please check your plan and billing details. For more information on this error, read the docs: https://platform.openai.com/docs/guides/error-codes/api-errors.";
    error(429, "insufficient_quota", message, None, Some("insufficient_quota"))
}

pub(super) fn refusal(refusal: &Refusal) -> Reply {
    let say = |status, kind, message: &str, code| error(status, kind, message, None, code);
    match refusal {
        Refusal::CredentialsMissing => say(401, "invalid_request_error", NO_KEY, None),
        // The key is put in by `complete`, which sees the request.
        Refusal::CredentialsWrong => say(401, "invalid_request_error", "", Some("invalid_api_key")),
        Refusal::CredentialsExpired => {
            say(401, "invalid_request_error", "Your API key has expired.", Some("expired_api_key"))
        }
        Refusal::Unimplemented { method, path } => {
            unscripted(&format!("the openai twin does not implement {method} {path}"))
        }
        Refusal::BodyTooLarge { .. } => say(413, "invalid_request_error", "Maximum content size limit exceeded.", None),
        Refusal::BodyMalformed { why } => say(
            400,
            "invalid_request_error",
            &format!("We could not parse the JSON body of your request: {why}. The OpenAI API expects a JSON payload."),
            None,
        ),
        Refusal::RateLimited { retry_after_s } => rate_limited(*retry_after_s),
        Refusal::Status(status) => of_status(*status),
        Refusal::IdempotencyMismatch { .. } | Refusal::IdempotencyInUse { .. } | Refusal::IdempotencyKeyTooLong => {
            say(400, "invalid_request_error", "The idempotency key cannot be used.", None)
        }
    }
}

const NO_KEY: &str = "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY), or as the password field (with blank username) if you're accessing the API from your browser and are prompted for a username and password. You can obtain an API key from https://platform.openai.com/account/api-keys.";

fn rate_limited(retry_after_s: u64) -> Reply {
    let message = format!(
        "Rate limit reached for requests per min (RPM): Limit 500, Used 500. Please try again in {retry_after_s}s."
    );
    error(429, "requests", &message, None, Some("rate_limit_exceeded"))
        .header("retry-after", retry_after_s.to_string())
        .header("retry-after-ms", (retry_after_s.saturating_mul(1_000)).to_string())
        .header("x-ratelimit-remaining-requests", "0")
        .header("x-ratelimit-reset-requests", format!("{retry_after_s}s"))
}

fn of_status(status: u16) -> Reply {
    let (kind, message, code) = match status {
        401 => ("invalid_request_error", "Your authentication token is not valid.", Some("invalid_api_key")),
        403 => (
            "invalid_request_error",
            "Country, region, or territory not supported",
            Some("unsupported_country_region_territory"),
        ),
        404 => ("invalid_request_error", "Not found", None),
        429 => return rate_limited(1),
        503 => ("server_error", "The engine is currently overloaded, please try again later", None),
        500.. => ("server_error", "The server had an error while processing your request. Sorry about that!", None),
        _ => ("invalid_request_error", "The request was refused.", None),
    };
    error(status, kind, message, None, code)
}

/// What of a refusal depends on the request: the key in its message, and how responses say it.
pub(super) fn complete(request: &Request, reply: &mut Reply) {
    if reply.status != 401 {
        return;
    }
    let Ok(mut body) = serde_json::from_slice::<Value>(&reply.body.bytes()) else { return };
    if body["error"]["code"] == "invalid_api_key" && body["error"]["message"] == "" {
        let key = masked(request.bearer().unwrap_or_default());
        body["error"]["message"] =
            json!(format!("Incorrect API key provided: {key}. You can find your API key at {KEYS_URL}."));
    }
    if request.path.starts_with("/v1/responses") {
        body["status"] = json!(401);
        reply.set("content-type", "text/plain");
    }
    reply.body = Body::Json(Bytes::from(body.to_string()));
}

/// The beginning and the end of a key, as the service shows it.
fn masked(key: &str) -> String {
    let characters: Vec<char> = key.chars().collect();
    let hidden = characters.len().saturating_sub(SHOWN_HEAD + SHOWN_TAIL);
    if hidden == 0 {
        return "*".repeat(characters.len());
    }
    let head: String = characters[..SHOWN_HEAD].iter().collect();
    let tail: String = characters[characters.len() - SHOWN_TAIL..].iter().collect();
    // Header values may hold anything; an error's text stays printable.
    super::super::llm::ascii(&format!("{head}{}{tail}", "*".repeat(hidden)))
}

pub(super) fn request_id(context: &Context<'_>) -> String {
    format!("req_{}", super::hex(&context.request_token, 32))
}
