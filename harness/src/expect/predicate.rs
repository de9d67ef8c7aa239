//! Typed predicates on one value.

use std::{borrow::Cow, fmt};

use regex::RegexBuilder;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, Visitor},
};
use serde_json::Value as Json;

use super::{Bound, Mismatch, same, shown};
use crate::text::{Node, NodeKind, Placed, RenderError, Scope, Text};

const REGEX_BYTES_MAX: usize = 1 << 20; // compiled size; a hand-written pattern is far below

/// One condition.
#[derive(Clone, Debug)]
pub(crate) enum Predicate {
    Equals(Node),
    NotEquals(Node),
    /// A text's part, an array's element, or an object's key.
    Contains(Node),
    NotContains(Node),
    StartsWith(Text),
    EndsWith(Text),
    /// A regular expression that matches somewhere in the text.
    Matches(Text),
    Exists(bool),
    Type(TypeName),
    /// Characters of a text, elements of an array, keys of an object.
    Length(Bound),
    Gt(Node),
    Gte(Node),
    Lt(Node),
    Lte(Node),
    OneOf(Vec<Node>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TypeName {
    Null,
    Boolean,
    Integer,
    Number,
    String,
    Array,
    Object,
}

const NAMES: [&str; 15] = [
    "equals",
    "not_equals",
    "contains",
    "not_contains",
    "starts_with",
    "ends_with",
    "matches",
    "exists",
    "type",
    "length",
    "gt",
    "gte",
    "lt",
    "lte",
    "one_of",
];

/// Conditions that must all hold. Written as a map of predicates, or as a plain value for `equals`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Predicates(pub(crate) Vec<Predicate>);

impl Predicates {
    pub(crate) fn equal_to(text: &str) -> Self {
        equals(NodeKind::Text(text.to_owned()))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Every condition that does not hold of `got`; `None` is a value that is not there.
    pub(crate) fn check(&self, subject: &str, got: Option<&Json>, scope: &Scope) -> Result<Vec<Mismatch>, RenderError> {
        let mut found = Vec::new();
        for predicate in &self.0 {
            if let Some(expected) = predicate.refuses(got, scope)? {
                found.push(Mismatch::new(subject, expected, got.map_or_else(|| "nothing there".to_owned(), shown)));
            }
        }
        Ok(found)
    }

    pub(crate) fn check_text(
        &self,
        subject: &str,
        got: Option<&str>,
        scope: &Scope,
    ) -> Result<Vec<Mismatch>, RenderError> {
        self.check(subject, got.map(Json::from).as_ref(), scope)
    }

    pub(super) fn read_entry<'de, A: MapAccess<'de>>(
        &mut self,
        name: &Placed<String>,
        map: &mut A,
    ) -> Result<(), A::Error> {
        let predicate = match name.as_str() {
            "equals" => Predicate::Equals(map.next_value()?),
            "not_equals" => Predicate::NotEquals(map.next_value()?),
            "contains" => Predicate::Contains(map.next_value()?),
            "not_contains" => Predicate::NotContains(map.next_value()?),
            "starts_with" => Predicate::StartsWith(map.next_value()?),
            "ends_with" => Predicate::EndsWith(map.next_value()?),
            "matches" => Predicate::Matches(pattern(map.next_value()?).map_err(A::Error::custom)?),
            "exists" => Predicate::Exists(map.next_value()?),
            "type" => Predicate::Type(map.next_value()?),
            "length" => Predicate::Length(map.next_value()?),
            "gt" => Predicate::Gt(map.next_value()?),
            "gte" => Predicate::Gte(map.next_value()?),
            "lt" => Predicate::Lt(map.next_value()?),
            "lte" => Predicate::Lte(map.next_value()?),
            "one_of" => Predicate::OneOf(map.next_value()?),
            unknown => {
                let message = format!("unknown predicate `{unknown}`, expected one of {}", NAMES.join(", "));
                return Err(A::Error::custom(message));
            }
        };
        self.0.push(predicate);
        Ok(())
    }

    pub(super) fn object_schema(_: &mut SchemaGenerator, extra: Option<&str>) -> Schema {
        let mut properties: serde_json::Map<_, _> =
            NAMES.iter().map(|name| ((*name).to_owned(), Json::Bool(true))).collect();
        properties.extend(extra.map(|name| (name.to_owned(), serde_json::json!({ "type": "string" }))));
        let required: Vec<_> = extra.into_iter().collect();
        let least = 1 + required.len();
        json_schema!({
            "type": "object", "additionalProperties": false,
            "properties": properties, "required": required, "minProperties": least,
        })
    }
}

impl Predicate {
    /// What was expected, in words, where it does not hold.
    fn refuses(&self, got: Option<&Json>, scope: &Scope) -> Result<Option<String>, RenderError> {
        if let Self::Exists(wanted) = self {
            let words = if *wanted { "something" } else { "nothing there" };
            return Ok((got.is_some() != *wanted).then(|| words.to_owned()));
        }
        let (holds, words) = self.judge(got, scope)?;
        Ok((!holds).then_some(words))
    }

    fn judge(&self, got: Option<&Json>, scope: &Scope) -> Result<(bool, String), RenderError> {
        let is = |test: &dyn Fn(&Json) -> bool| got.is_some_and(test);
        let text = got.and_then(Json::as_str);
        Ok(match self {
            Self::Equals(node) => {
                let wanted = scope.node(node)?;
                (is(&|got| same(&wanted, got)), shown(&wanted))
            }
            Self::NotEquals(node) => {
                let wanted = scope.node(node)?;
                (is(&|got| !same(&wanted, got)), format!("anything but {}", shown(&wanted)))
            }
            Self::Contains(node) => {
                let wanted = scope.node(node)?;
                (is(&|got| contains(got, &wanted)), format!("to contain {}", shown(&wanted)))
            }
            Self::NotContains(node) => {
                let wanted = scope.node(node)?;
                (is(&|got| !contains(got, &wanted)), format!("not to contain {}", shown(&wanted)))
            }
            Self::StartsWith(wanted) => {
                let wanted = scope.text(wanted)?;
                (text.is_some_and(|text| text.starts_with(&wanted)), format!("to start with {wanted:?}"))
            }
            Self::EndsWith(wanted) => {
                let wanted = scope.text(wanted)?;
                (text.is_some_and(|text| text.ends_with(&wanted)), format!("to end with {wanted:?}"))
            }
            Self::Matches(written) => {
                let pattern = scope.text(written)?;
                let regex = compile(&pattern).map_err(|message| RenderError { place: written.place, message })?;
                (text.is_some_and(|text| regex.is_match(text)), format!("to match {pattern:?}"))
            }
            Self::Exists(wanted) => (got.is_some() == *wanted, "it".to_owned()),
            Self::Type(wanted) => (is(&|got| wanted.is_of(got)), format!("a value of type {}", wanted.words())),
            Self::Length(bound) => match got.and_then(length) {
                Some(got) => {
                    let refused = bound.refuses(got as f64, scope)?;
                    (refused.is_none(), format!("a length of {}", refused.unwrap_or_default()))
                }
                None => (false, "a text, an array or an object".to_owned()),
            },
            Self::Gt(node) => ordered(got, &scope.node(node)?, "more than", |order| order.is_gt()),
            Self::Gte(node) => ordered(got, &scope.node(node)?, "at least", |order| order.is_ge()),
            Self::Lt(node) => ordered(got, &scope.node(node)?, "less than", |order| order.is_lt()),
            Self::Lte(node) => ordered(got, &scope.node(node)?, "at most", |order| order.is_le()),
            Self::OneOf(nodes) => {
                let wanted = nodes.iter().map(|node| scope.node(node)).collect::<Result<Vec<_>, _>>()?;
                (is(&|got| wanted.iter().any(|one| same(one, got))), format!("one of {}", shown(&wanted.into())))
            }
        })
    }
}

impl TypeName {
    fn is_of(self, got: &Json) -> bool {
        match self {
            Self::Null => got.is_null(),
            Self::Boolean => got.is_boolean(),
            Self::Integer => got.is_i64() || got.is_u64(),
            Self::Number => got.is_number(),
            Self::String => got.is_string(),
            Self::Array => got.is_array(),
            Self::Object => got.is_object(),
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean => "boolean",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::String => "string",
            Self::Array => "array",
            Self::Object => "object",
        }
    }
}

fn contains(got: &Json, wanted: &Json) -> bool {
    match (got, wanted) {
        (Json::String(text), Json::String(part)) => text.contains(part.as_str()),
        (Json::String(text), Json::Number(part)) => text.contains(&part.to_string()),
        (Json::Array(items), _) => items.iter().any(|item| same(wanted, item)),
        (Json::Object(map), Json::String(key)) => map.contains_key(key),
        _ => false,
    }
}

fn length(got: &Json) -> Option<usize> {
    match got {
        Json::String(text) => Some(text.chars().count()),
        Json::Array(items) => Some(items.len()),
        Json::Object(map) => Some(map.len()),
        Json::Null | Json::Bool(_) | Json::Number(_) => None,
    }
}

fn ordered(got: Option<&Json>, limit: &Json, words: &str, fits: fn(std::cmp::Ordering) -> bool) -> (bool, String) {
    let order = match (got, limit) {
        (Some(Json::Number(got)), Json::Number(limit)) => {
            got.as_f64().zip(limit.as_f64()).and_then(|(got, limit)| got.partial_cmp(&limit))
        }
        (Some(Json::String(got)), Json::String(limit)) => Some(got.cmp(limit)),
        _ => None,
    };
    (order.is_some_and(fits), format!("{words} {}", shown(limit)))
}

fn pattern(text: Text) -> Result<Text, String> {
    if !text.contains("{{") {
        compile(&text)?;
    }
    Ok(text)
}

pub(crate) fn compile(pattern: &str) -> Result<regex::Regex, String> {
    let regex = RegexBuilder::new(pattern).size_limit(REGEX_BYTES_MAX).build();
    regex.map_err(|error| format!("`{pattern}` is no regular expression: {error}"))
}

impl<'de> Deserialize<'de> for Predicates {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MapOrValue;

        impl<'de> Visitor<'de> for MapOrValue {
            type Value = Predicates;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value, or predicates like {contains: json}")
            }

            fn visit_str<E>(self, value: &str) -> Result<Predicates, E> {
                Ok(equals(NodeKind::Text(value.to_owned())))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Predicates, E> {
                Ok(equals(NodeKind::Text(value.to_string())))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Predicates, E> {
                Ok(equals(NodeKind::Text(value.to_string())))
            }

            fn visit_bool<E>(self, value: bool) -> Result<Predicates, E> {
                Ok(equals(NodeKind::Text(value.to_string())))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Predicates, A::Error> {
                let mut predicates = Predicates::default();
                while let Some(name) = map.next_key::<Placed<String>>()? {
                    predicates.read_entry::<A>(&name, &mut map)?;
                }
                Ok(predicates)
            }
        }
        deserializer.deserialize_any(MapOrValue)
    }
}

/// Headers, bodies and outputs are texts, so a plain value is compared as one.
fn equals(kind: NodeKind) -> Predicates {
    Predicates(vec![Predicate::Equals(Node { place: located::Place::START, kind })])
}

impl JsonSchema for Predicates {
    fn schema_name() -> Cow<'static, str> {
        "Predicates".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let map = Self::object_schema(generator, None);
        json_schema!({ "anyOf": [{ "type": ["string", "number", "boolean"] }, map] })
    }
}

#[cfg(test)]
mod tests {
    use located::Source;
    use serde_json::{Value as Json, json};

    use super::Predicates;
    use crate::text::Scope;

    fn check(yaml: &str, got: Option<&Json>) -> Vec<String> {
        let predicates: Predicates = located::yaml(&Source::new("a.yaml", yaml)).unwrap();
        let mut scope = Scope::default();
        scope.set("n", 2);
        predicates.check("it", got, &scope).unwrap().iter().map(super::Mismatch::message).collect()
    }

    /// Every predicate: what it admits and what it refuses.
    #[test]
    fn every_predicate_admits_and_refuses() {
        for (yaml, admitted, refused) in [
            ("equals: {a: [1, x]}", json!({"a": [1.0, "x"]}), json!({"a": [1, "x"], "b": 2})),
            ("equals: '{{ n }}'", json!(2), json!("2")),
            ("not_equals: 2", json!("2"), json!(2.0)),
            ("contains: bc", json!("abcd"), json!("acbd")),
            ("contains: 42", json!("is 42"), json!("is 41")),
            ("contains: {a: 1}", json!([{"a": 1}]), json!([{"a": 1, "b": 2}])),
            ("contains: key", json!({"key": null}), json!({"kez": "key"})),
            ("not_contains: b", json!("acd"), json!("abc")),
            ("starts_with: ord_", json!("ord_1"), json!("xord_1")),
            ("ends_with: '1'", json!("ord_1"), json!(1)),
            ("matches: ^ord_[0-9]+$", json!("ord_12"), json!("ord_x")),
            ("type: integer", json!(3), json!(3.5)),
            ("type: number", json!(3.5), json!("3.5")),
            ("type: string", json!(""), json!(null)),
            ("type: boolean", json!(false), json!(0)),
            ("type: array", json!([]), json!({})),
            ("type: object", json!({}), json!([])),
            ("type: 'null'", json!(null), json!("null")),
            ("length: 3", json!("äöü"), json!([1, 2])),
            ("length: {gte: 1}", json!({"a": 1}), json!({})),
            ("gt: 2", json!(2.5), json!(2)),
            ("gte: '{{ n }}'", json!(2), json!(1)),
            ("lt: 2", json!(1), json!(2)),
            ("lte: 2", json!(2), json!(3)),
            ("gt: '2026-01-01'", json!("2026-01-02"), json!("2025-12-31")),
            ("one_of: [a, 2]", json!(2), json!("b")),
            ("exists: true", json!(null), Json::Null),
        ] {
            assert_eq!(check(yaml, Some(&admitted)), Vec::<String>::new(), "{yaml} admits {admitted}");
            if yaml != "exists: true" {
                assert_eq!(check(yaml, Some(&refused)).len(), 1, "{yaml} refuses {refused}");
            }
            assert_eq!(check(yaml, None).len(), 1, "{yaml} refuses what is not there");
        }
    }

    #[test]
    fn absence_can_be_asked_for() {
        assert!(check("exists: false", None).is_empty());
        assert_eq!(check("exists: false", Some(&json!(1))), ["it: expected nothing there, got 1"]);
    }

    #[test]
    fn all_predicates_are_evaluated() {
        let got = check("{starts_with: a, ends_with: z, length: 2}", Some(&json!("bcd")));
        assert_eq!(got.len(), 3);
        assert_eq!(got[2], "it: expected a length of 2, got \"bcd\"");
    }

    #[test]
    fn a_plain_value_is_equality_of_text() {
        assert!(check("hi", Some(&json!("hi"))).is_empty());
        assert!(check("42", Some(&json!("42"))).is_empty(), "headers are texts");
    }

    #[test]
    fn bad_predicates_are_refused_when_read() {
        let error = |yaml| located::yaml::<Predicates>(&Source::new("a.yaml", yaml)).unwrap_err().to_string();
        assert!(error("{contain: x}").contains("unknown predicate `contain`, expected one of equals"));
        assert!(error("matches: '['").contains("no regular expression"));
        assert!(error("type: text").contains("unknown variant"));
        assert!(error("matches: '((a{100}){100}){100}'").contains("size limit"));
    }
}
