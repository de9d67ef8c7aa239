//! What a query finds and a filter gives: JSON, and what JSON cannot hold.

use std::cmp::Ordering;

use jiff::Timestamp;
use serde_json::{Number, Value as Json};

use super::{cut, same, shown};

const BYTES_SHOWN_MAX: usize = 32; // of a binary value in a message; more says nothing to a reader

/// A value that predicates look at.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Json(Json),
    Bytes(Vec<u8>),
    Date(Timestamp),
    /// The text of each node that an `XPath` selects. No node at all is a value too: it counts 0 and does not exist.
    Nodes(Vec<String>),
}

impl Value {
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::Json(Json::String(text.into()))
    }

    pub(crate) fn integer(number: usize) -> Self {
        Self::Json(number.into())
    }

    pub(crate) fn as_str(&self) -> Option<&str> {
        match self {
            Self::Json(json) => json.as_str(),
            Self::Bytes(_) | Self::Date(_) | Self::Nodes(_) => None,
        }
    }

    /// What it is, in a message about what it is not.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Json(Json::Null) => "null",
            Self::Json(Json::Bool(_)) => "a boolean",
            Self::Json(Json::Number(_)) => "a number",
            Self::Json(Json::String(_)) => "a text",
            Self::Json(Json::Array(_)) => "a list",
            Self::Json(Json::Object(_)) => "an object",
            Self::Bytes(_) => "bytes",
            Self::Date(_) => "a date",
            Self::Nodes(_) => "nodes",
        }
    }

    /// How it is shown in a message: bounded.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Json(json) => shown(json),
            Self::Bytes(bytes) => {
                let start = hex::encode(&bytes[..bytes.len().min(BYTES_SHOWN_MAX)]);
                let more = if bytes.len() > BYTES_SHOWN_MAX { "…" } else { "" };
                format!("{} bytes, hex {start}{more}", bytes.len())
            }
            Self::Date(at) => at.to_string(),
            Self::Nodes(texts) => cut(format!("{} nodes {texts:?}", texts.len()), super::SHOWN_BYTES_MAX),
        }
    }

    /// As a plain text: numbers in digits, bytes in hex, a date as RFC 3339. Lists and objects have none.
    pub(crate) fn plain(&self) -> Option<String> {
        match self {
            Self::Json(Json::String(text)) => Some(text.clone()),
            Self::Json(Json::Number(number)) => Some(number.to_string()),
            Self::Json(Json::Bool(value)) => Some(value.to_string()),
            Self::Json(Json::Null) => Some("null".to_owned()),
            Self::Bytes(bytes) => Some(hex::encode(bytes)),
            Self::Date(at) => Some(at.to_string()),
            Self::Json(Json::Array(_) | Json::Object(_)) | Self::Nodes(_) => None,
        }
    }

    /// As templates and reports hold it: bytes in Base64, a date as RFC 3339, nodes as the list of their texts.
    pub(crate) fn into_json(self) -> Json {
        use base64::{Engine as _, prelude::BASE64_STANDARD};
        match self {
            Self::Json(json) => json,
            Self::Bytes(bytes) => BASE64_STANDARD.encode(bytes).into(),
            Self::Date(at) => at.to_string().into(),
            Self::Nodes(texts) => texts.into(),
        }
    }

    /// Equality with what was written. Bytes are written as `{hex: …}`, `{base64: …}` or `{text: …}`; dates
    /// as RFC 3339.
    pub(crate) fn equals(&self, wanted: &Json) -> bool {
        match self {
            Self::Json(json) => same(wanted, json),
            Self::Bytes(bytes) => written_bytes(wanted).is_some_and(|wanted| wanted == *bytes),
            Self::Date(at) => written_date(wanted).is_some_and(|wanted| wanted == *at),
            Self::Nodes(texts) => same(wanted, &texts.clone().into()),
        }
    }

    /// `None` where the two have no order.
    pub(crate) fn order(&self, limit: &Json) -> Option<Ordering> {
        match (self, limit) {
            (Self::Json(Json::Number(got)), Json::Number(limit)) => order_numbers(got, limit),
            (Self::Json(Json::String(got)), Json::String(limit)) => Some(got.as_str().cmp(limit)),
            (Self::Date(got), limit) => Some(got.cmp(&written_date(limit)?)),
            _ => None,
        }
    }

    /// Characters of a text, elements of a list, keys of an object, bytes, nodes.
    pub(crate) fn length(&self) -> Option<usize> {
        match self {
            Self::Json(Json::String(text)) => Some(text.chars().count()),
            Self::Json(Json::Array(items)) => Some(items.len()),
            Self::Json(Json::Object(map)) => Some(map.len()),
            Self::Bytes(bytes) => Some(bytes.len()),
            Self::Nodes(texts) => Some(texts.len()),
            Self::Json(Json::Null | Json::Bool(_) | Json::Number(_)) | Self::Date(_) => None,
        }
    }
}

