//! A mail message (RFC 5322 with MIME) as assertions see it: headers decoded, bodies as text, attachments by name and
//! size. Whatever the bytes are, something is read from them.

use std::collections::BTreeMap;

use axum::body::Bytes;
use mail_parser::{Address, HeaderForm, HeaderName, Message, MessageParser, MessagePart, MimeHeaders, PartType};
use serde::Serialize;
use serde_json::Value;

const HEADERS_MAX: usize = 500; // names of one message; mail has dozens
const ATTACHMENTS_MAX: usize = 1_000;

/// What a message says of itself.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Letter {
    pub(crate) from: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) from_name: Option<String>,
    /// Addresses alone, as in the other lists.
    pub(crate) to: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) cc: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) bcc: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) reply_to: Vec<String>,
    pub(crate) subject: String,
    pub(crate) text: String,
    pub(crate) html: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) attachments: Vec<Enclosure>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) message_id: Option<String>,
    /// By name in lower case; a list where one comes again.
    pub(crate) headers: BTreeMap<String, Value>,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Enclosure {
    pub(crate) filename: String,
    pub(crate) content_type: String,
    pub(crate) size_bytes: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) content_id: Option<String>,
}

pub(crate) fn read(bytes: &[u8]) -> Letter {
    let Some(message) = MessageParser::default().parse(bytes) else { return Letter::default() };
    let sender = message.from().and_then(Address::first);
    let text = |part: &MessagePart<'_>| match &part.body {
        PartType::Text(text) => Some(text.to_string()),
        _ => None,
    };
    let html = |part: &MessagePart<'_>| match &part.body {
        PartType::Html(text) => Some(text.to_string()),
        _ => None,
    };
    Letter {
        from: sender.and_then(|sender| sender.address()).map(str::to_owned),
        from_name: sender.and_then(|sender| sender.name()).map(str::to_owned),
        to: addresses(message.to()),
        cc: addresses(message.cc()),
        bcc: addresses(message.bcc()),
        reply_to: addresses(message.reply_to()),
        subject: message.subject().unwrap_or_default().to_owned(),
        text: message.text_bodies().filter_map(text).collect::<Vec<_>>().join("\n"),
        html: message.html_bodies().filter_map(html).collect::<Vec<_>>().join("\n"),
        attachments: message.attachments().take(ATTACHMENTS_MAX).map(enclosure).collect(),
        message_id: message.message_id().map(str::to_owned),
        headers: headers(&message),
    }
}

/// The bytes of an attachment, counted from 0, with its content type.
pub(crate) fn attachment(bytes: &[u8], number: u32) -> Option<(String, Bytes)> {
    let message = MessageParser::default().parse(bytes)?;
    let part = message.attachment(number)?;
    Some((content_type(part), Bytes::copy_from_slice(part.contents())))
}

fn addresses(list: Option<&Address<'_>>) -> Vec<String> {
    list.into_iter().flat_map(Address::iter).filter_map(|one| one.address().map(str::to_owned)).collect()
}

fn enclosure(part: &MessagePart<'_>) -> Enclosure {
    Enclosure {
        filename: part.attachment_name().unwrap_or_default().to_owned(),
        content_type: content_type(part),
        size_bytes: part.contents().len(),
        content_id: part.content_id().map(str::to_owned),
    }
}

fn content_type(part: &MessagePart<'_>) -> String {
    let known = part.content_type().map(|kind| match kind.subtype() {
        Some(subtype) => format!("{}/{subtype}", kind.ctype()).to_ascii_lowercase(),
        None => kind.ctype().to_ascii_lowercase(),
    });
    known.unwrap_or_else(|| "application/octet-stream".to_owned())
}

fn headers(message: &Message<'_>) -> BTreeMap<String, Value> {
    let mut all = BTreeMap::new();
    for header in message.headers() {
        let name = header.name.as_str().to_ascii_lowercase();
        if all.len() == HEADERS_MAX || all.contains_key(&name) {
            continue;
        }
        let values = decoded(message, &header.name);
        let shown = match <[String; 1]>::try_from(values) {
            Ok([one]) => Value::String(one),
            Err(several) => several.into(),
        };
        all.insert(name, shown);
    }
    all
}

fn decoded(message: &Message<'_>, name: &HeaderName<'_>) -> Vec<String> {
    let values = message.header_as(name.to_owned(), HeaderForm::Text);
    values.into_iter().map(|value| value.into_text().unwrap_or_default().trim().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &[u8] = b"From: =?utf-8?q?J=C3=B6rg?= <joerg@shop.test>\r\nTo: Ann <ann@example.com>, bob@example.com\r\n\
        Subject: =?utf-8?b?R3LDvMOfZQ==?=\r\nX-Tag: one\r\nX-Tag: two\r\nMessage-ID: <1@shop.test>\r\n\
        MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\
        Content-Type: multipart/alternative; boundary=c\r\n\r\n--c\r\nContent-Type: text/plain; charset=iso-8859-1\r\n\
        Content-Transfer-Encoding: quoted-printable\r\n\r\nZw=F6lf\r\n--c\r\nContent-Type: text/html\r\n\r\n<p>Hi</p>\r\n--c--\r\n\
        --b\r\nContent-Type: text/csv\r\nContent-Disposition: attachment; filename=a.csv\r\n\
        Content-Transfer-Encoding: base64\r\n\r\nYSxi\r\n--b--\r\n";

    #[test]
    fn headers_bodies_and_attachments_are_decoded() {
        let letter = read(WHOLE);
        assert_eq!((letter.from.as_deref(), letter.from_name.as_deref()), (Some("joerg@shop.test"), Some("Jörg")));
        assert_eq!(
            (letter.to, letter.subject.as_str()),
            (vec!["ann@example.com".into(), "bob@example.com".into()], "Grüße")
        );
        assert_eq!((letter.text.trim(), letter.html.trim()), ("Zwölf", "<p>Hi</p>"));
        let attached = &letter.attachments[0];
        assert_eq!(
            (attached.filename.as_str(), attached.content_type.as_str(), attached.size_bytes),
            ("a.csv", "text/csv", 3)
        );
        assert_eq!(attachment(WHOLE, 0).expect("is there").1, "a,b");
        assert!(attachment(WHOLE, 1).is_none());
        assert_eq!(letter.headers["x-tag"], serde_json::json!(["one", "two"]));
        assert_eq!(letter.headers["subject"], "Grüße");
    }

    #[test]
    fn text_without_any_header_is_a_body() {
        assert_eq!(read(b"\r\njust text\r\n").text.trim(), "just text");
        assert_eq!(read(b"").subject, "");
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read(bytes: Vec<u8>) {
            read(&bytes);
        }
    }
}
