//! Typed predicates on one value. What is asked for is here; whether it holds is `judge`.

mod judge;
mod kind;

use std::{borrow::Cow, fmt};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, Visitor},
};
use serde_json::Value as Json;

use super::{Bound, Mismatch, Pattern, Value};
use crate::text::{Node, Placed, RenderError, Scope, Text};
use kind::TypeName;

/// One condition.
#[derive(Clone, Debug)]
pub(crate) enum Predicate {
    /// A plain value, written without a predicate's name: equal as text.
    Is(Text),
    Equals(Node),
    NotEquals(Node),
    /// A text's part, a list's element, an object's key, or bytes within bytes.
    Contains(Node),
    NotContains(Node),
    StartsWith(Node),
    EndsWith(Node),
    /// A regular expression that matches somewhere in the text.
    Matches(Pattern),
    Exists(bool),
    /// Of length 0.
    Empty(bool),
    Type(TypeName),
    /// Characters of a text, elements of a list, keys of an object, bytes, nodes.
    Length(Bound),
    Gt(Node),
    Gte(Node),
    Lt(Node),
    Lte(Node),
    OneOf(Vec<Node>),
    /// None of these holds. A value of a type that one of them cannot look at fails all the same.
    Not(Predicates),
}

const NAMES: [&str; 17] = [
    "equals",
    "not_equals",
    "contains",
    "not_contains",
    "starts_with",
    "ends_with",
    "matches",
    "exists",
    "empty",
    "type",
    "length",
    "gt",
    "gte",
    "lt",
    "lte",
    "one_of",
    "not",
];

/// Whether a predicate holds of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fit {
    Yes,
    No,
    /// The value is of a type that the predicate cannot look at; `not` does not turn that into a success.
    Unfit,
}

impl Fit {
    fn of(holds: bool) -> Self {
        if holds { Self::Yes } else { Self::No }
    }

    fn negated(self) -> Self {
        match self {
            Self::Yes => Self::No,
            Self::No => Self::Yes,
            Self::Unfit => Self::Unfit,
        }
    }

    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Unfit, _) | (_, Self::Unfit) => Self::Unfit,
            (Self::Yes, Self::Yes) => Self::Yes,
            (Self::No, _) | (_, Self::No) => Self::No,
        }
    }
}

/// Conditions that must all hold. Written as a map of predicates, or as a plain value that is compared as text.
#[derive(Clone, Debug, Default)]
pub(crate) struct Predicates(pub(crate) Vec<Predicate>);

impl Predicates {
    pub(crate) fn equal_to(text: &str) -> Self {
        Self::plain(Text { value: text.to_owned(), place: located::Place::START })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A plain value: equal as text.
    pub(super) fn plain(text: Text) -> Self {
        Self(vec![Predicate::Is(text)])
    }

    /// Every condition that does not hold of `got`; `None` is a value that is not there.
    pub(crate) fn check(&self, subject: &str, got: Option<&Json>, scope: &Scope) -> Result<Vec<Mismatch>, RenderError> {
        self.check_value(subject, got.cloned().map(Value::Json).as_ref(), scope)
    }

    pub(crate) fn check_text(
        &self,
        subject: &str,
        got: Option<&str>,
        scope: &Scope,
    ) -> Result<Vec<Mismatch>, RenderError> {
        self.check_value(subject, got.map(Value::text).as_ref(), scope)
    }

    pub(crate) fn check_value(
        &self,
        subject: &str,
        got: Option<&Value>,
        scope: &Scope,
    ) -> Result<Vec<Mismatch>, RenderError> {
        let mut found = Vec::new();
        for predicate in &self.0 {
            if let Some((expected, fit)) = predicate.refuses(got, scope)? {
                let observed = match (got, fit) {
                    (None, _) => "nothing there".to_owned(),
                    (Some(got), Fit::Unfit) => format!("{}, which is {}", got.shown(), got.kind()),
                    (Some(got), Fit::Yes | Fit::No) => got.shown(),
                };
                found.push(Mismatch::new(subject, expected, observed));
            }
        }
        Ok(found)
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
            "matches" => Predicate::Matches(map.next_value()?),
            "exists" => Predicate::Exists(map.next_value()?),
            "empty" => Predicate::Empty(map.next_value()?),
            "type" => Predicate::Type(map.next_value()?),
            "length" => Predicate::Length(map.next_value()?),
            "gt" => Predicate::Gt(map.next_value()?),
            "gte" => Predicate::Gte(map.next_value()?),
            "lt" => Predicate::Lt(map.next_value()?),
            "lte" => Predicate::Lte(map.next_value()?),
            "one_of" => Predicate::OneOf(map.next_value()?),
            "not" => Predicate::Not(map.next_value()?),
            unknown => {
                let message = format!("unknown predicate `{unknown}`, expected one of {}", NAMES.join(", "));
                return Err(A::Error::custom(message));
            }
        };
        self.0.push(predicate);
        Ok(())
    }

    /// The schema of a map with predicates and, beside them, other properties.
    pub(super) fn object_schema(_: &mut SchemaGenerator, extra: &[(&str, Json)], required: &[&str]) -> Schema {
        let mut properties: serde_json::Map<_, _> =
            NAMES.iter().map(|name| ((*name).to_owned(), Json::Bool(true))).collect();
        properties.extend(extra.iter().map(|(name, schema)| ((*name).to_owned(), schema.clone())));
        let least = 1 + required.len();
        json_schema!({
            "type": "object", "additionalProperties": false,
            "properties": properties, "required": required, "minProperties": least,
        })
    }
}

