//! Walking commits: logs, ancestors, merge bases, and what a fetch needs.

use std::collections::{BTreeSet, BinaryHeap, HashSet};

use super::{Commit, Kind, Oid, Store};

/// How two commits stand to each other.
pub(in super::super) struct Relation {
    pub(in super::super) merge_base: Option<Oid>,
    /// In the head and not in the base, newest first.
    pub(in super::super) ahead: Vec<Oid>,
    pub(in super::super) behind: usize,
}

impl Store {
    /// `tip` and its ancestors without those of `without`, newest first; a child always comes before its parents.
    pub(in super::super) fn log(&self, tips: &[Oid], without: &[Oid]) -> Vec<Oid> {
        let hidden = self.ancestors(without);
        let mut seen: HashSet<Oid> = hidden;
        let (mut queue, mut order, mut place) = (BinaryHeap::new(), Vec::new(), u64::MAX);
        let mut next: Vec<Oid> = tips.to_vec();
        loop {
            for oid in next.drain(..) {
                if let (true, Some(commit)) = (seen.insert(oid), self.commit(oid)) {
                    queue.push((commit.committer.at, place, oid));
                    place -= 1;
                }
            }
            let Some((_, _, oid)) = queue.pop() else { return order };
            order.push(oid);
            next = self.parents(oid);
        }
    }

    /// The commits and everything before them.
    pub(in super::super) fn ancestors(&self, tips: &[Oid]) -> HashSet<Oid> {
        let mut seen = HashSet::new();
        let mut open: Vec<Oid> = tips.iter().filter_map(|tip| self.peel(*tip)).collect();
        while let Some(oid) = open.pop() {
            if seen.insert(oid) {
                open.extend(self.parents(oid));
            }
        }
        seen
    }

    pub(in super::super) fn is_ancestor(&self, old: Oid, new: Oid) -> bool {
        self.ancestors(&[new]).contains(&old)
    }

    /// The best common ancestor: the newest of those that no other one has among its ancestors.
    pub(in super::super) fn merge_base(&self, one: Oid, other: Oid) -> Option<Oid> {
        let (ours, theirs) = (self.ancestors(&[one]), self.ancestors(&[other]));
        let common: BTreeSet<Oid> = ours.intersection(&theirs).copied().collect();
        // Ancestors of a common one are common too, so its parents are all that has to be taken away.
        let older: HashSet<Oid> = common.iter().flat_map(|oid| self.parents(*oid)).collect();
        let date = |oid: &Oid| self.commit(*oid).map(|commit| commit.committer.at);
        common.into_iter().filter(|oid| !older.contains(oid)).max_by_key(|oid| (date(oid), *oid))
    }

    pub(in super::super) fn relation(&self, base: Oid, head: Oid) -> Relation {
        Relation {
            merge_base: self.merge_base(base, head),
            ahead: self.log(&[head], &[base]),
            behind: self.log(&[base], &[head]).len(),
        }
    }

    /// The commits that a shallow clone of `depth` cuts off at.
    pub(super) fn boundary(&self, wants: &[Oid], depth: usize) -> BTreeSet<Oid> {
        let mut level: BTreeSet<Oid> = wants.iter().filter_map(|want| self.peel(*want)).collect();
        let mut seen = level.clone();
        for _ in 1..depth {
            let parents = level.iter().flat_map(|oid| self.parents(*oid));
            level = parents.filter(|oid| seen.insert(*oid)).collect();
        }
        level.into_iter().filter(|oid| !self.parents(*oid).is_empty()).collect()
    }

    /// Every object that one who has `haves` needs for `wants`; history ends at the `shallow` commits.
    pub(super) fn reachable(&self, wants: &[Oid], haves: &[Oid], shallow: &[Oid]) -> Vec<Oid> {
        let mut seen = self.ancestors(haves);
        let mut found = Vec::new();
        let (mut open, mut trees) = (Vec::new(), Vec::new());
        for oid in haves.iter().filter_map(|have| self.peel(*have)) {
            trees.extend(self.commit(oid).map(|commit| commit.tree));
        }
        self.take_trees(trees, &mut seen, &mut Vec::new());
        open.extend(wants.iter().rev());
        while let Some(oid) = open.pop() {
            let Some(kind) = self.kind(oid) else { continue };
            if kind == Kind::Tree {
                self.take_trees(vec![oid], &mut seen, &mut found);
                continue;
            }
            if !seen.insert(oid) {
                continue;
            }
            found.push(oid);
            match (kind, self.commit(oid), self.tag(oid)) {
                (Kind::Commit, Some(commit), _) => {
                    if !shallow.contains(&oid) {
                        open.extend(&commit.parents);
                    }
                    self.take_trees(vec![commit.tree], &mut seen, &mut found);
                }
                (_, _, Some(tag)) => open.push(tag.object),
                _ => {}
            }
        }
        found
    }

    fn take_trees(&self, mut open: Vec<Oid>, seen: &mut HashSet<Oid>, found: &mut Vec<Oid>) {
        while let Some(oid) = open.pop() {
            if !seen.insert(oid) {
                continue;
            }
            if self.kind(oid).is_some() {
                found.push(oid);
            }
            open.extend(self.tree(oid).unwrap_or_default().iter().map(|entry| entry.oid));
        }
    }

    fn parents(&self, oid: Oid) -> Vec<Oid> {
        self.commit(oid).map(|commit: Commit| commit.parents).unwrap_or_default()
    }
}
