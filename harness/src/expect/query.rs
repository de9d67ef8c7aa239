//! Queries: where a value comes from. They mean what Hurl's queries of the same names mean.

use md5::Digest as _;
use serde::{
    Deserialize,
    de::{Error as _, MapAccess},
};
use serde_json::{Value as Json, json};

use super::{
    Found, JsonPathText, Material, Pattern, Response, Value, XPathText,
    certificate::CertificateField,
    cookie::{self, CookieText},
    cut,
    filter::Stuck,
};
use crate::text::{Placed, Scope, Text};

const BRIEF_BYTES_MAX: usize = 300; // of the document in a message: a line or two

#[derive(Clone, Debug)]
pub(crate) enum Query {
    Jsonpath(JsonPathText, Found),
    Xpath(XPathText),
    Regex(Pattern),
    Header(Text),
    Cookie(CookieText),
    Body,
    Bytes,
    /// Before decompression.
    Rawbytes,
    Status,
    HttpVersion,
    Url,
    Redirects,
    Ip,
    DurationMs,
    Certificate(CertificateField),
    Variable(Text),
    Sha256,
    Md5,
}

pub(super) const NAMES: [&str; 18] = [
    "jsonpath",
    "xpath",
    "regex",
    "header",
    "cookie",
    "body",
    "bytes",
    "rawbytes",
    "status",
    "http_version",
    "url",
    "redirects",
    "ip",
    "duration_ms",
    "certificate",
    "variable",
    "sha256",
    "md5",
];

/// The only value that makes sense after `status:`.
#[derive(Deserialize)]
#[serde(try_from = "bool")]
struct True;

impl TryFrom<bool> for True {
    type Error = &'static str;

    fn try_from(value: bool) -> Result<Self, Self::Error> {
        if value { Ok(Self) } else { Err("write `true`, or leave it out") }
    }
}

impl Query {
    /// The query of that name, whose argument is the map's next value; `None` where it is no query's name.
    pub(super) fn read_entry<'de, A: MapAccess<'de>>(name: &str, map: &mut A) -> Result<Option<Self>, A::Error> {
        let mut plain = |query: Self| map.next_value::<True>().map(|True| Some(query));
        match name {
            "body" => plain(Self::Body),
            "bytes" => plain(Self::Bytes),
            "rawbytes" => plain(Self::Rawbytes),
            "status" => plain(Self::Status),
            "http_version" => plain(Self::HttpVersion),
            "url" => plain(Self::Url),
            "redirects" => plain(Self::Redirects),
            "ip" => plain(Self::Ip),
            "duration_ms" => plain(Self::DurationMs),
            "sha256" => plain(Self::Sha256),
            "md5" => plain(Self::Md5),
            "jsonpath" => Ok(Some(Self::Jsonpath(map.next_value()?, Found::ByPath))),
            "xpath" => Ok(Some(Self::Xpath(map.next_value()?))),
            "regex" => Ok(Some(Self::Regex(map.next_value()?))),
            "header" => Ok(Some(Self::Header(map.next_value()?))),
            "cookie" => {
                let text = map.next_value::<Placed<String>>()?;
                Ok(Some(Self::Cookie(CookieText::new(text).map_err(A::Error::custom)?)))
            }
            "certificate" => Ok(Some(Self::Certificate(map.next_value()?))),
            "variable" => Ok(Some(Self::Variable(map.next_value()?))),
            _ => Ok(None),
        }
    }

