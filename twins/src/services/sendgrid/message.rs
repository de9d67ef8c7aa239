//! A message, flat, so that an assertion needs no knowledge of personalizations.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::services::mail::{Attachment, Mail};

#[derive(Clone, Serialize)]
pub(super) struct Message {
    #[serde(flatten)]
    mail: Mail,
    #[serde(skip_serializing_if = "Option::is_none")]
    template_id: Option<String>,
    #[serde(skip_serializing_if = "Value::is_null")]
    dynamic_template_data: Value,
    #[serde(skip_serializing_if = "Value::is_null")]
    substitutions: Value,
    #[serde(skip_serializing_if = "Map::is_empty")]
    headers: Map<String, Value>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    custom_args: Map<String, Value>,
    #[serde(skip_serializing_if = "Value::is_null")]
    categories: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) batch_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) send_at: Option<i64>,
    /// Recipients who are on a list of those who get nothing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    suppressed: Vec<String>,
}

impl Message {
    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        self.send_at.is_none_or(|at| at <= now.as_second())
    }

    pub(super) fn drop_recipients(&mut self, is_suppressed: impl Fn(&str) -> bool) {
        for list in [&mut self.mail.to, &mut self.mail.cc, &mut self.mail.bcc] {
            self.suppressed.extend(list.extract_if(.., |address| is_suppressed(address)));
        }
    }

    pub(super) fn has_recipients(&self) -> bool {
        !self.mail.to.is_empty()
    }

    pub(super) fn id(&self) -> &str {
        &self.mail.id
    }

    pub(super) fn recipients(&self) -> impl Iterator<Item = &str> {
        let Mail { to, cc, bcc, .. } = &self.mail;
        to.iter().chain(cc).chain(bcc).map(String::as_str)
    }

    pub(super) fn suppressed(&self) -> &[String] {
        &self.suppressed
    }

    pub(super) fn custom_args(&self) -> Map<String, Value> {
        self.custom_args.clone()
    }

    pub(super) fn categories(&self) -> Option<&Value> {
        Some(&self.categories).filter(|categories| !categories.is_null())
    }
}

/// One message for each personalization.
pub(super) fn messages(mail: &Value, id: &str, accepted_at: Timestamp) -> Vec<Message> {
    array(mail, "personalizations").iter().map(|to| message(mail, to, id, accepted_at)).collect()
}

fn message(mail: &Value, personalization: &Value, id: &str, accepted_at: Timestamp) -> Message {
    let part = |kind: &str| {
        let parts = array(mail, "content").iter().filter(|part| part["type"] == kind);
        parts.filter_map(|part| part["value"].as_str()).collect::<Vec<_>>().join("\n")
    };
    // What one recipient has of his own is before what all have.
    let own = |field: &str| if personalization[field].is_null() { &mail[field] } else { &personalization[field] };
    let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let from = if personalization["from"].is_null() { &mail["from"] } else { &personalization["from"] };
    let mut reply_to = addresses(mail, "reply_to_list");
    reply_to.extend(text(&mail["reply_to"]["email"]));
    Message {
        mail: Mail {
            id: id.to_owned(),
            to: addresses(personalization, "to"),
            cc: addresses(personalization, "cc"),
            bcc: addresses(personalization, "bcc"),
            reply_to,
            from: text(&from["email"]).unwrap_or_default(),
            from_name: text(&from["name"]),
            subject: text(own("subject")).unwrap_or_default(),
            text: part("text/plain"),
            html: part("text/html"),
            attachments: array(mail, "attachments").iter().map(attachment).collect(),
            accepted_at,
        },
        template_id: text(&mail["template_id"]),
        dynamic_template_data: personalization["dynamic_template_data"].clone(),
        substitutions: personalization["substitutions"].clone(),
        headers: merged(mail, personalization, "headers"),
        custom_args: merged(mail, personalization, "custom_args"),
        categories: mail["categories"].clone(),
        batch_id: text(&mail["batch_id"]),
        send_at: own("send_at").as_i64(),
        suppressed: Vec::new(),
    }
}

fn merged(mail: &Value, personalization: &Value, field: &str) -> Map<String, Value> {
    let both = [&mail[field], &personalization[field]];
    both.into_iter().filter_map(Value::as_object).flatten().map(|(name, value)| (name.clone(), value.clone())).collect()
}

fn attachment(given: &Value) -> Attachment {
    let text = |field: &str, otherwise: &str| given[field].as_str().unwrap_or(otherwise).to_owned();
    let size_bytes = BASE64_STANDARD.decode(text("content", "")).map_or(0, |bytes| bytes.len());
    Attachment { filename: text("filename", ""), content_type: text("type", "application/octet-stream"), size_bytes }
}

fn addresses(value: &Value, field: &str) -> Vec<String> {
    array(value, field).iter().filter_map(|one| Some(one["email"].as_str()?.to_owned())).collect()
}

pub(super) fn array<'v>(value: &'v Value, field: &str) -> &'v [Value] {
    value[field].as_array().map_or(&[], Vec::as_slice)
}
