//! Buckets, the versions of their objects, and uploads that are not complete.

use std::{collections::BTreeMap, sync::Arc};

use axum::body::Bytes;
use jiff::Timestamp;
use md5::{Digest, Md5};
use rpds::RedBlackTreeMapSync;

use super::{access::Acl, checksums::Checksum};
use crate::engine::table::Table;

/// The id of what was stored while versions were not kept.
pub(super) const NULL: &str = "null";

#[derive(Clone, Debug, Default)]
pub(super) struct Tags(pub(super) Vec<(String, String)>);

#[derive(Clone)]
pub(super) struct Bucket {
    pub(super) created_at: Timestamp,
    pub(super) region: String,
    pub(super) versioning: Versioning,
    pub(super) acl: Acl,
    pub(super) tags: Tags,
    /// In the order of the bytes of their keys, which is the order of lists.
    pub(super) objects: RedBlackTreeMapSync<Arc<str>, History>,
    pub(super) uploads: Table<Upload>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Versioning {
    /// Never asked for.
    Off,
    Enabled,
    Suspended,
}

/// What has been under one key. Invariant: never empty; the newest is last.
#[derive(Clone)]
pub(super) struct History(pub(super) Vec<Arc<Version>>);

pub(super) struct Version {
    pub(super) id: String,
    pub(super) at: Timestamp,
    /// None: a delete marker.
    pub(super) stored: Option<Stored>,
}

/// An object's bytes and what is said of them.
#[derive(Clone)]
pub(super) struct Stored {
    pub(super) bytes: Bytes,
    /// With its quotes.
    pub(super) etag: String,
    pub(super) head: Head,
    pub(super) checksum: Option<Checksum>,
    /// Where each part of a multipart upload ends, by its number in order.
    pub(super) part_ends: Vec<usize>,
}

/// What a client says of an object when it stores it.
#[derive(Clone, Debug, Default)]
pub(super) struct Head {
    /// `content-type` and the like, which come back as they were.
    pub(super) headers: BTreeMap<&'static str, String>,
    /// Without `x-amz-meta-`.
    pub(super) metadata: BTreeMap<String, String>,
    pub(super) tags: Tags,
    pub(super) acl: Acl,
    /// Empty: standard.
    pub(super) storage_class: String,
}

#[derive(Clone)]
pub(super) struct Upload {
    pub(super) id: String,
    pub(super) key: String,
    pub(super) at: Timestamp,
    pub(super) head: Head,
    pub(super) algorithm: Option<super::checksums::Algorithm>,
    pub(super) whole_checksum: bool,
    pub(super) parts: BTreeMap<u32, Part>,
}

#[derive(Clone)]
pub(super) struct Part {
    pub(super) bytes: Bytes,
    /// Without quotes.
    pub(super) md5: String,
    pub(super) checksum: Option<Checksum>,
    pub(super) at: Timestamp,
}

impl Bucket {
    pub(super) fn new(region: &str, created_at: Timestamp) -> Self {
        Self {
            created_at,
            region: region.to_owned(),
            versioning: Versioning::Off,
            acl: Acl::default(),
            tags: Tags::default(),
            objects: RedBlackTreeMapSync::new_sync(),
            uploads: Table::default(),
        }
    }

    /// The newest version, delete markers included.
    pub(super) fn newest(&self, key: &str) -> Option<&Version> {
        self.objects.get(key).and_then(|history| history.0.last()).map(|version| &**version)
    }

    pub(super) fn version(&self, key: &str, id: &str) -> Option<&Version> {
        self.objects.get(key)?.0.iter().find(|version| version.id == id).map(|version| &**version)
    }

    /// A version replaces the one of its own id.
    pub(super) fn put(&mut self, key: &str, version: Version) {
        let mut history = self.objects.get(key).map(|history| history.0.clone()).unwrap_or_default();
        history.retain(|old| old.id != version.id);
        history.push(Arc::new(version));
        self.objects.insert_mut(key.into(), History(history));
    }

    /// Puts another in the place of a version.
    pub(super) fn replace(&mut self, key: &str, version: Version) {
        let Some(history) = self.objects.get(key) else { return };
        let new = Arc::new(version);
        let versions = history.0.iter().map(|old| Arc::clone(if old.id == new.id { &new } else { old }));
        let versions = versions.collect();
        self.objects.insert_mut(key.into(), History(versions));
    }

    /// For good.
    pub(super) fn remove(&mut self, key: &str, id: &str) -> Option<Arc<Version>> {
        let history = self.objects.get(key)?;
        let (gone, left): (Vec<_>, Vec<_>) = history.0.iter().cloned().partition(|version| version.id == id);
        if left.is_empty() {
            self.objects.remove_mut(key);
        } else {
            self.objects.insert_mut(key.into(), History(left));
        }
        gone.into_iter().next()
    }
}

impl Version {
    pub(super) fn null(at: Timestamp, stored: Option<Stored>) -> Self {
        Self { id: NULL.to_owned(), at, stored }
    }
}

impl Stored {
    pub(super) fn new(bytes: Bytes, head: Head) -> Self {
        let etag = format!("\"{}\"", md5_of(&bytes));
        Self { bytes, etag, head, checksum: None, part_ends: Vec::new() }
    }
}

pub(super) fn md5_of(bytes: &[u8]) -> String {
    hex::encode(Md5::digest(bytes))
}
