//! A call as people and tools see it: JSON where it is JSON, credentials shortened.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::Entry;
use crate::{
    engine::fault::FaultKind,
    http::{Body, Content, Part, Reply, Request},
    twin::Violation,
};

/// One request and what became of it.
#[derive(Clone, Debug, Serialize)]
pub struct Call {
    /// Counts from 1, over all twins of the space.
    pub seq: u64,
    pub twin: String,
    /// None: the twin has no such operation.
    pub operation: Option<&'static str>,
    pub request: CallRequest,
    /// None: nothing was answered (a fault).
    pub response: Option<CallResponse>,
    pub fault: Option<FaultKind>,
    /// The number of the fault rule that hit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<u32>,
    /// Fields of the request that the twin did not look at; none where the operation keeps no record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unread: Option<Vec<String>>,
    /// What the service's own description forbids in the request, where the twin has one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub violations: Vec<Violation>,
    pub virtual_at: Timestamp,
    pub space: String,
}

/// Exactly one of `form`, `json` and `text` is there, or none for an empty body.
#[derive(Clone, Debug, Serialize)]
pub struct CallRequest {
    pub method: String,
    pub path: String,
    pub query: Value,
    /// Credentials are shortened to their last four characters.
    pub headers: Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub form: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub json: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// `json` or `text` (a stream's text), or none for an empty body.
#[derive(Clone, Debug, Serialize)]
pub struct CallResponse {
    pub status: u16,
    pub headers: Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub json: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

impl Entry {
    pub(crate) fn call(&self, space: &str) -> Call {
        Call {
            seq: self.seq,
            twin: self.twin.to_string(),
            operation: self.operation,
            request: CallRequest::of(&self.request.unfolded()),
            response: self.reply.as_deref().map(CallResponse::of),
            fault: self.fault,
            rule: self.rule,
            unread: self.unread.clone(),
            violations: self.violations.clone(),
            virtual_at: self.virtual_at,
            space: space.to_owned(),
        }
    }
}

impl CallRequest {
    pub(crate) fn of(request: &Request) -> Self {
        let shown = |(name, value): (&str, &str)| (name.to_owned(), Value::String(redacted(name, value).into_owned()));
        let (mut form, mut json, mut text) = (None, None, None);
        match &request.content {
            Content::Form(value) => form = Some(value.clone()),
            Content::Json(value) => json = Some(value.clone()),
            Content::Text(value) => text = Some(value.clone()),
            Content::Malformed(_) | Content::Bytes => {
                text = Some(String::from_utf8_lossy(&request.body).into_owned());
            }
            Content::Multipart(parts) => form = Some(shown_parts(parts)),
            Content::Empty | Content::TooLarge => {}
        }
        Self {
            method: request.method.clone(),
            path: request.path.clone(),
            query: request.query.clone(),
            headers: request.headers.iter().map(shown).collect(),
            form,
            json,
            text,
        }
    }
}

impl CallResponse {
    fn of(reply: &Reply) -> Self {
        let (mut json, mut text) = (None, None);
        match &reply.body {
            Body::Empty => {}
            Body::Json(bytes) => json = serde_json::from_slice(bytes).ok(),
            body @ (Body::Bytes(_) | Body::Events(_)) => {
                text = Some(String::from_utf8_lossy(&body.bytes()).into_owned())
            }
        }
        let shown = |(name, value): &(Cow<'static, str>, String)| (name.to_string(), Value::String(value.clone()));
        Self { status: reply.status, headers: reply.headers.iter().map(shown).collect(), json, text }
    }
}

/// Files by name and size: their bytes are in the request, not in the journal's view of it.
fn shown_parts(parts: &[Part]) -> Value {
    let shown = |part: &Part| match &part.file_name {
        Some(file) => json!({"file_name": file, "content_type": part.content_type, "bytes": part.bytes.len()}),
        None => Value::String(String::from_utf8_lossy(&part.bytes).into_owned()),
    };
    parts.iter().map(|part| (part.name.clone(), shown(part))).collect::<Map<_, _>>().into()
}

/// What is shown of a header.
pub(super) fn redacted<'v>(name: &str, value: &'v str) -> Cow<'v, str> {
    if !matches!(name, "authorization" | "x-api-key" | "cookie" | "proxy-authorization") {
        return Cow::Borrowed(value);
    }
    let tail: Vec<char> = value.chars().rev().take(4).collect();
    Cow::Owned(format!("[redacted]{}", tail.into_iter().rev().collect::<String>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_shortened() {
        assert_eq!(redacted("authorization", "Bearer sk_test_1234"), "[redacted]1234");
        assert_eq!(redacted("accept", "text/html"), "text/html");
    }
}
