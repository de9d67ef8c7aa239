//! Objects as git writes them: their bytes decide their name.

use std::fmt;

use axum::body::Bytes;
use jiff::{Timestamp, tz::TimeZone};
use serde::{Serialize, Serializer};
use sha1::{Digest, Sha1};

pub(in super::super) const MODE_FILE: u32 = 0o100_644;
pub(in super::super) const MODE_TREE: u32 = 0o40_000;
pub(in super::super) const MODE_LINK: u32 = 0o120_000;
pub(in super::super) const MODE_COMMIT: u32 = 0o160_000; // a submodule: the commit is somewhere else

const OID_BYTES: usize = 20;

/// The SHA-1 of an object.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in super::super) struct Oid([u8; OID_BYTES]);

impl Oid {
    /// Stands for "no object" in the protocol.
    pub(in super::super) const ZERO: Self = Self([0; OID_BYTES]);

    pub(super) fn of(kind: Kind, data: &[u8]) -> Self {
        let head = format!("{} {}\0", kind.name(), data.len());
        Self(Sha1::new().chain_update(head).chain_update(data).finalize().into())
    }

    /// From forty hexadecimal digits.
    pub(in super::super) fn parse(hex: &str) -> Option<Self> {
        let mut bytes = [0; OID_BYTES];
        hex::decode_to_slice(hex, &mut bytes).ok()?;
        Some(Self(bytes))
    }

    pub(super) fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Oid {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Kind {
    Commit,
    Tree,
    Blob,
    Tag,
}

impl Kind {
    pub(in super::super) fn name(self) -> &'static str {
        match self {
            Self::Commit => "commit",
            Self::Tree => "tree",
            Self::Blob => "blob",
            Self::Tag => "tag",
        }
    }

    fn of(name: &str) -> Option<Self> {
        [Self::Commit, Self::Tree, Self::Blob, Self::Tag].into_iter().find(|kind| kind.name() == name)
    }
}

#[derive(Clone, Debug)]
pub(super) struct Object {
    pub(super) kind: Kind,
    pub(super) data: Bytes,
}

impl Object {
    /// Whether the bytes are what the kind promises: nothing else may enter a store.
    pub(super) fn is_sound(&self) -> bool {
        match self.kind {
            Kind::Blob => true,
            Kind::Tree => Entry::parse_all(&self.data).is_some(),
            Kind::Commit => Commit::parse(&self.data).is_some(),
            Kind::Tag => Tag::parse(&self.data).is_some(),
        }
    }
}

/// A line of a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Entry {
    pub(in super::super) mode: u32,
    pub(in super::super) name: String,
    pub(in super::super) oid: Oid,
}

impl Entry {
    pub(in super::super) fn is_tree(&self) -> bool {
        self.mode == MODE_TREE
    }

    pub(super) fn parse_all(mut data: &[u8]) -> Option<Vec<Self>> {
        let mut entries = Vec::new();
        while !data.is_empty() {
            let space = data.iter().position(|byte| *byte == b' ')?;
            let end = data.iter().position(|byte| *byte == 0)?;
            let mode = u32::from_str_radix(std::str::from_utf8(&data[..space]).ok()?, 8).ok()?;
            let name = std::str::from_utf8(data.get(space + 1..end)?).ok()?.to_owned();
            let oid = Oid::from_slice(data.get(end + 1..end + 1 + OID_BYTES)?)?;
            entries.push(Self { mode, name, oid });
            data = &data[end + 1 + OID_BYTES..];
        }
        Some(entries)
    }

    /// Git sorts a folder as if its name ended with a slash.
    pub(super) fn write_all(mut entries: Vec<Self>) -> Vec<u8> {
        let key = |entry: &Self| format!("{}{}", entry.name, if entry.is_tree() { "/" } else { "" }).into_bytes();
        entries.sort_by_key(key);
        let mut data = Vec::new();
        for entry in entries {
            data.extend(format!("{:o} {}\0", entry.mode, entry.name).into_bytes());
            data.extend(entry.oid.as_bytes());
        }
        data
    }
}

/// Who did something, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Signature {
    pub(in super::super) name: String,
    pub(in super::super) email: String,
    pub(in super::super) at: Timestamp,
    /// As it stands in the object: `+0000`.
    pub(in super::super) zone: String,
}

