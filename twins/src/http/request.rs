use std::sync::Arc;

use axum::body::Bytes;
use futures::FutureExt;
use hyper::header::CONTENT_TYPE;
use serde_json::Value;

use super::{
    Reply,
    fields::{Fields, Reads},
    headers::Headers,
    nested,
};
use crate::mime;

/// A request as twins and the journal see it.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) raw_query: String,
    pub(crate) query: Value,
    pub(crate) headers: Headers,
    pub(crate) body: Bytes,
    pub(crate) content: Content,
    /// Set by the router.
    pub(crate) params: Vec<(&'static str, String)>,
    /// The beginning of the client's path that names a space, or nothing.
    pub(crate) mount: String,
    /// How the client speaks: `http`, `https`, or what its protocol is called.
    pub(crate) scheme: &'static str,
    pub(crate) reads: Reads,
    /// What the service itself answered, where a twin records it.
    pub(crate) upstream: Option<Arc<Result<Reply, String>>>,
}

/// Marks a request that came over TLS.
#[derive(Clone, Copy, Debug)]
pub(super) struct OverTls;

/// The body, by its content type.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Content {
    Empty,
    Form(Value),
    Json(Value),
    Multipart(Vec<Part>),
    Text(String),
    /// No text: look at the request's `body`.
    Bytes,
    Malformed(String),
    TooLarge,
}

/// One part of a `multipart/form-data` body.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Part {
    pub(crate) name: String,
    pub(crate) file_name: Option<String>,
    pub(crate) content_type: Option<String>,
    pub(crate) bytes: Bytes,
}

impl Request {
    /// `body` is `None` where it was larger than the twin takes; the path begins behind its first `mount_bytes`.
    pub(crate) fn new(parts: &hyper::http::request::Parts, mount_bytes: usize, body: Option<Bytes>) -> Self {
        let kind = parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let content = body.as_ref().map_or(Content::TooLarge, |body| Content::of(kind, body));
        let (mount, path) = parts.uri.path().split_at(mount_bytes);
        let raw_query = parts.uri.query().unwrap_or_default().to_owned();
        Self {
            method: parts.method.as_str().to_owned(),
            path: if path.is_empty() { "/".to_owned() } else { path.to_owned() },
            query: nested(raw_query.as_bytes()),
            raw_query,
            headers: Headers::of(&parts.headers),
            body: body.unwrap_or_default(),
            content,
            params: Vec::new(),
            mount: mount.to_owned(),
            scheme: if parts.extensions.get::<OverTls>().is_some() { "https" } else { "http" },
            reads: Reads::default(),
            upstream: None,
        }
    }

    /// A request of a client that does not speak HTTP: what it wants, with what, and what is known of it.
    pub(crate) fn told(method: &str, content_type: &str, body: Option<Bytes>, facts: &[(&str, &str)]) -> Self {
        let mut headers: Vec<_> = facts.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
        headers.push((CONTENT_TYPE.as_str(), content_type.as_bytes()));
        Self {
            method: method.to_owned(),
            path: "/".to_owned(),
            query: nested(b""),
            raw_query: String::new(),
            headers: Headers::sorted(headers),
            content: body.as_ref().map_or(Content::TooLarge, |body| Content::of(content_type, body)),
            body: body.unwrap_or_default(),
            params: Vec::new(),
            mount: String::new(),
            scheme: "tcp",
            reads: Reads::default(),
            upstream: None,
        }
    }

    /// A request without headers and body.
    #[cfg(test)]
    pub(crate) fn bare(method: &str, path_and_query: &str) -> Self {
        let request = hyper::Request::builder().method(method).uri(path_and_query).body(());
        Self::new(&request.expect("is a request").into_parts().0, 0, Some(Bytes::new()))
    }

    /// Lets go of what can be read again from the bytes: it is several times their size.
    pub(crate) fn fold(&mut self) {
        (self.query, self.content) = (Value::Null, Content::Empty);
    }

