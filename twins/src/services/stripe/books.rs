//! What the twin remembers: a table of objects per resource, as they go over the wire, and the agenda of what will
//! happen by itself. A clone is a snapshot.

use std::sync::Arc;

use rpds::RedBlackTreeSetSync;

use super::{
    agenda,
    resource::{RESOURCES, Resource},
};
use crate::{engine::table::Table, json::Value};

/// What a row holds that is nobody's business.
pub(super) const HIDDEN: &str = "_twin";

#[derive(Clone)]
pub(super) struct Books {
    /// One per row of `RESOURCES`, in its order.
    tables: Vec<Table<Value>>,
    // Invariant: has exactly what `agenda::entry` says of each row; `keep` and `remove` are the only ways to change one.
    agenda: RedBlackTreeSetSync<Entry>,
}

/// Something that will happen to a row. Ordered by clock, then by time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry {
    /// The id of a test clock, or nothing: the twin's own.
    pub(super) clock: Arc<str>,
    pub(super) at: i64,
    pub(super) resource: Resource,
    pub(super) id: Arc<str>,
}

impl Books {
    pub(super) fn new() -> Self {
        let tables = RESOURCES.iter().map(|_| Table::default()).collect();
        Self { tables, agenda: RedBlackTreeSetSync::new_sync() }
    }

    pub(super) fn get(&self, resource: Resource, id: &str) -> Option<&Value> {
        self.tables[resource as usize].get(id)
    }

    pub(super) fn newest_first(&self, resource: Resource) -> impl Iterator<Item = &Value> {
        self.tables[resource as usize].newest_first()
    }

    pub(super) fn oldest_first(&self, resource: Resource) -> impl Iterator<Item = &Value> {
        self.tables[resource as usize].oldest_first()
    }

    pub(super) fn keep(&mut self, resource: Resource, row: Value) {
        let id: Arc<str> = row["id"].as_str().expect("a row has an id").into();
        self.forget(resource, &id);
        if let Some(entry) = agenda::entry(resource, &row) {
            self.agenda.insert_mut(entry);
        }
        self.tables[resource as usize].insert(&id, row);
    }

    pub(super) fn remove(&mut self, resource: Resource, id: &str) {
        self.forget(resource, id);
        self.tables[resource as usize].remove(id);
    }

    /// Notes something about a payment method that nobody sees.
    pub(super) fn note(&mut self, method: &str, name: &str, value: Value) {
        if let Some(row) = self.tables[Resource::PaymentMethod as usize].get_mut(method) {
            row[HIDDEN][name] = value;
        }
    }

    fn forget(&mut self, resource: Resource, id: &str) {
        let known = self.get(resource, id).and_then(|row| agenda::entry(resource, row));
        if let Some(entry) = known {
            self.agenda.remove_mut(&entry);
        }
    }

    /// What is due first on a clock, at `until` or before.
    pub(super) fn due(&self, clock: &str, until: i64) -> Option<Entry> {
        let clock: Arc<str> = clock.into();
        let from = Entry { clock: Arc::clone(&clock), at: i64::MIN, resource: RESOURCES[0].resource, id: "".into() };
        self.agenda.range(from..).next().filter(|entry| entry.clock == clock && entry.at <= until).cloned()
    }
}
