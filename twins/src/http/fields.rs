//! Which fields of a request an operation has looked at: one that a client sends and nobody reads is a gap of the
//! twin, or a mistake of the client.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use serde_json::Value;

const FIELDS_MAX: usize = 64; // one bit each; further fields count as read

/// The fields of one request. Reading one is remembered.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'a> {
    value: &'a Value,
    reads: Option<&'a Reads>,
}

/// What was read so far, by the place of a field in the order of names.
#[derive(Debug, Default)]
pub(crate) struct Reads {
    asked: AtomicBool,
    read: AtomicU64,
}

impl<'a> Fields<'a> {
    pub(super) fn new(value: &'a Value, reads: &'a Reads) -> Self {
        reads.asked.store(true, Ordering::Relaxed);
        Self { value, reads: Some(reads) }
    }

    /// Null where the field is not there.
    pub(crate) fn get(self, name: &str) -> &'a Value {
        let place = self.value.as_object().and_then(|map| map.keys().position(|known| known == name));
        if let (Some(place), Some(reads)) = (place.filter(|place| *place < FIELDS_MAX), self.reads) {
            reads.read.fetch_or(1 << place, Ordering::Relaxed);
        }
        &self.value[name]
    }

    /// What the client sent; naming a field is not reading it.
    pub(crate) fn names(self) -> impl Iterator<Item = &'a str> {
        self.value.as_object().into_iter().flat_map(|map| map.keys().map(String::as_str))
    }
}

/// Fields that no one keeps a record of.
impl<'a> From<&'a Value> for Fields<'a> {
    fn from(value: &'a Value) -> Self {
        Self { value, reads: None }
    }
}

impl Reads {
    /// The names in `value` that nobody read; none where the operation does not say what it reads.
    pub(super) fn unread(&self, value: &Value) -> Option<Vec<String>> {
        if !self.asked.load(Ordering::Relaxed) {
            return None;
        }
        let read = self.read.load(Ordering::Relaxed);
        let names = value.as_object().into_iter().flat_map(|map| map.keys()).take(FIELDS_MAX).enumerate();
        Some(names.filter(|(place, _)| read & (1 << place) == 0).map(|(_, name)| name.clone()).collect())
    }
}

impl Clone for Reads {
    fn clone(&self) -> Self {
        let (asked, read) = (self.asked.load(Ordering::Relaxed), self.read.load(Ordering::Relaxed));
        Self { asked: asked.into(), read: read.into() }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_nobody_read_is_named() {
        let (value, reads) = (json!({"a": 1, "b": 2, "c": 3}), Reads::default());
        assert_eq!(reads.unread(&value), None);
        let fields = Fields::new(&value, &reads);
        assert_eq!((fields.get("b"), fields.get("z")), (&json!(2), &json!(null)));
        assert_eq!(fields.names().count(), 3);
        assert_eq!(reads.unread(&value), Some(vec!["a".to_owned(), "c".to_owned()]));
    }

    #[test]
    fn more_fields_than_are_counted_are_no_error() {
        let (value, reads) = ((0..100).map(|n| (format!("f{n:03}"), json!(n))).collect(), Reads::default());
        let fields = Fields::new(&value, &reads);
        assert_eq!(fields.get("f099"), &json!(99));
        assert_eq!(reads.unread(&value).map(|unread| unread.len()), Some(FIELDS_MAX));
    }
}
