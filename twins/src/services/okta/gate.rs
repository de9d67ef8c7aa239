//! Who may call `/api/v1`, and how often: API tokens (`SSWS`), access tokens with scopes, and quotas by the minute.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::{Okta, errors};
use crate::{
    http::{Reply, Request},
    twin::{Context, Operation, Refusal},
};

const WINDOW: SignedDuration = SignedDuration::from_secs(60);

#[derive(Clone, Debug)]
pub(super) struct ApiToken {
    /// Who made it: `me` is this one.
    pub(super) user: Option<String>,
    pub(super) expires_at: Option<Timestamp>,
}

/// Calls of the running minute, by the resource that a path names.
#[derive(Clone, Debug)]
pub(super) struct Quotas {
    pub(super) per_minute: u64,
    used: BTreeMap<String, (u64, Timestamp)>,
}

impl Quotas {
    pub(super) fn new(per_minute: u64) -> Self {
        Self { per_minute, used: BTreeMap::new() }
    }

    /// How often it was called, and when that is forgotten.
    fn window(&self, resource: &str, now: Timestamp) -> (u64, Timestamp) {
        let running = self.used.get(resource).filter(|(_, reset_at)| *reset_at > now);
        running.copied().unwrap_or_else(|| (0, now.saturating_add(WINDOW).expect("a signed duration saturates")))
    }
}

/// What of a request a quota goes by, and what operations that need no token are.
fn resource(request: &Request) -> &str {
    let mut parts = request.path.trim_start_matches('/').split('/');
    match parts.next() {
        Some("api") => parts.nth(1).unwrap_or_default(),
        _ => "oauth2",
    }
}

fn is_open(operation: &str) -> bool {
    operation.starts_with("oauth.") || operation == "authn" || operation == "sessions.create"
}

/// `okta.users.read`, or `okta.users.manage` for what changes something.
fn scope(request: &Request, operation: &str) -> (String, String) {
    let resource = operation.split('.').next().unwrap_or_default();
    let manage = format!("okta.{resource}.manage");
    let enough = if request.method == "GET" { format!("okta.{resource}.read") } else { manage.clone() };
    (enough, manage)
}

impl Okta {
    fn api_token(&self, request: &Request) -> Option<&ApiToken> {
        // Okta's SDK for Python 3.4 leaves out the space.
        let (scheme, token) = request.header("authorization")?.split_at_checked("SSWS".len())?;
        scheme.eq_ignore_ascii_case("ssws").then(|| self.tokens.get(token.trim()))?
    }

    pub(super) fn known(&self, request: &Request, operation: &str) -> Result<(), Refusal> {
        if is_open(operation) {
            return Ok(());
        }
        let bearer = request.bearer().is_some_and(|token| self.organization.access(token).is_some());
        match request.header("authorization") {
            None => Err(Refusal::CredentialsMissing),
            Some(_) if bearer || self.api_token(request).is_some() => Ok(()),
            Some(_) => Err(Refusal::CredentialsWrong),
        }
    }

    /// What counts by time or by scope.
    fn allowed(&self, context: &Context<'_>, request: &Request, operation: &str) -> Result<(), Reply> {
        if is_open(operation) {
            return Ok(());
        }
        if let Some(token) = self.api_token(request) {
            let is_over = token.expires_at.is_some_and(|end| end <= context.now);
            return if is_over { Err(errors::failed(context, errors::TOKEN_INVALID)) } else { Ok(()) };
        }
        let access = request.bearer().and_then(|token| self.organization.access(token));
        let access = access.filter(|access| access.is_live(context.now));
        let challenge = |error: &str, why: &str| {
            format!(
                "Bearer authorization_uri=\"{}/oauth2/v1/authorize\", realm=\"{0}\", scope=\"{}\", error=\"{error}\", \
                 error_description=\"{why}\", resource=\"{}\"",
                request.origin(),
                scope(request, operation).0,
                request.path
            )
        };
        let Some(access) = access else {
            let challenge = challenge("invalid_token", "The access token is invalid or has expired.");
            return Err(errors::failed(context, errors::TOKEN_INVALID).header("www-authenticate", challenge));
        };
        let (enough, manage) = scope(request, operation);
        if access.scopes().iter().any(|scope| *scope == enough || *scope == manage) {
            return Ok(());
        }
        let challenge =
            challenge("insufficient_scope", "The access token provided does not contain the required scopes.");
        Err(errors::failed(context, errors::FORBIDDEN).header("www-authenticate", challenge))
    }

    pub(super) fn gated(&mut self, context: &mut Context<'_>, request: &Request, operation: &Operation<Self>) -> Reply {
        let (used, reset_at) = self.quotas.window(resource(request), context.now);
        if used >= self.quotas.per_minute {
            return errors::failed(context, errors::TOO_MANY);
        }
        self.quotas.used.insert(resource(request).to_owned(), (used + 1, reset_at));
        let run = |okta: &mut Self, context: &mut Context<'_>| {
            okta.allowed(context, request, operation.name)?;
            okta.is_shared &= request.method == "GET" || operation.name.starts_with("oauth.");
            (operation.run)(okta, context, request)
        };
        run(self, context).unwrap_or_else(|error| error)
    }

    pub(super) fn add_headers(&self, context: &Context<'_>, request: &Request, reply: &mut Reply) {
        let (used, reset_at) = self.quotas.window(resource(request), context.now);
        reply.set_new("x-okta-request-id", context.request_token.clone());
        reply.set_new("x-rate-limit-limit", self.quotas.per_minute.to_string());
        reply.set_new("x-rate-limit-remaining", self.quotas.per_minute.saturating_sub(used).to_string());
        reply.set_new("x-rate-limit-reset", reset_at.as_second().to_string());
        let is_public = request.path.ends_with("/keys") || request.path.contains("/.well-known/");
        reply.set_new("cache-control", if is_public { "max-age=300, public" } else { "no-cache, no-store" });
    }

    /// Whose token it is: what `me` means.
    pub(super) fn caller<'o>(&'o self, request: &Request) -> Option<&'o str> {
        let made_by = self.api_token(request).and_then(|token| token.user.as_deref());
        made_by.or_else(|| request.bearer().and_then(|token| self.organization.access(token))?.sub())
    }
}
