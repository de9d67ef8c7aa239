//! What the app is told: events, interactions and slash commands, each signed with the signing secret:
//! `v0=<hex of HMAC-SHA256 over "v0:<unix>:<body>">`.

use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::Sha256;

use super::{
    Slack,
    model::{BOT_USER, TEAM},
};
use crate::twin::{Context, Event};

/// The keys of the endpoints.
pub(super) const EVENTS: &str = "events";
pub(super) const INTERACTIONS: &str = "interactions";
pub(super) const COMMANDS: &str = "commands";

/// In every body, from before there were signatures.
const VERIFICATION_TOKEN: &str = "twin-verification-token";
const FORM: &str = "application/x-www-form-urlencoded";

pub(super) fn signed(secret: &str, payload: &[u8], at: Timestamp) -> Vec<(&'static str, String)> {
    let at = at.as_second();
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(format!("v0:{at}:").as_bytes());
    mac.update(payload);
    let signature = hex::encode(mac.finalize().into_bytes());
    vec![
        ("x-slack-request-timestamp", at.to_string()),
        ("x-slack-signature", format!("v0={signature}")),
        ("user-agent", "Slackbot 1.0 (+https://api.slack.com/robots)".to_owned()),
    ]
}

/// What a repeated delivery says about the one before it.
pub(super) fn repeated(attempt: u32, failure: &str) -> Vec<(&'static str, String)> {
    let reason = match failure {
        "no answer in time" => "http_timeout",
        "connection refused" | "connection broken" | "dropped on purpose" => "connection_failed",
        _ => "http_error",
    };
    vec![("x-slack-retry-num", attempt.to_string()), ("x-slack-retry-reason", reason.to_owned())]
}

impl Slack {
    /// Something happened that apps can listen to.
    pub(super) fn announce(&self, context: &mut Context<'_>, kind: &str, mut event: Value) {
        if self.listens(EVENTS) {
            event["type"] = kind.into();
            event["event_ts"] = event.get("ts").cloned().unwrap_or_else(|| instant(context).into());
            let event = self.event(context, kind, &event);
            context.emit(event);
        }
    }

    pub(super) fn listens(&self, key: &str) -> bool {
        self.endpoints.iter().any(|endpoint| endpoint.key.as_deref() == Some(key))
    }

    /// `inner` in the envelope in which events come.
    pub(super) fn event(&self, context: &mut Context<'_>, kind: &str, inner: &Value) -> Event {
        let id = format!("Ev{}", context.id("event", 9).to_uppercase());
        let authorization = json!({"enterprise_id": null, "team_id": TEAM, "user_id": BOT_USER, "is_bot": true,
            "is_enterprise_install": false});
        let envelope = json!({"token": VERIFICATION_TOKEN, "team_id": TEAM, "context_team_id": TEAM,
            "context_enterprise_id": null, "api_app_id": self.app.id, "event": inner, "type": "event_callback",
            "event_id": id, "event_time": context.unix(), "authorizations": [authorization],
            "is_ext_shared_channel": false, "event_context": format!("4-{}", id.to_lowercase())});
        Event { only: Some(EVENTS.to_owned()), ..Event::new(id, kind, envelope.to_string()) }
    }

    /// The question whether the address for events is the app's: it must answer with the challenge.
    pub(super) fn challenge(&self, context: &mut Context<'_>) -> Result<Value, String> {
        if !self.listens(EVENTS) {
            return Err("nobody listens to events; add `webhooks` to the twin's configuration".to_owned());
        }
        let challenge = context.id("challenge", 52);
        let body = json!({"token": VERIFICATION_TOKEN, "challenge": challenge, "type": "url_verification"});
        let event = Event::new(challenge.clone(), "url_verification", body.to_string());
        context.emit(Event { only: Some(EVENTS.to_owned()), echo: Some(challenge.clone()), ..event });
        Ok(json!({ "challenge": challenge }))
    }

    /// A person did something to a button, a menu or a view.
    pub(super) fn interact(&self, context: &mut Context<'_>, kind: &str, mut payload: Value) -> Result<(), String> {
        if !self.listens(INTERACTIONS) {
            return Err("nobody listens to interactions; add `interactions` to the twin's configuration".to_owned());
        }
        payload["type"] = kind.into();
        payload["token"] = VERIFICATION_TOKEN.into();
        payload["team"] = json!({"id": TEAM, "domain": super::model::DOMAIN});
        payload["api_app_id"] = self.app.id.as_str().into();
        payload["is_enterprise_install"] = false.into();
        payload["enterprise"] = Value::Null;
        let body = form(&[("payload", &payload.to_string())]);
        self.send_form(context, INTERACTIONS, kind, body);
        Ok(())
    }

    /// A person typed a slash command.
    pub(super) fn command(&self, context: &mut Context<'_>, fields: &[(&str, &str)]) -> Result<(), String> {
        if !self.listens(COMMANDS) {
            return Err("nobody listens to slash commands; add `commands` to the twin's configuration".to_owned());
        }
        let common = [
            ("token", VERIFICATION_TOKEN),
            ("team_id", TEAM),
            ("team_domain", super::model::DOMAIN),
            ("api_app_id", self.app.id.as_str()),
            ("is_enterprise_install", "false"),
        ];
        let body = form(&[&common, fields].concat());
        self.send_form(context, COMMANDS, "command", body);
        Ok(())
    }

    fn send_form(&self, context: &mut Context<'_>, to: &str, kind: &str, body: String) {
        let event = Event::new(context.id("interaction", 12), kind, body);
        let headers = vec![("content-type", FORM.to_owned())];
        context.emit(Event { headers, only: Some(to.to_owned()), ..event });
    }
}

fn form(fields: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

/// A `ts` of something that is no message.
pub(super) fn instant(context: &mut Context<'_>) -> String {
    let number = context.number("message") % 1_000_000;
    format!("{}.{number:06}", context.unix())
}
