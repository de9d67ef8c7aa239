//! `JSONPath` (RFC 9535): what a path finds, and checks on it.

use std::{borrow::Cow, fmt};

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, Visitor},
};
use serde_json::Value as Json;
use serde_json_path::JsonPath;

use super::{Mismatch, Predicates};
use crate::text::{Placed, RenderError, Scope, Text};

/// A path as it is written; may hold templates.
#[derive(Clone, Debug)]
pub(crate) struct JsonPathText(pub(crate) Text);

impl JsonPathText {
    /// What the path finds. A path that can only find one value gives that value; any other gives the array of all.
    /// `None` where nothing is there.
    pub(crate) fn find(&self, value: &Json, scope: &Scope) -> Result<Option<Json>, RenderError> {
        let path = scope.text(&self.0)?;
        let compiled = compile(&path).map_err(|message| RenderError { place: self.0.place, message })?;
        let found = compiled.query(value);
        Ok(match (is_singular(&path), found.first()) {
            (_, None) => None,
            (true, Some(one)) => Some(one.clone()),
            (false, Some(_)) => Some(found.all().into_iter().cloned().collect()),
        })
    }

    /// For a path whose own place is not known; its errors point at the start of the file.
    pub(crate) fn unplaced(path: &str) -> Result<Self, String> {
        if !path.contains("{{") {
            compile(path)?;
        }
        Ok(Self(Text { value: path.to_owned(), place: located::Place::START }))
    }

    pub(crate) fn written(&self) -> &str {
        &self.0.value
    }
}

/// Wildcards, descendants, slices, lists and filters can find several values.
fn is_singular(path: &str) -> bool {
    !path.contains("..") && !path.contains(['*', '?', ':', ','])
}

fn compile(path: &str) -> Result<JsonPath, String> {
    JsonPath::parse(path).map_err(|error| format!("`{path}` is no JSONPath: {error}"))
}

impl<'de> Deserialize<'de> for JsonPathText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Text::deserialize(deserializer)?;
        let path = Self::unplaced(&text).map_err(D::Error::custom)?;
        Ok(Self(Text { place: text.place, ..path.0 }))
    }
}

impl JsonSchema for JsonPathText {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "JsonPath".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        String::json_schema(generator)
    }
}

/// `{path: $.id, matches: "^ord_"}`: predicates on what a path finds.
#[derive(Clone, Debug)]
pub(crate) struct PathCheck {
    pub(crate) path: JsonPathText,
    pub(crate) predicates: Predicates,
}

impl PathCheck {
    pub(crate) fn check(&self, value: &Json, scope: &Scope) -> Result<Vec<Mismatch>, RenderError> {
        let found = self.path.find(value, scope)?;
        self.predicates.check(&format!("json {}", self.path.written()), found.as_ref(), scope)
    }
}

impl<'de> Deserialize<'de> for PathCheck {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PathAndPredicates;

        impl<'de> Visitor<'de> for PathAndPredicates {
            type Value = PathCheck;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map with `path` and predicates, like {path: $.id, exists: true}")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<PathCheck, A::Error> {
                let (mut path, mut predicates) = (None, Predicates::default());
                while let Some(name) = map.next_key::<Placed<String>>()? {
                    if name.as_str() == "path" {
                        path = Some(map.next_value()?);
                    } else {
                        predicates.read_entry::<A>(&name, &mut map)?;
                    }
                }
                let path = path.ok_or_else(|| A::Error::missing_field("path"))?;
                if predicates.is_empty() {
                    return Err(A::Error::custom("a path without a predicate checks nothing; add `exists: true`"));
                }
                Ok(PathCheck { path, predicates })
            }
        }
        deserializer.deserialize_map(PathAndPredicates)
    }
}

impl JsonSchema for PathCheck {
    fn schema_name() -> Cow<'static, str> {
        "PathCheck".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Predicates::object_schema(generator, Some("path"))
    }
}

#[cfg(test)]
mod tests {
    use located::Source;
    use serde_json::{Value as Json, json};

    use super::PathCheck;
    use crate::text::Scope;

    fn check(yaml: &str, value: &Json) -> Vec<String> {
        let check: PathCheck = located::yaml(&Source::new("a.yaml", yaml)).unwrap();
        check.check(value, &Scope::default()).unwrap().iter().map(super::Mismatch::message).collect()
    }

    #[test]
    fn a_singular_path_gives_the_value_and_others_an_array() {
        let value = json!({"items": [{"id": 7}]});
        assert!(check("{path: '$.items[0].id', equals: 7}", &value).is_empty());
        assert!(check("{path: '$.items[*].id', equals: [7]}", &value).is_empty());
        assert!(check("{path: '$.items[?@.id == 7]', length: 1}", &value).is_empty());
        assert_eq!(check("{path: $.none, equals: 7}", &value), ["json $.none: expected 7, got nothing there"]);
        assert!(check("{path: $.none, exists: false}", &value).is_empty());
    }

    #[test]
    fn bad_checks_are_refused_when_read() {
        let error = |yaml| located::yaml::<PathCheck>(&Source::new("a.yaml", yaml)).unwrap_err().to_string();
        assert!(error("{path: 'items[', exists: true}").contains("a.yaml:1:8: `items[` is no JSONPath"));
        assert!(error("{path: $.a}").contains("checks nothing"));
        assert!(error("{exists: true}").contains("path"));
        assert!(
            error("{path: $.a, equal: 1}").contains("unknown predicate `equal`"),
            "{}",
            error("{path: $.a, equal: 1}")
        );
    }
}
