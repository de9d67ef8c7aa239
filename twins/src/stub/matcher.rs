//! What a text of a request must be like. As written ([`Wish`]) and ready to be asked ([`Matcher`]).

use std::fmt;

use regex::{Regex, RegexBuilder};
use schemars::JsonSchema;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{MapAccess, Visitor, value::MapAccessDeserializer},
};
use serde_json::Value as Json;
use serde_json_path::JsonPath;

use super::{
    json::{Leniency, alike},
    view::Subject,
    xml,
};

const REGEX_BYTES_MAX: usize = 1024 * 1024; // compiled

/// A condition on a text: all that is given must hold. A plain text is short for `equals`.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub(crate) struct Wish {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) equals: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) equals_ignoring_case: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) contains: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) lacks: Option<String>,
    /// A regular expression over the whole text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) matches: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) matches_not: Option<String>,
    /// True: it must not be there. False: it must.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) absent: Option<bool>,
    /// The same JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) json: Option<Json>,
    /// For `json`: items of arrays in any order.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) any_order: bool,
    /// For `json`: fields and items that are not mentioned do not matter.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) extra_fields: bool,
    /// A JSON path that finds something; with `is`, something like that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) json_path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) is: Option<Box<Self>>,
    /// The same XML, spaces between elements and the order of attributes aside.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) xml: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) all_of: Vec<Self>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) any_of: Vec<Self>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) not: Option<Box<Self>>,
}

/// The fields of a [`Wish`] that is written as a mapping.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Written {
    equals: Option<String>,
    equals_ignoring_case: Option<String>,
    contains: Option<String>,
    lacks: Option<String>,
    matches: Option<String>,
    matches_not: Option<String>,
    absent: Option<bool>,
    json: Option<Json>,
    any_order: bool,
    extra_fields: bool,
    json_path: Option<String>,
    is: Option<Box<Wish>>,
    xml: Option<String>,
    all_of: Vec<Wish>,
    any_of: Vec<Wish>,
    not: Option<Box<Wish>>,
}

impl<'de> Deserialize<'de> for Wish {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextOrMap;

        impl<'de> Visitor<'de> for TextOrMap {
            type Value = Wish;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, or a condition like {contains: …}")
            }

            fn visit_str<E>(self, text: &str) -> Result<Wish, E> {
                Ok(Wish { equals: Some(text.to_owned()), ..Wish::default() })
            }

            fn visit_i64<E>(self, number: i64) -> Result<Wish, E> {
                Ok(Wish { equals: Some(number.to_string()), ..Wish::default() })
            }

            fn visit_u64<E>(self, number: u64) -> Result<Wish, E> {
                Ok(Wish { equals: Some(number.to_string()), ..Wish::default() })
            }

            fn visit_bool<E>(self, truth: bool) -> Result<Wish, E> {
                Ok(Wish { equals: Some(truth.to_string()), ..Wish::default() })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Wish, A::Error> {
                let it = Written::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Wish {
                    equals: it.equals,
                    equals_ignoring_case: it.equals_ignoring_case,
                    contains: it.contains,
                    lacks: it.lacks,
                    matches: it.matches,
                    matches_not: it.matches_not,
                    absent: it.absent,
                    json: it.json,
                    any_order: it.any_order,
                    extra_fields: it.extra_fields,
                    json_path: it.json_path,
                    is: it.is,
                    xml: it.xml,
                    all_of: it.all_of,
                    any_of: it.any_of,
                    not: it.not,
                })
            }
        }

        deserializer.deserialize_any(TextOrMap)
    }
}

/// A condition, ready to be asked.
#[derive(Clone, Debug)]
pub(crate) enum Matcher {
    Equals(String),
    EqualsIgnoringCase(String),
    Contains(String),
    Matches(Regex),
    Absent,
    Json(Json, Leniency),
    JsonPath(Box<JsonPath>, Option<Box<Self>>),
    Xml(String),
    All(Vec<Self>),
    Any(Vec<Self>),
    Not(Box<Self>),
}

