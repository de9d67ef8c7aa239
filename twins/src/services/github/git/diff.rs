//! What changed between two trees: by file, line by line, and as text that `git apply` takes.

use super::{Entry, MODE_TREE, Oid, Store};

const BINARY_PROBE_BYTES: usize = 8_000; // as git does: a zero byte in here means binary
const PATCH_BYTES_MAX: usize = 1024 * 1024; // larger files are shown without their lines

type Leaf = (u32, Oid);

/// A file that differs.
#[derive(Clone, Debug)]
pub(in super::super) struct Change {
    pub(in super::super) path: String,
    /// Where the same content was before.
    pub(in super::super) previous: Option<String>,
    pub(in super::super) old: Option<Leaf>,
    pub(in super::super) new: Option<Leaf>,
}

impl Change {
    pub(in super::super) fn status(&self) -> &'static str {
        match (&self.previous, self.old, self.new) {
            (Some(_), ..) => "renamed",
            (None, None, _) => "added",
            (None, _, None) => "removed",
            (None, Some(_), Some(_)) => "modified",
        }
    }
}

/// The lines of a change. `text` has the hunks only.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Patch {
    pub(in super::super) additions: usize,
    pub(in super::super) deletions: usize,
    pub(in super::super) text: Option<String>,
}

impl Store {
    /// Sorted by path; a file that moved unchanged is one change. None is the empty tree.
    pub(in super::super) fn changes(&self, old: Option<Oid>, new: Option<Oid>) -> Vec<Change> {
        let mut changes = Vec::new();
        self.compare(old, new, "", &mut changes);
        moved(&mut changes);
        changes.sort_by(|one, other| one.path.cmp(&other.path));
        changes
    }

    fn compare(&self, old: Option<Oid>, new: Option<Oid>, folder: &str, changes: &mut Vec<Change>) {
        if old == new {
            return;
        }
        let entries = |tree: Option<Oid>| tree.and_then(|tree| self.tree(tree)).unwrap_or_default();
        let (old, new) = (entries(old), entries(new));
        let mut names: Vec<&str> = old.iter().chain(&new).map(|entry| entry.name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        for name in names {
            let (before, after) = (named(&old, name), named(&new, name));
            if before == after {
                continue;
            }
            let path = format!("{folder}{name}");
            self.compare(folder_of(before), folder_of(after), &format!("{path}/"), changes);
            let (old, new) = (leaf_of(before), leaf_of(after));
            if old.is_some() || new.is_some() {
                changes.push(Change { path, previous: None, old, new });
            }
        }
    }
}

fn named<'e>(entries: &'e [Entry], name: &str) -> Option<&'e Entry> {
    entries.iter().find(|entry| entry.name == name)
}

fn folder_of(entry: Option<&Entry>) -> Option<Oid> {
    entry.filter(|entry| entry.mode == MODE_TREE).map(|entry| entry.oid)
}

fn leaf_of(entry: Option<&Entry>) -> Option<Leaf> {
    entry.filter(|entry| entry.mode != MODE_TREE).map(|entry| (entry.mode, entry.oid))
}

fn moved(changes: &mut Vec<Change>) {
    let removed: Vec<Change> = changes.iter().filter(|change| change.new.is_none()).cloned().collect();
    for gone in removed {
        let same = |change: &&mut Change| change.old.is_none() && change.previous.is_none() && change.new == gone.old;
        if let Some(found) = changes.iter_mut().find(same) {
            (found.previous, found.old) = (Some(gone.path.clone()), gone.old);
            changes.retain(|change| change.new.is_some() || change.path != gone.path);
        }
    }
}

/// The lines that differ. Binary and very large files have none.
pub(in super::super) fn patch_of(store: &Store, change: &Change) -> Patch {
    let text = |leaf: Option<Leaf>| match leaf {
        None => Some(String::new()),
        Some((_, oid)) => store.blob(oid).and_then(|data| readable(data)),
    };
    let (Some(old), Some(new)) = (text(change.old), text(change.new)) else { return Patch::default() };
    if old == new {
        return Patch::default();
    }
    let patch = diffy::create_patch(&old, &new);
    let count = |wanted: fn(&diffy::Line<'_, str>) -> bool| {
        patch.hunks().iter().flat_map(diffy::Hunk::lines).filter(|line| wanted(line)).count()
    };
    let hunks = patch.to_string();
    let hunks = hunks.split_once("@@").map(|(_, rest)| format!("@@{rest}").trim_end_matches('\n').to_owned());
    Patch {
        additions: count(|line| matches!(line, diffy::Line::Insert(_))),
        deletions: count(|line| matches!(line, diffy::Line::Delete(_))),
        text: hunks,
    }
}

fn readable(data: &[u8]) -> Option<String> {
    let binary = is_binary(data) || data.len() > PATCH_BYTES_MAX;
    (!binary).then(|| String::from_utf8_lossy(data).into_owned())
}

pub(super) fn is_binary(data: &[u8]) -> bool {
    data[..data.len().min(BINARY_PROBE_BYTES)].contains(&0)
}

/// All changes as one unified text.
pub(in super::super) fn unified(store: &Store, changes: &[Change]) -> String {
    changes.iter().map(|change| section(store, change)).collect()
}

fn section(store: &Store, change: &Change) -> String {
    let (new, old) = (&change.path, change.previous.as_ref().unwrap_or(&change.path));
    let mut text = format!("diff --git a/{old} b/{new}\n");
    match (change.old, change.new) {
        (None, Some((mode, _))) => text.push_str(&format!("new file mode {mode:o}\n")),
        (Some((mode, _)), None) => text.push_str(&format!("deleted file mode {mode:o}\n")),
        (Some((before, _)), Some((after, _))) if before != after => {
            text.push_str(&format!("old mode {before:o}\nnew mode {after:o}\n"));
        }
        _ => {}
    }
    if change.previous.is_some() {
        text.push_str(&format!("similarity index 100%\nrename from {old}\nrename to {new}\n"));
        return text;
    }
    let short = |leaf: Option<Leaf>| leaf.map_or(Oid::ZERO, |(_, oid)| oid).to_string()[..7].to_owned();
    let mode = match (change.old, change.new) {
        (Some((before, _)), Some((after, _))) if before == after => format!(" {after:o}"),
        _ => String::new(),
    };
    text.push_str(&format!("index {}..{}{mode}\n", short(change.old), short(change.new)));
    if let Some(hunks) = patch_of(store, change).text {
        let side = |leaf: Option<Leaf>, name: String| if leaf.is_some() { name } else { "/dev/null".to_owned() };
        let (before, after) = (side(change.old, format!("a/{old}")), side(change.new, format!("b/{new}")));
        text.push_str(&format!("--- {before}\n+++ {after}\n{hunks}\n"));
    }
    text
}
