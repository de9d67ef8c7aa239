//! `type:`, what a value can be: a type of JSON, a wider kind, or a text in a known form.

use std::net::{Ipv4Addr, Ipv6Addr};

use serde::Deserialize;
use serde_json::Value as Json;

use super::{Fit, Value};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TypeName {
    Null,
    Boolean,
    /// A whole number without a fraction: `3`, not `3.0`.
    Integer,
    /// A number with a fraction: `3.0`.
    Float,
    Number,
    String,
    Array,
    /// An array, or bytes.
    List,
    /// An object, or nodes.
    Object,
    /// A list or an object.
    Collection,
    /// What `to_date` and a certificate give.
    Date,
    /// A text: RFC 3339.
    IsoDate,
    Uuid,
    Ipv4,
    Ipv6,
}

impl TypeName {
    pub(super) fn fit(self, got: &Value) -> Fit {
        let json = match got {
            Value::Json(json) => Some(json),
            Value::Bytes(_) | Value::Date(_) | Value::Nodes(_) => None,
        };
        let is = |test: fn(&Json) -> bool| json.is_some_and(test);
        let (is_bytes, is_nodes) = (matches!(got, Value::Bytes(_)), matches!(got, Value::Nodes(_)));
        let form = |test: fn(&str) -> bool| got.as_str().map_or(Fit::Unfit, |text| Fit::of(test(text)));
        match self {
            Self::Null => Fit::of(is(Json::is_null)),
            Self::Boolean => Fit::of(is(Json::is_boolean)),
            Self::Integer => Fit::of(is(|json| json.is_i64() || json.is_u64())),
            Self::Float => Fit::of(is(Json::is_f64)),
            Self::Number => Fit::of(is(Json::is_number)),
            Self::String => Fit::of(is(Json::is_string)),
            Self::Array => Fit::of(is(Json::is_array)),
            Self::List => Fit::of(is(Json::is_array) || is_bytes),
            Self::Object => Fit::of(is(Json::is_object) || is_nodes),
            Self::Collection => Fit::of(is(|json| json.is_array() || json.is_object()) || is_bytes || is_nodes),
            Self::Date => Fit::of(matches!(got, Value::Date(_))),
            Self::IsoDate => form(|text| text.parse::<jiff::Timestamp>().is_ok()),
            Self::Uuid => form(|text| uuid::Uuid::try_parse(text).is_ok()),
            Self::Ipv4 => form(|text| text.parse::<Ipv4Addr>().is_ok()),
            Self::Ipv6 => form(|text| text.parse::<Ipv6Addr>().is_ok()),
        }
    }

    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Null => "a value of type null",
            Self::Boolean => "a value of type boolean",
            Self::Integer => "a value of type integer",
            Self::Float => "a value of type float",
            Self::Number => "a value of type number",
            Self::String => "a value of type string",
            Self::Array => "a value of type array",
            Self::List => "a list",
            Self::Object => "a value of type object",
            Self::Collection => "a list or an object",
            Self::Date => "a date",
            Self::IsoDate => "a text with a date as RFC 3339",
            Self::Uuid => "a text with a UUID",
            Self::Ipv4 => "a text with an IPv4 address",
            Self::Ipv6 => "a text with an IPv6 address",
        }
    }
}
