//! What happens around every operation: whose token it is, how often it may come, whether the answer is news.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{API_VERSION, GitHub, config::Limits, errors, model::Token};
use crate::{
    http::{Body, Reply, Request},
    twin::{Answer, Context, Operation},
};

const HOUR: SignedDuration = SignedDuration::from_hours(1);
const MINUTE: SignedDuration = SignedDuration::from_mins(1);
const NOBODY: &str = ""; // all requests without a token share one quota, as they share one address

/// The token of `token …`, `Bearer …`, or the password of Basic, which is what `git` sends.
pub(super) fn credentials(request: &Request) -> Option<String> {
    use base64::{Engine as _, prelude::BASE64_STANDARD};
    let (scheme, rest) = request.header("authorization")?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return Some(rest.trim().to_owned());
    }
    let decoded = String::from_utf8(BASE64_STANDARD.decode(rest.trim()).unwrap_or_default()).unwrap_or_default();
    let (user, password) = decoded.split_once(':').unwrap_or((&decoded, ""));
    let is_filler = password.is_empty() || password == "x-oauth-basic";
    Some(if is_filler { user } else { password }.to_owned())
}

/// An app proves itself with a JSON web token, and only to get a token that counts elsewhere.
pub(super) fn is_app_token(operation: &str, given: &str) -> bool {
    operation.starts_with("apps.") && given.split('.').count() == 3
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Resource {
    Core,
    Search,
}

impl Resource {
    fn of(request: &Request) -> Self {
        let path = request.path.strip_prefix("/api/v3").unwrap_or(&request.path);
        if path.starts_with("/search/") { Self::Search } else { Self::Core }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Core => "core",
            Self::Search => "search",
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Quotas {
    limits: Limits,
    used: BTreeMap<(String, Resource), Window>,
}

/// Requests since its beginning; it begins with the first request after the last one ended.
#[derive(Clone, Copy, Debug)]
struct Window {
    used: u64,
    reset_at: Timestamp,
}

impl Quotas {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, used: BTreeMap::new() }
    }

    fn limit(&self, who: &str, resource: Resource) -> u64 {
        match resource {
            Resource::Core if who == NOBODY => self.limits.anonymous,
            Resource::Core => self.limits.core,
            Resource::Search => self.limits.search,
        }
    }

    fn window(&self, who: &str, resource: Resource, now: Timestamp) -> Window {
        let length = if resource == Resource::Core { HOUR } else { MINUTE };
        let running = self.used.get(&(who.to_owned(), resource)).filter(|window| window.reset_at > now);
        let fresh = || Window { used: 0, reset_at: now.saturating_add(length).expect("a signed duration saturates") };
        running.copied().unwrap_or_else(fresh)
    }

    fn is_used_up(&self, who: &str, resource: Resource, now: Timestamp) -> bool {
        self.window(who, resource, now).used >= self.limit(who, resource)
    }

    fn count(&mut self, who: &str, resource: Resource, now: Timestamp) {
        let mut window = self.window(who, resource, now);
        window.used += 1;
        self.used.insert((who.to_owned(), resource), window);
    }

    fn json(&self, who: &str, resource: Resource, now: Timestamp) -> Value {
        let (window, limit) = (self.window(who, resource, now), self.limit(who, resource));
        json!({"limit": limit, "used": window.used, "remaining": limit.saturating_sub(window.used),
            "reset": window.reset_at.as_second(), "resource": resource.name()})
    }
}

impl GitHub {
    pub(super) fn token(&self, request: &Request) -> Option<&Token> {
        self.tokens.get(&credentials(request)?)
    }

    fn who(&self, request: &Request) -> String {
        self.token(request).map_or_else(|| NOBODY.to_owned(), |token| token.login.to_lowercase())
    }

    pub(super) fn gated(&mut self, context: &mut Context<'_>, request: &Request, operation: &Operation<Self>) -> Reply {
        if self.token(request).and_then(|token| token.expires_at).is_some_and(|end| end <= context.now) {
            return errors::failed(401, "Bad credentials");
        }
        let run = |github: &mut Self, context: &mut Context<'_>| {
            (operation.run)(github, context, request).unwrap_or_else(|error| error)
        };
        if operation.name.starts_with("smart_http.") || operation.name == "rateLimit.get" {
            return run(self, context);
        }
        if let Some(version) = request.header("x-github-api-version").filter(|version| *version != API_VERSION) {
            return errors::failed(400, &format!("\"{version}\" is not a supported version. See the documentation."));
        }
        let (who, resource) = (self.who(request), Resource::of(request));
        if self.quotas.is_used_up(&who, resource, context.now) {
            return self.exhausted(&who);
        }
        let reply = tagged(request, run(self, context));
        if reply.status != 304 {
            self.quotas.count(&who, resource, context.now);
        }
        reply
    }

    fn exhausted(&self, who: &str) -> Reply {
        let message = match self.accounts.get(who) {
            Some(account) => format!("API rate limit exceeded for user ID {}.", account.id),
            None => "API rate limit exceeded for 127.0.0.1. (But here's the good news: Authenticated requests get a \
                higher rate limit. Check out the documentation for more details.)"
                .to_owned(),
        };
        errors::failed(403, &message)
    }

    pub(super) fn rate_limit(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let who = self.who(request);
        let shown = |resource| self.quotas.json(&who, resource, context.now);
        let (core, search) = (shown(Resource::Core), shown(Resource::Search));
        let resources = json!({"core": core, "search": search});
        Ok(Reply::json(200, &json!({"resources": resources, "rate": core})))
    }

    pub(super) fn add_headers(&self, context: &Context<'_>, request: &Request, reply: &mut Reply) {
        reply.set("server", "github.com");
        reply.set("x-github-request-id", request_id(&context.request_token));
        if super::transport::is_transport(request) {
            reply.set("cache-control", "no-cache, max-age=0, must-revalidate");
            return;
        }
        if matches!(reply.body, Body::Json(_)) {
            reply.set("content-type", "application/json; charset=utf-8");
        }
        let (who, resource) = (self.who(request), Resource::of(request));
        let quota = self.quotas.json(&who, resource, context.now);
        for (header, field) in [
            ("x-ratelimit-limit", "limit"),
            ("x-ratelimit-remaining", "remaining"),
            ("x-ratelimit-reset", "reset"),
            ("x-ratelimit-used", "used"),
        ] {
            reply.set(header, quota[field].to_string());
        }
        reply.set("x-ratelimit-resource", resource.name());
        if let Some(token) = self.token(request) {
            reply.set("x-oauth-scopes", token.scopes.join(", "));
            reply.set("x-accepted-oauth-scopes", "repo");
        }
        reply.set("x-github-media-type", "github.v3; format=json");
        reply.set("x-github-api-version-selected", API_VERSION);
        let audience = if who == NOBODY { "public" } else { "private" };
        reply.set("cache-control", format!("{audience}, max-age=60, s-maxage=60"));
        reply.set("vary", "Accept, Authorization, Cookie, X-GitHub-OTP, Accept-Encoding, Accept, X-Requested-With");
        reply.set("x-content-type-options", "nosniff");
    }
}

/// An answer with its tag; one that the client has already is not sent again.
fn tagged(request: &Request, reply: Reply) -> Reply {
    if request.method != "GET" || reply.status != 200 {
        return reply;
    }
    let tag = format!("\"{}\"", hex::encode(Sha256::digest(reply.body.bytes())));
    let known = request.header("if-none-match").unwrap_or_default();
    let is_known = known.split(',').any(|known| known.trim().trim_start_matches("W/") == tag || known.trim() == "*");
    let reply = if is_known { Reply::empty(304) } else { reply };
    reply.header("etag", format!("W/{tag}"))
}

/// Five groups, as the service writes them.
fn request_id(token: &str) -> String {
    let digest = hex::encode_upper(Sha256::digest(token));
    format!("{}:{}:{}:{}:{}", &digest[..4], &digest[4..10], &digest[10..17], &digest[17..24], &digest[24..32])
}
