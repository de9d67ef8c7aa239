//! The journal as an HTTP archive, version 1.2, for the tools that read those. Times are virtual, so durations are
//! zero; what the format has no place for begins with an underscore, as the format asks for.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Map, Value, json};

use super::{Entry, call::redacted};

pub(crate) fn har<'a>(entries: impl Iterator<Item = &'a Entry>, space: &str) -> Value {
    json!({"log": {
        "version": "1.2",
        "creator": {"name": "twins", "version": env!("CARGO_PKG_VERSION")},
        "entries": entries.map(|entry| shown(entry, space)).collect::<Vec<_>>(),
    }})
}

fn shown(entry: &Entry, space: &str) -> Value {
    json!({
        "startedDateTime": entry.virtual_at, "time": 0, "request": request(entry), "response": response(entry),
        "cache": {}, "timings": {"send": 0, "wait": 0, "receive": 0},
        "comment": format!("call {} of space {space}", entry.seq),
        "_seq": entry.seq, "_twin": &*entry.twin, "_operation": entry.operation, "_fault": entry.fault,
        "_hash": entry.hash.to_hex().as_str(),
    })
}

fn request(entry: &Entry) -> Value {
    let request = &entry.request;
    let mark = if request.raw_query.is_empty() { "" } else { "?" };
    let headers = request.headers.iter();
    let headers: Vec<_> = headers.map(|(name, value)| json!({"name": name, "value": redacted(name, value)})).collect();
    let pairs = url::form_urlencoded::parse(request.raw_query.as_bytes());
    let mut shown = json!({
        "method": request.method, "url": format!("{}{}{mark}{}", request.origin(), request.path, request.raw_query),
        "httpVersion": "HTTP/1.1", "cookies": [], "headers": headers,
        "queryString": pairs.map(|(name, value)| json!({"name": name, "value": value})).collect::<Vec<_>>(),
        "headersSize": -1, "bodySize": request.body.len(),
    });
    if !request.body.is_empty() {
        let kind = request.header("content-type").unwrap_or_default();
        shown["postData"] = json!({"mimeType": kind, "params": [], "text": String::from_utf8_lossy(&request.body)});
    }
    shown
}

/// Status 0: nothing was answered.
fn response(entry: &Entry) -> Value {
    let (mut status, mut headers, mut content) = (0, Vec::new(), Map::new());
    let mut kind = String::new();
    let mut size = 0;
    if let Some(reply) = &entry.reply {
        status = reply.status;
        size = reply.body.len();
        for (name, value) in &reply.headers {
            headers.push(json!({"name": name, "value": value}));
            if name == "content-type" {
                kind.clone_from(value);
            }
        }
        let bytes = reply.body.bytes();
        match std::str::from_utf8(&bytes) {
            Ok(text) => drop(content.insert("text".to_owned(), text.into())),
            Err(_) => {
                content.insert("text".to_owned(), BASE64_STANDARD.encode(&bytes).into());
                content.insert("encoding".to_owned(), "base64".into());
            }
        }
    }
    content.insert("size".to_owned(), size.into());
    content.insert("mimeType".to_owned(), kind.into());
    let reason = hyper::StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
    json!({
        "status": status, "statusText": reason.unwrap_or_default(), "httpVersion": "HTTP/1.1", "cookies": [],
        "headers": headers, "content": content, "redirectURL": "", "headersSize": -1, "bodySize": size,
    })
}
