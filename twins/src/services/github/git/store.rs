//! The objects and refs of one repository.

use axum::body::Bytes;
use rpds::{HashTrieMapSync, RedBlackTreeMapSync};

use super::{Commit, Entry, Kind, Oid, Tag, object::Object};

const SHORT_HEX_MIN: usize = 4; // git's own shortest abbreviation

/// Invariant: every object is sound, and every ref names an object that is here.
#[derive(Clone, Default)]
pub(in super::super) struct Store {
    objects: HashTrieMapSync<Oid, Object>,
    refs: RedBlackTreeMapSync<String, Oid>,
}

impl Store {
    pub(in super::super) fn put(&mut self, kind: Kind, data: impl Into<Bytes>) -> Oid {
        let data = data.into();
        let oid = Oid::of(kind, &data);
        if !self.objects.contains_key(&oid) {
            self.objects.insert_mut(oid, Object { kind, data });
        }
        oid
    }

    pub(in super::super) fn put_commit(&mut self, commit: &Commit) -> Oid {
        self.put(Kind::Commit, commit.written())
    }

    pub(in super::super) fn put_tag(&mut self, tag: &Tag) -> Oid {
        self.put(Kind::Tag, tag.written())
    }

    pub(super) fn object(&self, oid: Oid) -> Option<&Object> {
        self.objects.get(&oid)
    }

    pub(in super::super) fn kind(&self, oid: Oid) -> Option<Kind> {
        self.object(oid).map(|object| object.kind)
    }

    fn data(&self, oid: Oid, kind: Kind) -> Option<&Bytes> {
        self.object(oid).filter(|object| object.kind == kind).map(|object| &object.data)
    }

    pub(in super::super) fn blob(&self, oid: Oid) -> Option<&Bytes> {
        self.data(oid, Kind::Blob)
    }

    pub(in super::super) fn tree(&self, oid: Oid) -> Option<Vec<Entry>> {
        Entry::parse_all(self.data(oid, Kind::Tree)?)
    }

    pub(in super::super) fn commit(&self, oid: Oid) -> Option<Commit> {
        Commit::parse(self.data(oid, Kind::Commit)?)
    }

    pub(in super::super) fn tag(&self, oid: Oid) -> Option<Tag> {
        Tag::parse(self.data(oid, Kind::Tag)?)
    }

    pub(in super::super) fn reference(&self, name: &str) -> Option<Oid> {
        self.refs.get(name).copied()
    }

    pub(in super::super) fn branch(&self, name: &str) -> Option<Oid> {
        self.reference(&format!("refs/heads/{name}"))
    }

    /// All refs below `prefix`, by name.
    pub(in super::super) fn refs<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, Oid)> {
        let all = self.refs.iter().map(|(name, oid)| (name.as_str(), *oid));
        all.filter(move |(name, _)| name.starts_with(prefix))
    }

    pub(in super::super) fn set_ref(&mut self, name: &str, oid: Oid) {
        self.refs.insert_mut(name.to_owned(), oid);
    }

    pub(in super::super) fn delete_ref(&mut self, name: &str) -> bool {
        self.refs.remove_mut(name)
    }

    /// What a person may write for a commit: a ref, a branch, a tag, a hash or the beginning of one.
    pub(in super::super) fn resolve(&self, name: &str) -> Option<Oid> {
        let refs = [name.to_owned(), format!("refs/{name}"), format!("refs/heads/{name}"), format!("refs/tags/{name}")];
        let named = refs.iter().find_map(|name| self.reference(name));
        self.peel(named.or_else(|| self.by_hash(name))?)
    }

    fn by_hash(&self, hex: &str) -> Option<Oid> {
        if let Some(oid) = Oid::parse(hex) {
            return Some(oid);
        }
        let short = hex.len() >= SHORT_HEX_MIN && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
        let mut fitting = self.objects.keys().filter(|oid| short && oid.to_string().starts_with(hex));
        let found = fitting.next().copied()?;
        fitting.next().is_none().then_some(found)
    }

    /// The commit that a commit or a tag stands for.
    pub(in super::super) fn peel(&self, mut oid: Oid) -> Option<Oid> {
        // A chain of tags ends, as each names an older object.
        while self.kind(oid)? == Kind::Tag {
            oid = self.tag(oid)?.object;
        }
        (self.kind(oid)? == Kind::Commit).then_some(oid)
    }

    /// Takes over what `other` has from `tip` on: a fork's branch becomes visible here.
    pub(in super::super) fn absorb(&mut self, other: &Self, tip: Oid) {
        let have: Vec<Oid> = self.refs.values().copied().collect();
        for oid in other.reachable(&[tip], &have, &[]) {
            if let Some(object) = other.object(oid) {
                self.objects.insert_mut(oid, object.clone());
            }
        }
    }

    /// Objects of a push; refused where one is not sound.
    pub(super) fn take_in(&mut self, objects: Vec<(Oid, Object)>) -> Result<(), String> {
        if let Some((oid, object)) = objects.iter().find(|(_, object)| !object.is_sound()) {
            return Err(format!("{} {oid} is malformed", object.kind.name()));
        }
        for (oid, object) in objects {
            self.objects.insert_mut(oid, object);
        }
        Ok(())
    }

    pub(in super::super) fn size_bytes(&self) -> usize {
        self.objects.values().map(|object| object.data.len()).sum()
    }
}
