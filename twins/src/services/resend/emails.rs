//! Mail: taken, sent at its time, and what becomes of it.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Resend, answer,
    errors::{error, invalid, missing, not_found},
    lists::page,
    object, uuid, webhooks, written,
};
use crate::{
    http::{Content, Fields, Reply, Request},
    services::mail::{Attachment, Mail, address},
    twin::{Answer, Context},
};

const RECIPIENTS_MAX: usize = 50;
const BATCH_MAX: usize = 100;
const AHEAD_MAX: SignedDuration = SignedDuration::from_hours(30 * 24);
const BAD_ADDRESS: &str =
    "The email address needs to follow the `email@example.com` or `Name <email@example.com>` format.";

#[derive(Clone)]
pub(super) struct Email {
    mail: Mail,
    /// As the client wrote them.
    from: String,
    to: Vec<String>,
    tags: Value,
    headers: Value,
    scheduled_at: Option<Timestamp>,
    last_event: &'static str,
}

impl Email {
    /// Flat, for assertions.
    pub(super) fn state(&self) -> Value {
        let mut state = json!(self.mail);
        state["last_event"] = self.last_event.into();
        for (name, value) in [("tags", &self.tags), ("headers", &self.headers)] {
            if !value.is_null() {
                state[name] = value.clone();
            }
        }
        if let Some(at) = self.scheduled_at {
            state["scheduled_at"] = at.to_string().into();
        }
        state
    }

    fn listed(&self) -> Value {
        json!({"id": self.mail.id, "to": self.to, "from": self.from, "created_at": written(self.mail.accepted_at),
            "subject": self.mail.subject, "bcc": self.mail.bcc, "cc": self.mail.cc, "reply_to": self.mail.reply_to,
            "last_event": self.last_event, "scheduled_at": self.scheduled_at.map(written)})
    }

    fn shown(&self) -> Value {
        let mut shown = self.listed();
        shown["object"] = "email".into();
        shown["html"] = if self.mail.html.is_empty() { Value::Null } else { self.mail.html.as_str().into() };
        shown["text"] = if self.mail.text.is_empty() { Value::Null } else { self.mail.text.as_str().into() };
        if !self.tags.is_null() {
            shown["tags"] = self.tags.clone();
        }
        shown
    }

