//! YAML as a person would write it: block style, small maps on one line, comments, no needless quotes.
//!
//! Owns the tree that importers build and its text: `layout` decides between lines and blocks, `scalar` about quotes.
//! Never decides what belongs into a scenario.

mod layout;
mod scalar;

/// A value to write.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Yaml {
    Null,
    Bool(bool),
    /// As it is to be written.
    Number(String),
    Text(String),
    List(Vec<Self>),
    Map(Map),
    /// A value with lines of comment above it; it and what holds it stand in block style.
    Commented(Vec<String>, Box<Self>),
    /// A map or list that is spread over lines even where it would fit on one.
    Spread(Box<Self>),
}

/// Entries in the order of writing.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Map(pub(crate) Vec<(String, Yaml)>);

impl Map {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn one(key: &str, value: impl Into<Yaml>) -> Self {
        Self(vec![(key.to_owned(), value.into())])
    }

    #[must_use]
    pub(crate) fn with(mut self, key: &str, value: impl Into<Yaml>) -> Self {
        self.set(key, value);
        self
    }

    pub(crate) fn set(&mut self, key: &str, value: impl Into<Yaml>) {
        let value = value.into();
        match self.0.iter_mut().find(|(name, _)| name == key) {
            Some((_, old)) => *old = value,
            None => self.0.push((key.to_owned(), value)),
        }
    }

    /// Sets the entry where there is something to say.
    pub(crate) fn set_some(&mut self, key: &str, value: Option<impl Into<Yaml>>) {
        if let Some(value) = value {
            self.set(key, value);
        }
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Yaml> {
        self.0.iter().find_map(|(name, value)| (name == key).then_some(value))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Yaml {
    pub(crate) fn spread(self) -> Self {
        Self::Spread(Box::new(self))
    }

    /// The value below comment lines; itself where there is nothing to say.
    pub(crate) fn commented(self, lines: Vec<String>) -> Self {
        if lines.is_empty() { self } else { Self::Commented(lines, Box::new(self)) }
    }
}

impl From<&str> for Yaml {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Yaml {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<bool> for Yaml {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Yaml {
    fn from(value: i64) -> Self {
        Self::Number(value.to_string())
    }
}

impl From<Map> for Yaml {
    fn from(map: Map) -> Self {
        Self::Map(map)
    }
}

impl From<Vec<Self>> for Yaml {
    fn from(items: Vec<Self>) -> Self {
        Self::List(items)
    }
}

impl From<&serde_json::Value> for Yaml {
    fn from(value: &serde_json::Value) -> Self {
        use serde_json::Value as Json;
        match value {
            Json::Null => Self::Null,
            Json::Bool(value) => Self::Bool(*value),
            Json::Number(number) => Self::Number(number.to_string()),
            Json::String(text) => Self::Text(text.clone()),
            Json::Array(items) => Self::List(items.iter().map(Self::from).collect()),
            Json::Object(map) => Self::Map(Map(map.iter().map(|(key, value)| (key.clone(), value.into())).collect())),
        }
    }
}
#[cfg(test)]
mod tests {
    use located::Source;
    use proptest::prelude::*;
    use serde_json::{Value as Json, json};

    use super::{Map, Yaml};
    use crate::text::Node;

    fn read(text: &str) -> Json {
        located::yaml::<Node>(&Source::new("a.yaml", text)).unwrap_or_else(|error| panic!("{error}\n{text}")).written()
    }

    #[test]
    fn a_scenario_reads_well() {
        let step = Map::one("name", "pays")
            .with("http", Map::one("post", "/orders").with("json", Yaml::from(&json!({"a": [1, "2"], "b": "{{ c }}"}))))
            .with("expect", Map::one("body", "two\nlines\n"));
        let steps = Yaml::List(vec![
            Yaml::from(step).spread().commented(vec!["from shop.hurl:3".to_owned()]),
            Yaml::from(Map::one("wait", Map::one("for", "1s"))).spread(),
        ]);
        let document = Map::one("scenario", "a").with("vars", Yaml::Map(Map::new())).with("steps", steps);
        insta::assert_snapshot!(Yaml::from(document).document(), @r#"
        scenario: a
        vars: {}
        steps:
          # from shop.hurl:3
          - name: pays
            http: { post: /orders, json: { a: [1, "2"], b: "{{ c }}" } }
            expect:
              body: |
                two
                lines
          - wait: { for: 1s }
        "#);
    }

    #[test]
    fn a_comment_cannot_end_early() {
        let value =
            Yaml::from(Map::one("b", "c").with("d", Yaml::from("e").commented(vec!["x\u{85}y\rz\nn".to_owned()])));
        assert_eq!(read(&value.document()), json!({"b": "c", "d": "e"}));
    }

    fn any_json() -> impl Strategy<Value = Json> {
        let leaf = prop_oneof![
            Just(Json::Null),
            any::<bool>().prop_map(Json::from),
            any::<i32>().prop_map(Json::from),
            // What trips writers up.
            proptest::sample::select(vec![
                "",
                " ",
                "~",
                "no",
                "Yes",
                "1",
                "1e3",
                "0x1f",
                "-",
                "- a",
                "a: b",
                "a #b",
                "#",
                "\n",
                "\n\n",
                " x\ny",
                "a\n",
                "a\n\nb\n\n",
                "\tb",
                "'",
                "\"",
                "\\",
                "{{ a }}",
                "[",
                "}",
                "a, b",
                "&a",
                "*a",
                "!a",
                "%a",
                "@a",
                "`a`",
                "|",
                ">",
                "2026-01-02",
                "12:30",
                "a:",
                "?",
                "? a",
                "=",
                "<<",
                "\u{85}",
                "\u{feff}",
                "\u{1}",
                "é😀",
                "null",
                ".5",
                "0o7",
                "+1",
                "1_000",
                ".",
                "a\r\nb",
                "x:{y",
                "---",
                "...",
            ])
            .prop_map(Json::from),
            ".{0,12}".prop_map(Json::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
                proptest::collection::btree_map(".{0,6}", inner, 0..4)
                    .prop_map(|map| Json::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(value in any_json()) {
            let document = Yaml::from(Map::one("value", Yaml::from(&value)).with("spread", Yaml::from(&value).spread()));
            prop_assert_eq!(read(&document.document()), json!({ "value": value, "spread": value }));
        }
    }
}
