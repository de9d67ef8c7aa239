//! What the service tells the receivers of webhooks, and how they know that it was the service.

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::{GitHub, links::Links, model::Repo};
use crate::{
    engine::outbox::Endpoint,
    http::Request,
    twin::{Context, Event},
};

const USER_AGENT: &str = "GitHub-Hookshot/twin";

/// Signed with both digests; without a secret with none.
pub(super) fn signed(secret: &str, payload: &[u8]) -> Vec<(&'static str, String)> {
    let mut headers = vec![("user-agent", USER_AGENT.to_owned())];
    if secret.is_empty() {
        return headers;
    }
    let mut sha1 = Hmac::<Sha1>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
    let mut sha256 = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
    sha1.update(payload);
    sha256.update(payload);
    headers.push(("x-hub-signature", format!("sha1={}", hex::encode(sha1.finalize().into_bytes()))));
    headers.push(("x-hub-signature-256", format!("sha256={}", hex::encode(sha256.finalize().into_bytes()))));
    headers
}

/// An event with an id of its own, for whoever wants its kind.
pub(super) fn event(context: &mut Context<'_>, kind: &str, payload: &Value) -> Event {
    let id = guid(&context.id("delivery", 24));
    let headers = vec![("x-github-event", kind.to_owned()), ("x-github-delivery", id.clone())];
    Event { headers, ..Event::new(id, kind, payload.to_string()) }
}

fn guid(token: &str) -> String {
    let hex = hex::encode(Sha256::digest(token));
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..32])
}

fn hook_key(id: u64) -> String {
    format!("hook:{id}")
}

impl GitHub {
    /// Tells the receivers of the configuration and the hooks of the repository.
    pub(super) fn announce(&self, context: &mut Context<'_>, request: &Request, key: &str, kind: &str, payload: Value) {
        let sender = self.token(request).map(|token| token.login.clone()).unwrap_or_default();
        self.announce_by(context, &Links::of(request), key, kind, payload, &sender);
    }

    pub(super) fn announce_by(
        &self,
        context: &mut Context<'_>,
        links: &Links,
        key: &str,
        kind: &str,
        mut payload: Value,
        sender: &str,
    ) {
        let Some(repo) = self.repos.get(key) else { return };
        let hooks = repo.hooks.oldest_first().filter(|hook| hook.active);
        let wanting: Vec<_> = hooks.filter(|hook| hook.events.iter().any(|it| it == "*" || it == kind)).collect();
        if wanting.is_empty() && self.configured.is_empty() {
            return;
        }
        payload["repository"] = self.repo_json(links, repo, None);
        payload["sender"] = self.user(links, sender);
        for endpoint in &self.configured {
            let only = endpoint.key.clone();
            let event = event(context, kind, &payload);
            context.emit(Event { only, ..event });
        }
        for hook in wanting {
            self.send(context, repo, hook.id, kind, &payload);
        }
    }

    /// To one hook, whatever it wants.
    pub(super) fn send(&self, context: &mut Context<'_>, repo: &Repo, hook_id: u64, kind: &str, payload: &Value) {
        let Some(hook) = repo.hooks.get(&hook_id.to_string()) else { return };
        let mut event = event(context, kind, payload);
        event.only = Some(hook_key(hook.id));
        event.headers.extend([
            ("x-github-hook-id", hook.id.to_string()),
            ("x-github-hook-installation-target-id", repo.id.to_string()),
            ("x-github-hook-installation-target-type", "repository".to_owned()),
        ]);
        if hook.form {
            let mut form = url::form_urlencoded::Serializer::new(String::new());
            event.payload = form.append_pair("payload", &event.payload).finish();
            event.headers.push(("content-type", "application/x-www-form-urlencoded".to_owned()));
        }
        context.emit(event);
    }

    /// After hooks or repositories came or went.
    pub(super) fn refresh_endpoints(&mut self) {
        for (index, endpoint) in self.configured.iter_mut().enumerate() {
            endpoint.key = Some(format!("configured:{index}"));
        }
        let of_hooks = self.repos.oldest_first().flat_map(|repo| repo.hooks.oldest_first()).map(|hook| {
            let (to, secret, key) = (hook.url.clone(), hook.secret.clone().unwrap_or_default(), hook_key(hook.id));
            // What a hook wants is asked before an event is made; a ping comes unasked.
            Endpoint { to, secret, events: vec!["*".to_owned()], key: Some(key) }
        });
        self.endpoints = self.configured.iter().cloned().chain(of_hooks).collect();
    }

    /// The `ping` that a new hook gets.
    pub(super) fn ping(&self, context: &mut Context<'_>, links: &Links, repo: &Repo, hook_id: u64, sender: &str) {
        let Some(hook) = repo.hooks.get(&hook_id.to_string()) else { return };
        let payload = json!({"zen": "Anything added dilutes everything else.", "hook_id": hook_id,
            "hook": super::hooks::hook_json(links, repo, hook), "repository": self.repo_json(links, repo, None),
            "sender": self.user(links, sender)});
        self.send(context, repo, hook_id, "ping", &payload);
    }
}
