use std::{ops::Index, sync::Arc};

use super::{Text, Value};

/// The fields of an object, in the order in which they came. They are looked for one after the other: an object of an
/// API has fifty at most, and asks no hash of its names.
#[derive(Clone, Debug, Default)]
pub(crate) struct Map(Arc<Vec<(Text, Value)>>);

impl Map {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Fields as they stand in the code, each once.
    pub(crate) fn of<const N: usize>(fields: [(&'static str, Value); N]) -> Self {
        Self(Arc::new(fields.into_iter().map(|(name, value)| (Text::Known(name), value)).collect()))
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(known, _)| **known == *name).map(|(_, value)| value)
    }

    pub(crate) fn get_mut(&mut self, name: &str) -> Option<&mut Value> {
        let place = self.place(name)?;
        Some(&mut Arc::make_mut(&mut self.0)[place].1)
    }

    pub(crate) fn contains_key(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// A known field keeps its place.
    pub(crate) fn insert(&mut self, name: impl Into<Text>, value: Value) {
        let name = name.into();
        match self.get_mut(&name) {
            Some(slot) => *slot = value,
            None => Arc::make_mut(&mut self.0).push((name, value)),
        }
    }

    /// The others keep their order.
    pub(crate) fn remove(&mut self, name: &str) -> Option<Value> {
        let place = self.place(name)?;
        Some(Arc::make_mut(&mut self.0).remove(place).1)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Text, &Value)> {
        self.into_iter()
    }

    /// Where a field is, or shall be: null then.
    pub(super) fn slot(&mut self, name: &str) -> &mut Value {
        let place = self.place(name);
        let fields = Arc::make_mut(&mut self.0);
        let place = place.unwrap_or_else(|| {
            fields.push((name.into(), Value::Null));
            fields.len() - 1
        });
        &mut fields[place].1
    }

    fn place(&self, name: &str) -> Option<usize> {
        self.0.iter().position(|(known, _)| **known == *name)
    }
}

impl Index<&str> for Map {
    type Output = Value;

    /// # Panics
    /// Where there is no such field.
    fn index(&self, name: &str) -> &Value {
        self.get(name).expect("the caller knows that the field is there")
    }
}

impl<'a> IntoIterator for &'a Map {
    type Item = (&'a Text, &'a Value);
    type IntoIter = std::iter::Map<std::slice::Iter<'a, (Text, Value)>, fn(&'a (Text, Value)) -> Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter().map(|(name, value)| (name, value))
    }
}

/// The order of fields says nothing.
impl PartialEq for Map {
    fn eq(&self, other: &Self) -> bool {
        let same = |(name, value): (&Text, &Value)| other.get(name) == Some(value);
        Arc::ptr_eq(&self.0, &other.0) || self.len() == other.len() && self.iter().all(same)
    }
}

impl<N: Into<Text>> FromIterator<(N, Value)> for Map {
    fn from_iter<I: IntoIterator<Item = (N, Value)>>(fields: I) -> Self {
        let fields = fields.into_iter();
        let mut map = Self(Arc::new(Vec::with_capacity(fields.size_hint().0)));
        fields.for_each(|(name, value)| map.insert(name, value));
        map
    }
}
