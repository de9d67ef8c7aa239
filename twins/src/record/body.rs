//! A body as a recording has it: by what it is, without secrets; what is no text, by its hash and size.

use std::io::Read as _;

use axum::body::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::redact::Redactor;
use crate::{
    http::{frames, parts},
    shape::{AnswerShape, Shape},
};

const UNPACKED_BYTES_MAX: u64 = 16 * 1024 * 1024; // as much as is kept of a plain body

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Written {
    Json(Value),
    /// Pairs in their order, decoded.
    Form(Vec<(String, String)>),
    Text(String),
    /// The frames of a stream, each with its blank line.
    Events(Vec<String>),
    Parts(Vec<WrittenPart>),
    /// What is no text, or too long to be kept.
    Bytes {
        blake3: String,
        size: u64,
    },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WrittenPart {
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    file_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content_type: Option<String>,
    body: Box<Written>,
}

/// A body as it came over the wire.
pub(super) struct Raw {
    pub(super) bytes: Vec<u8>,
    pub(super) size: u64,
    pub(super) hash: String,
    /// `bytes` is all of it.
    pub(super) whole: bool,
    pub(super) content_type: String,
    pub(super) is_gzip: bool,
}

impl Raw {
    /// None for an empty body.
    pub(super) fn written(&self, redactor: &Redactor) -> Option<Written> {
        if self.size == 0 {
            return None;
        }
        let opaque = || Written::Bytes { blake3: self.hash.clone(), size: self.size };
        let bytes = if self.whole { self.unpacked() } else { None };
        Some(bytes.and_then(|bytes| text_of(&self.content_type, bytes, redactor)).unwrap_or_else(opaque))
    }

    fn unpacked(&self) -> Option<Bytes> {
        if !self.is_gzip {
            return Some(self.bytes.clone().into());
        }
        let mut plain = Vec::new();
        let mut unpacking = flate2::read::MultiGzDecoder::new(&*self.bytes).take(UNPACKED_BYTES_MAX + 1);
        let size = unpacking.read_to_end(&mut plain).ok()?;
        (size as u64 <= UNPACKED_BYTES_MAX).then(|| plain.into())
    }
}

/// None where it is no text.
fn text_of(kind: &str, bytes: Bytes, redactor: &Redactor) -> Option<Written> {
    if kind.starts_with("multipart/form-data") {
        let parts = parts(kind, &bytes).ok()?;
        return Some(Written::Parts(parts.into_iter().map(|part| WrittenPart::of(part, redactor)).collect()));
    }
    let text = std::str::from_utf8(&bytes).ok()?;
    if kind.contains("json")
        && let Ok(value) = serde_json::from_str::<Value>(text)
    {
        return Some(Written::Json(redactor.json("", &value)));
    }
    if kind.starts_with("application/x-www-form-urlencoded") {
        let pairs = url::form_urlencoded::parse(&bytes);
        let clean = pairs.map(|(name, value)| (redactor.text(&name), redactor.field(&name, &value)));
        return Some(Written::Form(clean.collect()));
    }
    if kind.starts_with("text/event-stream") {
        return Some(Written::Events(frames(text).map(|frame| clean_frame(frame, redactor)).collect()));
    }
    Some(Written::Text(redactor.text(text)))
}

/// JSON in an event is cleaned as JSON, so that fields that hold secrets lose them.
fn clean_frame(frame: &str, redactor: &Redactor) -> String {
    let line = |line: &str| {
        let (content, end) = line.split_at(line.trim_end_matches(['\r', '\n']).len());
        let data = content.strip_prefix("data:").map(str::trim_start);
        match data.and_then(|data| serde_json::from_str::<Value>(data).ok()) {
            Some(value @ (Value::Object(_) | Value::Array(_))) => match redactor.json("", &value) {
                clean if clean == value => line.to_owned(),
                clean => format!("data: {clean}{end}"),
            },
            _ => format!("{}{end}", redactor.text(content)),
        }
    };
    frame.split_inclusive('\n').map(line).collect()
}

impl WrittenPart {
    fn of(part: crate::http::Part, redactor: &Redactor) -> Self {
        let body = match std::str::from_utf8(&part.bytes) {
            Ok(text) => Written::Text(redactor.field(&part.name, text)),
            Err(_) => {
                Written::Bytes { blake3: blake3::hash(&part.bytes).to_hex().to_string(), size: part.bytes.len() as u64 }
            }
        };
        let file_name = part.file_name.map(|name| redactor.text(&name));
        Self { name: part.name, file_name, content_type: part.content_type, body: Box::new(body) }
    }
}

impl Written {
    pub(super) fn shape(body: Option<&Self>) -> AnswerShape {
        match body {
            None => AnswerShape::Empty,
            Some(Self::Json(value)) => AnswerShape::Json(Shape::of(value, "")),
            Some(Self::Events(frames)) => AnswerShape::of_events(frames.iter().map(String::as_str)),
            Some(Self::Text(_) | Self::Form(_)) => AnswerShape::Text,
            Some(Self::Parts(_) | Self::Bytes { .. }) => AnswerShape::Bytes,
        }
    }
}
