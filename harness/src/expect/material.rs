//! What a step has to look at: a document and, after a request, the response around it.

use std::{borrow::Cow, cell::OnceCell, time::Duration};

use serde_json::{Value as Json, json};

use super::{
    Certificate,
    xpath::{self, Markup},
};

/// A document, parsed at most once, however many queries look at it.
pub(crate) struct Material<'a> {
    document: Document<'a>,
    response: Option<&'a Response>,
    json: OnceCell<Result<Json, String>>,
    /// With the name of the character set that it does not fit.
    text: OnceCell<(String, Option<&'static str>)>,
    markup: OnceCell<Result<xpath::Document, String>>,
}

#[derive(Clone, Copy)]
enum Document<'a> {
    Json(&'a Json),
    Bytes(&'a [u8]),
}

/// What surrounds a body.
#[derive(Clone, Debug, Default)]
pub(crate) struct Response {
    pub(crate) status: u16,
    /// `1.0`, `1.1` or `2`.
    pub(crate) version: &'static str,
    /// In the order in which they came.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) url: String,
    /// Of the peer.
    pub(crate) ip: Option<String>,
    pub(crate) latency: Duration,
    pub(crate) redirects: Vec<Redirect>,
    pub(crate) certificate: Option<Certificate>,
    /// The body as it came, where it was compressed.
    pub(crate) encoded: Option<Vec<u8>>,
}

/// One redirect that was followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Redirect {
    pub(crate) method: String,
    pub(crate) url: String,
    pub(crate) status: u16,
    pub(crate) location: String,
}

impl Redirect {
    pub(crate) fn to_json(&self) -> Json {
        json!({ "method": self.method, "url": self.url, "status": self.status, "location": self.location })
    }
}

impl Response {
    /// All values of a header, in order.
    pub(crate) fn header<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let same = move |(known, _): &&(String, String)| known.eq_ignore_ascii_case(name);
        self.headers.iter().filter(same).map(|(_, value)| value.as_str())
    }

    /// One value as a text, several as a list.
    pub(crate) fn header_value(&self, name: &str) -> Option<Json> {
        let mut values: Vec<&str> = self.header(name).collect();
        match values.len() {
            0 => None,
            1 => values.pop().map(Json::from),
            _ => Some(values.into()),
        }
    }

    fn content_type(&self) -> &str {
        self.header("content-type").next().unwrap_or_default()
    }

    fn encoding(&self) -> Option<&'static encoding_rs::Encoding> {
        let charset = self.content_type().split(';').find_map(|part| part.trim().strip_prefix("charset="))?;
        encoding_rs::Encoding::for_label(charset.trim_matches('"').as_bytes())
    }
}

impl<'a> Material<'a> {
    pub(crate) fn json(json: &'a Json) -> Self {
        Self::new(Document::Json(json))
    }

    pub(crate) fn bytes(bytes: &'a [u8]) -> Self {
        Self::new(Document::Bytes(bytes))
    }

    fn new(document: Document<'a>) -> Self {
        Self { document, response: None, json: OnceCell::new(), text: OnceCell::new(), markup: OnceCell::new() }
    }

    #[must_use]
    pub(crate) fn of_response(mut self, response: &'a Response) -> Self {
        self.response = Some(response);
        self
    }

    pub(crate) fn response(&self) -> Option<&'a Response> {
        self.response
    }

    /// The document as JSON, or why it is none.
    pub(crate) fn as_json(&self) -> Result<&Json, &str> {
        match self.document {
            Document::Json(json) => Ok(json),
            Document::Bytes(bytes) => {
                let parsed = self.json.get_or_init(|| serde_json::from_slice(bytes).map_err(|error| error.to_string()));
                parsed.as_ref().map_err(String::as_str)
            }
        }
    }

    /// The document as people are shown it: what does not fit its character set is replaced.
    pub(crate) fn as_text(&self) -> &str {
        &self.decoded().0
    }

    /// The document as text, by the character set that the response names, else UTF-8; `Err` names the one that it does
    /// not fit.
    pub(crate) fn text(&self) -> Result<&str, &'static str> {
        match self.decoded() {
            (text, None) => Ok(text),
            (_, Some(encoding)) => Err(encoding),
        }
    }

    fn decoded(&self) -> &(String, Option<&'static str>) {
        self.text.get_or_init(|| match self.document {
            Document::Json(json) => (json.to_string(), None),
            Document::Bytes(bytes) => {
                let encoding = self.response.and_then(Response::encoding).unwrap_or(encoding_rs::UTF_8);
                let (text, is_broken) = encoding.decode_without_bom_handling(bytes);
                (text.into_owned(), is_broken.then(|| encoding.name()))
            }
        })
    }

    pub(crate) fn as_bytes(&self) -> Cow<'a, [u8]> {
        match self.document {
            Document::Json(json) => Cow::Owned(json.to_string().into_bytes()),
            Document::Bytes(bytes) => Cow::Borrowed(bytes),
        }
    }

    /// The document as HTML where the response says so, else as XML; or why it is neither.
    pub(super) fn as_markup(&self) -> Result<&xpath::Document, &str> {
        let is_html =
            |response: &Response| response.content_type().trim().to_ascii_lowercase().starts_with("text/html");
        let parsed = self.markup.get_or_init(|| {
            let markup = if self.response.is_some_and(is_html) { Markup::Html } else { Markup::Xml };
            xpath::Document::parse(self.as_text(), markup)
        });
        parsed.as_ref().map_err(String::as_str)
    }
}
