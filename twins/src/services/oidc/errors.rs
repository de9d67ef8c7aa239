//! How the provider says no: OAuth's codes, as JSON, as a challenge, or on the way back to the client.

use serde_json::json;

use crate::{http::Reply, twin::Refusal};

pub(super) fn failed(status: u16, code: &str, description: &str) -> Reply {
    Reply::json(status, &json!({"error": code, "error_description": description}))
}

pub(super) fn invalid_request(description: &str) -> Reply {
    failed(400, "invalid_request", description)
}

pub(super) fn invalid_grant(description: &str) -> Reply {
    failed(400, "invalid_grant", description)
}

pub(super) fn invalid_client() -> Reply {
    let reply = failed(401, "invalid_client", "Client authentication failed.");
    reply.header("www-authenticate", "Basic realm=\"oidc\"")
}

/// Of a resource, to whoever brings no token.
pub(super) fn token_missing() -> Reply {
    Reply::empty(401).header("www-authenticate", "Bearer realm=\"oidc\"")
}

pub(super) fn invalid_token() -> Reply {
    let challenge = "Bearer realm=\"oidc\", error=\"invalid_token\", error_description=\"The access token is invalid or \
        has expired.\"";
    failed(401, "invalid_token", "The access token is invalid or has expired.").header("www-authenticate", challenge)
}

pub(super) fn insufficient_scope() -> Reply {
    let challenge = "Bearer realm=\"oidc\", error=\"insufficient_scope\", scope=\"openid\"";
    let reply = failed(403, "insufficient_scope", "The access token must have the scope `openid`.");
    reply.header("www-authenticate", challenge)
}

pub(super) fn refusal(refusal: &Refusal) -> Reply {
    match refusal {
        Refusal::CredentialsMissing => token_missing(),
        Refusal::CredentialsWrong => invalid_client(),
        Refusal::CredentialsExpired => invalid_token(),
        Refusal::Unimplemented { method, path } => {
            failed(501, "not_implemented", &format!("the oidc twin does not implement {method} {path}"))
        }
        Refusal::BodyTooLarge { .. } => failed(413, "invalid_request", "The request is too large."),
        Refusal::BodyMalformed { .. } => invalid_request("The body of the request cannot be read."),
        Refusal::RateLimited { retry_after_s } => {
            let reply = failed(429, "temporarily_unavailable", "Too many requests.");
            reply.header("retry-after", retry_after_s.to_string())
        }
        Refusal::Status(429 | 502 | 503 | 504) => {
            let status = if let Refusal::Status(status) = refusal { *status } else { 503 };
            failed(status, "temporarily_unavailable", "The authorization server is currently unable to respond.")
        }
        Refusal::Status(status) => {
            failed(*status, "server_error", "The authorization server met an unexpected condition.")
        }
        Refusal::IdempotencyMismatch { .. } | Refusal::IdempotencyInUse { .. } | Refusal::IdempotencyKeyTooLong => {
            invalid_request("The request cannot be read.")
        }
    }
}