impl<'de> Deserialize<'de> for Predicates {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = Placed::<Written>::deserialize(deserializer)?;
        Ok(match written.value {
            Written::Map(predicates) => predicates,
            Written::Plain(value) => Self::plain(Text { value, place: written.place }),
        })
    }
}

enum Written {
    Plain(String),
    Map(Predicates),
}

impl<'de> Deserialize<'de> for Written {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MapOrValue;

        impl<'de> Visitor<'de> for MapOrValue {
            type Value = Written;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value, or predicates like {contains: json}")
            }

            fn visit_str<E>(self, value: &str) -> Result<Written, E> {
                Ok(Written::Plain(value.to_owned()))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Written, E> {
                Ok(Written::Plain(value.to_string()))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Written, E> {
                Ok(Written::Plain(value.to_string()))
            }

            fn visit_f64<E>(self, value: f64) -> Result<Written, E> {
                Ok(Written::Plain(value.to_string()))
            }

            fn visit_bool<E>(self, value: bool) -> Result<Written, E> {
                Ok(Written::Plain(value.to_string()))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Written, A::Error> {
                let mut predicates = Predicates::default();
                while let Some(name) = map.next_key::<Placed<String>>()? {
                    predicates.read_entry::<A>(&name, &mut map)?;
                }
                if predicates.is_empty() {
                    return Err(A::Error::custom("an empty map checks nothing; write {exists: true}, say"));
                }
                Ok(Written::Map(predicates))
            }
        }
        deserializer.deserialize_any(MapOrValue)
    }
}

impl JsonSchema for Predicates {
    fn schema_name() -> Cow<'static, str> {
        "Predicates".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let map = Self::object_schema(generator, &[], &[]);
        json_schema!({ "anyOf": [{ "type": ["string", "number", "boolean"] }, map] })
    }
}

#[cfg(test)]
mod tests {
    use located::Source;
    use serde_json::{Value as Json, json};

    use super::{Predicates, Value};
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
            ("type: float", json!(3.0), json!(3)),
            ("type: list", json!([1]), json!({})),
            ("type: collection", json!({}), json!("a")),
            ("type: iso_date", json!("2026-11-20T10:00:00Z"), json!("20.11.2026")),
            ("type: uuid", json!("0190a0a0-7b7b-7c7c-8d8d-9e9e9e9e9e9e"), json!("0190")),
            ("type: ipv4", json!("127.0.0.1"), json!("::1")),
            ("type: ipv6", json!("::1"), json!("127.0.0.1")),
            ("empty: true", json!([]), json!("a")),
            ("empty: false", json!("a"), json!({})),
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
    fn not_turns_a_refusal_but_not_a_wrong_type() {
        assert!(check("not: { contains: x, starts_with: y }", Some(&json!("abc"))).is_empty());
        assert_eq!(
            check("not: { contains: b }", Some(&json!("abc"))),
            ["it: expected not to contain \"b\", got \"abc\""]
        );
        assert_eq!(
            check("not: { contains: b }", Some(&json!(7))),
            ["it: expected not to contain \"b\", got 7, which is a number"]
        );
        assert_eq!(check("not_contains: b", Some(&json!(7))).len(), 1, "a number has no parts");
        assert!(check("not: { exists: true }", None).is_empty() && check("not: { contains: b }", None).is_empty());
        assert_eq!(check("not: { not: { equals: 1 } }", Some(&json!(2))).len(), 1);
    }

    #[test]
    fn bytes_dates_and_nodes_are_looked_at_too() {
        let check = |yaml: &str, got: &Value| {
            let predicates: Predicates = located::yaml(&Source::new("a.yaml", yaml)).unwrap();
            predicates.check_value("it", Some(got), &Scope::default()).unwrap().is_empty()
        };
        let bytes = Value::Bytes(vec![0xef, 0xbb, 0xbf, b'a']);
        for yaml in
            ["starts_with: {hex: efbbbf}", "contains: {base64: vw==}", "ends_with: {text: a}", "EFBBBF61", "length: 4"]
        {
            assert!(check(yaml, &bytes), "{yaml}");
        }
        assert!(!check("contains: {hex: ff}", &bytes) && check("type: list", &bytes));
        let nodes = |count: usize| Value::Nodes(vec!["x".to_owned(); count]);
        assert!(
            check("exists: true", &nodes(1)) && !check("contains: x", &nodes(1)) && check("type: object", &nodes(1))
        );
        assert!(check("exists: false", &nodes(0)) && check("empty: true", &nodes(0)));
        let date = Value::Date("2026-01-01T00:00:00Z".parse().unwrap());
        assert!(check("type: date", &date) && check("gt: '2025-01-01T00:00:00Z'", &date));
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
        for nothing in ["{}", "{not: {}}", "{contains: a, not: {}}"] {
            assert!(error(nothing).contains("an empty map checks nothing"), "{nothing}");
        }
        assert!(error("matches: '['").contains("no regular expression"));
        assert!(error("type: text").contains("unknown variant"));
        assert!(error("matches: '((a{100}){100}){100}'").contains("size limit"));
    }
}
