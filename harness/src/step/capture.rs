//! Values that a step leaves for later ones.

use std::{borrow::Cow, fmt};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor, value::MapAccessDeserializer},
};
use serde_json::Value as Json;

use super::{Halt, Outcome};
use crate::{
    expect::{JsonPathText, Mismatch, compile_regex, cut},
    text::{Entries, RenderError, Scope, Text},
};

const SHOWN_BYTES_MAX: usize = 500; // of the text in which nothing was found

/// Where a value comes from.
#[derive(Clone, Debug)]
pub(crate) enum CaptureRule {
    Path(JsonPathText),
    Header(String),
    /// The first group of the first match, or the whole match.
    Regex(Text),
    Status,
}

/// What a step has to capture from.
#[derive(Default)]
pub(crate) struct Material<'a> {
    pub(crate) json: Option<&'a Json>,
    pub(crate) text: &'a str,
    pub(crate) status: Option<i64>,
    pub(crate) header: Option<HeaderOf<'a>>,
}

/// Looks a header up by its name.
type HeaderOf<'a> = &'a (dyn Fn(&str) -> Option<String> + Sync);

/// Adds what the rules find to the outcome. What is missing is a mismatch: a later step must not run on nothing.
pub(crate) fn capture(
    rules: &Entries<CaptureRule>,
    material: &Material<'_>,
    scope: &Scope,
    outcome: &mut Outcome,
) -> Result<(), Halt> {
    for (name, rule) in rules.iter() {
        match rule.find(material, scope)? {
            Some(value) => outcome.captured.push((name.value.clone(), value)),
            None => {
                let got = match material.text {
                    "" => "nothing".to_owned(),
                    text => format!("nothing there in {}", cut(text.to_owned(), SHOWN_BYTES_MAX)),
                };
                outcome.mismatches.push(Mismatch::new(format!("capture `{}`", name.value), rule.words(), got));
            }
        }
    }
    Ok(())
}

impl CaptureRule {
    fn find(&self, material: &Material<'_>, scope: &Scope) -> Result<Option<Json>, RenderError> {
        Ok(match self {
            Self::Path(path) => match material.json {
                Some(json) => path.find(json, scope)?,
                None => None,
            },
            Self::Header(name) => material.header.and_then(|header| header(name)).map(Json::String),
            Self::Regex(pattern) => {
                let written = scope.text(pattern)?;
                let regex = compile_regex(&written).map_err(|message| RenderError { place: pattern.place, message })?;
                let found = regex.captures(material.text);
                found.and_then(|groups| groups.get(1).or_else(|| groups.get(0))).map(|group| group.as_str().into())
            }
            Self::Status => material.status.map(Json::from),
        })
    }

    fn words(&self) -> String {
        match self {
            Self::Path(path) => format!("something at `{}`", path.written()),
            Self::Header(name) => format!("a header `{name}`"),
            Self::Regex(pattern) => format!("a match of `{}`", pattern.value),
            Self::Status => "a status".to_owned(),
        }
    }
}

/// The only value that makes sense after `status:`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(try_from = "bool")]
struct True;

impl TryFrom<bool> for True {
    type Error = &'static str;

    fn try_from(value: bool) -> Result<Self, Self::Error> {
        if value { Ok(Self) } else { Err("write `status: true`, or leave it out") }
    }
}

/// `{header: etag}`, `{regex: "id=(\\d+)"}`, `{status: true}`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum RuleMap {
    Header(String),
    Regex(Text),
    Status(True),
}

impl<'de> Deserialize<'de> for CaptureRule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PathOrMap;

        impl<'de> Visitor<'de> for PathOrMap {
            type Value = CaptureRule;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSONPath, or one of {header: name}, {regex: pattern}, {status: true}")
            }

            fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<CaptureRule, E> {
                JsonPathText::unplaced(value).map(CaptureRule::Path).map_err(E::custom)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<CaptureRule, A::Error> {
                Ok(match RuleMap::deserialize(MapAccessDeserializer::new(map))? {
                    RuleMap::Header(name) => CaptureRule::Header(name),
                    RuleMap::Regex(pattern) => CaptureRule::Regex(pattern),
                    RuleMap::Status(True) => CaptureRule::Status,
                })
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
        let map = RuleMap::json_schema(generator);
        json_schema!({ "anyOf": [{ "type": "string" }, map] })
    }
}
