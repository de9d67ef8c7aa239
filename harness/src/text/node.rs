//! Any YAML value, with the place of every part, so that an error in a template deep inside points at its line.

use std::{borrow::Cow, fmt};

use located::Place;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Number, Value as Json};

use super::Text;

/// A value that may hold templates in its strings.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) place: Place,
    /// Where its name stands, in a map; elsewhere its own place.
    pub(crate) name_place: Place,
    pub(crate) kind: NodeKind,
}

#[derive(Clone, Debug)]
pub(crate) enum NodeKind {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
}

impl Node {
    pub(crate) fn at(place: Place, kind: NodeKind) -> Self {
        Self { place, name_place: place, kind }
    }

    /// The value with its strings as they were written: templates stay templates.
    pub(crate) fn written(&self) -> Json {
        match &self.kind {
            NodeKind::Null => Json::Null,
            NodeKind::Bool(value) => Json::Bool(*value),
            NodeKind::Number(number) => Json::Number(number.clone()),
            NodeKind::Text(text) => Json::String(text.clone()),
            NodeKind::List(items) => items.iter().map(Self::written).collect(),
            NodeKind::Map(entries) => entries.iter().map(|(key, node)| (key.clone(), node.written())).collect(),
        }
    }

    /// The entry of a map.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        let NodeKind::Map(entries) = &self.kind else { return None };
        entries.iter().find_map(|(name, node)| (name == key).then_some(node))
    }

    /// The entries of a map; none of anything else.
    pub(crate) fn entries(&self) -> &[(String, Self)] {
        let NodeKind::Map(entries) = &self.kind else { return &[] };
        entries
    }

    /// The elements of a list; none of anything else.
    pub(crate) fn items(&self) -> &[Self] {
        let NodeKind::List(items) = &self.kind else { return &[] };
        items
    }

    pub(crate) fn as_str(&self) -> Option<&str> {
        let NodeKind::Text(text) = &self.kind else { return None };
        Some(text)
    }
}

/// Every text of a value, keys included, with its place.
pub(crate) fn walk_texts(node: &Node, see: &mut impl FnMut(&str, Place)) {
    match &node.kind {
        NodeKind::Text(text) => see(text, node.place),
        NodeKind::List(items) => items.iter().for_each(|item| walk_texts(item, see)),
        NodeKind::Map(entries) => entries.iter().for_each(|(key, item)| {
            see(key, item.place);
            walk_texts(item, see);
        }),
        NodeKind::Null | NodeKind::Bool(_) | NodeKind::Number(_) => {}
    }
}

impl From<Json> for Node {
    /// A value that was not read from a file, such as one of the command line.
    fn from(value: Json) -> Self {
        let kind = match value {
            Json::Null => NodeKind::Null,
            Json::Bool(value) => NodeKind::Bool(value),
            Json::Number(number) => NodeKind::Number(number),
            Json::String(text) => NodeKind::Text(text),
            Json::Array(items) => NodeKind::List(items.into_iter().map(Self::from).collect()),
            Json::Object(map) => NodeKind::Map(map.into_iter().map(|(key, item)| (key, item.into())).collect()),
        };
        Self::at(Place::START, kind)
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (kind, place) = located::placed(deserializer)?;
        Ok(Self::at(place, kind))
    }
}

impl<'de> Deserialize<'de> for NodeKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = NodeKind;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E>(self) -> Result<NodeKind, E> {
        Ok(NodeKind::Null)
    }

    fn visit_none<E>(self) -> Result<NodeKind, E> {
        Ok(NodeKind::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<NodeKind, E> {
        Ok(NodeKind::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<NodeKind, E> {
        Ok(NodeKind::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<NodeKind, E> {
        Ok(NodeKind::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<NodeKind, E> {
        Number::from_f64(value).map(NodeKind::Number).ok_or_else(|| E::custom("a number that JSON cannot hold"))
    }

    fn visit_str<E>(self, value: &str) -> Result<NodeKind, E> {
        Ok(NodeKind::Text(value.to_owned()))
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<NodeKind, D::Error> {
        NodeKind::deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<NodeKind, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(NodeKind::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<NodeKind, A::Error> {
        let mut entries: Vec<(String, Node)> = Vec::new();
        while let Some((key, node)) = map.next_entry::<Text, Node>()? {
            if entries.iter().any(|(known, _)| *known == key.value) {
                return Err(A::Error::custom(format!("the key `{}` stands twice", key.value)));
            }
            entries.push((key.value, Node { name_place: key.place, ..node }));
        }
        Ok(NodeKind::Map(entries))
    }
}

impl JsonSchema for Node {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Value".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!(true)
    }
}

#[cfg(test)]
mod tests {
    use located::Source;

    use super::Node;

    #[test]
    fn every_part_knows_its_place() {
        let source = Source::new("a.yaml", "user:\n  names: [Ann, \"{{ bob }}\"]\n  age: 7\n  none: null\n");
        let node: Node = located::yaml(&source).unwrap();
        let names = node.get("user").and_then(|user| user.get("names")).unwrap();
        let super::NodeKind::List(items) = &names.kind else { panic!("a list was written") };
        assert_eq!((items[1].place.line, items[1].place.column), (2, 16));
        assert_eq!(node.written().to_string(), r#"{"user":{"names":["Ann","{{ bob }}"],"age":7,"none":null}}"#);
    }
}
