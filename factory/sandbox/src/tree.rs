//! Directory trees as values: a sorted manifest with one digest, how a tree is copied into a workspace (`hydrate`),
//! and what a command changed in it (`export`).
//!
//! Reading never follows a link and never leaves the directory; what is not a file, a directory or a harmless link
//! does not enter a [`Tree`]. Empty directories are not part of one.

mod changes;
mod hydrate;
mod walk;

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

pub use changes::{Change, Changes, ExportLimits, Refusal, export};
pub use hydrate::{HydrateLimits, hydrate, hydrate_within};

use crate::{Error, Result};
use walk::{Found, Walk};

/// Names that never enter a sandbox or leave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exclude {
    /// Left out at any depth, whatever they are. Default: `.git` (history tells answers), `holdout`, `.factory`,
    /// `.harness` (stored runs show what scenarios expect).
    pub anywhere: Vec<String>,
    /// Left out at the top only, where they are build output. Default: `target`.
    pub top: Vec<String>,
}

impl Default for Exclude {
    fn default() -> Self {
        let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        Self { anywhere: owned(&[".git", ".factory", ".harness", "holdout"]), top: owned(&["target"]) }
    }
}

impl Exclude {
    /// The defaults, and more names at any depth.
    pub fn with<S: Into<String>>(extra: impl IntoIterator<Item = S>) -> Self {
        let mut exclude = Self::default();
        exclude.anywhere.extend(extra.into_iter().map(Into::into));
        exclude
    }

    /// Nothing is left out.
    #[must_use]
    pub fn nothing() -> Self {
        Self { anywhere: Vec::new(), top: Vec::new() }
    }

    fn covers(&self, path: &str) -> bool {
        let name = path.rsplit('/').next().unwrap_or(path);
        self.anywhere.iter().any(|excluded| excluded == name) || self.top.iter().any(|excluded| excluded == path)
    }
}

/// What a path holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    File,
    Executable,
    Symlink,
}

impl Kind {
    /// As git writes it.
    #[must_use]
    pub fn mode(self) -> &'static str {
        match self {
            Self::File => "100644",
            Self::Executable => "100755",
            Self::Symlink => "120000",
        }
    }
}

/// One file or link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    pub kind: Kind,
    /// BLAKE3 in hex, of the content or of the link's target.
    pub hash: String,
    pub size_bytes: u64,
}

/// A manifest: what is at each path (relative, `/` between names), sorted by the path's bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tree {
    pub entries: BTreeMap<String, Entry>,
}

impl Tree {
    /// Reads a directory. What cannot be part of a tree (sockets, links that escape, files beyond the default of
    /// [`HydrateLimits`], as each is held in memory) is an error; see [`export`] for a reading that names such things and
    /// goes on.
    pub fn scan(dir: &Path, exclude: &Exclude) -> Result<Self> {
        let limits = HydrateLimits::default();
        let mut tree = Self::default();
        let mut buffer = Vec::new();
        Walk::new(dir, exclude, limits.files)?.each(&mut |path, found| {
            let kind = match found {
                Found::File { size_bytes, .. } if size_bytes > limits.file_bytes => {
                    let reason = format!("it is larger than {} bytes", limits.file_bytes);
                    return Err(Error::Copy { path: path.to_owned(), reason });
                }
                Found::File { file, kind, size_bytes } => {
                    let read = walk::read_file(&file, size_bytes, &mut buffer);
                    read.map_err(|reason| Error::Copy { path: path.to_owned(), reason })?;
                    kind
                }
                Found::Symlink { target } => {
                    buffer = target.into_bytes();
                    Kind::Symlink
                }
                Found::Unfit { reason } => return Err(Error::Copy { path: path.to_owned(), reason }),
            };
            tree.insert(path, kind, &buffer);
            Ok(())
        })?;
        Ok(tree)
    }

    /// `b3:` and the BLAKE3 of the manifest: for each entry in order `mode hash size path`, ended by a NUL, which no
    /// path contains.
    #[must_use]
    pub fn digest(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        for (path, entry) in &self.entries {
            let line = format!("{} {} {} {path}\0", entry.kind.mode(), entry.hash, entry.size_bytes);
            hasher.update(line.as_bytes());
        }
        format!("b3:{}", hasher.finalize().to_hex())
    }

    fn insert(&mut self, path: &str, kind: Kind, content: &[u8]) {
        self.entries.insert(path.to_owned(), Entry::of(kind, content));
    }
}

impl Entry {
    pub(crate) fn of(kind: Kind, content: &[u8]) -> Self {
        Self { kind, hash: blake3::hash(content).to_hex().to_string(), size_bytes: content.len() as u64 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digest_depends_on_mode_content_and_path() {
        let tree = |path: &str, kind, content: &[u8]| {
            let mut tree = Tree::default();
            tree.insert(path, kind, content);
            tree.digest()
        };
        let digest = tree("a", Kind::File, b"x");
        assert!(digest.starts_with("b3:") && digest.len() == 3 + 64, "{digest}");
        assert_eq!(digest, tree("a", Kind::File, b"x"));
        for other in [tree("b", Kind::File, b"x"), tree("a", Kind::Executable, b"x"), tree("a", Kind::File, b"y")] {
            assert_ne!(digest, other);
        }
    }

    #[test]
    fn excludes_hold_at_any_depth_or_at_the_top() {
        let exclude = Exclude::with(["node_modules"]);
        for path in [".git", "a/.git", "holdout", "deep/er/holdout", "target", "web/node_modules"] {
            assert!(exclude.covers(path), "{path}");
        }
        for path in ["src/target", "holdouts", "git", "targets"] {
            assert!(!exclude.covers(path), "{path}");
        }
    }
}
