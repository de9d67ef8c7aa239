//! Shapes of JSON: which fields are always there, of which types, and of which few words where a field is a closed set.
//! Written like a JSON Schema. Values never get in, except words of fields that name a kind or a state.
//!
//! [`Shape::of`] one value, [`Shape::merge`] of several; `fold` makes one operation of many paths, `answers` knows
//! streams and statuses.

mod answers;
mod fold;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use self::answers::{AnswerShape, Shapes};
pub(crate) use self::fold::{Folder, is_id, unnamed};

const WORDS_MAX: usize = 24; // more of them are no closed set
const WORD_CHARS_MAX: usize = 40;

/// Fields whose texts are a closed set: never a name, a text or an id of somebody.
const CLOSED: [&str; 9] = ["event", "kind", "mode", "object", "reason", "role", "state", "status", "type"];
const CLOSED_ENDS: [&str; 5] = ["_method", "_mode", "_reason", "_status", "_type"];

/// What a JSON value looks like.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shape {
    #[serde(rename = "type", default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) kinds: BTreeSet<Kind>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) properties: BTreeMap<String, Self>,
    /// The properties that every object had.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) required: BTreeSet<String>,
    /// Of an object whose keys are ids, or of the user's making.
    #[serde(rename = "additionalProperties", default, skip_serializing_if = "Option::is_none")]
    pub(crate) values: Option<Box<Self>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) items: Option<Box<Self>>,
    /// All texts that were seen, where they are a closed set.
    #[serde(rename = "enum", default, skip_serializing_if = "Option::is_none")]
    pub(crate) words: Option<BTreeSet<String>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    Null,
    Boolean,
    Integer,
    Number,
    String,
    Array,
    Object,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
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

impl Shape {
    pub(crate) fn plain(kind: Kind) -> Self {
        Self { kinds: BTreeSet::from([kind]), ..Self::default() }
    }

    /// `name` is the field that holds the value, or nothing.
    pub(crate) fn of(value: &Value, name: &str) -> Self {
        match value {
            Value::Null => Self::plain(Kind::Null),
            Value::Bool(_) => Self::plain(Kind::Boolean),
            Value::Number(number) if number.is_f64() => Self::plain(Kind::Number),
            Value::Number(_) => Self::plain(Kind::Integer),
            Value::String(text) => Self { words: word(name, text), ..Self::plain(Kind::String) },
            Value::Array(items) => {
                let shapes = items.iter().map(|item| Self::of(item, name));
                Self { items: merged(shapes).map(Box::new), ..Self::plain(Kind::Array) }
            }
            Value::Object(fields) if is_map(name, fields.keys()) => {
                let shapes = fields.values().map(|value| Self::of(value, ""));
                Self { values: merged(shapes).map(Box::new), ..Self::plain(Kind::Object) }
            }
            Value::Object(fields) => Self {
                properties: fields.iter().map(|(name, value)| (name.clone(), Self::of(value, name))).collect(),
                required: fields.keys().cloned().collect(),
                ..Self::plain(Kind::Object)
            },
        }
    }

    /// What both look like.
    pub(crate) fn merge(&mut self, other: Self) {
        let objects = (self.kinds.contains(&Kind::Object), other.kinds.contains(&Kind::Object));
        let texts = (self.kinds.contains(&Kind::String), other.kinds.contains(&Kind::String));
        self.required = match objects {
            (true, true) => self.required.intersection(&other.required).cloned().collect(),
            (true, false) => std::mem::take(&mut self.required),
            (false, _) => other.required,
        };
        self.words = match texts {
            (true, true) => both(self.words.take(), other.words),
            (true, false) => self.words.take(),
            (false, _) => other.words,
        };
        for (name, shape) in other.properties {
            self.properties.entry(name).or_default().merge(shape);
        }
        merge_box(&mut self.values, other.values);
        merge_box(&mut self.items, other.items);
        self.kinds.extend(other.kinds);
        if self.kinds.contains(&Kind::Number) {
            self.kinds.remove(&Kind::Integer);
        }
    }
}

