//! One exchange as a file has it: a YAML document of `when` and `then`, bodies as text.

use axum::body::Bytes;
use located::{Source, yaml};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::redact::{Redactor, keeps};
use crate::http::{Body, Content, Reply, Request};

const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024; // thousands of exchanges

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Exchange {
    pub(super) when: When,
    pub(super) then: Then,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct When {
    pub(super) path: String,
    pub(super) method: String,
    #[serde(default)]
    pub(super) query_param: Vec<Pair>,
    #[serde(default)]
    pub(super) header: Vec<Pair>,
    pub(super) body: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Then {
    pub(super) status: u16,
    #[serde(default)]
    pub(super) header: Vec<Pair>,
    pub(super) body: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pair {
    pub(super) name: String,
    pub(super) value: String,
}

impl Exchange {
    pub(super) fn of(request: &Request, reply: &Reply, redactor: &Redactor) -> Self {
        let clean = |text: &str| redactor.text(text, request);
        let kept = |name: &str, value: &str| keeps(name).then(|| Pair { name: name.to_owned(), value: clean(value) });
        let query = url::form_urlencoded::parse(request.raw_query.as_bytes());
        let text = String::from_utf8_lossy(&reply.body.bytes()).into_owned();
        Self {
            when: When {
                path: request.path.clone(),
                method: request.method.clone(),
                query_param: query
                    .map(|(name, value)| Pair { name: name.into_owned(), value: clean(&value) })
                    .collect(),
                header: request.headers.iter().filter_map(|(name, value)| kept(name, value)).collect(),
                body: body_of(request).map(|body| clean(&body)),
            },
            then: Then {
                status: reply.status,
                header: reply.headers.iter().filter_map(|(name, value)| kept(name, value)).collect(),
                body: (!text.is_empty()).then(|| clean(&text)),
            },
        }
    }

    /// All exchanges of a file, in their order.
    pub(super) fn read(path: &std::path::Path) -> Result<Vec<Self>, String> {
        let shown = path.display();
        let cannot = |error: std::io::Error| format!("cannot read `{shown}`: {error}");
        let size = std::fs::metadata(path).map_err(cannot)?.len();
        if size > FILE_BYTES_MAX {
            return Err(format!("`{shown}` has {size} bytes; at most {FILE_BYTES_MAX} are played"));
        }
        let text = std::fs::read_to_string(path).map_err(cannot)?;
        let text = text.strip_prefix("---\n").unwrap_or(&text);
        let documents = text.split("\n---\n").filter(|document| !document.trim().is_empty());
        documents
            .enumerate()
            .map(|(n, document)| Self::parse(&format!("{shown} (document {})", n + 1), document))
            .collect()
    }

    /// JSON, as this crate writes it, or YAML.
    pub(crate) fn parse(name: &str, document: &str) -> Result<Self, String> {
        if document.trim_start().starts_with('{') {
            return serde_json::from_str(document).map_err(|error| format!("{name}: {error}"));
        }
        yaml(&Source::new(name, document)).map_err(|error| error.to_string())
    }

    pub(crate) fn reply(&self) -> Reply {
        let body = self.then.body.clone().unwrap_or_default();
        let header =
            |name: &str| self.then.header.iter().find(|pair| pair.name == name).map(|pair| pair.value.as_str());
        let body = if header("content-type").is_some_and(|kind| kind.starts_with("text/event-stream")) {
            Body::Events(events(&body))
        } else {
            Body::Bytes(body.into())
        };
        let mut reply = Reply::new(self.then.status, body);
        for pair in &self.then.header {
            reply.set(pair.name.clone(), pair.value.clone());
        }
        reply
    }
}

/// A stream's text as its events.
pub(super) fn events(text: &str) -> Vec<Bytes> {
    text.split_inclusive("\n\n").map(|event| Bytes::from(event.to_owned())).collect()
}

/// The body as text: forms of parts by what they hold, as their boundary differs each time.
pub(super) fn body_of(request: &Request) -> Option<String> {
    match &request.content {
        Content::Empty | Content::TooLarge => None,
        Content::Multipart(parts) => {
            let shown = |part: &crate::http::Part| {
                let held = String::from_utf8(part.bytes.to_vec());
                let held = held.unwrap_or_else(|_| format!("blake3:{}", blake3::hash(&part.bytes).to_hex()));
                (part.name.clone(), serde_json::json!({"file_name": part.file_name, "content": held}))
            };
            Some(Value::Object(parts.iter().map(shown).collect()).to_string())
        }
        Content::Form(_) | Content::Json(_) | Content::Text(_) | Content::Bytes | Content::Malformed(_) => {
            Some(String::from_utf8_lossy(&request.body).into_owned())
        }
    }
}
