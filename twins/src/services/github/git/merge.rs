//! Three-way merges of trees, file by file and line by line.

use std::collections::BTreeSet;

use super::{Commit, Kind, MODE_FILE, Oid, Signature, Store, diff::is_binary, tree::Files};

/// What became of a merge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) enum Merged {
    Tree(Oid),
    /// The files that both sides changed differently.
    Conflict(Vec<String>),
}

impl Store {
    /// Merges the trees of two commits. Without a common ancestor every file is new on both sides.
    pub(in super::super) fn merge(&mut self, ours: Oid, theirs: Oid) -> Merged {
        let base = self.merge_base(ours, theirs);
        self.merge_from(base, ours, theirs)
    }

    /// As [`Store::merge`] with `base` as the common ancestor, which makes it a cherry-pick.
    fn merge_from(&mut self, base: Option<Oid>, ours: Oid, theirs: Oid) -> Merged {
        let [base, ours, theirs] = [base, Some(ours), Some(theirs)].map(|commit| self.files_of(commit));
        let paths: BTreeSet<&String> = base.keys().chain(ours.keys()).chain(theirs.keys()).collect();
        let (mut merged, mut conflicts) = (Files::new(), Vec::new());
        for path in paths {
            match self.merge_file([base.get(path), ours.get(path), theirs.get(path)].map(Option::<&_>::copied)) {
                Some(leaf) => merged.extend(leaf.map(|leaf| (path.clone(), leaf))),
                None => conflicts.push(path.clone()),
            }
        }
        if conflicts.is_empty() { Merged::Tree(self.put_files(&merged)) } else { Merged::Conflict(conflicts) }
    }

    fn files_of(&self, commit: Option<Oid>) -> Files {
        let tree = commit.and_then(|commit| self.commit(commit)).map(|commit| commit.tree);
        tree.map(|tree| self.files(tree)).unwrap_or_default()
    }

    /// The outer None is a conflict, the inner one a file that is gone.
    fn merge_file(&mut self, sides: [Option<(u32, Oid)>; 3]) -> Option<Option<(u32, Oid)>> {
        let [base, ours, theirs] = sides;
        if ours == theirs || theirs == base {
            return Some(ours);
        }
        if ours == base {
            return Some(theirs);
        }
        let (Some((base_mode, base)), Some((our_mode, ours)), Some((their_mode, theirs))) = (base, ours, theirs) else {
            return None;
        };
        let mode = if our_mode == base_mode { their_mode } else { our_mode };
        let plain = [base_mode, our_mode, their_mode].iter().all(|mode| mode & 0o170_000 == MODE_FILE & 0o170_000);
        let [base, ours, theirs] = [base, ours, theirs].map(|oid| self.blob(oid).filter(|data| !is_binary(data)));
        let lines = diffy::merge_bytes(base?, ours?, theirs?).ok().filter(|_| plain)?;
        Some(Some((mode, self.put(Kind::Blob, lines))))
    }

    /// Puts `commits`, oldest first, onto `onto` one by one: the new tip, or what is in conflict.
    pub(in super::super) fn rebase(
        &mut self,
        commits: &[Oid],
        onto: Oid,
        committer: &Signature,
    ) -> Result<Oid, Vec<String>> {
        let mut tip = onto;
        for oid in commits {
            let Some(commit) = self.commit(*oid) else { continue };
            let tree = match self.merge_from(commit.parents.first().copied(), tip, *oid) {
                Merged::Tree(tree) => tree,
                Merged::Conflict(paths) => return Err(paths),
            };
            tip = self.put_commit(&Commit { tree, parents: vec![tip], committer: committer.clone(), ..commit });
        }
        Ok(tip)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commit(store: &mut Store, parent: Option<Oid>, files: &[(&str, &str)]) -> Oid {
        let mut tree = None;
        for (path, text) in files {
            let blob = store.put(Kind::Blob, (*text).to_owned().into_bytes());
            tree = Some(store.with_path(tree, path, Some((MODE_FILE, blob))));
        }
        let who = Signature::new("A", "a@example.com", jiff::Timestamp::UNIX_EPOCH);
        let (tree, parents) = (tree.expect("has files"), parent.into_iter().collect());
        store.put_commit(&Commit { tree, parents, author: who.clone(), committer: who, message: "m".to_owned() })
    }

    #[test]
    fn changes_of_both_sides_come_together() {
        let mut store = Store::default();
        let base = commit(&mut store, None, &[("a", "1\n2\n3\n4\n5\n"), ("d/b", "x\n")]);
        let ours = commit(&mut store, Some(base), &[("a", "one\n2\n3\n4\n5\n"), ("d/b", "x\n"), ("c", "new\n")]);
        let theirs = commit(&mut store, Some(base), &[("a", "1\n2\n3\n4\nfive\n")]);
        let Merged::Tree(tree) = store.merge(ours, theirs) else { panic!("nothing is in conflict") };
        let files: Vec<(String, Oid)> = store.files(tree).into_iter().map(|(path, (_, oid))| (path, oid)).collect();
        assert_eq!(files.iter().map(|(path, _)| path.as_str()).collect::<Vec<_>>(), ["a", "c"]);
        assert_eq!(store.blob(files[0].1).expect("is there"), "one\n2\n3\n4\nfive\n");
    }

    #[test]
    fn what_both_sides_change_differently_is_a_conflict() {
        let mut store = Store::default();
        let base = commit(&mut store, None, &[("a", "1\n"), ("b", "1\n")]);
        let ours = commit(&mut store, Some(base), &[("a", "2\n"), ("b", "2\n")]);
        let theirs = commit(&mut store, Some(base), &[("a", "3\n")]);
        assert_eq!(store.merge(ours, theirs), Merged::Conflict(vec!["a".to_owned(), "b".to_owned()]));
    }
}
