//! What a command changed in a workspace: read back as hostile input, and applied elsewhere.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{
    AtFlags, Mode, OFlags, ResolveFlags, fchmod, mkdirat, openat, openat2, renameat, symlinkat, unlinkat,
};
use rustix::io::Errno;

use super::walk::{self, Found, Walk};
use super::{Entry, Exclude, Kind, Tree};
use crate::error::Doing;
use crate::{Error, Result};

/// Bounds of an export. The defaults hold any change that a person could review.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportLimits {
    /// Entries in the whole workspace, build output included unless excluded. Default: 400,000.
    pub entries: u64,
    /// Changed files. Default: 10,000.
    pub changes: usize,
    /// All changed content. Default: 256 MiB.
    pub bytes: u64,
    /// One file; a larger one is refused by name. Default: 32 MiB.
    pub file_bytes: u64,
    /// What the base was hydrated without; must be the same, or it all counts as added.
    pub exclude: Exclude,
}

impl Default for ExportLimits {
    fn default() -> Self {
        const MIB: u64 = 1024 * 1024;
        Self { entries: 400_000, changes: 10_000, bytes: 256 * MIB, file_bytes: 32 * MIB, exclude: Exclude::default() }
    }
}

/// A file or link that is new or different.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub path: String,
    pub kind: Kind,
    /// The content, or the link's target.
    pub bytes: Vec<u8>,
}

/// Something in the workspace that does not leave it, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub path: String,
    pub reason: String,
}

/// The difference between a base and a workspace, each list sorted by path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    pub added: Vec<Change>,
    pub modified: Vec<Change>,
    /// Paths of the base where now is nothing, or something refused.
    pub deleted: Vec<String>,
    pub refused: Vec<Refusal>,
}

/// Reads what changed in `dir` since `base`. Call it when nothing runs in the sandbox any more. Links are not
/// followed; devices, pipes, sockets, links that leave the tree and oversized files are refused by name.
pub fn export(dir: &Path, base: &Tree, limits: &ExportLimits) -> Result<Changes> {
    let mut export = Export { base, limits, bytes_left: limits.bytes, seen: Vec::new(), changes: Changes::default() };
    Walk::new(dir, &limits.exclude, limits.entries)?.each(&mut |path, found| export.entry(dir, path, found))?;
    Ok(export.finish())
}

struct Export<'a> {
    base: &'a Tree,
    limits: &'a ExportLimits,
    bytes_left: u64,
    seen: Vec<String>,
    changes: Changes,
}

impl Export<'_> {
    fn entry(&mut self, dir: &Path, path: &str, found: Found) -> Result<()> {
        match self.content(found) {
            Ok((kind, bytes)) => self.compare(dir, path, kind, bytes),
            Err(reason) => {
                self.changes.refused.push(Refusal { path: path.to_owned(), reason });
                self.check_count(dir)
            }
        }
    }

    fn content(&self, found: Found) -> Result<(Kind, Vec<u8>), String> {
        let limit = self.limits.file_bytes;
        match found {
            Found::File { size_bytes, .. } if size_bytes > limit => Err(format!("it is larger than {limit} bytes")),
            Found::File { file, kind, .. } => {
                let mut bytes = Vec::new();
                walk::read_file(&file, limit, &mut bytes)?;
                Ok((kind, bytes))
            }
            Found::Symlink { target } => Ok((Kind::Symlink, target.into_bytes())),
            Found::Unfit { reason } => Err(reason),
        }
    }

    fn compare(&mut self, dir: &Path, path: &str, kind: Kind, bytes: Vec<u8>) -> Result<()> {
        self.seen.push(path.to_owned());
        let before = self.base.entries.get(path);
        if before.is_some_and(|before| *before == Entry::of(kind, &bytes)) {
            return Ok(());
        }
        let left = self.bytes_left.checked_sub(bytes.len() as u64);
        self.bytes_left = left.ok_or_else(|| self.too_large(dir, self.limits.bytes, "changed bytes"))?;
        let change = Change { path: path.to_owned(), kind, bytes };
        if before.is_some() {
            self.changes.modified.push(change)
        } else {
            self.changes.added.push(change)
        }
        self.check_count(dir)
    }

    fn check_count(&self, dir: &Path) -> Result<()> {
        let changes = &self.changes;
        let count = changes.added.len() + changes.modified.len() + changes.refused.len();
        if count > self.limits.changes {
            return Err(self.too_large(dir, self.limits.changes as u64, "changes"));
        }
        Ok(())
    }

    fn too_large(&self, dir: &Path, limit: u64, unit: &'static str) -> Error {
        Error::TooLarge { what: "the changes in", path: dir.to_owned(), limit, unit }
    }

    fn finish(mut self) -> Changes {
        self.seen.sort_unstable();
        let gone = self.base.entries.keys().filter(|path| self.seen.binary_search(path).is_err());
        self.changes.deleted = gone.cloned().collect();
        self.changes.added.sort_by(|a, b| a.path.cmp(&b.path));
        self.changes.modified.sort_by(|a, b| a.path.cmp(&b.path));
        self.changes.refused.sort_by(|a, b| a.path.cmp(&b.path));
        self.changes
    }
}

