//! JSON that is kept: a copy shares everything with its original, and a change copies only the objects on the way to
//! it. So a table, an event and an answer hold the same object, and a row of fifty fields costs what is set in it.
//!
//! `serde_json` reads and writes; this is for what stays. Start at [`Value`], which is written as [`json!`](json).

mod map;
mod text;
mod written;

use std::{
    fmt,
    ops::{Index, IndexMut},
    sync::Arc,
};

use serde::{Serialize, Serializer};

pub(crate) use self::written::{Written, literal};
pub(crate) use self::{map::Map, text::Text, written::json};

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Value {
    #[default]
    Null,
    Bool(bool),
    Number(Number),
    String(Text),
    Array(Arc<Vec<Self>>),
    Object(Map),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Number {
    Integer(i64),
    Float(f64),
}

impl Number {
    pub(crate) fn as_i64(self) -> Option<i64> {
        match self {
            Self::Integer(number) => Some(number),
            Self::Float(_) => None,
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "as everywhere in JSON")]
    pub(crate) fn as_f64(self) -> f64 {
        match self {
            Self::Integer(number) => number as f64,
            Self::Float(number) => number,
        }
    }
}

impl Value {
    /// None: it is no object, or has no such field.
    pub(crate) fn get(&self, name: &str) -> Option<&Self> {
        self.as_object()?.get(name)
    }

    pub(crate) fn get_mut(&mut self, name: &str) -> Option<&mut Self> {
        self.as_object_mut()?.get_mut(name)
    }

    pub(crate) fn as_str(&self) -> Option<&str> {
        if let Self::String(text) = self { Some(text) } else { None }
    }

    pub(crate) fn as_i64(&self) -> Option<i64> {
        if let Self::Number(number) = self { number.as_i64() } else { None }
    }

    pub(crate) fn as_f64(&self) -> Option<f64> {
        if let Self::Number(number) = self { Some(number.as_f64()) } else { None }
    }

    pub(crate) fn as_bool(&self) -> Option<bool> {
        if let Self::Bool(flag) = self { Some(*flag) } else { None }
    }

    pub(crate) fn as_array(&self) -> Option<&Vec<Self>> {
        if let Self::Array(items) = self { Some(items) } else { None }
    }

    pub(crate) fn as_array_mut(&mut self) -> Option<&mut Vec<Self>> {
        if let Self::Array(items) = self { Some(Arc::make_mut(items)) } else { None }
    }

    pub(crate) fn as_object(&self) -> Option<&Map> {
        if let Self::Object(map) = self { Some(map) } else { None }
    }

    pub(crate) fn as_object_mut(&mut self) -> Option<&mut Map> {
        if let Self::Object(map) = self { Some(map) } else { None }
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    pub(crate) fn is_boolean(&self) -> bool {
        matches!(self, Self::Bool(_))
    }

    pub(crate) fn is_number(&self) -> bool {
        matches!(self, Self::Number(_))
    }

    pub(crate) fn is_string(&self) -> bool {
        matches!(self, Self::String(_))
    }

    pub(crate) fn is_object(&self) -> bool {
        matches!(self, Self::Object(_))
    }

    /// Leaves null behind.
    pub(crate) fn take(&mut self) -> Self {
        std::mem::take(self)
    }
}

/// Null where there is no such field.
impl Index<&str> for Value {
    type Output = Self;

    fn index(&self, name: &str) -> &Self {
        const NULL: &Value = &Value::Null;
        self.get(name).unwrap_or(NULL)
    }
}

/// A field that is not there yet is made; null becomes an object.
///
/// # Panics
/// Where the value is neither: whoever writes a field knows that it writes into an object.
impl IndexMut<&str> for Value {
    fn index_mut(&mut self, name: &str) -> &mut Self {
        if self.is_null() {
            *self = Self::Object(Map::new());
        }
        match self {
            Self::Object(map) => map.slot(name),
            other => panic!("`{name}` is written into {other}, which is no object"),
        }
    }
}

impl PartialEq<str> for Value {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == Some(other)
    }
}

impl PartialEq<&str> for Value {
    fn eq(&self, other: &&str) -> bool {
        self == *other
    }
}

impl PartialEq<bool> for Value {
    fn eq(&self, other: &bool) -> bool {
        self.as_bool() == Some(*other)
    }
}

impl PartialEq<bool> for &Value {
    fn eq(&self, other: &bool) -> bool {
        **self == *other
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(flag) => serializer.serialize_bool(*flag),
            Self::Number(Number::Integer(number)) => serializer.serialize_i64(*number),
            Self::Number(Number::Float(number)) => serializer.serialize_f64(*number),
            Self::String(text) => serializer.serialize_str(text),
            Self::Array(items) => serializer.collect_seq(items.iter()),
            Self::Object(map) => serializer.collect_map(map.iter()),
        }
    }
}

