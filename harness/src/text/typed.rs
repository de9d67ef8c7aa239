//! Types read from a value that was read before, so that a file is scanned once. Stricter than the reader of YAML: what
//! does not fit at once is left to that, which knows more ways of writing a value, and the words for what is wrong.

use located::{Diagnostics, PLACE, PLACED, Place, Source, VALUE};
use serde::{
    Deserializer,
    de::{
        self, DeserializeOwned, DeserializeSeed, IntoDeserializer, MapAccess, Visitor,
        value::{MapAccessDeserializer, MapDeserializer, SeqDeserializer, StrDeserializer},
    },
    forward_to_deserialize_any,
};

use super::{Node, NodeKind};

/// Reads a document of which `node` is the plain value.
pub(crate) fn typed<T: DeserializeOwned>(node: &Node, source: &Source) -> Result<T, Diagnostics> {
    T::deserialize(In(node)).or_else(|Unfit| located::yaml(source))
}

/// It does not fit; why, nobody asks.
#[derive(Debug, thiserror::Error)]
#[error("the value does not fit")]
struct Unfit;

impl de::Error for Unfit {
    fn custom<T: std::fmt::Display>(_: T) -> Self {
        Self
    }
}

/// A value to read from.
#[derive(Clone, Copy)]
struct In<'a>(&'a Node);

impl IntoDeserializer<'_, Unfit> for In<'_> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for In<'_> {
    type Error = Unfit;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        match &self.0.kind {
            NodeKind::Null => visitor.visit_unit(),
            NodeKind::Bool(value) => visitor.visit_bool(*value),
            NodeKind::Number(number) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
                (Some(value), _, _) => visitor.visit_u64(value),
                (None, Some(value), _) => visitor.visit_i64(value),
                (None, None, Some(value)) => visitor.visit_f64(value),
                (None, None, None) => Err(Unfit),
            },
            NodeKind::Text(text) => visitor.visit_str(text),
            NodeKind::List(items) => visitor.visit_seq(SeqDeserializer::new(items.iter().map(In))),
            NodeKind::Map(entries) => visitor.visit_map(MapDeserializer::new(entries.iter().map(entry))),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        match &self.0.kind {
            NodeKind::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, Unfit> {
        if name == PLACED {
            visitor.visit_newtype_struct(WithPlace { value: Some(self), place: Some(self.0.place) })
        } else {
            visitor.visit_newtype_struct(self)
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unfit> {
        match &self.0.kind {
            NodeKind::Text(name) => visitor.visit_enum(StrDeserializer::new(name)),
            NodeKind::Map(entries) if entries.len() == 1 => {
                let one = MapDeserializer::new(entries.iter().map(entry));
                visitor.visit_enum(MapAccessDeserializer::new(one))
            }
            _ => Err(Unfit),
        }
    }

    /// A type of named fields takes a list too; a file may not give it one.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unfit> {
        match &self.0.kind {
            NodeKind::Map(_) => self.deserialize_any(visitor),
            _ => Err(Unfit),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map identifier ignored_any
    }
}

/// The name of an entry, with its place.
#[derive(Clone, Copy)]
struct Name<'a>(&'a str, Place);

fn entry((name, node): &(String, Node)) -> (Name<'_>, In<'_>) {
    (Name(name, node.name_place), In(node))
}

impl IntoDeserializer<'_, Unfit> for Name<'_> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Name<'_> {
    type Error = Unfit;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        visitor.visit_str(self.0)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, Unfit> {
        if name == PLACED {
            visitor.visit_newtype_struct(WithPlace { value: Some(self), place: Some(self.1) })
        } else {
            visitor.visit_newtype_struct(self)
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unfit> {
        visitor.visit_enum(StrDeserializer::new(self.0))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct seq
        tuple tuple_struct map struct identifier ignored_any
    }
}

/// The answer to a type that asks for a value with its place.
struct WithPlace<D> {
    value: Option<D>,
    place: Option<Place>,
}

impl<'de, D: Deserializer<'de, Error = Unfit>> Deserializer<'de> for WithPlace<D> {
    type Error = Unfit;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        visitor.visit_map(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

impl<'de, D: Deserializer<'de, Error = Unfit>> MapAccess<'de> for WithPlace<D> {
    type Error = Unfit;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Unfit> {
        let name = if self.value.is_some() { VALUE } else { PLACE };
        self.place.map(|_| seed.deserialize(StrDeserializer::new(name))).transpose()
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Unfit> {
        if let Some(value) = self.value.take() {
            return seed.deserialize(value);
        }
        let Place { line, column, width } = self.place.take().ok_or(Unfit)?;
        seed.deserialize(SeqDeserializer::new([line, column, width].into_iter()))
    }
}

#[cfg(test)]
mod tests {
    use located::Source;
    use serde::Deserialize;

    use super::{In, typed};
    use crate::text::{Entries, Node, Placed, Text};

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Shop {
        name: Text,
        #[serde(default)]
        kind: Option<Kind>,
        #[serde(default)]
        ports: Vec<Placed<u16>>,
        #[serde(default)]
        extra: Entries<Node>,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(rename_all = "snake_case")]
    enum Kind {
        Small,
        Rated(f64),
    }

    fn read(text: &str) -> (Result<Shop, String>, Result<Shop, String>) {
        let source = Source::new("shop.yaml", text);
        let words = |error: located::Diagnostics| error.to_string();
        let node: Node = located::yaml(&source).unwrap();
        (typed(&node, &source).map_err(words), located::yaml(&source).map_err(words))
    }

    #[test]
    fn a_value_that_was_read_gives_what_its_text_gives() {
        for text in [
            "name: a\nkind: small\nports: [80, 8_080]\nextra: { a: { b: [1, -2, 2.5, ~, x] }, \"c d\": &x y, e: *x }\n",
            "name: 'b'\nkind: { rated: 3 }\nextra:\n  # above\n  é: |\n    two\n    lines\n",
            "name: 12\nkind: null\nports:\n- 1\n",
            "name: &n x\nextra: &e { <<: { a: 1 }, b: *n }\n",
            "name: a\nports: [big]\n",
            "name: a\nprots: []\n",
            "[a, small, [], {}]\n",
            "name: true\nkind: { small: 1 }\n",
        ] {
            let (fast, slow) = read(text);
            assert_eq!(format!("{fast:?}"), format!("{slow:?}"), "{text}");
        }
    }

    #[test]
    fn what_is_written_plainly_needs_no_second_scan() {
        let source = Source::new("shop.yaml", "name: a\nkind: small\nports: [80]\nextra: { a: [1, x] }\n");
        let node: Node = located::yaml(&source).unwrap();
        let shop = Shop::deserialize(In(&node)).unwrap();
        assert_eq!((shop.name.value.as_str(), shop.kind, shop.ports[0].value), ("a", Some(Kind::Small), 80));
        assert_eq!(shop.extra.0[0].0.place.column, 10);
    }
}