/// None where there are no shapes.
pub(crate) fn merged(shapes: impl Iterator<Item = Shape>) -> Option<Shape> {
    shapes.reduce(|mut all, shape| {
        all.merge(shape);
        all
    })
}

fn merge_box(into: &mut Option<Box<Shape>>, from: Option<Box<Shape>>) {
    match (into.as_mut(), from) {
        (Some(into), Some(from)) => into.merge(*from),
        (None, from) => *into = from,
        (Some(_), None) => {}
    }
}

fn both(one: Option<BTreeSet<String>>, other: Option<BTreeSet<String>>) -> Option<BTreeSet<String>> {
    let mut all = one?;
    all.extend(other?);
    (all.len() <= WORDS_MAX).then_some(all)
}

fn word(name: &str, text: &str) -> Option<BTreeSet<String>> {
    let is_closed = CLOSED.contains(&name) || CLOSED_ENDS.iter().any(|end| name.ends_with(end));
    let is_word = (1..=WORD_CHARS_MAX).contains(&text.len())
        && text.starts_with(|letter: char| letter.is_ascii_alphabetic())
        && text.chars().all(|letter| letter.is_ascii_alphanumeric() || "_-.".contains(letter))
        && !is_id(text);
    (is_closed && is_word).then(|| BTreeSet::from([text.to_owned()]))
}

/// Whether the keys say nothing about the service: they are ids, or the user's own.
fn is_map<'k>(name: &str, mut keys: impl Iterator<Item = &'k String>) -> bool {
    name == "metadata" || keys.next().is_some_and(|first| is_id(first) && keys.all(|key| is_id(key)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shape(values: &[Value]) -> Value {
        serde_json::to_value(merged(values.iter().map(|value| Shape::of(value, ""))).expect("is fine"))
            .expect("is fine")
    }

    #[test]
    fn what_is_always_there_is_required_and_only_closed_sets_keep_their_words() {
        let seen = shape(&[
            json!({"id": "cus_1", "status": "active", "name": "Ada", "age": 1, "tags": []}),
            json!({"id": "cus_2", "status": "gone", "name": null, "age": 1.5, "tags": [{"at": 1}]}),
            json!({"id": "cus_3", "status": "active", "name": "Bob", "age": 2, "tags": [], "extra": true}),
        ]);
        let expected = json!({"type": ["object"], "required": ["age", "id", "name", "status", "tags"], "properties": {
            "id": {"type": ["string"]},
            "status": {"type": ["string"], "enum": ["active", "gone"]},
            "name": {"type": ["null", "string"]},
            "age": {"type": ["number"]},
            "tags": {"type": ["array"], "items":
                {"type": ["object"], "required": ["at"], "properties": {"at": {"type": ["integer"]}}}},
            "extra": {"type": ["boolean"]},
        }});
        assert_eq!(seen, expected);
    }

    #[test]
    fn keys_that_are_ids_and_metadata_are_no_fields() {
        let seen = shape(&[json!({"by": {"4711": {"n": 1}, "4712": {"n": 2}}, "metadata": {"anything": "x"}})]);
        assert_eq!(seen["properties"]["by"]["additionalProperties"]["required"], json!(["n"]));
        assert_eq!(seen["properties"]["metadata"]["additionalProperties"], json!({"type": ["string"]}));
    }

    #[test]
    fn an_enumeration_ends_where_one_text_is_no_word() {
        assert_eq!(
            shape(&[json!({"status": "open"}), json!({"status": "two words"})])["properties"]["status"]["enum"],
            json!(null)
        );
    }

    proptest::proptest! {
        #[test]
        fn the_order_of_merging_does_not_matter(texts in proptest::collection::vec("[a-c]{1,2}", 1..6), numbers: Vec<f64>) {
            let mut values: Vec<_> = texts.iter().map(|text| json!({"type": text, text.as_str(): 1})).collect();
            values.extend(numbers.iter().map(|number| json!({"type": number})));
            let forth = shape(&values);
            values.reverse();
            proptest::prop_assert_eq!(forth, shape(&values));
        }
    }
}
