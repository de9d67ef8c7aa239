//! Values that a step leaves for later ones.

use std::{borrow::Cow, fmt};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::Value as Json;

use super::{Halt, Outcome};
use crate::{
    expect::{CaptureMap, JsonPathText, Material, Mismatch, Query, Stuck, Value, cut},
    text::{Entries, RenderError, Scope},
};

const SHOWN_BYTES_MAX: usize = 500; // of the text in which nothing was found

/// Where a value comes from.
#[derive(Clone, Debug)]
pub(crate) enum CaptureRule {
    Path(JsonPathText),
    Map(CaptureMap),
}

/// Adds what the rules find to the outcome. What is missing is a mismatch: a later step must not run on nothing.
pub(crate) fn capture(
    rules: &Entries<CaptureRule>,
    material: &Material<'_>,
    scope: &Scope,
    outcome: &mut Outcome,
) -> Result<(), Halt> {
    for (name, rule) in rules.iter() {
        let (expected, observed) = match rule.find(material, scope) {
            Ok(Some(value)) => {
                let value = value.into_json();
                if rule.is_redacted() {
                    outcome.secrets.push(value.clone());
                }
                outcome.captured.push((name.value.clone(), value));
                continue;
            }
            Ok(None) => (rule.words(), nothing_in(material)),
            Err(Stuck::Refused { expected, observed }) => (expected, observed),
            Err(Stuck::Template(error)) => return Err(error.into()),
        };
        outcome.mismatches.push(Mismatch::new(format!("capture `{}`", name.value), expected, observed));
    }
    Ok(())
}

fn nothing_in(material: &Material<'_>) -> String {
    match material.as_text() {
        "" => "nothing".to_owned(),
        text => format!("nothing there in {}", cut(text.to_owned(), SHOWN_BYTES_MAX)),
    }
}

impl CaptureRule {
    fn find(&self, material: &Material<'_>, scope: &Scope) -> Result<Option<Value>, Stuck> {
        match self {
            // What is no JSON has nothing at a path.
            Self::Path(path) => {
                let found = material.as_json().ok().map(|json| path.find(json, scope)).transpose();
                let found: Result<_, RenderError> = found;
                Ok(found?.flatten().map(Value::Json))
            }
            Self::Map(map) => map.source.find(material, scope),
        }
    }

    fn is_redacted(&self) -> bool {
        match self {
            Self::Path(_) => false,
            Self::Map(map) => map.redact,
        }
    }

    /// Whether there must be a response to capture from.
    pub(crate) fn needs_response(&self) -> bool {
        match self {
            Self::Path(_) => false,
            Self::Map(map) => map.source.query.needs_response(),
        }
    }

    fn words(&self) -> String {
        match self {
            Self::Path(path) => format!("something at `{}`", path.written()),
            Self::Map(map) => match &map.source.query {
                Query::Header(name) => format!("a header `{}`", name.value),
                Query::Regex(pattern) => format!("a match of `{}`", pattern.written()),
                other => format!("something at {}", other.words()),
            },
        }
    }
}

impl<'de> Deserialize<'de> for CaptureRule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PathOrMap;

        impl<'de> Visitor<'de> for PathOrMap {
            type Value = CaptureRule;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSONPath, or a query such as {header: name}, {regex: pattern}, {status: true}")
            }

            fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<CaptureRule, E> {
                JsonPathText::unplaced(value).map(CaptureRule::Path).map_err(E::custom)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<CaptureRule, A::Error> {
                CaptureMap::read(map).map(CaptureRule::Map)
            }
        }
        deserializer.deserialize_any(PathOrMap)
    }
}

impl JsonSchema for CaptureRule {
    fn schema_name() -> Cow<'static, str> {
        "Capture".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let map = CaptureMap::json_schema(generator);
        let map: Json = map.into();
        json_schema!({ "anyOf": [{ "type": "string" }, map] })
    }
}