    /// A `JSONPath` whose one value stands for itself.
    pub(super) fn coerced(self) -> Result<Self, &'static str> {
        match self {
            Self::Jsonpath(path, _) => Ok(Self::Jsonpath(path, Found::ByCount)),
            _ => Err("`coerce` belongs to a `jsonpath` query"),
        }
    }

    /// Whether it looks at a response rather than at a document.
    pub(crate) fn needs_response(&self) -> bool {
        match self {
            Self::Header(_)
            | Self::Cookie(_)
            | Self::Rawbytes
            | Self::Status
            | Self::HttpVersion
            | Self::Url
            | Self::Redirects
            | Self::Ip
            | Self::DurationMs
            | Self::Certificate(_) => true,
            Self::Jsonpath(..)
            | Self::Xpath(_)
            | Self::Regex(_)
            | Self::Body
            | Self::Bytes
            | Self::Variable(_)
            | Self::Sha256
            | Self::Md5 => false,
        }
    }

    /// `None` where nothing is there.
    pub(crate) fn find(&self, material: &Material<'_>, scope: &Scope) -> Result<Option<Value>, Stuck> {
        let text = || {
            let refused = |encoding| {
                refused(&format!("a text in {encoding}"), cut(material.as_text().to_owned(), BRIEF_BYTES_MAX))
            };
            material.text().map_err(refused)
        };
        let response = || material.response().ok_or_else(|| refused("a response", "a step that has none".to_owned()));
        Ok(match self {
            Self::Jsonpath(path, found) => {
                let json = material.as_json().map_err(|reason| refused("JSON", in_document(reason, material)))?;
                path.find_as(json, *found, scope)?.map(Value::Json)
            }
            Self::Xpath(expression) => {
                text()?;
                let document =
                    material.as_markup().map_err(|reason| refused("XML or HTML", in_document(reason, material)))?;
                Some(expression.find(document, scope)?)
            }
            Self::Regex(pattern) => pattern.find(text()?, scope)?.map(Value::text),
            Self::Body => Some(Value::text(text()?)),
            Self::Bytes => Some(Value::Bytes(material.as_bytes().into_owned())),
            Self::Variable(name) => scope.get(&scope.text(name)?).map(Value::Json),
            Self::Sha256 => Some(Value::Bytes(sha2::Sha256::digest(material.as_bytes()).to_vec())),
            Self::Md5 => Some(Value::Bytes(md5::Md5::digest(material.as_bytes()).to_vec())),
            Self::Rawbytes => {
                let encoded = response()?.encoded.clone();
                Some(Value::Bytes(encoded.unwrap_or_else(|| material.as_bytes().into_owned())))
            }
            Self::Header(name) => response()?.header_value(&scope.text(name)?).map(Value::Json),
            Self::Cookie(cookie) => cookie::find(response()?, cookie, scope)?,
            Self::Status => Some(Value::integer(response()?.status.into())),
            Self::HttpVersion => Some(Value::text(response()?.version)),
            Self::Url => Some(Value::text(response()?.url.as_str())),
            Self::Redirects => Some(Value::Json(redirects(response()?))),
            Self::Ip => response()?.ip.clone().map(Value::text),
            Self::DurationMs => {
                Some(Value::integer(usize::try_from(response()?.latency.as_millis()).unwrap_or(usize::MAX)))
            }
            Self::Certificate(field) => response()?.certificate.as_ref().map(|certificate| certificate.field(*field)),
        })
    }

    /// How it is called in messages.
    pub(crate) fn words(&self) -> String {
        match self {
            Self::Jsonpath(path, _) => format!("jsonpath {}", path.written()),
            Self::Xpath(expression) => format!("xpath {}", expression.written()),
            Self::Regex(pattern) => format!("regex {}", pattern.written()),
            Self::Header(name) => format!("header {}", name.value),
            Self::Cookie(cookie) => format!("cookie {}", cookie.written()),
            Self::Certificate(field) => format!("certificate {}", field.as_str()),
            Self::Variable(name) => format!("variable {}", name.value),
            Self::Body => "body".to_owned(),
            Self::Bytes => "bytes".to_owned(),
            Self::Rawbytes => "rawbytes".to_owned(),
            Self::Status => "status".to_owned(),
            Self::HttpVersion => "http_version".to_owned(),
            Self::Url => "url".to_owned(),
            Self::Redirects => "redirects".to_owned(),
            Self::Ip => "ip".to_owned(),
            Self::DurationMs => "duration_ms".to_owned(),
            Self::Sha256 => "sha256".to_owned(),
            Self::Md5 => "md5".to_owned(),
        }
    }

    /// The properties of a map that holds a query, for the schema.
    pub(super) fn schema_properties() -> Vec<(&'static str, Json)> {
        let argument = |name: &str| match name {
            "jsonpath" | "xpath" | "regex" | "header" | "cookie" | "variable" => json!({ "type": "string" }),
            "certificate" => json!({ "enum": CertificateField::NAMES }),
            _ => json!({ "const": true }),
        };
        NAMES.iter().map(|name| (*name, argument(name))).collect()
    }
}

fn redirects(response: &Response) -> Json {
    response.redirects.iter().map(super::Redirect::to_json).collect()
}

fn in_document(reason: &str, material: &Material<'_>) -> String {
    match material.as_text().trim() {
        "" => format!("{reason}; it is empty"),
        text => format!("{reason} in {}", cut(text.to_owned(), BRIEF_BYTES_MAX)),
    }
}

fn refused(expected: &str, observed: String) -> Stuck {
    Stuck::Refused { expected: expected.to_owned(), observed }
}
