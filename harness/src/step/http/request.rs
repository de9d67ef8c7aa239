//! A request: as it is written, and filled in for one trial.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use reqwest::{
    Method, Url,
    header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue},
};
use serde_json::{Map, Value as Json, json};

use super::{
    client::USER_AGENT,
    pairs,
    payload::{Body, Filled},
    plain,
};
use crate::{
    expect::Mismatch,
    step::{Halt, Stage},
    text::{Entries, Node, NodeKind, RenderError, Scope, Text},
};

const ENCODINGS: &str = "gzip, br, deflate, zstd";

/// What a scenario says of a request.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) method: Method,
    pub(super) path: Text,
    pub(super) headers: Entries<Node>,
    pub(super) query: Entries<Node>,
    pub(super) cookies: Entries<Node>,
    pub(super) body: Body,
    pub(super) auth: Auth,
    pub(super) compressed: bool,
}

#[derive(Debug)]
pub(super) enum Auth {
    None,
    Basic { user: Text, password: Text },
    Bearer(Text),
}

/// A request with every template filled in.
pub(super) struct Request {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) cookies: Vec<(String, String)>,
    pub(super) body: Filled,
    /// As they were written.
    query: Vec<(String, String)>,
    path: String,
    /// Made of a secret, and so a secret too.
    pub(super) secret: Option<String>,
    /// What of the way to send is not as usual.
    pub(super) options: Map<String, Json>,
}

impl Draft {
    pub(super) fn fill(&self, stage: &Stage<'_>) -> Result<Request, Halt> {
        let scope = &stage.scope;
        let mut url = self.url(stage)?;
        let path = match stage.subject.base_url() {
            Some(base) if base.origin() == url.origin() => url[url::Position::BeforePath..].to_owned(),
            _ => url.to_string(),
        };
        let query = pairs(&self.query, scope)?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(&query);
        }
        let body = self.body.fill(scope)?;
        let mut headers = self.headers(body.content_type, scope)?;
        let mut secret = None;
        if let Auth::Basic { user, password } = &self.auth {
            let pair = format!("{}:{}", scope.text(user)?, scope.text(password)?);
            let encoded = BASE64_STANDARD.encode(&pair);
            if !headers.contains_key(AUTHORIZATION) {
                headers.insert(AUTHORIZATION, value(format!("Basic {encoded}"), user)?);
            }
            secret = stage.secrets.touch(&pair).then_some(encoded);
        }
        let cookies = pairs(&self.cookies, scope)?;
        Ok(Request {
            method: self.method.clone(),
            url,
            headers,
            cookies,
            body,
            query,
            path,
            secret,
            options: Map::new(),
        })
    }

    /// Only the subject and the listed origins are ever addressed, whatever a captured value says.
    fn url(&self, stage: &Stage<'_>) -> Result<Url, Halt> {
        let path = stage.scope.text(&self.path)?;
        let elsewhere = || {
            let expected = "one that is on the subject or on an origin listed in harness.yaml";
            Halt::Failed(Mismatch::new("path", expected, format!("`{path}`")))
        };
        let url = match stage.subject.base_url() {
            Some(base) => base.join(&path).map_err(|_| elsewhere())?,
            None if path.starts_with('/') => return Err(Halt::Infra("the scenario has no subject".to_owned())),
            None => path.parse().map_err(|_| elsewhere())?,
        };
        if stage.origins().allow(&url) { Ok(url) } else { Err(elsewhere()) }
    }

    /// What is written wins over what goes along by itself.
    fn headers(&self, content_type: Option<&'static str>, scope: &Scope) -> Result<HeaderMap, Halt> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
        headers.insert(reqwest::header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
        if self.compressed {
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(ENCODINGS));
        }
        if let Some(content_type) = content_type {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        }
        if let Auth::Bearer(token) = &self.auth {
            headers.insert(AUTHORIZATION, value(format!("Bearer {}", scope.text(token)?), token)?);
        }
        for (name, node) in self.headers.iter() {
            let written = scope.text(name)?;
            let refused = |_| RenderError { place: name.place, message: format!("`{written}` cannot name a header") };
            let key = HeaderName::try_from(written.as_str()).map_err(refused)?;
            headers.remove(&key);
            for text in values(node, scope)? {
                headers.append(&key, value(text, name)?);
            }
        }
        Ok(headers)
    }
}

fn value(text: String, written: &Text) -> Result<HeaderValue, RenderError> {
    let refused = |_| RenderError { place: written.place, message: format!("{text:?} cannot be sent in a header") };
    HeaderValue::try_from(text.as_str()).map_err(refused)
}

/// A list is several values, null is none.
pub(super) fn values(node: &Node, scope: &Scope) -> Result<Vec<String>, RenderError> {
    match &node.kind {
        NodeKind::Null => Ok(Vec::new()),
        NodeKind::List(items) => items.iter().map(|item| scope.node(item).map(plain)).collect(),
        _ => Ok(vec![plain(scope.node(node)?)]),
    }
}

impl Request {
    /// What was sent first, so that it can be sent again by hand.
    pub(super) fn evidence(&self, sent: &HeaderMap) -> Json {
        let mut headers = Map::new();
        if !sent.contains_key("host") {
            let port = self.url.port().map_or_else(String::new, |port| format!(":{port}"));
            headers.insert("host".to_owned(), format!("{}{port}", self.url.host_str().unwrap_or_default()).into());
        }
        for name in sent.keys() {
            let values = sent.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()).into());
            headers.insert(name.to_string(), one_or_all(values.collect()));
        }
        let has_body = self.body.kind != "none";
        if let Some(length) = self.body.payload.len().filter(|_| has_body) {
            headers.insert("content-length".to_owned(), length.to_string().into());
        }
        let mut query: Map<String, Json> = Map::new();
        for (name, _) in &self.query {
            let same = self.query.iter().filter(|(known, _)| known == name).map(|(_, value)| value.clone().into());
            query.insert(name.clone(), one_or_all(same.collect()));
        }
        let mut shown = json!({
            "method": self.method.as_str(), "url": self.url.as_str(), "path": self.path, "query": query,
            "headers": headers, "body": self.body.shown, "body_kind": self.body.kind,
        });
        if !self.options.is_empty() {
            shown["options"] = self.options.clone().into();
        }
        shown
    }
}

/// One value stands for itself.
pub(super) fn one_or_all(mut values: Vec<Json>) -> Json {
    if values.len() == 1 { values.remove(0) } else { Json::Array(values) }
}
