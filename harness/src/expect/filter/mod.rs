//! Filters: what is done to a found value before predicates look at it. One step each, in the order written.
//!
//! They mean what Hurl's filters of the same names mean. Texts are in `text`, numbers and bytes in `convert`, dates in
//! `date`.

mod convert;
mod date;
mod text;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value as Json;

use super::{Found, JsonPathText, Pattern, Value, XPathText, xpath};
use crate::text::{Node, RenderError, Scope, Text};

/// One step from a value to another.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Filter {
    /// Base64 text → bytes.
    Base64Decode,
    /// Bytes → Base64 text.
    Base64Encode,
    /// Base64 text of the URL-safe alphabet, without padding → bytes.
    Base64UrlSafeDecode,
    /// Bytes → Base64 text of the URL-safe alphabet, without padding.
    Base64UrlSafeEncode,
    /// List, bytes or nodes → how many.
    Count,
    /// Date → text, by a `strftime` format such as `%Y-%m-%d`.
    #[serde(alias = "format")]
    DateFormat(Text),
    /// Date → whole days from now to it.
    DaysAfterNow,
    /// Date → whole days from it to now.
    DaysBeforeNow,
    /// Bytes → text, by the name of a character encoding such as `iso-8859-1`.
    #[serde(alias = "charset_decode")]
    Decode(Text),
    /// List → its first element.
    First,
    /// Text → the same with `&`, `<`, `>` and quotes as character references.
    HtmlEscape,
    /// Text → the same with character references replaced.
    HtmlUnescape,
    /// JSON, or a text that holds it → what the path finds.
    Jsonpath(JsonPathText),
    /// The same, where one found value stands for itself whatever the path.
    JsonpathCoerced(JsonPathText),
    /// List → its last element.
    Last,
    /// One of the `redirects` → where it led.
    Location,
    /// List → its n-th element, from 0; from the end where negative.
    Nth(Node),
    /// Text → the first group of the first match, or the whole match where the pattern has no group.
    Regex(Pattern),
    /// Text → every occurrence of `old` replaced by `new`.
    Replace { old: Text, new: Text },
    /// Text → every match of `pattern` replaced by `new`, which may name groups: `$1`.
    ReplaceRegex { pattern: Pattern, new: Text },
    /// Text → the list of its parts between the separators.
    Split(Text),
    /// Text → date, by a `strftime` format; without an offset it is UTC.
    ToDate(Text),
    /// Number or text → number with a fraction.
    ToFloat,
    /// Bytes → hexadecimal text.
    ToHex,
    /// Number or text → whole number.
    ToInt,
    /// Text, number, boolean, date or null → text.
    ToString,
    /// Text → the same with `%xx` replaced.
    UrlDecode,
    /// Text → the same with all but letters, digits and `-._~/` as `%xx`.
    UrlEncode,
    /// URL → the value of a parameter of its query.
    UrlQueryParam(Text),
    /// Bytes → text, as UTF-8.
    Utf8Decode,
    /// Text → its bytes in UTF-8.
    Utf8Encode,
    /// Text that holds HTML or XML → what the expression selects.
    Xpath(XPathText),
}

/// Why a filter gave nothing to look at.
#[derive(Debug)]
pub(crate) enum Stuck {
    Template(RenderError),
    /// The value is not one that the filter takes; in words for a report.
    Refused {
        expected: String,
        observed: String,
    },
}

impl From<RenderError> for Stuck {
    fn from(error: RenderError) -> Self {
        Self::Template(error)
    }
}

/// The value that comes out of all filters; `None` where the last one found nothing. A filter needs a value to start
/// from: nothing in the middle is an error, so that `not` cannot pass by accident.
pub(crate) fn apply_all(filters: &[Filter], value: Option<Value>, scope: &Scope) -> Result<Option<Value>, Stuck> {
    let mut value = value;
    for filter in filters {
        let Some(got) = value else {
            return Err(refused(format!("a value for the filter `{}`", filter.name()), "nothing there"));
        };
        value = filter.apply(got, scope)?;
    }
    Ok(value)
}

