//! Rows of a twin: by id and in the order of creation. A clone shares everything, so that a snapshot of ten thousand
//! rows costs what one of ten does.

use std::sync::Arc;

use rpds::{HashTrieMapSync, RedBlackTreeMapSync};

pub(crate) struct Table<T> {
    rows: HashTrieMapSync<Arc<str>, Row<T>>,
    order: RedBlackTreeMapSync<u64, Arc<str>>,
    next: u64,
}

struct Row<T> {
    place: u64,
    value: Arc<T>,
}

impl<T> Table<T> {
    /// A known id keeps its place.
    pub(crate) fn insert(&mut self, id: &str, value: T) {
        let (id, value) = (Arc::<str>::from(id), Arc::new(value));
        let place = self.rows.get(&id).map_or(self.next, |row| row.place);
        if place == self.next {
            self.order.insert_mut(place, Arc::clone(&id));
            self.next += 1;
        }
        self.rows.insert_mut(id, Row { place, value });
    }

    pub(crate) fn get(&self, id: &str) -> Option<&T> {
        self.rows.get(id).map(|row| &*row.value)
    }

    pub(crate) fn contains(&self, id: &str) -> bool {
        self.rows.contains_key(id)
    }

    pub(crate) fn remove(&mut self, id: &str) -> Option<Arc<T>> {
        let row = self.rows.get(id)?;
        let (place, value) = (row.place, Arc::clone(&row.value));
        self.order.remove_mut(&place);
        self.rows.remove_mut(id);
        Some(value)
    }

    pub(crate) fn remove_oldest(&mut self) {
        if let Some(id) = self.order.values().next().cloned() {
            self.remove(&id);
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.size()
    }

    pub(crate) fn oldest_first(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.order.values().map(|id| &*self.rows.get(id).expect("each place holds the id of a row").value)
    }

    pub(crate) fn newest_first(&self) -> impl Iterator<Item = &T> {
        self.oldest_first().rev()
    }
}

impl<T: Clone> Table<T> {
    /// The row to change; one that a snapshot still shows is copied first.
    pub(crate) fn get_mut(&mut self, id: &str) -> Option<&mut T> {
        self.rows.get_mut(id).map(|row| Arc::make_mut(&mut row.value))
    }
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { rows: HashTrieMapSync::new_sync(), order: RedBlackTreeMapSync::new_sync(), next: 0 }
    }
}

impl<T> Clone for Table<T> {
    fn clone(&self) -> Self {
        Self { rows: self.rows.clone(), order: self.order.clone(), next: self.next }
    }
}

impl<T> Clone for Row<T> {
    fn clone(&self) -> Self {
        Self { place: self.place, value: Arc::clone(&self.value) }
    }
}

#[cfg(test)]
mod tests {
    use super::Table;

    fn table(ids: &[&str]) -> Table<String> {
        let mut table = Table::default();
        ids.iter().for_each(|id| table.insert(id, (*id).to_owned()));
        table
    }

    #[test]
    fn rows_stay_in_the_order_of_creation() {
        let mut table = table(&["c", "a", "b"]);
        table.insert("a", "again".to_owned());
        assert_eq!(table.newest_first().collect::<Vec<_>>(), ["b", "again", "c"]);
        assert_eq!(table.remove("c").as_deref(), Some(&"c".to_owned()));
        assert_eq!((table.oldest_first().count(), table.len(), table.contains("c")), (2, 2, false));
    }

    #[test]
    fn a_clone_of_many_rows_copies_none() {
        let mut table = Table::default();
        (0..10_000).for_each(|number| table.insert(&format!("row_{number}"), number));
        let mut clone = table.clone();
        *clone.get_mut("row_7").expect("is there") = 0;
        let shared = |id: &str| std::ptr::eq(table.get(id).expect("is there"), clone.get(id).expect("is there"));
        assert!(shared("row_0") && shared("row_9999") && !shared("row_7"));
    }

    #[test]
    fn a_clone_does_not_see_later_changes() {
        let mut table = table(&["a", "b"]);
        let before = table.clone();
        table.get_mut("a").expect("is there").push('!');
        table.remove("b");
        assert_eq!(before.newest_first().collect::<Vec<_>>(), ["b", "a"]);
        assert_eq!(table.newest_first().collect::<Vec<_>>(), ["a!"]);
    }
}
