//! Who calls, whether the token may, and how often: around every method.

use std::{collections::BTreeMap, sync::Arc};

use serde::Deserialize;
use serde_json::Value;

use super::{
    Slack,
    call::{Call, parts},
    errors::Failure,
    model::{Channel, Kind},
    operations::{Method, Needs, Tier, kind_scopes},
};
use crate::{
    http::{Content, Reply, Request},
    twin::{Answer, Context, Refusal, check_secret},
};

const WINDOW_MS: i64 = 60_000; // the service counts by the minute

/// Operations of which the address or the arguments are the credential.
const OPEN: [&str; 5] = ["api.test", "oauth.v2.access", "oauth.v2.authorize", "upload", "response_url"];

/// Whom a token stands for.
#[derive(Clone)]
pub(super) struct Actor {
    pub(super) user: String,
    pub(super) kind: TokenKind,
    scopes: Arc<[String]>,
    /// With commas between them, as answers show them.
    pub(super) scopes_shown: Arc<str>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenKind {
    Bot,
    User,
}

impl Actor {
    pub(super) fn new(user: String, kind: TokenKind, scopes: Vec<String>) -> Self {
        Self { user, kind, scopes_shown: scopes.join(",").into(), scopes: scopes.into() }
    }

    pub(super) fn is_bot(&self) -> bool {
        self.kind == TokenKind::Bot
    }

    fn has_any(&self, wanted: &[&str]) -> bool {
        wanted.iter().any(|scope| self.scopes.iter().any(|own| own == scope))
    }

    fn check(&self, wanted: &[&str]) -> Result<(), Failure> {
        if wanted.is_empty() || self.has_any(wanted) {
            return Ok(());
        }
        Err(Failure::new("missing_scope").with("needed", wanted.join(",")).with("provided", &*self.scopes_shown))
    }

    pub(super) fn may_post_anywhere(&self) -> bool {
        self.has_any(&["chat:write.public"])
    }
}

/// Whether calls are counted.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(super) enum RateLimits {
    /// Never says no by itself; a fault rule may.
    Off,
    /// By the tier of each method, per minute of virtual time.
    Tiers,
}

/// Calls of this minute, by method (and channel).
#[derive(Clone)]
pub(super) struct Quotas {
    limits: RateLimits,
    windows: BTreeMap<String, Window>,
}

#[derive(Clone, Copy)]
struct Window {
    began_ms: i64,
    calls: u32,
}

impl Quotas {
    pub(super) fn new(limits: RateLimits) -> Self {
        Self { limits, windows: BTreeMap::new() }
    }

    fn take(&mut self, call: &Call<'_, '_, '_>) -> Result<(), Failure> {
        let Some(most) = call.method.tier.per_minute().filter(|_| self.limits == RateLimits::Tiers) else {
            return Ok(());
        };
        let mut key = call.method.name.to_owned();
        if call.method.tier == Tier::PerChannel {
            key = format!("{key} {}", call.text("channel").unwrap_or_default());
        }
        let now = call.context.now.as_millisecond();
        self.windows.retain(|_, window| now - window.began_ms < WINDOW_MS);
        let window = self.windows.entry(key).or_insert(Window { began_ms: now, calls: 0 });
        window.calls += 1;
        if window.calls <= most {
            return Ok(());
        }
        let left_ms = u64::try_from(window.began_ms + WINDOW_MS - now).unwrap_or_default();
        Err(Failure::rate_limited(left_ms.div_ceil(1_000)))
    }
}

impl Slack {
    pub(super) fn let_in(&self, request: &Request, operation: &str) -> Result<(), Refusal> {
        if OPEN.contains(&operation) {
            return Ok(());
        }
        let given = token(request).ok_or(Refusal::CredentialsMissing)?;
        let known = self.actors.keys().any(|token| check_secret(&given, token).is_ok());
        if known { Ok(()) } else { Err(Refusal::CredentialsWrong) }
    }

    pub(super) fn actor(&self, request: &Request) -> Option<&Actor> {
        self.actors.get(&token(request)?)
    }

    /// Answers one call: what was due by now happens first, then the method, if the token may call it.
    pub(super) fn serve(&mut self, context: &mut Context<'_>, request: &Request, method: &Method) -> Answer {
        self.origin = request.origin();
        self.post_what_is_due(context);
        let nobody = || Actor::new(String::new(), TokenKind::User, Vec::new());
        let actor = self.actor(request).cloned().unwrap_or_else(nobody);
        let parts = parts(request);
        let mut call = Call::new(context, request, &parts, method, &actor);
        match self.answered(&mut call) {
            Ok(object) => {
                let mut answer = serde_json::Map::from_iter([("ok".to_owned(), Value::Bool(true))]);
                answer.extend(object.as_object().cloned().unwrap_or_default());
                Ok(Reply::json(200, &answer))
            }
            Err(failure) => Err(failure.reply()),
        }
    }

    fn answered(&mut self, call: &mut Call<'_, '_, '_>) -> Result<Value, Failure> {
        match call.method.needs {
            Needs::Nothing => {}
            Needs::Scope(scope) => call.actor.check(&[scope])?,
            Needs::Person(scope) => {
                if call.actor.is_bot() {
                    return Err("not_allowed_token_type".into());
                }
                call.actor.check(&[scope])?;
            }
            Needs::ByKind(verb) => {
                let all: Vec<_> = KINDS.iter().flat_map(|kind| kind_scopes(verb, *kind)).copied().collect();
                call.actor.check(&all)?;
            }
        }
        self.quotas.take(call)?;
        (call.method.run)(self, call)
    }

    /// The channel of the argument `channel`, which the token may use in this way.
    pub(super) fn channel_of(&self, call: &Call<'_, '_, '_>) -> Result<&Channel, Failure> {
        let channel = self.seen_channel(call, call.need("channel")?)?;
        check_kind(call, channel.kind)?;
        Ok(channel)
    }

    /// By id; private ones are seen by their members only.
    pub(super) fn seen_channel(&self, call: &Call<'_, '_, '_>, id: &str) -> Result<&Channel, Failure> {
        let channel = self.channels.get(id).ok_or("channel_not_found")?;
        if channel.kind != Kind::Public && !channel.has(&call.actor.user) {
            return Err("channel_not_found".into());
        }
        Ok(channel)
    }
}

const KINDS: [Kind; 4] = [Kind::Public, Kind::Private, Kind::Group, Kind::Direct];

/// Whether the method's scopes reach channels of this kind.
pub(super) fn check_kind(call: &Call<'_, '_, '_>, kind: Kind) -> Result<(), Failure> {
    match call.method.needs {
        Needs::ByKind(verb) => call.actor.check(kind_scopes(verb, kind)),
        Needs::Nothing | Needs::Scope(_) | Needs::Person(_) => Ok(()),
    }
}

fn token(request: &Request) -> Option<String> {
    if let Some(token) = request.bearer() {
        return Some(token.to_owned());
    }
    match &request.content {
        Content::Form(form) => form["token"].as_str().map(str::to_owned),
        Content::Multipart(_) => parts(request)["token"].as_str().map(str::to_owned),
        Content::Empty
        | Content::Json(_)
        | Content::Text(_)
        | Content::Bytes
        | Content::Malformed(_)
        | Content::TooLarge => None,
    }
}