impl Filter {
    fn apply(&self, got: Value, scope: &Scope) -> Result<Option<Value>, Stuck> {
        Ok(Some(match self {
            Self::Base64Decode => convert::base64_decode(&self.text(got)?, convert::Alphabet::Standard)?,
            Self::Base64UrlSafeDecode => convert::base64_decode(&self.text(got)?, convert::Alphabet::UrlSafe)?,
            Self::Base64Encode => convert::base64_encode(&self.bytes(got)?, convert::Alphabet::Standard),
            Self::Base64UrlSafeEncode => convert::base64_encode(&self.bytes(got)?, convert::Alphabet::UrlSafe),
            Self::Count => match &got {
                Value::Json(Json::Array(_)) | Value::Bytes(_) | Value::Nodes(_) => {
                    Value::integer(got.length().unwrap_or_default())
                }
                Value::Json(_) | Value::Date(_) => return Err(self.unfit(&got, "a list, bytes or nodes")),
            },
            Self::DateFormat(format) => date::format(self.date(got)?, &scope.text(format)?)?,
            Self::DaysAfterNow => date::days(jiff::Timestamp::now(), self.date(got)?),
            Self::DaysBeforeNow => date::days(self.date(got)?, jiff::Timestamp::now()),
            Self::Decode(encoding) => convert::decode(&self.bytes(got)?, &scope.text(encoding)?)?,
            Self::First => return self.element(got, 0),
            Self::Last => return self.element(got, -1),
            Self::Nth(node) => match scope.node(node)?.as_i64() {
                Some(index) => return self.element(got, index),
                None => return Err(refused("a whole number for the filter `nth`", node.written().to_string())),
            },
            Self::HtmlEscape => Value::text(text::html_escape(&self.text(got)?)),
            Self::HtmlUnescape => Value::text(xpath::html_text(&self.text(got)?)),
            Self::Jsonpath(path) => return self.jsonpath(got, path, Found::ByPath, scope),
            Self::JsonpathCoerced(path) => return self.jsonpath(got, path, Found::ByCount, scope),
            Self::Location => match &got {
                Value::Json(hop) if hop.is_object() => {
                    return Ok(hop.get("location").cloned().map(Value::Json));
                }
                _ => return Err(self.unfit(&got, "one of the redirects")),
            },
            Self::Regex(pattern) => return Ok(pattern.find(&self.text(got)?, scope)?.map(Value::text)),
            Self::Replace { old, new } => {
                Value::text(self.text(got)?.replace(scope.text(old)?.as_str(), &scope.text(new)?))
            }
            Self::ReplaceRegex { pattern, new } => {
                let (regex, new) = (pattern.regex(scope)?, scope.text(new)?);
                Value::text(regex.replace_all(&self.text(got)?, new))
            }
            Self::Split(separator) => {
                let separator = scope.text(separator)?;
                Value::Json(self.text(got)?.split(separator.as_str()).collect())
            }
            Self::ToDate(format) => date::parse(&self.text(got)?, &scope.text(format)?)?,
            Self::ToFloat => convert::to_float(got)?,
            Self::ToHex => Value::text(hex::encode(self.bytes(got)?)),
            Self::ToInt => convert::to_int(got)?,
            Self::ToString => convert::to_string(&got)?,
            Self::UrlDecode => Value::text(text::url_decode(&self.text(got)?)),
            Self::UrlEncode => Value::text(text::url_encode(&self.text(got)?)),
            Self::UrlQueryParam(name) => {
                return text::url_query_param(&self.text(got)?, &scope.text(name)?);
            }
            Self::Utf8Decode => Value::text(String::from_utf8_lossy(&self.bytes(got)?)),
            Self::Utf8Encode => Value::Bytes(self.text(got)?.into_bytes()),
            Self::Xpath(expression) => {
                let document = xpath::Document::parse(&self.text(got)?, xpath::Markup::Html);
                let document = document.map_err(|reason| refused("HTML or XML", reason))?;
                expression.find(&document, scope)?
            }
        }))
    }

    fn jsonpath(&self, got: Value, path: &JsonPathText, found: Found, scope: &Scope) -> Result<Option<Value>, Stuck> {
        let json = match got {
            Value::Json(Json::String(text)) => {
                serde_json::from_str(&text).map_err(|error| refused("a text that holds JSON", error.to_string()))?
            }
            Value::Json(json) => json,
            Value::Bytes(_) | Value::Date(_) | Value::Nodes(_) => return Err(self.unfit(&got, "JSON")),
        };
        Ok(path.find_as(&json, found, scope)?.map(Value::Json))
    }

    fn element(&self, got: Value, index: i64) -> Result<Option<Value>, Stuck> {
        let Value::Json(Json::Array(mut items)) = got else { return Err(self.unfit(&got, "a list")) };
        let length = items.len();
        let from_end = || length.checked_sub(usize::try_from(index.unsigned_abs()).ok()?);
        let at = usize::try_from(index).ok().map_or_else(from_end, Some).filter(|at| *at < length);
        let at = at.ok_or_else(|| refused(format!("an element {index}"), format!("a list of {length}")))?;
        Ok(Some(Value::Json(items.swap_remove(at))))
    }

    fn text(&self, got: Value) -> Result<String, Stuck> {
        match got {
            Value::Json(Json::String(text)) => Ok(text),
            got => Err(self.unfit(&got, "a text")),
        }
    }

    fn bytes(&self, got: Value) -> Result<Vec<u8>, Stuck> {
        match got {
            Value::Bytes(bytes) => Ok(bytes),
            got => Err(self.unfit(&got, "bytes")),
        }
    }

