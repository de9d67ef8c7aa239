//! `JSONPath` (RFC 9535): what a path finds, and checks on it.

use std::{borrow::Cow, fmt};

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, Visitor},
};
use serde_json::Value as Json;
use serde_json_path::JsonPath;

use super::{Mismatch, Predicates, nesting};
use crate::text::{Placed, RenderError, Scope, Text};

/// A path as it is written; may hold templates. Compiled once, when the file is read, where it holds none.
#[derive(Clone, Debug)]
pub(crate) struct JsonPathText {
    text: Text,
    compiled: Option<JsonPath>,
}

/// What stands for the values that a path finds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Found {
    /// A path that can only find one value gives that value; any other gives the list of all.
    #[default]
    ByPath,
    /// One value stands for itself, whatever the path; several are a list. This is how Hurl does it.
    ByCount,
}

impl JsonPathText {
    /// What the path finds; `None` where nothing is there.
    pub(crate) fn find(&self, value: &Json, scope: &Scope) -> Result<Option<Json>, RenderError> {
        self.find_as(value, Found::ByPath, scope)
    }

    pub(crate) fn find_as(&self, value: &Json, found: Found, scope: &Scope) -> Result<Option<Json>, RenderError> {
        let rendered;
        let (path, compiled) = match &self.compiled {
            Some(compiled) => (self.text.as_str(), Cow::Borrowed(compiled)),
            None => {
                rendered = scope.text(&self.text)?;
                let refused = |message| RenderError { place: self.text.place, message };
                (rendered.as_str(), Cow::Owned(compile(&rendered).map_err(refused)?))
            }
        };
        let mut values = compiled.query(value).all();
        let is_one = match found {
            Found::ByPath => is_singular(path),
            Found::ByCount => values.len() == 1,
        };
        Ok(match values.len() {
            0 => None,
            1 if is_one => values.pop().cloned(),
            _ => Some(values.into_iter().cloned().collect()),
        })
    }

    /// For a path whose own place is not known; its errors point at the start of the file.
    pub(crate) fn unplaced(path: &str) -> Result<Self, String> {
        Self::new(Text { value: path.to_owned(), place: located::Place::START })
    }

    fn new(text: Text) -> Result<Self, String> {
        let compiled = (!text.contains("{{")).then(|| compile(&text)).transpose()?;
        Ok(Self { text, compiled })
    }

    pub(crate) fn written(&self) -> &str {
        &self.text
    }
}

/// Wildcards, descendants, slices, lists and filters can find several values.
fn is_singular(path: &str) -> bool {
    let (mut quote, mut before) = (None, ' ');
    for c in path.chars() {
        match quote {
            // A name may hold any of the signs below; its end is a quote without a backslash.
            Some(mark) if c == mark && before != '\\' => quote = None,
            Some(_) => {}
            None if c == '\'' || c == '"' => quote = Some(c),
            None if matches!(c, '*' | '?' | ':' | ',') || (c == '.' && before == '.') => return false,
            None => {}
        }
        before = c;
    }
    true
}

fn compile(path: &str) -> Result<JsonPath, String> {
    nesting::check(path).map_err(|reason| format!("this is no JSONPath that can be used: {reason}"))?;
    JsonPath::parse(path).map_err(|error| format!("`{path}` is no JSONPath: {error}"))
}

impl<'de> Deserialize<'de> for JsonPathText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(Text::deserialize(deserializer)?).map_err(D::Error::custom)
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
        Predicates::object_schema(generator, &[("path", serde_json::json!({ "type": "string" }))], &["path"])
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
        assert!(
            check("{path: \"$['a*,b']\", equals: 7}", &json!({"a*,b": 7})).is_empty(),
            "a sign in a name is a name"
        );
    }

    #[test]
    fn a_path_that_would_overflow_the_stack_is_refused_when_read() {
        let deep = |depth: usize| format!("$[?{}@.a{}]", "(".repeat(depth), ")".repeat(depth));
        let parsed = |path: String| super::JsonPathText::unplaced(&path).map(drop);
        assert_eq!(parsed(deep(31)), Ok(()));
        for path in [deep(32), deep(1_900), format!("$[?{}@.a]", "!".repeat(3_000)), "$[?@".repeat(1_000)] {
            assert!(parsed(path).unwrap_err().contains("nests deeper"));
        }
        assert!(parsed(deep(100_000)).unwrap_err().contains("more than 4096 bytes"));
        assert!(parsed("$..*".repeat(2_000)).unwrap_err().contains("more than 4096 bytes"));
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
