use axum::body::Bytes;
use hyper::{HeaderMap, header::CONTENT_TYPE};
use serde_json::Value;

use super::nested;

/// A request as twins and the journal see it.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) raw_query: String,
    pub(crate) query: Value,
    /// Lower-case names, sorted, so that the journal does not depend on the client's order.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Bytes,
    pub(crate) content: Content,
    /// Set by the router.
    pub(crate) params: Vec<(&'static str, String)>,
}

/// The body, by its content type.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Content {
    Empty,
    Form(Value),
    Json(Value),
    Text(String),
    Malformed(String),
    TooLarge,
}

impl Request {
    /// `body` is `None` where it was larger than the twin takes.
    pub(crate) fn new(parts: &hyper::http::request::Parts, body: Option<Bytes>) -> Self {
        let content = body.as_ref().map_or(Content::TooLarge, |body| Content::of(&parts.headers, body));
        let raw_query = parts.uri.query().unwrap_or_default().to_owned();
        Self {
            method: parts.method.as_str().to_owned(),
            path: parts.uri.path().to_owned(),
            query: nested(raw_query.as_bytes()),
            raw_query,
            headers: sorted(&parts.headers),
            body: body.unwrap_or_default(),
            content,
            params: Vec::new(),
        }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let index = self.headers.binary_search_by(|(known, _)| known.as_str().cmp(name)).ok()?;
        Some(&self.headers[index].1)
    }

    /// The token of `Authorization: Bearer …`.
    pub(crate) fn bearer(&self) -> Option<&str> {
        let (scheme, token) = self.header("authorization")?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
    }

    /// A parameter of the operation's path.
    pub(crate) fn param(&self, name: &str) -> &str {
        let found = self.params.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| value.as_str()).expect("the operation's path declares this parameter")
    }

    /// The fields that an operation reads: a form, a JSON object, or the query.
    pub(crate) fn fields(&self) -> &Value {
        match &self.content {
            Content::Form(value) | Content::Json(value) => value,
            Content::Empty | Content::Text(_) | Content::Malformed(_) | Content::TooLarge => &self.query,
        }
    }
}

impl Content {
    fn of(headers: &HeaderMap, body: &Bytes) -> Self {
        if body.is_empty() {
            return Self::Empty;
        }
        let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if kind.contains("json") {
            serde_json::from_slice(body).map_or_else(|error| Self::Malformed(error.to_string()), Self::Json)
        } else if kind.starts_with("application/x-www-form-urlencoded") {
            Self::Form(nested(body))
        } else {
            Self::Text(String::from_utf8_lossy(body).into_owned())
        }
    }
}

fn sorted(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |value: &hyper::header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let mut all: Vec<_> = headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect();
    all.sort();
    all
}
