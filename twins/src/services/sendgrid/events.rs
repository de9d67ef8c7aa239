//! The event webhook: what became of each recipient's copy, told as it happens. A receiver is configured, or set over the
//! API as an account's administrator would.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Sendgrid,
    errors::{errors, problem},
    message::Message,
    signing,
};
use crate::{
    engine::outbox::Endpoint,
    http::{Content, Reply, Request},
    twin::{Answer, Context, Event},
};

/// What happens to mail, as events name it and as the settings do.
const KINDS: [(&str, &str); 10] = [
    ("processed", "processed"),
    ("dropped", "dropped"),
    ("delivered", "delivered"),
    ("deferred", "deferred"),
    ("bounce", "bounce"),
    ("open", "open"),
    ("click", "click"),
    ("spamreport", "spam_report"),
    ("unsubscribe", "unsubscribe"),
    ("group_unsubscribe", "group_unsubscribe"),
];
const READER: [(&str, &str); 2] = [("ip", "203.0.113.7"), ("useragent", "Mozilla/5.0 (twin)")];

/// What was set over the API.
#[derive(Clone, Default)]
pub(super) struct Settings {
    is_enabled: bool,
    url: String,
    kinds: Vec<&'static str>,
    /// Of its key pair; nothing is signed without one.
    secret: Option<String>,
}

/// Who does something: `{"email": …}`, and of a click where to.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Doing {
    email: String,
    url: Option<String>,
}

impl Settings {
    fn shown(&self) -> Value {
        let mut shown = json!({"enabled": self.is_enabled, "url": self.url});
        for (kind, field) in KINDS {
            shown[field] = self.kinds.contains(&kind).into();
        }
        shown
    }

    fn endpoint(&self) -> Option<Endpoint> {
        let events = self.kinds.iter().map(|kind| (*kind).to_owned()).collect();
        let secret = self.secret.clone().unwrap_or_default();
        (self.is_enabled && !self.url.is_empty()).then(|| Endpoint { to: self.url.clone(), secret, events, key: None })
    }
}

impl Sendgrid {
    pub(super) fn show_settings(&mut self, _: &mut Context<'_>, _: &Request) -> Answer {
        Ok(Reply::json(200, &self.hook.shown()))
    }

    pub(super) fn update_settings(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let Content::Json(given) = &request.content else { return Err(errors(400, [problem("Bad Request", "")])) };
        if let Some(url) = given["url"].as_str() {
            url::Url::parse(url).map_err(|_| errors(400, [problem("invalid url", "url")]))?;
            self.hook.url = url.to_owned();
        }
        if let Some(is_enabled) = given["enabled"].as_bool() {
            self.hook.is_enabled = is_enabled;
        }
        for (kind, field) in KINDS {
            match given[field].as_bool() {
                Some(true) if !self.hook.kinds.contains(&kind) => self.hook.kinds.push(kind),
                Some(false) => self.hook.kinds.retain(|known| *known != kind),
                _ => {}
            }
        }
        self.route_events();
        Ok(Reply::json(200, &self.hook.shown()))
    }

    /// Empty where nothing is signed.
    pub(super) fn show_signing(&mut self, _: &mut Context<'_>, _: &Request) -> Answer {
        let configured = self.configured.first().map(|endpoint| &endpoint.secret);
        let key = self.hook.secret.as_ref().or(configured).map(|secret| signing::public_key(secret));
        Ok(Reply::json(200, &json!({ "public_key": key.unwrap_or_default() })))
    }

    pub(super) fn update_signing(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let Some(is_enabled) = request.fields()["enabled"].as_bool() else {
            return Err(errors(400, [problem("enabled is required", "enabled")]));
        };
        self.hook.secret = is_enabled.then(|| context.id("event webhook ", 24));
        self.route_events();
        let key = self.hook.secret.as_deref().map(signing::public_key);
        Ok(Reply::json(200, &json!({ "public_key": key.unwrap_or_default() })))
    }