    fn waits(&self) -> bool {
        self.last_event == "scheduled"
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Befallen {
    id: String,
}

impl Resend {
    pub(super) fn send(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let id = self.take(context, object(request)?)?;
        answer(&json!({ "id": id }))
    }

    /// All or none, unless the client says `permissive`.
    pub(super) fn send_batch(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let Content::Json(Value::Array(mails)) = &request.content else {
            return Err(invalid("The request body must be an array of emails."));
        };
        if mails.is_empty() || mails.len() > BATCH_MAX {
            return Err(invalid("The batch must have between 1 and 100 emails."));
        }
        let is_permissive = request.header("x-batch-validation") == Some("permissive");
        let before = self.clone();
        let (mut taken, mut errors) = (Vec::new(), Vec::new());
        for (index, mail) in mails.iter().enumerate() {
            match self.take(context, mail.into()) {
                Ok(id) => taken.push(json!({ "id": id })),
                Err(refused) if is_permissive => errors.push(json!({"index": index, "message": message(&refused)})),
                Err(refused) => {
                    *self = before;
                    return Err(refused);
                }
            }
        }
        let mut body = json!({ "data": taken });
        if is_permissive {
            body["errors"] = errors.into();
        }
        answer(&body)
    }

    pub(super) fn show_email(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        answer(&self.emails.get(request.param("id")).ok_or_else(|| not_found("Email"))?.shown())
    }

    pub(super) fn list_emails(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        page(request, self.emails.newest_first().map(Email::listed).collect())
    }

    pub(super) fn reschedule(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let at = object(request)?.get("scheduled_at").as_str().ok_or_else(|| missing("scheduled_at"))?;
        let at = moment(at, context.now)?;
        let email = self.emails.get_mut(request.param("id")).ok_or_else(|| not_found("Email"))?;
        if !email.waits() {
            return Err(invalid("The email has been sent already, or was canceled."));
        }
        email.scheduled_at = Some(at);
        answer(&json!({"object": "email", "id": email.mail.id}))
    }

    pub(super) fn cancel(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let email = self.emails.get_mut(request.param("id")).ok_or_else(|| not_found("Email"))?;
        if !email.waits() {
            return Err(invalid("The email has been sent already, or was canceled."));
        }
        email.last_event = "canceled";
        answer(&json!({"object": "email", "id": email.mail.id}))
    }

    /// Mail whose time has come leaves, in the order of the times.
    pub(super) fn send_what_is_due(&mut self, context: &mut Context<'_>) {
        let due = self.emails.oldest_first().filter(|email| email.waits());
        let due = due.filter_map(|email| Some((email.scheduled_at?, email.mail.id.clone())));
        let mut due: Vec<_> = due.filter(|(at, _)| *at <= context.now).collect();
        due.sort();
        let now = context.now;
        for (at, id) in due {
            context.now = at;
            self.depart(context, &id);
        }
        context.now = now;
    }

    /// A receiver's doing: `{"id": …}`.
    pub(super) fn befalls(
        &mut self,
        context: &mut Context<'_>,
        action: &str,
        argument: &Value,
    ) -> Result<Value, String> {
        let last_event = match action {
            "bounce" => "bounced",
            "complain" => "complained",
            "open" => "opened",
            "click" => "clicked",
            _ => return Err(format!("unknown action `{action}`")),
        };
        let befallen: Befallen = serde_json::from_value(argument.clone()).map_err(|error| error.to_string())?;
        if !self.emails.contains(&befallen.id) {
            return Err(format!("there is no email `{}`", befallen.id));
        }
        self.happened(context, &befallen.id, last_event);
        Ok(json!({ "last_event": last_event }))
    }

    /// Checks and keeps a message, and lets it leave unless it has to wait.
    fn take(&mut self, context: &mut Context<'_>, fields: Fields<'_>) -> Result<String, Reply> {
        let email = self.read(context, fields)?;
        let id = email.mail.id.clone();
        let waits = email.waits();
        self.emails.insert(&id, email);
        if !waits {
            self.depart(context, &id);
        }
        Ok(id)
    }

    fn read(&self, context: &mut Context<'_>, fields: Fields<'_>) -> Result<Email, Reply> {
        let text = |name: &str| fields.get(name).as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        let from = text("from").ok_or_else(|| missing("from"))?;
        let (from_name, sender) =
            address(&from).ok_or_else(|| invalid(&format!("Invalid `from` field. {BAD_ADDRESS}")))?;
        let to = strings(fields.get("to"));
        let recipients = addresses("to", &to)?;
        if to.is_empty() {
            return Err(missing("to"));
        }
        if to.len() > RECIPIENTS_MAX {
            return Err(invalid("The `to` field must have at most 50 addresses."));
        }
        let subject = text("subject").ok_or_else(|| missing("subject"))?;
        let (html, plain) = (text("html"), text("text"));
        if html.is_none() && plain.is_none() {
            return Err(error(422, "validation_error", "Missing `html` or `text` field."));
        }
        self.check_sender(&sender)?;
        let scheduled_at = text("scheduled_at").map(|at| moment(&at, context.now)).transpose()?;
        let mail = Mail {
            id: uuid(context, "email"),
            to: recipients,
            cc: addresses("cc", &strings(fields.get("cc")))?,
            bcc: addresses("bcc", &strings(fields.get("bcc")))?,
            reply_to: addresses("reply_to", &strings(fields.get("reply_to")))?,
            from: sender,
            from_name,
            subject,
            text: plain.unwrap_or_default(),
            html: html.unwrap_or_default(),
            attachments: attachments(fields.get("attachments"))?,
            accepted_at: context.now,
        };
        let (tags, headers) = (fields.get("tags").clone(), fields.get("headers").clone());
        let last_event = if scheduled_at.is_some() { "scheduled" } else { "sent" };
        Ok(Email { mail, from, to, tags, headers, scheduled_at, last_event })
    }

    /// A message leaves, and arrives or does not by the service's own test addresses.
    fn depart(&mut self, context: &mut Context<'_>, id: &str) {
        let Some(email) = self.emails.get(id) else { return };
        let fate = match email.mail.to.first().and_then(|to| to.strip_suffix("@resend.dev")) {
            Some(local) if local.starts_with("bounced") => "bounced",
            Some(local) if local.starts_with("complained") => "complained",
            _ => "delivered",
        };
        self.happened(context, id, "sent");
        self.happened(context, id, fate);
    }

    fn happened(&mut self, context: &mut Context<'_>, id: &str, last_event: &'static str) {
        let Some(email) = self.emails.get_mut(id) else { return };
        email.last_event = last_event;
        if self.endpoints.is_empty() {
            return;
        }
        let mut data = json!({"email_id": id, "created_at": written(email.mail.accepted_at), "from": email.from,
            "to": email.to, "subject": email.mail.subject});
        if !email.tags.is_null() {
            data["tags"] = email.tags.clone();
        }
        if last_event == "bounced" {
            data["bounce"] = json!({"type": "Permanent", "subType": "General", "message": "The recipient's address does not exist."});
        }
        context.emit(webhooks::event(context.now, &format!("email.{last_event}"), &data));
    }
}

/// The message of an error that is not answered by itself.
fn message(refused: &Reply) -> Value {
    serde_json::from_slice::<Value>(&refused.body.bytes()).map(|body| body["message"].clone()).unwrap_or_default()
}

/// One text, or many.
fn strings(value: &Value) -> Vec<String> {
    match value {
        Value::String(one) => vec![one.clone()],
        Value::Array(many) => many.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => Vec::new(),
    }
}

/// The addresses alone.
fn addresses(field: &str, given: &[String]) -> Result<Vec<String>, Reply> {
    let alone = |text: &String| address(text).map(|(_, address)| address);
    let wrong = || invalid(&format!("Invalid `{field}` field. {BAD_ADDRESS}"));
    given.iter().map(|text| alone(text).ok_or_else(wrong)).collect()
}

/// Content in base64 (or as bytes), or an address that nobody fetches here.
fn attachments(value: &Value) -> Result<Vec<Attachment>, Reply> {
    let read = |given: &Value| {
        let size = match (&given["content"], &given["path"]) {
            (Value::String(text), _) => BASE64_STANDARD.decode(text).ok()?.len(),
            (Value::Array(bytes), _) => bytes.len(),
            (Value::Object(buffer), _) => buffer.get("data")?.as_array()?.len(),
            (_, Value::String(_)) => 0,
            _ => return None,
        };
        let filename = given["filename"].as_str().or_else(|| given["path"].as_str()?.rsplit('/').next());
        let content_type = given["content_type"].as_str().unwrap_or("application/octet-stream").to_owned();
        Some(Attachment { filename: filename?.to_owned(), content_type, size_bytes: size })
    };
    let wrong = || error(422, "invalid_attachment", "Attachment must have either a `content` or `path`.");
    value.as_array().into_iter().flatten().map(|given| read(given).ok_or_else(wrong)).collect()
}

/// `2026-11-20T13:00:00Z`, or `in 5 minutes`.
fn moment(text: &str, now: Timestamp) -> Result<Timestamp, Reply> {
    let wrong = || invalid("The `scheduled_at` field must be a valid date in ISO 8601 format or in natural language.");
    let at = text.parse().ok().or_else(|| relative(text, now)).ok_or_else(wrong)?;
    if at < now {
        return Err(invalid("The `scheduled_at` field must be in the future."));
    }
    if at.duration_since(now) > AHEAD_MAX {
        return Err(invalid("The `scheduled_at` field must be at most 30 days ahead."));
    }
    Ok(at)
}

fn relative(text: &str, now: Timestamp) -> Option<Timestamp> {
    let mut words = text.strip_prefix("in ")?.split_whitespace();
    let (number, unit) = (words.next()?.parse::<i64>().ok()?, words.next()?);
    let seconds = match unit.trim_end_matches('s') {
        "sec" | "second" => 1,
        "min" | "minute" => 60,
        "h" | "hour" => 3_600,
        "day" => 86_400,
        _ => return None,
    };
    now.checked_add(SignedDuration::from_secs(number.checked_mul(seconds)?)).ok()
}