impl Wish {
    pub(crate) fn compile(&self) -> Result<Matcher, String> {
        let mut all = Vec::new();
        let not = |matcher: Matcher| Matcher::Not(Box::new(matcher));
        all.extend(self.equals.clone().map(Matcher::Equals));
        all.extend(self.equals_ignoring_case.as_ref().map(|text| Matcher::EqualsIgnoringCase(text.to_lowercase())));
        all.extend(self.contains.clone().map(Matcher::Contains));
        all.extend(self.lacks.clone().map(|text| not(Matcher::Contains(text))));
        if let Some(pattern) = &self.matches {
            all.push(Matcher::Matches(whole(pattern)?));
        }
        if let Some(pattern) = &self.matches_not {
            all.push(not(Matcher::Matches(whole(pattern)?)));
        }
        match self.absent {
            Some(true) => all.push(Matcher::Absent),
            Some(false) => all.push(not(Matcher::Absent)),
            None => {}
        }
        let leniency = Leniency { any_order: self.any_order, extra_fields: self.extra_fields };
        all.extend(self.json.clone().map(|json| Matcher::Json(json, leniency)));
        all.extend(self.path()?);
        if let Some(text) = &self.xml {
            all.push(Matcher::Xml(xml::canonical(text).ok_or("`xml` is no XML")?));
        }
        let each = |wishes: &[Self]| wishes.iter().map(Self::compile).collect::<Result<Vec<_>, _>>();
        all.extend(each(&self.all_of)?);
        if !self.any_of.is_empty() {
            all.push(Matcher::Any(each(&self.any_of)?));
        }
        if let Some(wish) = &self.not {
            all.push(not(wish.compile()?));
        }
        match all.len() {
            0 => Err("a condition that says nothing; write {contains: …}, {matches: …}, {absent: true}, …".to_owned()),
            1 => Ok(all.remove(0)),
            _ => Ok(Matcher::All(all)),
        }
    }

    fn path(&self) -> Result<Option<Matcher>, String> {
        let inner = self.is.as_ref().map(|wish| wish.compile().map(Box::new)).transpose()?;
        match &self.json_path {
            None if inner.is_some() => Err("`is` belongs to a `json_path`".to_owned()),
            None => Ok(None),
            Some(path) => {
                let path = JsonPath::parse(path).map_err(|error| format!("`{path}` is no JSON path: {error}"))?;
                Ok(Some(Matcher::JsonPath(Box::new(path), inner)))
            }
        }
    }
}

/// The pattern, over the whole text.
pub(crate) fn whole(pattern: &str) -> Result<Regex, String> {
    let anchored = format!("^(?:{pattern})$");
    let built = RegexBuilder::new(&anchored).dot_matches_new_line(true).size_limit(REGEX_BYTES_MAX).build();
    built.map_err(|error| {
        let text = error.to_string();
        let reason = text.lines().next_back().unwrap_or_default().trim_start_matches("error: ").to_owned();
        format!("the pattern `{pattern}` does not compile: {reason}")
    })
}

impl Matcher {
    /// Of several values (a header that is sent twice) one must fit.
    pub(crate) fn fits_one_of(&self, values: &[&str]) -> bool {
        if values.is_empty() {
            self.fits(None)
        } else {
            values.iter().any(|value| self.fits(Some(&Subject::new(*value))))
        }
    }

    /// The one text that fits.
    pub(crate) fn equals(&self) -> Option<&str> {
        match self {
            Self::Equals(wanted) => Some(wanted),
            Self::All(all) => all.iter().find_map(Self::equals),
            _ => None,
        }
    }