    fn route_events(&mut self) {
        self.endpoints = self.configured.iter().cloned().chain(self.hook.endpoint()).collect();
    }

    /// A message leaves: what becomes of each copy by itself.
    pub(super) fn tell_of_delivery(&self, context: &mut Context<'_>, message: &Message) {
        if self.endpoints.is_empty() {
            return;
        }
        for address in message.recipients() {
            tell(context, message, address, "processed", json!({}));
            let response = "250 2.0.0 OK";
            tell(context, message, address, "delivered", json!({"response": response, "ip": "198.51.100.7", "tls": 1}));
        }
        for address in message.suppressed() {
            let reason = self.why_suppressed(address);
            tell(context, message, address, "dropped", json!({"reason": reason, "status": "5.0.0"}));
        }
    }

    /// Something that a recipient does: `open`, `click`, `deferred`.
    pub(super) fn does(&self, context: &mut Context<'_>, action: &str, argument: &Value) -> Result<Value, String> {
        let Doing { email, url } = serde_json::from_value(argument.clone()).map_err(|error| error.to_string())?;
        let (kind, more) = match (action, url) {
            ("click", Some(url)) => ("click", json!({"url": url, "url_offset": {"index": 0, "type": "html"}})),
            ("click", None) => return Err("`click` needs the `url` that is clicked".to_owned()),
            (_, Some(_)) => return Err("`url` belongs to `click`".to_owned()),
            ("open", None) => ("open", json!({"sg_machine_open": false})),
            _ => ("deferred", json!({"response": "451 4.3.0 try again later", "attempt": "1"})),
        };
        let mut more = more;
        if matches!(kind, "open" | "click") {
            READER.iter().for_each(|(field, value)| more[*field] = (*value).into());
        }
        let message = self.latest_to(&email).ok_or_else(|| format!("no message went to {email}"))?;
        tell(context, message, &email, kind, more);
        Ok(json!({}))
    }

    /// What befell the copy of somebody who is on a list from now on.
    pub(super) fn tell_of_refusal(&self, context: &mut Context<'_>, action: &str, email: &str, reason: &str) {
        let Some(message) = self.latest_to(email) else { return };
        let (kind, more) = match action {
            "bounce" => {
                ("bounce", json!({"type": "bounce", "reason": reason, "status": "5.1.1", "ip": "198.51.100.7"}))
            }
            "block" => {
                ("bounce", json!({"type": "blocked", "reason": reason, "status": "4.7.0", "ip": "198.51.100.7"}))
            }
            "report_spam" => ("spamreport", json!({})),
            _ => ("unsubscribe", json!({})),
        };
        tell(context, message, email, kind, more);
    }

    fn latest_to(&self, email: &str) -> Option<&Message> {
        self.messages.newest_first().find(|message| message.recipients().any(|to| to.eq_ignore_ascii_case(email)))
    }
}

/// One event, in a list of its own: the service gathers them, and a receiver must take both.
fn tell(context: &mut Context<'_>, message: &Message, email: &str, kind: &'static str, more: Value) {
    let number = context.number("event");
    let id = BASE64_URL_SAFE_NO_PAD.encode(format!("{kind}-0-{number}-{}", message.id()));
    let mut event = message.custom_args();
    event.insert("email".to_owned(), email.into());
    event.insert("event".to_owned(), kind.into());
    event.insert("timestamp".to_owned(), context.unix().into());
    event.insert("smtp-id".to_owned(), format!("<{}@geopod-ismtpd-1>", message.id()).into());
    event.insert("sg_event_id".to_owned(), id.clone().into());
    event.insert("sg_message_id".to_owned(), format!("{}.recvd-twin-0", message.id()).into());
    if let Some(categories) = message.categories() {
        event.insert("category".to_owned(), categories.clone());
    }
    if let Value::Object(more) = more {
        event.extend(more);
    }
    // The end of the line is the service's own, and part of what is signed.
    let payload = format!("{}\r\n", json!([event]));
    context.emit(Event::new(id, kind, payload));
}
