//! Walking a directory that an enemy may have written: by descriptor, beneath the root, without following links.

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, ResolveFlags, fstat, openat, openat2, readlinkat, statat};

use super::{Exclude, Kind};
use crate::error::Doing;
use crate::{Error, Result};

/// Deepest directory; deeper trees are a mistake or an attack on the stack.
const DEPTH_MAX: usize = 64;
const BENEATH: ResolveFlags = ResolveFlags::BENEATH.union(ResolveFlags::NO_SYMLINKS).union(ResolveFlags::NO_MAGICLINKS);

/// What the walk meets at a path.
pub(super) enum Found {
    File {
        file: File,
        kind: Kind,
        size_bytes: u64,
    },
    /// Stays inside the tree.
    Symlink {
        target: String,
    },
    Unfit {
        reason: String,
    },
}

/// A walk over everything below `root` that is not excluded, directories first opened, then read.
pub(super) struct Walk<'a> {
    root: &'a Path,
    exclude: &'a Exclude,
    entries_left: u64,
    entries_max: u64,
}

type Visit<'v> = &'v mut dyn FnMut(&str, Found) -> Result<()>;

impl<'a> Walk<'a> {
    pub(super) fn new(root: &'a Path, exclude: &'a Exclude, entries_max: u64) -> Result<Self> {
        Ok(Self { root, exclude, entries_left: entries_max, entries_max })
    }

    /// Calls `visit` for every entry but directories, in no promised order.
    pub(super) fn each(mut self, visit: Visit<'_>) -> Result<()> {
        let root = open_root(self.root)?;
        self.directory(&root, "", 0, visit)
    }

    fn directory(&mut self, dir: &OwnedFd, prefix: &str, depth: usize, visit: Visit<'_>) -> Result<()> {
        let doing = || format!("list {}/{prefix}", self.root.display());
        for entry in Dir::read_from(dir).doing(doing)? {
            let entry = entry.doing(doing)?;
            let name = entry.file_name();
            if name == c"." || name == c".." {
                continue;
            }
            let Ok(utf8) = name.to_str() else {
                let path = format!("{prefix}{}", name.to_string_lossy());
                visit(&path, Found::Unfit { reason: "its name is not UTF-8".into() })?;
                continue;
            };
            let path = format!("{prefix}{utf8}");
            if self.exclude.covers(&path) {
                continue;
            }
            self.count()?;
            match look(dir, utf8, depth) {
                Ok(Look::Directory(_)) if depth == DEPTH_MAX => {
                    visit(&path, Found::Unfit { reason: format!("it is deeper than {DEPTH_MAX} directories") })?;
                }
                Ok(Look::Directory(child)) => self.directory(&child, &format!("{path}/"), depth + 1, visit)?,
                Ok(Look::Leaf(found)) => visit(&path, found)?,
                Err(error) => visit(&path, Found::Unfit { reason: format!("it cannot be read: {error}") })?,
            }
        }
        Ok(())
    }

    fn count(&mut self) -> Result<()> {
        let (path, limit) = (self.root, self.entries_max);
        let left = self.entries_left.checked_sub(1);
        self.entries_left =
            left.ok_or_else(|| Error::TooLarge { what: "the tree", path: path.into(), limit, unit: "entries" })?;
        Ok(())
    }
}

enum Look {
    Directory(OwnedFd),
    Leaf(Found),
}

fn look(dir: &OwnedFd, name: &str, depth: usize) -> Result<Look, rustix::io::Errno> {
    let unfit = |reason: &str| Ok(Look::Leaf(Found::Unfit { reason: reason.to_owned() }));
    // Looked at before it is opened: opening a device or a pipe can have effects.
    let kind = FileType::from_raw_mode(statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)?.st_mode);
    match kind {
        FileType::Directory => {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            openat2(dir, name, flags, Mode::empty(), BENEATH).map(Look::Directory)
        }
        FileType::RegularFile => open_file(dir, name).map(Look::Leaf),
        FileType::Symlink => match readlinkat(dir, name, Vec::new())?.into_string() {
            Ok(target) if stays_inside(&target, depth) => Ok(Look::Leaf(Found::Symlink { target })),
            Ok(_) => unfit("it is a symbolic link that leaves the tree"),
            Err(_) => unfit("it is a symbolic link to a name that is not UTF-8"),
        },
        FileType::Fifo => unfit("it is a named pipe"),
        FileType::Socket => unfit("it is a socket"),
        FileType::CharacterDevice | FileType::BlockDevice => unfit("it is a device"),
        FileType::Unknown => unfit("its type is unknown"),
    }
}

fn open_file(dir: &OwnedFd, name: &str) -> Result<Found, rustix::io::Errno> {
    // Non-blocking, in case it became a pipe since it was looked at.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = openat2(dir, name, flags, Mode::empty(), BENEATH)?;
    let stat = fstat(&file)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Ok(Found::Unfit { reason: "it changed while it was read".into() });
    }
    let kind = if stat.st_mode & 0o100 == 0 { Kind::File } else { Kind::Executable };
    Ok(Found::File { file: file.into(), kind, size_bytes: u64::try_from(stat.st_size).unwrap_or_default() })
}

/// Whether a link, in a directory `depth` levels below the root, can only lead to places below the root.
///
/// `..` may only lead: then it climbs from real directories, whose depth is known. Behind a name it could climb out of
/// wherever another link leads. By induction over the links of a tree, none of them leaves it.
pub(super) fn stays_inside(target: &str, depth: usize) -> bool {
    let climbs = target.split('/').take_while(|part| matches!(*part, ".." | "." | ""));
    let climbed = climbs.clone().filter(|part| *part == "..").count();
    let rest = target.split('/').skip(climbs.count());
    !target.is_empty() && !target.starts_with('/') && climbed <= depth && rest.into_iter().all(|part| part != "..")
}

/// Reads a whole file into `buffer`, not more than `limit` bytes: a sparse or growing file is an error.
pub(super) fn read_file(file: &File, limit: u64, buffer: &mut Vec<u8>) -> Result<(), String> {
    buffer.clear();
    let read = file.take(limit).read_to_end(buffer).map_err(|error| format!("it cannot be read: {error}"))?;
    let mut beyond = [0];
    if file.read_at(&mut beyond, read as u64).map_err(|error| format!("it cannot be read: {error}"))? > 0 {
        return Err(format!("it is larger than {limit} bytes"));
    }
    Ok(())
}

pub(super) fn open_root(path: &Path) -> Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    openat(CWD.as_fd(), path, flags, Mode::empty()).doing(|| format!("open the directory {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::stays_inside;

    #[test]
    fn links_that_could_leave_the_tree_are_told_apart() {
        for (target, depth) in [("a", 0), ("./a/b", 0), ("../a", 1), ("../../x/y", 2), ("a/b/c", 3), (".", 0)] {
            assert!(stays_inside(target, depth), "{target} at {depth}");
        }
        for (target, depth) in
            [("/etc/passwd", 0), ("..", 0), ("../a", 0), ("../../a", 1), ("a/../../b", 3), ("b/..", 5), ("", 0)]
        {
            assert!(!stays_inside(target, depth), "{target} at {depth}");
        }
    }
}