impl Changes {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.modified.is_empty() && self.deleted.is_empty()
    }

    /// Makes the same changes in another directory. Deletes first, so that a file may become a directory and the other
    /// way round; each file is replaced at once or not at all. Stays beneath `dir` and passes through no link.
    pub fn apply(&self, dir: &Path) -> Result<()> {
        let root = walk::open_root(dir)?;
        for path in &self.deleted {
            delete(&root, path).doing(|| format!("delete {path} in {}", dir.display()))?;
        }
        for change in self.added.iter().chain(&self.modified) {
            write(&root, change).doing(|| format!("write {} in {}", change.path, dir.display()))?;
        }
        Ok(())
    }
}

fn delete(root: &OwnedFd, path: &str) -> io::Result<()> {
    let mut path = path;
    let mut flags = AtFlags::empty();
    // The file, then the directories that it leaves empty.
    loop {
        let (parent, name) = split(path);
        let dir = match open_parent(root, parent) {
            Err(Errno::NOENT | Errno::NOTDIR) => return Ok(()),
            opened => opened?,
        };
        match unlinkat(&dir, name, flags) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(Errno::NOTEMPTY | Errno::EXIST) if flags == AtFlags::REMOVEDIR => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        let Some(parent) = parent else { return Ok(()) };
        (path, flags) = (parent, AtFlags::REMOVEDIR);
    }
}

fn write(root: &OwnedFd, change: &Change) -> io::Result<()> {
    let (parent, name) = split(&change.path);
    let dir = make_parent(root, parent)?;
    let temporary = format!(".{}.partial", blake3::hash(change.path.as_bytes()).to_hex());
    match unlinkat(&dir, temporary.as_str(), AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => {}
        Err(error) => return Err(error.into()),
    }
    if change.kind == Kind::Symlink {
        symlinkat(change.bytes.as_slice(), &dir, temporary.as_str())?;
    } else {
        let mode = if change.kind == Kind::Executable { 0o755 } else { 0o644 };
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
        let mut file = File::from(openat(&dir, temporary.as_str(), flags, Mode::from_raw_mode(mode))?);
        // The process's umask must not decide what others may run.
        fchmod(&file, Mode::from_raw_mode(mode))?;
        file.write_all(&change.bytes)?;
    }
    Ok(renameat(&dir, temporary.as_str(), &dir, name)?)
}

fn make_parent(root: &OwnedFd, parent: Option<&str>) -> io::Result<OwnedFd> {
    let mut at = open_parent(root, None)?;
    for name in parent.into_iter().flat_map(|parent| parent.split('/')) {
        match mkdirat(&at, name, Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
        at = open_parent(&at, Some(name))?;
    }
    Ok(at)
}

fn open_parent(root: &OwnedFd, parent: Option<&str>) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    openat2(root.as_fd(), parent.unwrap_or("."), flags, Mode::empty(), resolve)
}

fn split(path: &str) -> (Option<&str>, &str) {
    path.rsplit_once('/').map_or((None, path), |(parent, name)| (Some(parent), name))
}