    /// A folded request as it was.
    pub(crate) fn unfolded(&self) -> Self {
        let content = Content::of(self.header(CONTENT_TYPE.as_str()).unwrap_or_default(), &self.body);
        Self { query: nested(self.raw_query.as_bytes()), content, ..self.clone() }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)
    }

    /// The token of `Authorization: Bearer …`.
    pub(crate) fn bearer(&self) -> Option<&str> {
        let (scheme, token) = self.header("authorization")?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
    }

    /// The service's own address, as this client writes it: what links in answers must begin with.
    pub(crate) fn origin(&self) -> String {
        format!("{}://{}{}", self.scheme, self.header("host").unwrap_or("127.0.0.1"), self.mount)
    }

    /// A parameter of the operation's path.
    pub(crate) fn param(&self, name: &str) -> &str {
        let found = self.params.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| value.as_str()).expect("the operation's path declares this parameter")
    }

    /// [`Request::fields`], remembering which the operation reads: the journal names those that it does not.
    pub(crate) fn tracked(&self) -> Fields<'_> {
        Fields::new(self.fields(), &self.reads)
    }

    /// Fields that the client sent and the operation did not look at; none where it does not say what it reads.
    pub(crate) fn unread(&self) -> Option<Vec<String>> {
        self.reads.unread(self.fields())
    }

    /// The fields that an operation reads: a form, a JSON object, or the query.
    pub(crate) fn fields(&self) -> &Value {
        match &self.content {
            Content::Form(value) | Content::Json(value) => value,
            Content::Empty
            | Content::Multipart(_)
            | Content::Text(_)
            | Content::Bytes
            | Content::Malformed(_)
            | Content::TooLarge => &self.query,
        }
    }
}

impl Content {
    fn of(kind: &str, body: &Bytes) -> Self {
        if body.is_empty() {
            return Self::Empty;
        }
        if kind.contains("json") {
            serde_json::from_slice(body).map_or_else(|error| Self::Malformed(error.to_string()), Self::Json)
        } else if kind.starts_with("application/x-www-form-urlencoded") {
            Self::Form(nested(body))
        } else if kind.starts_with("message/rfc822") {
            Self::Json(serde_json::to_value(mime::read(body)).expect("a message is plain data"))
        } else if kind.starts_with("multipart/form-data") {
            parts(kind, body).map_or_else(|error| Self::Malformed(error.to_string()), Self::Multipart)
        } else {
            std::str::from_utf8(body).map_or(Self::Bytes, |text| Self::Text(text.to_owned()))
        }
    }
}

/// All bytes are here already, so reading them never waits.
pub(crate) fn parts(kind: &str, body: &Bytes) -> multer::Result<Vec<Part>> {
    let boundary = multer::parse_boundary(kind)?;
    let whole = futures::stream::iter([Ok::<_, std::convert::Infallible>(body.clone())]);
    let mut form = multer::Multipart::new(whole, boundary);
    let reading = async {
        let mut parts = Vec::new();
        while let Some(field) = form.next_field().await? {
            let name = field.name().unwrap_or_default().to_owned();
            let (file_name, content_type) =
                (field.file_name().map(str::to_owned), field.content_type().map(ToString::to_string));
            parts.push(Part { name, file_name, content_type, bytes: field.bytes().await? });
        }
        Ok(parts)
    };
    reading.now_or_never().unwrap_or(Err(multer::Error::IncompleteStream))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_back_into_the_named_space() {
        let request = hyper::Request::builder().uri("/__space/a/v1/x?y=1").header("host", "twin:80").body(());
        let (parts, ()) = request.expect("is a request").into_parts();
        let request = Request::new(&parts, "/__space/a".len(), None);
        assert_eq!((request.path.as_str(), request.raw_query.as_str()), ("/v1/x", "y=1"));
        assert_eq!(request.origin(), "http://twin:80/__space/a");
    }
}