impl Signature {
    pub(in super::super) fn new(name: &str, email: &str, at: Timestamp) -> Self {
        // These delimit the fields, so git drops them as well.
        let clean = |text: &str| text.replace(['<', '>', '\n'], "").trim().to_owned();
        let at = Timestamp::from_second(at.as_second()).expect("was a timestamp before it was cut");
        Self { name: clean(name), email: clean(email), at, zone: "+0000".to_owned() }
    }

    fn parse(line: &str) -> Option<Self> {
        let (name, rest) = line.split_once('<')?;
        let (email, rest) = rest.rsplit_once('>')?;
        let (seconds, zone) = rest.trim().split_once(' ')?;
        let at = Timestamp::from_second(seconds.parse().ok()?).ok()?;
        Some(Self { name: name.trim().to_owned(), email: email.to_owned(), at, zone: zone.to_owned() })
    }

    fn written(&self) -> String {
        format!("{} <{}> {} {}", self.name, self.email, self.at.as_second(), self.zone)
    }

    /// As REST shows it.
    pub(in super::super) fn date(&self) -> String {
        self.at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    }

    /// As a patch by mail shows it.
    pub(in super::super) fn mail_date(&self) -> String {
        self.at.to_zoned(TimeZone::UTC).strftime("%a, %-d %b %Y %H:%M:%S +0000").to_string()
    }
}

#[derive(Clone, Debug)]
pub(in super::super) struct Commit {
    pub(in super::super) tree: Oid,
    pub(in super::super) parents: Vec<Oid>,
    pub(in super::super) author: Signature,
    pub(in super::super) committer: Signature,
    pub(in super::super) message: String,
}

impl Commit {
    pub(super) fn parse(data: &[u8]) -> Option<Self> {
        let (headers, message) = parsed(data)?;
        let first = |wanted: &str| headers.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
        let parents = headers.iter().filter(|(name, _)| name == "parent").map(|(_, value)| Oid::parse(value));
        Some(Self {
            tree: Oid::parse(first("tree")?)?,
            parents: parents.collect::<Option<_>>()?,
            author: Signature::parse(first("author")?)?,
            committer: Signature::parse(first("committer")?)?,
            message,
        })
    }

    pub(super) fn written(&self) -> Vec<u8> {
        let parents: String = self.parents.iter().map(|parent| format!("parent {parent}\n")).collect();
        let (author, committer) = (self.author.written(), self.committer.written());
        format!("tree {}\n{parents}author {author}\ncommitter {committer}\n\n{}", self.tree, self.message).into_bytes()
    }

    pub(in super::super) fn subject(&self) -> &str {
        self.message.lines().next().unwrap_or_default()
    }
}

/// An annotated tag.
#[derive(Clone, Debug)]
pub(in super::super) struct Tag {
    pub(in super::super) object: Oid,
    pub(in super::super) kind: Kind,
    pub(in super::super) name: String,
    pub(in super::super) tagger: Option<Signature>,
    pub(in super::super) message: String,
}

impl Tag {
    pub(super) fn parse(data: &[u8]) -> Option<Self> {
        let (headers, message) = parsed(data)?;
        let first = |wanted: &str| headers.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
        Some(Self {
            object: Oid::parse(first("object")?)?,
            kind: Kind::of(first("type")?)?,
            name: first("tag")?.to_owned(),
            tagger: first("tagger").and_then(Signature::parse),
            message,
        })
    }

    pub(super) fn written(&self) -> Vec<u8> {
        let tagger = self.tagger.as_ref().map(|tagger| format!("tagger {}\n", tagger.written())).unwrap_or_default();
        let (object, kind, name, message) = (self.object, self.kind.name(), &self.name, &self.message);
        format!("object {object}\ntype {kind}\ntag {name}\n{tagger}\n{message}").into_bytes()
    }
}

type Headers = Vec<(String, String)>;

/// Header lines, and the message behind the empty line. Lines that begin with a space continue the one before.
fn parsed(data: &[u8]) -> Option<(Headers, String)> {
    let text = String::from_utf8_lossy(data);
    let (head, message) = text.split_once("\n\n").or_else(|| Some((text.strip_suffix('\n')?, "")))?;
    let lines = head.lines().filter(|line| !line.starts_with(' '));
    let header = |line: &str| line.split_once(' ').map(|(name, value)| (name.to_owned(), value.to_owned()));
    Some((lines.map(header).collect::<Option<_>>()?, message.to_owned()))
}