impl From<&serde_json::Value> for Value {
    fn from(value: &serde_json::Value) -> Self {
        match value {
            serde_json::Value::Null => Self::Null,
            serde_json::Value::Bool(flag) => Self::Bool(*flag),
            serde_json::Value::Number(number) => Self::Number(match number.as_i64() {
                Some(integer) => Number::Integer(integer),
                None => Number::Float(number.as_f64().unwrap_or_default()),
            }),
            serde_json::Value::String(text) => text.as_str().into(),
            serde_json::Value::Array(items) => items.iter().map(Self::from).collect(),
            serde_json::Value::Object(map) => {
                map.iter().map(|(name, value)| (Text::from(name.as_str()), Self::from(value))).collect::<Map>().into()
            }
        }
    }
}

impl From<serde_json::Value> for Value {
    fn from(value: serde_json::Value) -> Self {
        (&value).into()
    }
}

impl From<Value> for serde_json::Value {
    fn from(value: Value) -> Self {
        serde_json::to_value(value).expect("names of fields are text")
    }
}

impl FromIterator<Self> for Value {
    fn from_iter<I: IntoIterator<Item = Self>>(items: I) -> Self {
        Self::Array(Arc::new(items.into_iter().collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_copies_only_what_is_on_the_way_to_it() {
        let kept = json!({"status": "open", "card": {"last4": "4242"}, "lines": [{"amount": 1}]});
        let mut changed = kept.clone();
        changed["status"] = "paid".into();
        let card = |value: &Value| std::ptr::from_ref(&value["card"].as_object().expect("is one")["last4"]);
        assert!(std::ptr::eq(card(&kept), card(&changed)), "the card is shared");
        assert_eq!((&kept["status"], &changed["status"]), (&json!("open"), &json!("paid")));
        changed["card"]["last4"] = "0000".into();
        changed["lines"].as_array_mut().expect("is a list").clear();
        assert_eq!(kept, json!({"lines": [{"amount": 1}], "card": {"last4": "4242"}, "status": "open"}));
    }

    #[test]
    fn it_reads_and_writes_as_serde_json_does() {
        let text = r#"{"z":null,"a":[true,-1,1.5,1e300,"ä\n"],"empty":{},"big":18446744073709551615}"#;
        let read: serde_json::Value = serde_json::from_str(text).expect("is JSON");
        let value = Value::from(&read);
        let again: serde_json::Value = value.clone().into();
        assert_eq!(again["a"], read["a"]);
        assert!(value.to_string().starts_with(r#"{"z":null,"a":[true,-1,1.5,1e+300,"ä\n"],"empty":{},"#), "{value}");
    }

    #[test]
    fn fields_keep_their_order_and_their_place() {
        let mut value = json!({"b": 1, "a": 2, "c": 3});
        value["a"] = json!({"x": [1, {"y": null}]});
        value["d"]["e"] = true.into();
        value.as_object_mut().expect("is one").remove("b");
        assert_eq!(value.to_string(), r#"{"a":{"x":[1,{"y":null}]},"c":3,"d":{"e":true}}"#);
        assert_eq!((value["nothing"]["there"].is_null(), value.get("b")), (true, None));
    }
}
