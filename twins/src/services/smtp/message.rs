//! A message that was taken: what it says of itself, and the envelope that it came in.

use std::collections::BTreeMap;

use axum::body::Bytes;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use crate::{
    http::Request,
    mime,
    services::mail::{Attachment, Mail},
};

#[derive(Clone, Serialize)]
pub(super) struct Message {
    #[serde(flatten)]
    mail: Mail,
    #[serde(skip_serializing_if = "Option::is_none")]
    message_id: Option<String>,
    headers: BTreeMap<String, Value>,
    envelope: Envelope,
    size_bytes: usize,
    #[serde(skip)]
    pub(super) raw: Bytes,
}

/// Who really gets it, whatever the headers say.
#[derive(Clone, Serialize)]
struct Envelope {
    from: String,
    to: Vec<String>,
    helo: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls: Option<String>,
}

impl Message {
    pub(super) fn new(id: &str, request: &Request, accepted_at: Timestamp) -> Self {
        let letter = mime::read(&request.body);
        let envelope = Envelope::of(request);
        let attachment = |one: mime::Enclosure| Attachment {
            filename: one.filename,
            content_type: one.content_type,
            size_bytes: one.size_bytes,
        };
        let named = |address: &str| letter.to.iter().chain(&letter.cc).any(|known| known.eq_ignore_ascii_case(address));
        // Whom no header names is a blind copy, unless no header names anybody.
        let unnamed: Vec<_> = envelope.to.iter().filter(|address| !named(address)).cloned().collect();
        let names_nobody = letter.to.is_empty() && letter.cc.is_empty();
        let (to, bcc) = if names_nobody { (unnamed, letter.bcc) } else { (letter.to, unnamed) };
        let mail = Mail {
            id: id.to_owned(),
            to,
            cc: letter.cc,
            bcc,
            reply_to: letter.reply_to,
            from: letter.from.unwrap_or_else(|| envelope.from.clone()),
            from_name: letter.from_name,
            subject: letter.subject,
            text: letter.text,
            html: letter.html,
            attachments: letter.attachments.into_iter().map(attachment).collect(),
            accepted_at,
        };
        let (message_id, headers) = (letter.message_id, letter.headers);
        Self { mail, message_id, headers, envelope, size_bytes: request.body.len(), raw: request.body.clone() }
    }
}

impl Envelope {
    fn of(request: &Request) -> Self {
        let fact = |name: &str| request.header(name).map(str::to_owned);
        let to = request.header("rcpt-to").unwrap_or_default();
        Self {
            from: fact("mail-from").unwrap_or_default(),
            to: to.split(", ").filter(|address| !address.is_empty()).map(str::to_owned).collect(),
            helo: fact("helo").unwrap_or_default(),
            user: fact("user"),
            tls: fact("tls"),
        }
    }
}
