//! Copies a directory tree into an empty one: the fresh workspace of a sandbox.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, symlink};
use std::path::Path;

use super::walk::{self, Found, Walk};
use super::{Exclude, Kind, Tree};
use crate::error::Doing;
use crate::{Error, Result};

/// Bounds of a copied tree. The defaults hold a large monorepo.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HydrateLimits {
    /// Files, links and directories. Default: 200,000.
    pub files: u64,
    /// All content. Default: 4 GiB.
    pub bytes: u64,
    /// One file, which is held in memory while it is copied. Default: 256 MiB.
    pub file_bytes: u64,
}

impl Default for HydrateLimits {
    fn default() -> Self {
        const MIB: u64 = 1024 * 1024;
        Self { files: 200_000, bytes: 4096 * MIB, file_bytes: 256 * MIB }
    }
}

/// Copies `source` to `target`, which must be missing or empty, within the default limits.
pub fn hydrate(source: &Path, target: &Path, exclude: &Exclude) -> Result<Tree> {
    hydrate_within(source, target, exclude, &HydrateLimits::default())
}

/// Copies regular files (0644 or 0755, so that a sandbox's uid can read them) and links that stay inside. Links that
/// do not, and special files, are left out: the agent could not use them.
pub fn hydrate_within(source: &Path, target: &Path, exclude: &Exclude, limits: &HydrateLimits) -> Result<Tree> {
    make_empty(target)?;
    let mut copy = Copy { target, limits, bytes_left: limits.bytes, tree: Tree::default(), buffer: Vec::new() };
    Walk::new(source, exclude, limits.files)?.each(&mut |path, found| match found {
        Found::File { file, kind, size_bytes } => copy.file(path, &file, kind, size_bytes),
        Found::Symlink { target } => copy.symlink(path, &target),
        Found::Unfit { reason } => {
            tracing::debug!(path, reason, "left out of a workspace");
            Ok(())
        }
    })?;
    Ok(copy.tree)
}

struct Copy<'a> {
    target: &'a Path,
    limits: &'a HydrateLimits,
    bytes_left: u64,
    tree: Tree,
    buffer: Vec<u8>,
}

impl Copy<'_> {
    fn file(&mut self, path: &str, file: &File, kind: Kind, size_bytes: u64) -> Result<()> {
        if size_bytes > self.limits.file_bytes {
            let reason = format!("it is larger than {} bytes; exclude it or raise the limit", self.limits.file_bytes);
            return Err(Error::Copy { path: path.to_owned(), reason });
        }
        self.bytes_left = self.bytes_left.checked_sub(size_bytes).ok_or_else(|| Error::TooLarge {
            what: "the tree",
            path: self.target.to_owned(),
            limit: self.limits.bytes,
            unit: "bytes",
        })?;
        let read = walk::read_file(file, size_bytes, &mut self.buffer);
        read.map_err(|reason| Error::Copy { path: path.to_owned(), reason })?;
        self.write(path, kind).doing(|| format!("write {path} in {}", self.target.display()))?;
        self.tree.insert(path, kind, &self.buffer);
        Ok(())
    }

    fn write(&self, path: &str, kind: Kind) -> std::io::Result<()> {
        let mode = if kind == Kind::Executable { 0o755 } else { 0o644 };
        let to = self.target.join(path);
        let open = || fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(&to);
        let mut file = match open() {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                fs::create_dir_all(to.parent().unwrap_or(self.target))?;
                open()?
            }
            opened => opened?,
        };
        file.write_all(&self.buffer)
    }

    fn symlink(&mut self, path: &str, link: &str) -> Result<()> {
        let to = self.target.join(path);
        let made = fs::create_dir_all(to.parent().unwrap_or(self.target)).and_then(|()| symlink(link, &to));
        made.doing(|| format!("link {path} in {}", self.target.display()))?;
        self.tree.insert(path, Kind::Symlink, link.as_bytes());
        Ok(())
    }
}

fn make_empty(target: &Path) -> Result<()> {
    let doing = || format!("make the workspace {}", target.display());
    fs::create_dir_all(target).doing(doing)?;
    if fs::read_dir(target).doing(doing)?.next().is_some() {
        let reason = "the target directory is not empty; hydrate into a fresh one".to_owned();
        return Err(Error::Copy { path: target.display().to_string(), reason });
    }
    Ok(())
}
