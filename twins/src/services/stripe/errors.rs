//! Stripe's error objects: `{error: {type, code, message, param, …}}`.

use super::payments::cards::Decline;
use crate::{
    http::{Reply, Request},
    json::{Value, json},
    twin::{Context, Refusal},
};

/// An error on its way to becoming a reply.
pub(super) struct StripeError {
    status: u16,
    body: Value,
}

impl StripeError {
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(400, "invalid_request_error", message)
    }

    pub(super) fn new(status: u16, kind: &str, message: impl Into<String>) -> Self {
        Self { status, body: json!({"message": message.into(), "type": kind}) }
    }

    pub(super) fn missing(param: &str) -> Self {
        Self::invalid(format!("Missing required param: {param}.")).code("parameter_missing").param(param)
    }

    /// An id that names nothing.
    pub(super) fn no_such(status: u16, what: &str, id: &str, param: &str) -> Self {
        Self::new(status, "invalid_request_error", format!("No such {what}: '{id}'"))
            .code("resource_missing")
            .param(param)
    }

    /// What the network said to a card.
    pub(super) fn declined(decline: &Decline) -> Self {
        let error = Self::new(402, "card_error", decline.message).code(decline.code);
        let error = match decline.code {
            "incorrect_cvc" => error.param("cvc"),
            "expired_card" => error.param("exp_month"),
            _ => error,
        };
        match decline.decline_code {
            Some(code) => error.with("decline_code", json!(code)),
            None => error,
        }
    }

    /// What an object keeps of it, as `last_payment_error`.
    pub(super) fn body(&self) -> &Value {
        &self.body
    }

    pub(super) fn code(self, code: &str) -> Self {
        self.with("code", json!(code))
            .with("doc_url", json!(format!("https://stripe.com/docs/error-codes/{}", code.replace('_', "-"))))
    }

    pub(super) fn param(self, param: &str) -> Self {
        self.with("param", json!(param))
    }

    pub(super) fn with(mut self, field: &str, value: Value) -> Self {
        self.body[field] = value;
        self
    }

    /// For those who cannot send a reply: actions of a test.
    pub(super) fn message(&self) -> &str {
        self.body["message"].as_str().unwrap_or_default()
    }

    pub(super) fn reply(self, context: &Context<'_>) -> Reply {
        let log = format!("https://dashboard.stripe.com/test/logs/{}?t={}", request_id(context), context.unix());
        let Self { status, body } = self.with("request_log_url", json!(log));
        Reply::json(status, &json!({ "error": body }))
    }
}

pub(super) fn request_id(context: &Context<'_>) -> String {
    format!("req_{}", &context.request_token[..14])
}

/// `Stripe-Version` must look like one, and `Stripe-Account` must be one that the key may act for.
pub(super) fn check_headers(request: &Request) -> Result<(), StripeError> {
    if let Some(version) = request.header("stripe-version").filter(|version| !is_version(version)) {
        return Err(StripeError::invalid(format!("Invalid Stripe API version: {version}")));
    }
    match request.header("stripe-account") {
        Some(account) if !account.starts_with("acct_") => Err(StripeError::new(
            403,
            "invalid_request_error",
            format!("The provided key 'sk_test_****' does not have access to account '{account}' (or that account does not exist). Application access may have been revoked."),
        )
        .code("account_invalid")),
        _ => Ok(()),
    }
}

/// `2026-10-28` or `2026-10-28.endive`.
fn is_version(text: &str) -> bool {
    let (date, name) = text.split_once('.').unwrap_or((text, "name"));
    date.parse::<jiff::civil::Date>().is_ok()
        && !name.is_empty()
        && name.chars().all(|letter| letter.is_ascii_alphanumeric())
}

/// How Stripe says what the engine decided.
pub(super) fn refusal(context: &Context<'_>, refusal: &Refusal) -> Reply {
    match refusal {
        Refusal::RateLimited { retry_after_s } => StripeError::new(
            429,
            "invalid_request_error",
            "Request rate limit exceeded. Learn more about rate limits here https://stripe.com/docs/rate-limits.",
        )
        .code("rate_limit")
        .reply(context)
        .header("retry-after", retry_after_s.to_string())
        .header("stripe-rate-limited-reason", "global-rate"),
        Refusal::CredentialsMissing => unauthorized(
            "You did not provide an API key. You need to provide your API key in the Authorization header, using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY'). See https://stripe.com/docs/api#authentication for details, or we can help at https://support.stripe.com/.",
        )
        .reply(context)
        .header("www-authenticate", "Bearer realm=\"Stripe\""),
        Refusal::CredentialsWrong => unauthorized("Invalid API Key provided: sk_test_****").reply(context),
        Refusal::CredentialsExpired => {
            unauthorized("Expired API Key provided: sk_test_****").code("api_key_expired").reply(context)
        }
        other => plain(other).reply(context),
    }
}

fn plain(refusal: &Refusal) -> StripeError {
    match refusal {
        Refusal::Unimplemented { method, path } => StripeError::new(
            501,
            "invalid_request_error",
            format!("The stripe twin does not implement {method} {path}."),
        ),
        Refusal::BodyTooLarge { bytes_max } => {
            StripeError::new(413, "invalid_request_error", format!("The request body is larger than {bytes_max} bytes."))
        }
        Refusal::BodyMalformed { why } => StripeError::invalid(format!("The request body could not be parsed: {why}.")),
        Refusal::Status(409) => StripeError::new(
            409,
            "invalid_request_error",
            "This object cannot be accessed right now because another API request or Stripe process is currently accessing it.",
        )
        .code("lock_timeout"),
        Refusal::Status(status) if *status >= 500 => StripeError::new(
            *status,
            "api_error",
            "Sorry! There was an error while talking to one of our backends. Support has been notified.",
        ),
        Refusal::Status(402) => StripeError::new(402, "card_error", "Your card was declined.")
            .code("card_declined")
            .with("decline_code", json!("generic_decline")),
        Refusal::Status(status) => StripeError::new(*status, "invalid_request_error", "The request was refused."),
        Refusal::IdempotencyMismatch { key, first_path, path } => mismatch(key, first_path, path),
        Refusal::IdempotencyInUse { key } => StripeError::new(
            409,
            "idempotency_error",
            format!("There is currently another in-progress request using this Idempotent Key (that probably means you submitted twice, and the other request is still going through): {key}. Please try again later."),
        )
        .code("idempotency_key_in_use"),
        Refusal::IdempotencyKeyTooLong => {
            StripeError::new(400, "idempotency_error", "Idempotency keys can be at most 255 characters long.")
        }
        Refusal::CredentialsMissing
        | Refusal::CredentialsWrong
        | Refusal::CredentialsExpired
        | Refusal::RateLimited { .. } => unauthorized("Invalid API Key provided."),
    }
}

fn unauthorized(message: &str) -> StripeError {
    StripeError::new(401, "invalid_request_error", message)
}

fn mismatch(key: &str, first_path: &str, path: &str) -> StripeError {
    let rule = if first_path == path {
        "with the same parameters they were first used with".to_owned()
    } else {
        format!("for the same endpoint they were first used for ('{path}' vs '{first_path}')")
    };
    StripeError::new(
        400,
        "idempotency_error",
        format!(
            "Keys for idempotent requests can only be used {rule}. Try using a key other than '{key}' if you meant to execute a different request."
        ),
    )
}
