//! A number, or limits of one: `2`, `{gte: 1, lte: 3}`.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::Value as Json;

use crate::text::{Node, RenderError, Scope};

/// Limits of a count. May hold templates.
#[derive(Clone, Debug)]
pub(crate) struct Bound(pub(crate) Node);

impl Bound {
    /// What was expected, in words, where `got` is outside; `None` where it is inside.
    pub(crate) fn refuses(&self, got: f64, scope: &Scope) -> Result<Option<String>, RenderError> {
        let written = scope.node(&self.0)?;
        let limits = limits(&written).map_err(|message| RenderError { place: self.0.place, message })?;
        let outside = limits.iter().any(|(limit, value)| !limit.admits(got, *value));
        Ok(outside.then(|| {
            let words = limits.iter().map(|(limit, value)| format!("{}{value}", limit.words()));
            words.collect::<Vec<_>>().join(" and ")
        }))
    }
}

#[derive(Clone, Copy)]
enum Limit {
    Equal,
    Greater,
    AtLeast,
    Less,
    AtMost,
}

impl Limit {
    fn admits(self, got: f64, value: f64) -> bool {
        match self {
            Self::Equal => got == value,
            Self::Greater => got > value,
            Self::AtLeast => got >= value,
            Self::Less => got < value,
            Self::AtMost => got <= value,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Equal => "",
            Self::Greater => "more than ",
            Self::AtLeast => "at least ",
            Self::Less => "less than ",
            Self::AtMost => "at most ",
        }
    }
}

fn limits(written: &Json) -> Result<Vec<(Limit, f64)>, String> {
    let refused = || "expected a number, or limits like {gte: 1, lte: 3}".to_owned();
    match written {
        Json::Number(number) => Ok(vec![(Limit::Equal, number.as_f64().ok_or_else(refused)?)]),
        Json::Object(map) if !map.is_empty() => map.iter().map(|(name, value)| limit(name, value)).collect(),
        _ => Err(refused()),
    }
}

fn limit(name: &str, value: &Json) -> Result<(Limit, f64), String> {
    let limit = match name {
        "equals" => Limit::Equal,
        "gt" => Limit::Greater,
        "gte" => Limit::AtLeast,
        "lt" => Limit::Less,
        "lte" => Limit::AtMost,
        _ => return Err(format!("unknown limit `{name}`, expected one of gt, gte, lt, lte, equals")),
    };
    value.as_f64().map(|value| (limit, value)).ok_or_else(|| format!("the limit `{name}` must be a number"))
}

impl<'de> Deserialize<'de> for Bound {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let node = Node::deserialize(deserializer)?;
        let written = node.written();
        // A template has no number yet; it is read when the trial runs.
        if !written.to_string().contains("{{") {
            limits(&written).map_err(D::Error::custom)?;
        }
        Ok(Self(node))
    }
}

impl JsonSchema for Bound {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Bound".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let number = || serde_json::json!({ "type": ["number", "string"] });
        json_schema!({ "anyOf": [number(), {
            "type": "object", "minProperties": 1, "additionalProperties": false,
            "properties": { "gt": number(), "gte": number(), "lt": number(), "lte": number(), "equals": number() },
        }] })
    }
}

#[cfg(test)]
mod tests {
    use located::Source;

    use super::Bound;
    use crate::text::Scope;

    fn refuses(yaml: &str, got: f64) -> Option<String> {
        located::yaml::<Bound>(&Source::new("a.yaml", yaml)).unwrap().refuses(got, &Scope::default()).unwrap()
    }

    #[test]
    fn limits_are_said_in_words() {
        assert_eq!(refuses("2", 2.0), None);
        assert_eq!(refuses("2", 3.0).unwrap(), "2");
        assert_eq!(refuses("{gte: 1, lt: 3}", 3.0).unwrap(), "at least 1 and less than 3");
        assert_eq!(refuses("{gt: 0, lte: 3}", 3.0), None);
    }

    #[test]
    fn other_forms_are_refused_when_read() {
        for yaml in ["soon", "{}", "{above: 1}", "{gte: x}", "[1]"] {
            assert!(located::yaml::<Bound>(&Source::new("a.yaml", yaml)).is_err(), "{yaml}");
        }
    }
}
