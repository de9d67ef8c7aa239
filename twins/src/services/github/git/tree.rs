//! Folders: finding, listing and writing paths in trees.

use std::collections::BTreeMap;

use super::{Entry, Kind, MODE_TREE, Oid, Store};

/// Files by path, with mode and blob.
pub(in super::super) type Files = BTreeMap<String, (u32, Oid)>;

impl Store {
    /// What is at `path`; the empty path is the tree itself.
    pub(in super::super) fn at_path(&self, tree: Oid, path: &str) -> Option<Entry> {
        let mut found = Entry { mode: MODE_TREE, name: String::new(), oid: tree };
        for name in path.split('/').filter(|name| !name.is_empty()) {
            found = self.tree(found.oid)?.into_iter().find(|entry| entry.name == name)?;
        }
        Some(found)
    }

    /// Everything below `tree` in git's order, folders before what is in them.
    pub(in super::super) fn listed(&self, tree: Oid, recursive: bool) -> Vec<(String, Entry)> {
        let mut all = Vec::new();
        self.list_into(&mut all, tree, "", recursive);
        all
    }

    fn list_into(&self, all: &mut Vec<(String, Entry)>, tree: Oid, folder: &str, recursive: bool) {
        for entry in self.tree(tree).unwrap_or_default() {
            let path = format!("{folder}{}", entry.name);
            let below = (recursive && entry.is_tree()).then(|| (entry.oid, format!("{path}/")));
            all.push((path, entry));
            if let Some((oid, folder)) = below {
                self.list_into(all, oid, &folder, recursive);
            }
        }
    }

    pub(in super::super) fn files(&self, tree: Oid) -> Files {
        let all = self.listed(tree, true).into_iter().filter(|(_, entry)| !entry.is_tree());
        all.map(|(path, entry)| (path, (entry.mode, entry.oid))).collect()
    }

    /// `base` with `path` set, or removed with `None`. Folders come and go with their files.
    pub(in super::super) fn with_path(&mut self, base: Option<Oid>, path: &str, leaf: Option<(u32, Oid)>) -> Oid {
        let names: Vec<&str> = path.split('/').filter(|name| !name.is_empty()).collect();
        self.with_names(base, &names, leaf).unwrap_or_else(|| self.put(Kind::Tree, Vec::new()))
    }

    /// None: nothing is left.
    fn with_names(&mut self, base: Option<Oid>, names: &[&str], leaf: Option<(u32, Oid)>) -> Option<Oid> {
        let (name, rest) = names.split_first()?;
        let mut entries = base.and_then(|base| self.tree(base)).unwrap_or_default();
        let old = entries.iter().position(|entry| entry.name == *name).map(|index| entries.remove(index));
        let new = if rest.is_empty() {
            leaf
        } else {
            let below = old.filter(Entry::is_tree).map(|entry| entry.oid);
            self.with_names(below, rest, leaf).map(|oid| (MODE_TREE, oid))
        };
        entries.extend(new.map(|(mode, oid)| Entry { mode, name: (*name).to_owned(), oid }));
        (!entries.is_empty()).then(|| self.put(Kind::Tree, Entry::write_all(entries)))
    }

    /// A tree of these files alone.
    pub(in super::super) fn put_files(&mut self, files: &Files) -> Oid {
        let mut tree = None;
        for (path, leaf) in files {
            tree = Some(self.with_path(tree, path, Some(*leaf)));
        }
        tree.unwrap_or_else(|| self.put(Kind::Tree, Vec::new()))
    }
}
