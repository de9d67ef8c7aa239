//! A request as matchers and templates see it, taken apart once at most.

use std::{borrow::Cow, cell::OnceCell};

use serde_json::{Map, Value as Json, json};

use crate::http::{Content, Request};

/// A request with what stubs ask for again and again.
pub(crate) struct View<'a> {
    pub(crate) request: &'a Request,
    query: OnceCell<Vec<(String, String)>>,
    form: OnceCell<Vec<(String, String)>>,
    body: OnceCell<Subject<'a>>,
}

/// One text under test, and the JSON that it may be.
pub(crate) struct Subject<'a> {
    pub(crate) text: Cow<'a, str>,
    json: OnceCell<Option<Cow<'a, Json>>>,
}

impl<'a> Subject<'a> {
    pub(crate) fn new(text: impl Into<Cow<'a, str>>) -> Self {
        Self { text: text.into(), json: OnceCell::new() }
    }

    /// None: it is no JSON.
    pub(crate) fn json(&self) -> Option<&Json> {
        self.json.get_or_init(|| serde_json::from_str(&self.text).ok().map(Cow::Owned)).as_deref()
    }
}

impl<'a> View<'a> {
    pub(crate) fn new(request: &'a Request) -> Self {
        Self { request, query: OnceCell::new(), form: OnceCell::new(), body: OnceCell::new() }
    }

    pub(crate) fn body(&self) -> &Subject<'a> {
        self.body.get_or_init(|| {
            let subject = Subject::new(String::from_utf8_lossy(&self.request.body));
            if let Content::Json(value) = &self.request.content {
                subject.json.set(Some(Cow::Borrowed(value))).ok();
            }
            subject
        })
    }

    /// Path and query, as sent.
    pub(crate) fn url(&self) -> Cow<'a, str> {
        url_of(self.request)
    }

    /// Every value of a query parameter, as sent.
    pub(crate) fn query(&self, name: &str) -> Vec<&str> {
        values(self.query.get_or_init(|| pairs(self.request.raw_query.as_bytes())), name)
    }

    /// Every value of a field of a form, as sent; a body that is no form has none.
    pub(crate) fn form(&self, name: &str) -> Vec<&str> {
        let is_form = matches!(self.request.content, Content::Form(_));
        values(self.form.get_or_init(|| if is_form { pairs(&self.request.body) } else { Vec::new() }), name)
    }

    /// `name` in lower case.
    pub(crate) fn header(&self, name: &str) -> Vec<&str> {
        self.request.headers.iter().filter(|(known, _)| *known == name).map(|(_, value)| value).collect()
    }

    pub(crate) fn cookie(&self, name: &str) -> Vec<&str> {
        let cookies = self.request.headers.iter().filter(|(known, _)| *known == "cookie");
        let pairs = cookies.flat_map(|(_, value)| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
        pairs.filter(|(known, _)| *known == name).map(|(_, value)| value).collect()
    }
}

fn pairs(encoded: &[u8]) -> Vec<(String, String)> {
    let pairs = url::form_urlencoded::parse(encoded);
    pairs.map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
}

fn values<'p>(pairs: &'p [(String, String)], name: &str) -> Vec<&'p str> {
    pairs.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str()).collect()
}

/// The request, for templates: `request.path`, `request.query.page`, `request.headers['x-id']`, `request.body.name`, …
pub(crate) fn shown(request: &Request) -> Json {
    let mut headers = Map::new();
    for (name, value) in request.headers.iter() {
        headers.entry(name).or_insert_with(|| value.into());
    }
    let text = String::from_utf8_lossy(&request.body);
    let body = match &request.content {
        Content::Json(value) | Content::Form(value) => value.clone(),
        _ => serde_json::from_str(&text).unwrap_or(Json::Null),
    };
    let cookies = View::new(request);
    let names = request.headers.iter().filter(|(name, _)| *name == "cookie");
    let names = names.flat_map(|(_, value)| value.split(';')).filter_map(|pair| Some(pair.trim().split_once('=')?.0));
    let cookies: Map<_, _> =
        names.filter_map(|name| Some((name.to_owned(), Json::from(*cookies.cookie(name).first()?)))).collect();
    json!({
        "method": request.method,
        "path": request.path,
        "url": url_of(request),
        "origin": request.origin(),
        "segments": request.path.split('/').skip(1).collect::<Vec<_>>(),
        "query": request.query,
        "headers": headers,
        "cookies": cookies,
        "body": body,
        "text": text,
    })
}

fn url_of(request: &Request) -> Cow<'_, str> {
    if request.raw_query.is_empty() {
        return Cow::Borrowed(&request.path);
    }
    Cow::Owned(format!("{}?{}", request.path, request.raw_query))
}
