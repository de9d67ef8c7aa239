//! From text to text.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::{Stuck, Value, refused};
use crate::expect::shown;

/// RFC 3986's unreserved characters, and the slash.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

pub(super) fn html_escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#x27;"),
            other => escaped.push(other),
        }
    }
    escaped
}

pub(super) fn url_decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

pub(super) fn url_encode(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}

pub(super) fn url_query_param(text: &str, name: &str) -> Result<Option<Value>, Stuck> {
    let url = url::Url::parse(text).map_err(|_| refused("a URL", shown(&text.into())))?;
    let found = url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| Value::text(value));
    Ok(found)
}