    /// None: it is not there.
    pub(crate) fn fits(&self, subject: Option<&Subject<'_>>) -> bool {
        let text = subject.map(|subject| subject.text.as_ref());
        match self {
            Self::Equals(wanted) => text == Some(wanted),
            Self::EqualsIgnoringCase(wanted) => text.is_some_and(|text| text.to_lowercase() == *wanted),
            Self::Contains(wanted) => text.is_some_and(|text| text.contains(wanted)),
            Self::Matches(pattern) => text.is_some_and(|text| pattern.is_match(text)),
            Self::Absent => text.is_none_or(str::is_empty),
            Self::Json(wanted, leniency) => {
                subject.and_then(Subject::json).is_some_and(|found| alike(wanted, found, *leniency))
            }
            Self::JsonPath(path, inner) => subject.and_then(Subject::json).is_some_and(|json| found(path, inner, json)),
            Self::Xml(wanted) => text.and_then(xml::canonical).is_some_and(|found| found == *wanted),
            Self::All(all) => all.iter().all(|matcher| matcher.fits(subject)),
            Self::Any(any) => any.iter().any(|matcher| matcher.fits(subject)),
            Self::Not(matcher) => !matcher.fits(subject),
        }
    }
}

fn found(path: &JsonPath, inner: &Option<Box<Matcher>>, json: &Json) -> bool {
    let nodes = path.query(json);
    let Some(matcher) = inner else { return nodes.iter().any(|node| !is_empty(node)) };
    if nodes.is_empty() {
        return matcher.fits(None);
    }
    nodes.iter().any(|node| match node {
        Json::String(text) => matcher.fits(Some(&Subject::new(text.as_str()))),
        Json::Null => matcher.fits(None),
        other => matcher.fits(Some(&Subject::new(other.to_string()))),
    })
}

/// What a path finds there counts as nothing.
fn is_empty(node: &Json) -> bool {
    match node {
        Json::Array(items) => items.is_empty(),
        Json::Object(map) => map.is_empty(),
        Json::Null => true,
        Json::Bool(_) | Json::Number(_) | Json::String(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fits(wish: Json, text: Option<&str>) -> bool {
        let wish: Wish = serde_json::from_value(wish).expect("is a wish");
        wish.compile().expect("is sound").fits(text.map(Subject::new).as_ref())
    }

    #[test]
    fn texts() {
        assert!(fits(json!("a"), Some("a")) && !fits(json!("a"), Some("A")));
        assert!(fits(json!({"equals_ignoring_case": "A"}), Some("a")));
        assert!(fits(json!({"matches": "[a-z]+"}), Some("abc")) && !fits(json!({"matches": "[a-z]+"}), Some("abc1")));
        assert!(fits(json!({"absent": true}), None) && !fits(json!({"absent": true}), Some("x")));
        assert!(fits(json!({"lacks": "b"}), Some("a")) && !fits(json!({"contains": "a", "lacks": "b"}), Some("ab")));
        assert!(fits(json!({"any_of": ["a", "b"]}), Some("b")) && fits(json!({"not": "a"}), Some("b")));
    }

    #[test]
    fn structured_texts() {
        assert!(fits(json!({"json": {"a": 1}}), Some("{\"a\": 1.0}")) && !fits(json!({"json": {}}), Some("no")));
        assert!(fits(json!({"json_path": "$.a[?@.b > 1]"}), Some(r#"{"a": [{"b": 2}]}"#)));
        assert!(!fits(json!({"json_path": "$.a[?@.b > 2]"}), Some(r#"{"a": [{"b": 2}]}"#)));
        assert!(fits(json!({"json_path": "$.a", "is": {"contains": "x"}}), Some(r#"{"a": "xy"}"#)));
        assert!(fits(json!({"json_path": "$.n", "is": "7"}), Some(r#"{"n": 7}"#)));
        assert!(fits(json!({"xml": "<a y='2' x=\"1\"> <b/></a>"}), Some("<a x=\"1\" y=\"2\"><b></b></a>")));
    }

    #[test]
    fn nonsense_is_refused() {
        let refused = |wish: Json| {
            serde_json::from_value::<Wish>(wish).expect("is written well").compile().expect_err("is refused")
        };
        assert!(refused(json!({})).contains("says nothing"));
        assert!(refused(json!({"matches": "("})).contains("does not compile"));
        assert!(refused(json!({"json_path": "a b"})).contains("no JSON path"));
        assert!(refused(json!({"is": "x"})).contains("json_path"));
        assert!(serde_json::from_value::<Wish>(json!({"contians": "x"})).is_err());
    }
}