/// Whole numbers are compared exactly, others by value: `1` and `1.0` are equal.
pub(super) fn order_numbers(a: &Number, b: &Number) -> Option<Ordering> {
    match (a.as_i128(), b.as_i128()) {
        (Some(a), Some(b)) => Some(a.cmp(&b)),
        _ => a.as_f64()?.partial_cmp(&b.as_f64()?),
    }
}

/// The bytes that an author wrote.
pub(super) fn written_bytes(wanted: &Json) -> Option<Vec<u8>> {
    use base64::{Engine as _, prelude::BASE64_STANDARD};
    match wanted {
        Json::Object(map) if map.len() == 1 => match map.iter().next()? {
            (name, Json::String(text)) => match name.as_str() {
                "hex" => hex::decode(text.trim()).ok(),
                "base64" => BASE64_STANDARD.decode(text.trim()).ok(),
                "text" => Some(text.as_bytes().to_vec()),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    }
}

fn written_date(wanted: &Json) -> Option<Timestamp> {
    wanted.as_str()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering;

    use serde_json::json;

    use super::Value;

    #[test]
    fn bytes_equal_what_is_written_as_hex_base64_or_text() {
        let bytes = Value::Bytes(vec![0xff, 0x00]);
        assert!(bytes.equals(&json!({ "hex": "FF00" })) && bytes.equals(&json!({ "base64": "/wA=" })));
        let text = Value::Bytes(b"hi".to_vec());
        assert!(text.equals(&json!({ "text": "hi" })) && !text.equals(&json!("hi")), "bytes are no text");
        assert!(!bytes.equals(&json!("ff00")) && !bytes.equals(&json!({ "hex": "xx" })));
    }

    #[test]
    fn whole_numbers_are_compared_exactly_and_others_by_value() {
        let order = |a, b| Value::Json(a).order(&b);
        assert_eq!(order(json!(9_007_199_254_740_993_u64), json!(9_007_199_254_740_992_u64)), Some(Ordering::Greater));
        assert_eq!(order(json!(1), json!(1.0)), Some(Ordering::Equal));
        assert_eq!(order(json!(-1), json!(u64::MAX)), Some(Ordering::Less));
        assert_eq!(order(json!("1"), json!(1)), None);
    }

    #[test]
    fn dates_are_compared_as_instants() {
        let at = Value::Date("2026-01-01T00:00:00Z".parse().unwrap());
        assert!(at.equals(&json!("2026-01-01T01:00:00+01:00")));
        assert_eq!(at.order(&json!("2026-01-02T00:00:00Z")), Some(Ordering::Less));
        assert_eq!(at.order(&json!("tomorrow")), None);
    }

    #[test]
    fn a_captured_value_is_one_that_templates_can_use() {
        assert_eq!(Value::Bytes(b"hi".to_vec()).into_json(), json!("aGk="));
        assert_eq!(Value::Nodes(vec!["a".to_owned()]).into_json(), json!(["a"]));
    }
}