    fn date(&self, got: Value) -> Result<jiff::Timestamp, Stuck> {
        match got {
            Value::Date(at) => Ok(at),
            got => Err(self.unfit(&got, "a date")),
        }
    }

    fn unfit(&self, got: &Value, wanted: &str) -> Stuck {
        let expected = format!("{wanted} for the filter `{}`", self.name());
        refused(expected, format!("{}, which is {}", got.shown(), got.kind()))
    }

    /// As it is written in files.
    fn name(&self) -> &'static str {
        match self {
            Self::Base64Decode => "base64_decode",
            Self::Base64Encode => "base64_encode",
            Self::Base64UrlSafeDecode => "base64_url_safe_decode",
            Self::Base64UrlSafeEncode => "base64_url_safe_encode",
            Self::Count => "count",
            Self::DateFormat(_) => "date_format",
            Self::DaysAfterNow => "days_after_now",
            Self::DaysBeforeNow => "days_before_now",
            Self::Decode(_) => "decode",
            Self::First => "first",
            Self::HtmlEscape => "html_escape",
            Self::HtmlUnescape => "html_unescape",
            Self::Jsonpath(_) => "jsonpath",
            Self::JsonpathCoerced(_) => "jsonpath_coerced",
            Self::Last => "last",
            Self::Location => "location",
            Self::Nth(_) => "nth",
            Self::Regex(_) => "regex",
            Self::Replace { .. } => "replace",
            Self::ReplaceRegex { .. } => "replace_regex",
            Self::Split(_) => "split",
            Self::ToDate(_) => "to_date",
            Self::ToFloat => "to_float",
            Self::ToHex => "to_hex",
            Self::ToInt => "to_int",
            Self::ToString => "to_string",
            Self::UrlDecode => "url_decode",
            Self::UrlEncode => "url_encode",
            Self::UrlQueryParam(_) => "url_query_param",
            Self::Utf8Decode => "utf8_decode",
            Self::Utf8Encode => "utf8_encode",
            Self::Xpath(_) => "xpath",
        }
    }
}

fn refused(expected: impl Into<String>, observed: impl Into<String>) -> Stuck {
    Stuck::Refused { expected: expected.into(), observed: observed.into() }
}

#[cfg(test)]
mod tests {
    use located::Source;
    use serde_json::{Value as Json, json};

    use super::{Filter, Stuck, Value, apply_all};
    use crate::text::Scope;

    fn filtered(yaml: &str, got: Value) -> Result<Option<Value>, String> {
        let filters: Vec<Filter> = located::yaml(&Source::new("a.yaml", yaml)).unwrap_or_else(|e| panic!("{e}"));
        let mut scope = Scope::default();
        scope.set("two", 2);
        apply_all(&filters, Some(got), &scope).map_err(|stuck| match stuck {
            Stuck::Template(error) => error.message,
            Stuck::Refused { expected, observed } => format!("{expected}, got {observed}"),
        })
    }

    fn json_of(yaml: &str, got: Json) -> Json {
        filtered(yaml, Value::Json(got)).unwrap().map_or(Json::Null, Value::into_json)
    }

