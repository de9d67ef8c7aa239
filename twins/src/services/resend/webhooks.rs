//! Webhooks: who gets them, made over the API or configured, and their signature, which is that of Svix: HMAC-SHA256 over `<id>.<unix>.<payload>`, in base64.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{
    Resend, answer,
    errors::{invalid, missing, not_found},
    lists::page,
    object, uuid, written,
};
use crate::{
    engine::outbox::Endpoint,
    http::{Fields, Request},
    twin::{Answer, Context, Event},
};

/// A receiver that was made over the API.
#[derive(Clone)]
pub(super) struct Hook {
    id: String,
    endpoint: String,
    events: Vec<String>,
    secret: String,
    is_enabled: bool,
    created_at: String,
}

impl Hook {
    fn shown(&self) -> Value {
        json!({"id": self.id, "created_at": self.created_at, "endpoint": self.endpoint, "events": self.events,
            "status": if self.is_enabled { "enabled" } else { "disabled" }})
    }

    fn endpoint(&self) -> Endpoint {
        let (to, secret, events) = (self.endpoint.clone(), self.secret.clone(), self.events.clone());
        Endpoint { to, secret, events, key: None }
    }

    /// What was given replaces what was there.
    fn set(&mut self, fields: Fields<'_>) -> Result<(), crate::http::Reply> {
        if let Some(endpoint) = fields.get("endpoint").as_str() {
            if url::Url::parse(endpoint).is_err() {
                return Err(invalid("The `endpoint` must be a valid URL."));
            }
            self.endpoint = endpoint.to_owned();
        }
        if let Some(events) = fields.get("events").as_array() {
            self.events = events.iter().filter_map(Value::as_str).map(str::to_owned).collect();
        }
        match fields.get("status").as_str() {
            None => {}
            Some("enabled") => self.is_enabled = true,
            Some("disabled") => self.is_enabled = false,
            Some(_) => return Err(invalid("The `status` must be `enabled` or `disabled`.")),
        }
        Ok(())
    }
}

impl Resend {
    pub(super) fn create_hook(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let fields = object(request)?;
        fields.get("endpoint").as_str().ok_or_else(|| missing("endpoint"))?;
        if fields.get("events").as_array().is_none_or(Vec::is_empty) {
            return Err(missing("events"));
        }
        let id = uuid(context, "webhook");
        let secret = format!("whsec_{}", BASE64_STANDARD.encode(context.id("webhook secret", 24)));
        let created_at = written(context.now);
        let (endpoint, events) = (String::new(), Vec::new());
        let mut hook = Hook { id: id.clone(), endpoint, events, secret: secret.clone(), is_enabled: true, created_at };
        hook.set(fields)?;
        self.hooks.insert(&id, hook);
        self.route_webhooks();
        answer(&json!({"object": "webhook", "id": id, "signing_secret": secret}))
    }

    pub(super) fn list_hooks(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        page(request, self.hooks.newest_first().map(Hook::shown).collect())
    }

    pub(super) fn show_hook(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let hook = self.hooks.get(request.param("id")).ok_or_else(|| not_found("Webhook"))?;
        let mut shown = hook.shown();
        shown["object"] = "webhook".into();
        shown["signing_secret"] = hook.secret.as_str().into();
        answer(&shown)
    }

    pub(super) fn update_hook(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let fields = object(request)?;
        let hook = self.hooks.get_mut(request.param("id")).ok_or_else(|| not_found("Webhook"))?;
        hook.set(fields)?;
        self.route_webhooks();
        answer(&json!({"object": "webhook", "id": request.param("id")}))
    }

    pub(super) fn delete_hook(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let id = request.param("id");
        self.hooks.remove(id).ok_or_else(|| not_found("Webhook"))?;
        self.route_webhooks();
        answer(&json!({"object": "webhook", "id": id, "deleted": true}))
    }

    /// Where events go from now on: what was configured, then what was made over the API.
    fn route_webhooks(&mut self) {
        let made = self.hooks.oldest_first().filter(|hook| hook.is_enabled).map(Hook::endpoint);
        self.endpoints = self.configured.iter().cloned().chain(made).collect();
    }
}

pub(super) fn event(now: Timestamp, kind: &str, data: &Value) -> Event {
    let payload = json!({"type": kind, "created_at": now.to_string(), "data": data}).to_string();
    Event::new(id(payload.as_bytes()), kind, payload)
}

/// The same at every attempt at the same event.
fn id(payload: &[u8]) -> String {
    format!("msg_{}", &hex::encode(Sha256::digest(payload))[..27])
}

pub(super) fn signed(secret: &str, payload: &[u8], at: Timestamp) -> Vec<(&'static str, String)> {
    let (id, at) = (id(payload), at.as_second());
    let secret = secret.strip_prefix("whsec_").unwrap_or(secret);
    // One that is no base64 is taken as it is, so that a wrong secret is still one.
    let key = BASE64_STANDARD.decode(secret).unwrap_or_else(|_| secret.as_bytes().to_vec());
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("HMAC takes keys of any length");
    mac.update(format!("{id}.{at}.").as_bytes());
    mac.update(payload);
    let signature = BASE64_STANDARD.encode(mac.finalize().into_bytes());
    vec![
        ("svix-id", id),
        ("svix-timestamp", at.to_string()),
        ("svix-signature", format!("v1,{signature}")),
        ("user-agent", "Svix-Webhooks/1.0".to_owned()),
    ]
}
