//! Between texts, numbers and bytes.

use base64::{
    Engine as _,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use serde_json::{Number, Value as Json};

use super::{Stuck, Value, refused};
use crate::expect::shown;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Alphabet {
    Standard,
    UrlSafe,
}

pub(super) fn base64_decode(text: &str, alphabet: Alphabet) -> Result<Value, Stuck> {
    let (decoded, words) = match alphabet {
        Alphabet::Standard => (BASE64_STANDARD.decode(text), "a text in Base64"),
        Alphabet::UrlSafe => (BASE64_URL_SAFE_NO_PAD.decode(text), "a text in URL-safe Base64 without padding"),
    };
    decoded.map(Value::Bytes).map_err(|_| refused(words, shown(&text.into())))
}

pub(super) fn base64_encode(bytes: &[u8], alphabet: Alphabet) -> Value {
    Value::text(match alphabet {
        Alphabet::Standard => BASE64_STANDARD.encode(bytes),
        Alphabet::UrlSafe => BASE64_URL_SAFE_NO_PAD.encode(bytes),
    })
}

pub(super) fn decode(bytes: &[u8], encoding: &str) -> Result<Value, Stuck> {
    let known = encoding_rs::Encoding::for_label(encoding.as_bytes());
    let known = known.ok_or_else(|| refused("the name of a character encoding", format!("`{encoding}`")))?;
    let text = known.decode_without_bom_handling_and_without_replacement(bytes);
    let text = text.ok_or_else(|| refused(format!("bytes in {encoding}"), Value::Bytes(bytes.to_vec()).shown()))?;
    Ok(Value::text(text))
}

pub(super) fn to_float(got: Value) -> Result<Value, Stuck> {
    let number = match &got {
        Value::Json(Json::Number(number)) => number.as_f64(),
        Value::Json(Json::String(text)) => text.parse().ok(),
        _ => None,
    };
    let number = number.and_then(Number::from_f64).ok_or_else(|| refused("a number", got.shown()))?;
    Ok(Value::Json(Json::Number(number)))
}

/// The fraction of a number is dropped; a text must be a whole number.
pub(super) fn to_int(got: Value) -> Result<Value, Stuck> {
    let number = match &got {
        Value::Json(Json::Number(number)) if number.is_f64() => number.as_f64().map(|float| (float as i64).into()),
        Value::Json(Json::Number(number)) => Some(number.clone()),
        Value::Json(Json::String(text)) => text.parse::<i64>().ok().map(Number::from),
        _ => None,
    };
    let number = number.ok_or_else(|| refused("a whole number", got.shown()))?;
    Ok(Value::Json(Json::Number(number)))
}

pub(super) fn to_string(got: &Value) -> Result<Value, Stuck> {
    let text = match got {
        Value::Date(at) => Some(at.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()),
        Value::Json(_) => got.plain(),
        Value::Bytes(_) | Value::Nodes(_) => None,
    };
    let expected = "a text, number, boolean, date or null for the filter `to_string`";
    text.map(Value::text).ok_or_else(|| refused(expected, got.shown()))
}