    /// Every filter: from a JSON value to what templates would see.
    #[test]
    fn every_filter_gives_what_it_says() {
        for (filters, got, wanted) in [
            ("[base64_decode, utf8_decode]", json!("aMOp"), json!("hé")),
            ("[utf8_encode, base64_encode]", json!("hé"), json!("aMOp")),
            ("[base64_url_safe_decode, to_hex]", json!("_-8"), json!("ffef")),
            ("[base64_url_safe_decode, base64_url_safe_encode]", json!("_-8"), json!("_-8")),
            ("[count]", json!([1, 2]), json!(2)),
            ("[{to_date: '%Y-%m-%d %H:%M'}, {date_format: '%d.%m.%y'}]", json!("2026-11-20 08:00"), json!("20.11.26")),
            ("[{to_date: '%Y-%m-%d'}]", json!("2026-11-20"), json!("2026-11-20T00:00:00Z")),
            ("[{to_date: '%+'}]", json!("2026-11-20T09:00:00+01:00"), json!("2026-11-20T08:00:00Z")),
            (
                "[{to_date: '%a, %d %b %Y %H:%M:%S GMT'}]",
                json!("Fri, 20 Nov 2026 08:00:00 GMT"),
                json!("2026-11-20T08:00:00Z"),
            ),
            ("[{to_date: '%Y-%m-%d'}, {format: '%+'}]", json!("2026-11-20"), json!("2026-11-20T00:00:00+00:00")),
            ("[base64_decode, {decode: iso-8859-1}]", json!("6Q=="), json!("é")),
            ("[first]", json!([1, 2]), json!(1)),
            ("[last]", json!([1, 2]), json!(2)),
            ("[{nth: 1}]", json!([1, 2]), json!(2)),
            ("[{nth: -2}]", json!([1, 2]), json!(1)),
            ("[{nth: '{{ two }}'}]", json!([1, 2, 3]), json!(3)),
            ("[html_escape]", json!("<a b=\"'&\">"), json!("&lt;a b=&quot;&#x27;&amp;&quot;&gt;")),
            ("[html_unescape]", json!("&lt;&#62;&#x3e;&eacute;&ampx <b>"), json!("<>>é&x <b>")),
            ("[{jsonpath: '$.a'}]", json!("{\"a\": [7]}"), json!([7])),
            ("[{jsonpath: '$.a'}]", json!({"a": 7}), json!(7)),
            ("[{jsonpath: '$[*]'}]", json!([7]), json!([7])),
            ("[{jsonpath_coerced: '$[*]'}]", json!([7]), json!(7)),
            ("[location]", json!({"status": 302, "location": "http://a/b"}), json!("http://a/b")),
            ("[{regex: 'n=(\\d+)'}]", json!("m=1&n=22"), json!("22")),
            ("[{replace: {old: a, new: 'b{{ two }}'}}]", json!("aa"), json!("b2b2")),
            ("[{replace_regex: {pattern: '(\\d)', new: '<$1>'}}]", json!("a1"), json!("a<1>")),
            ("[{split: ', '}]", json!("a, b"), json!(["a", "b"])),
            ("[to_float]", json!("1.5"), json!(1.5)),
            ("[to_float]", json!(2), json!(2.0)),
            ("[to_int]", json!("-3"), json!(-3)),
            ("[to_int]", json!(3.9), json!(3)),
            ("[to_string]", json!(true), json!("true")),
            ("[url_decode]", json!("a%20b%2Fc"), json!("a b/c")),
            ("[url_encode]", json!("a b/ü"), json!("a%20b/%C3%BC")),
            ("[{url_query_param: id}]", json!("http://a/?x=1&id=a%20b"), json!("a b")),
            ("[{url_query_param: id}]", json!("http://a/"), json!(null)),
            ("[{xpath: 'string(//p)'}]", json!("<p>hi"), json!("hi")),
        ] {
            assert_eq!(json_of(filters, got.clone()), wanted, "{filters} of {got}");
        }
    }

    #[test]
    fn days_are_counted_from_now_in_both_directions() {
        let in_ten_days = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(10 * 24 + 1);
        let days = |yaml| filtered(yaml, Value::Date(in_ten_days)).unwrap().unwrap().into_json();
        assert_eq!((days("[days_after_now]"), days("[days_before_now]")), (json!(10), json!(-10)));
    }

    #[test]
    fn what_a_filter_does_not_take_is_said() {
        for (filters, got, wanted) in [
            ("[count]", json!("abc"), "a list, bytes or nodes for the filter `count`, got \"abc\", which is a text"),
            ("[first]", json!([]), "an element 0, got a list of 0"),
            ("[{nth: -3}]", json!([1, 2]), "an element -3, got a list of 2"),
            ("[base64_decode]", json!("***"), "a text in Base64, got \"***\""),
            ("[base64_url_safe_decode]", json!("_-8="), "a text in URL-safe Base64 without padding, got \"_-8=\""),
            ("[{regex: x}, count]", json!("abc"), "a value for the filter `count`, got nothing there"),
            ("[to_int]", json!("1.5"), "a whole number, got \"1.5\""),
            ("[to_float]", json!("x"), "a number, got \"x\""),
            ("[to_string]", json!([]), "a text, number, boolean, date or null for the filter `to_string`, got []"),
            ("[utf8_encode, {decode: none}]", json!("x"), "the name of a character encoding, got `none`"),
            ("[{to_date: '%Y'}]", json!("soon"), "a date like `%Y`, got \"soon\""),
            (
                "[days_after_now]",
                json!("soon"),
                "a date for the filter `days_after_now`, got \"soon\", which is a text",
            ),
            ("[{jsonpath: $}]", json!("{"), "a text that holds JSON, got"),
            ("[{url_query_param: id}]", json!("not a url"), "a URL, got \"not a url\""),
        ] {
            let error = filtered(filters, Value::Json(got)).unwrap_err();
            assert!(error.starts_with(wanted), "{filters}: {error}");
        }
    }

    #[test]
    fn names_in_errors_are_the_names_in_files() {
        let schema = serde_json::to_value(schemars::schema_for!(Filter)).unwrap().to_string();
        for name in ["base64_url_safe_decode", "date_format", "url_query_param", "utf8_decode", "jsonpath_coerced"] {
            assert!(schema.contains(&format!("\"{name}\"")), "{name}");
        }
    }
}
