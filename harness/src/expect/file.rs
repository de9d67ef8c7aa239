//! What a file must be: predicates on its text, or a document in it.

use std::{borrow::Cow, fmt};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, Visitor},
};
use serde_json::Value as Json;

use super::{Bound, Mismatch, Mode, PathCheck, Predicates, difference};
use crate::text::{Node, Placed, RenderError, Scope};

const OWN_NAMES: [&str; 4] = ["bytes", "json", "json_exact", "jsonpath"];

/// `{exists: true, json: {…}}`, or a plain text that the file must be equal to.
#[derive(Clone, Debug, Default)]
pub(crate) struct FileCheck {
    text: Predicates,
    /// Its size.
    bytes: Option<Bound>,
    json: Option<Node>,
    json_exact: Option<Node>,
    jsonpath: Vec<PathCheck>,
}

impl FileCheck {
    /// Every condition that does not hold; `None` is a file that is not there.
    pub(crate) fn check(&self, name: &str, got: Option<&[u8]>, scope: &Scope) -> Result<Vec<Mismatch>, RenderError> {
        let subject = format!("file {name}");
        let text = got.map(String::from_utf8_lossy);
        let mut found = self.text.check_text(&subject, text.as_deref(), scope)?;
        let Some(bytes) = got else {
            // Predicates on the text have said it already.
            if found.is_empty() && self.needs_content() {
                found.push(Mismatch::new(subject, "a file", "nothing there"));
            }
            return Ok(found);
        };
        if let Some(words) = self.bytes.as_ref().map(|bound| bound.refuses(bytes.len() as f64, scope)).transpose()? {
            found.extend(words.map(|words| Mismatch::new(&subject, format!("{words} bytes"), bytes.len().to_string())));
        }
        if self.needs_json() {
            match serde_json::from_slice(bytes) {
                Ok(document) => found.extend(self.check_json(&subject, &document, scope)?),
                Err(error) => found.push(Mismatch::new(subject, "JSON", error.to_string())),
            }
        }
        Ok(found)
    }

    fn check_json(&self, subject: &str, got: &Json, scope: &Scope) -> Result<Vec<Mismatch>, RenderError> {
        let mut found = Vec::new();
        for (wanted, mode) in [(&self.json, Mode::Partial), (&self.json_exact, Mode::Exact)] {
            if let Some(wanted) = wanted {
                found.extend(difference(&scope.node(wanted)?, got, mode));
            }
        }
        for check in &self.jsonpath {
            found.extend(check.check(got, scope)?);
        }
        let named = |mismatch: Mismatch| Mismatch { subject: format!("{subject} {}", mismatch.subject), ..mismatch };
        Ok(found.into_iter().map(named).collect())
    }

    fn needs_content(&self) -> bool {
        self.bytes.is_some() || self.needs_json()
    }

    fn needs_json(&self) -> bool {
        self.json.is_some() || self.json_exact.is_some() || !self.jsonpath.is_empty()
    }
}

impl<'de> Deserialize<'de> for FileCheck {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MapOrText;

        impl<'de> Visitor<'de> for MapOrText {
            type Value = FileCheck;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a text, predicates like {{exists: true}}, or one of {}", OWN_NAMES.join(", "))
            }

            fn visit_str<E>(self, value: &str) -> Result<FileCheck, E> {
                Ok(FileCheck { text: Predicates::equal_to(value), ..FileCheck::default() })
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<FileCheck, A::Error> {
                let mut check = FileCheck::default();
                while let Some(name) = map.next_key::<Placed<String>>()? {
                    match name.as_str() {
                        "bytes" => check.bytes = Some(map.next_value()?),
                        "json" => check.json = Some(map.next_value()?),
                        "json_exact" => check.json_exact = Some(map.next_value()?),
                        "jsonpath" => check.jsonpath = map.next_value()?,
                        _ => check.text.read_entry::<A>(&name, &mut map)?,
                    }
                }
                if check.text.is_empty() && !check.needs_content() {
                    return Err(A::Error::custom("a file without a condition checks nothing; write {exists: true}"));
                }
                Ok(check)
            }
        }
        deserializer.deserialize_any(MapOrText)
    }
}

impl JsonSchema for FileCheck {
    fn schema_name() -> Cow<'static, str> {
        "FileCheck".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut map = Predicates::object_schema(generator, &[], &[]);
        if let Some(Json::Object(properties)) = map.get_mut("properties") {
            properties.insert("bytes".to_owned(), Bound::json_schema(generator).to_value());
            properties.extend(["json", "json_exact"].map(|name| (name.to_owned(), Json::Bool(true))));
            let checks = generator.subschema_for::<Vec<PathCheck>>();
            properties.insert("jsonpath".to_owned(), checks.to_value());
        }
        json_schema!({ "anyOf": [{ "type": "string" }, map] })
    }
}

#[cfg(test)]
mod tests {
    use located::Source;

    use super::FileCheck;
    use crate::text::Scope;

    fn check(yaml: &str, got: Option<&[u8]>) -> Vec<String> {
        let check: FileCheck = located::yaml(&Source::new("a.yaml", yaml)).unwrap();
        check.check("out", got, &Scope::default()).unwrap().iter().map(super::Mismatch::message).collect()
    }

    #[test]
    fn a_file_is_checked_as_text_by_size_and_as_a_document() {
        let file: Option<&[u8]> = Some(br#"{"a": [1, 2]}"#);
        assert!(check("{contains: a, bytes: 13, json: {}, jsonpath: [{path: '$.a[1]', equals: 2}]}", file).is_empty());
        let got =
            check("{contains: b, bytes: {lt: 13}, json: {a: [1, 3]}, jsonpath: [{path: $.b, exists: true}]}", file);
        assert_eq!(got.len(), 4, "{got:#?}");
        assert_eq!(got[1], "file out: expected less than 13 bytes, got 13");
        assert_eq!(got[2], "file out json $.a[1]: expected 3, got 2");
        assert_eq!(check("hi", Some(b"hi")), Vec::<String>::new());
    }

    #[test]
    fn a_missing_file_is_one_mismatch_unless_it_shall_be_missing() {
        for yaml in ["{exists: true, json: {}}", "{bytes: 1, json: {}}", "hi"] {
            let got = check(yaml, None);
            assert_eq!(got.len(), 1, "{yaml}: {got:?}");
            assert!(got[0].ends_with("got nothing there"), "{got:?}");
        }
        assert!(check("{exists: false}", None).is_empty());
        assert_eq!(check("{exists: false}", Some(b"hi")).len(), 1);
    }

    #[test]
    fn a_file_without_a_condition_is_refused() {
        for nothing in ["{}", "{jsonpath: []}"] {
            let error = located::yaml::<FileCheck>(&Source::new("a.yaml", nothing)).unwrap_err().to_string();
            assert!(error.contains("a file without a condition checks nothing"), "{nothing}: {error}");
        }
        assert_eq!(check("{json_exact: null}", Some(b"{}")), ["file out json $: expected null, got {}"]);
    }

    #[test]
    fn what_is_no_json_is_said_to_be_none() {
        assert!(check("{json: {}}", Some(b"{"))[0].starts_with("file out: expected JSON, got EOF"));
    }
}
