//! What can go wrong with one request to a model, sorted by what to do about it.

use std::time::Duration;

use rig_core::error::ProviderError;

/// A request that gave no reply.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct TurnFailure {
    pub kind: FailureKind,
    /// The same request may pass by itself.
    pub retryable: bool,
    /// How long the provider asked to wait.
    pub retry_after: Option<Duration>,
    /// Parts of the reply were already handed out: they are void.
    pub delivered: bool,
    pub message: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// 429.
    RateLimited,
    /// 5xx, 529 included, and providers that call themselves overloaded.
    Unavailable,
    /// Nothing or not all of the reply came: refused connection, time-out, cut stream.
    Network,
    /// 401 or 403.
    Authentication,
    /// Any other answer that says that the request is wrong.
    Rejected,
    /// The reply is none of this protocol.
    Malformed,
}

const MESSAGE_CHARS_MAX: usize = 2_000; // an error page of a proxy can be long

impl TurnFailure {
    pub(super) fn from_rig(error: &ProviderError, delivered: bool) -> Self {
        let status = error.provider_response_status().map(|status| status.as_u16());
        let kind = kind_of(error, status);
        Self {
            kind,
            retryable: match kind {
                FailureKind::RateLimited | FailureKind::Unavailable | FailureKind::Network => true,
                FailureKind::Authentication | FailureKind::Rejected | FailureKind::Malformed => false,
            },
            retry_after: retry_after(error),
            delivered,
            message: message_of(error, status),
        }
    }
}

fn kind_of(error: &ProviderError, status: Option<u16>) -> FailureKind {
    match (error, status) {
        (_, Some(429)) => FailureKind::RateLimited,
        (_, Some(401 | 403)) | (ProviderError::InvalidAuthentication(_), _) => FailureKind::Authentication,
        (_, Some(408 | 425 | 500..=599)) => FailureKind::Unavailable,
        (_, Some(400..=499)) => FailureKind::Rejected,
        (ProviderError::Http(_) | ProviderError::Truncated, _) => FailureKind::Network,
        (ProviderError::Json(_) | ProviderError::Response(_), _) => FailureKind::Malformed,
        _ => kind_by_name(error).unwrap_or(FailureKind::Rejected),
    }
}

/// In the middle of a stream the status was 200 already: only the error's own name tells what it is.
fn kind_by_name(error: &ProviderError) -> Option<FailureKind> {
    let body = error.provider_response_json().ok()??;
    let name = |pointer| body.pointer(pointer).and_then(serde_json::Value::as_str);
    let names = ["/error/type", "/error/code", "/response/error/code", "/code"].map(name);
    names.into_iter().flatten().find_map(|name| match name {
        "overloaded_error" | "api_error" | "timeout_error" | "server_error" | "UNAVAILABLE" => {
            Some(FailureKind::Unavailable)
        }
        "rate_limit_error" | "rate_limit_exceeded" | "RESOURCE_EXHAUSTED" => Some(FailureKind::RateLimited),
        _ => None,
    })
}

/// `Retry-After` in seconds; the form with a date is not used by any provider here.
fn retry_after(error: &ProviderError) -> Option<Duration> {
    let headers = error.provider_response_headers()?;
    let milliseconds = || headers.get("retry-after-ms")?.to_str().ok()?.trim().parse().ok().map(Duration::from_millis);
    let seconds = || -> Option<Duration> {
        let seconds: f64 = headers.get("retry-after")?.to_str().ok()?.trim().parse().ok()?;
        Duration::try_from_secs_f64(seconds).ok()
    };
    milliseconds().or_else(seconds)
}

fn message_of(error: &ProviderError, status: Option<u16>) -> String {
    let told = error.provider_response_json().ok().flatten().and_then(|body| {
        let text = |pointer: &str| body.pointer(pointer).and_then(|value| value.as_str()).map(str::to_owned);
        text("/error/message").or_else(|| text("/message")).or_else(|| text("/error"))
    });
    let detail = told.unwrap_or_else(|| error.to_string());
    let detail: String = detail.chars().take(MESSAGE_CHARS_MAX).collect();
    match status {
        Some(status) => format!("the model's server answered {status}: {detail}"),
        None => format!("the model's server gave no whole reply: {detail}"),
    }
}
