//! A folder of this host that no path can leave.
//!
//! Every name is resolved by the kernel below the folder's descriptor (`openat2`, `RESOLVE_BENEATH`), so that a symlink
//! that a command swaps in while a tool works is refused too. Needs Linux 5.6.

use std::{
    fs::File,
    io::{Read, Write},
    os::fd::OwnedFd,
    path::Path,
};

use model::hash::Digest;
use rustix::{
    fs::{
        AtFlags, CWD, FileType, Mode, OFlags, ResolveFlags, fchmod, fchown, fstat, mkdirat, openat2, renameat, unlinkat,
    },
    io::Errno,
    process::geteuid,
};

use super::{Entry, FileError, Kind, Stat, WorkspacePath, Written};

const ENTRIES_MAX: usize = 10_000; // of one folder: more is no listing that a model can use
const ATTEMPTS_MAX: u32 = 16; // of one write, where others write the same file
const TEMPORARY_LETTERS: usize = 16; // of a digest: no two names of a folder share them

/// All calls block; async callers use a blocking thread.
#[derive(Debug)]
pub struct Tree {
    folder: OwnedFd,
    path: std::path::PathBuf,
}

impl Tree {
    pub fn open(path: &Path) -> Result<Self, FileError> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = rustix::fs::openat(CWD, path, flags, Mode::empty())
            .map_err(|errno| FileError::from_errno(&path.display().to_string(), errno))?;
        Ok(Self { folder, path: path.to_owned() })
    }

    /// On this host. For walking only: whatever is found is opened through this type.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A regular file, for reading.
    pub fn open_file(&self, path: &WorkspacePath) -> Result<File, FileError> {
        // Without NONBLOCK the open of a fifo waits for a writer that may never come.
        let file = self.open_at(path, OFlags::RDONLY | OFlags::NONBLOCK)?;
        match kind(fstat(&file).map_err(fail(path))?.st_mode) {
            Kind::File => Ok(File::from(file)),
            Kind::Folder => Err(FileError::IsFolder(path.to_string())),
            Kind::Link | Kind::Other => Err(FileError::Special(path.to_string())),
        }
    }

    pub fn read(&self, path: &WorkspacePath, bytes_max: u64) -> Result<Vec<u8>, FileError> {
        let too_large = |size_bytes| FileError::TooLarge { path: path.to_string(), size_bytes, bytes_max };
        let io = |source| FileError::Io { path: path.to_string(), source };
        let file = self.open_file(path)?;
        let size = file.metadata().map_err(io)?.len();
        if size > bytes_max {
            return Err(too_large(size));
        }
        let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
        // The file may grow while it is read.
        file.take(bytes_max + 1).read_to_end(&mut bytes).map_err(io)?;
        let read = bytes.len() as u64;
        if read > bytes_max { Err(too_large(read)) } else { Ok(bytes) }
    }

    pub fn write(&self, path: &WorkspacePath, bytes: &[u8]) -> Result<Written, FileError> {
        let (folder, name) = path.split().ok_or_else(|| FileError::IsFolder(path.to_string()))?;
        let folder = self.make_folders(&folder)?;
        match rustix::fs::statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(old) => match kind(old.st_mode) {
                Kind::File => {
                    replace(&folder, name, path, bytes, Mode::from_raw_mode(old.st_mode & 0o7777))?;
                    Ok(Written::Replaced)
                }
                Kind::Folder => Err(FileError::IsFolder(path.to_string())),
                Kind::Link => self.write_through_link(path, bytes),
                Kind::Other => Err(FileError::Special(path.to_string())),
            },
            Err(Errno::NOENT) => {
                replace(&folder, name, path, bytes, Mode::from_raw_mode(0o644))?;
                Ok(Written::Created)
            }
            Err(errno) => Err(FileError::from_errno(path.as_str(), errno)),
        }
    }

    pub fn remove(&self, path: &WorkspacePath) -> Result<(), FileError> {
        let (folder, name) = path.split().ok_or_else(|| FileError::IsFolder(path.to_string()))?;
        let folder = self.open_at(&folder, OFlags::PATH | OFlags::DIRECTORY)?;
        unlinkat(&folder, name, AtFlags::empty()).map_err(fail(path))
    }

    pub fn list(&self, path: &WorkspacePath) -> Result<Vec<Entry>, FileError> {
        let folder = self.open_at(path, OFlags::RDONLY | OFlags::DIRECTORY)?;
        let mut entries = Vec::new();
        for entry in rustix::fs::Dir::read_from(&folder).map_err(fail(path))?.take(ENTRIES_MAX) {
            let entry = entry.map_err(fail(path))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if name == "." || name == ".." {
                continue;
            }
            // It may be gone by now.
            let Ok(stat) = rustix::fs::statat(&folder, entry.file_name(), AtFlags::SYMLINK_NOFOLLOW) else { continue };
            entries.push(Entry { name, kind: kind(stat.st_mode), size_bytes: stat.st_size.cast_unsigned() });
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    /// Follows symlinks that stay inside.
    pub fn stat(&self, path: &WorkspacePath) -> Result<Stat, FileError> {
        let file = self.open_at(path, OFlags::PATH)?;
        let stat = fstat(&file).map_err(fail(path))?;
        let modified_ns = i128::from(stat.st_mtime) * 1_000_000_000 + i128::from(stat.st_mtime_nsec);
        Ok(Stat { kind: kind(stat.st_mode), size_bytes: stat.st_size.cast_unsigned(), modified_ns })
    }

    fn open_at(&self, path: &WorkspacePath, flags: OFlags) -> Result<OwnedFd, FileError> {
        self.open_with(path, flags, Mode::empty())
    }

    fn open_with(&self, path: &WorkspacePath, flags: OFlags, mode: Mode) -> Result<OwnedFd, FileError> {
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        loop {
            match openat2(&self.folder, path.as_str(), flags | OFlags::CLOEXEC, mode, resolve) {
                // The kernel could not rule out a race with a rename: it asks for another try.
                Err(Errno::AGAIN | Errno::INTR) => {}
                outcome => return outcome.map_err(fail(path)),
            }
        }
    }

    /// The folder, made with its parents where it is missing.
    fn make_folders(&self, path: &WorkspacePath) -> Result<OwnedFd, FileError> {
        match self.open_at(path, OFlags::PATH | OFlags::DIRECTORY) {
            Err(FileError::NotFound(_)) => {}
            outcome => return outcome,
        }
        let Some((parent, name)) = path.split() else { return Err(FileError::NotFound(path.to_string())) };
        let parent = self.make_folders(&parent)?;
        match mkdirat(&parent, name, Mode::from_raw_mode(0o755)) {
            Ok(()) => {}
            Err(Errno::EXIST) => return self.open_at(path, OFlags::PATH | OFlags::DIRECTORY),
            Err(errno) => return Err(FileError::from_errno(path.as_str(), errno)),
        }
        let made = self.open_at(path, OFlags::RDONLY | OFlags::DIRECTORY)?;
        give_to_owner_of(&parent, &made).map_err(fail(path))?;
        Ok(made)
    }

    /// In place: a rename would replace the link instead of the file behind it.
    fn write_through_link(&self, path: &WorkspacePath, bytes: &[u8]) -> Result<Written, FileError> {
        let flags = OFlags::WRONLY | OFlags::TRUNC | OFlags::NONBLOCK;
        let mut file = File::from(self.open_at(path, flags)?);
        file.write_all(bytes).map_err(|source| FileError::Io { path: path.to_string(), source })?;
        Ok(Written::Replaced)
    }
}

/// Writes a new file beside the old one and renames it over, so that nobody sees half a file.
fn replace(folder: &OwnedFd, name: &str, path: &WorkspacePath, bytes: &[u8], mode: Mode) -> Result<(), FileError> {
    let temporary = temporary(name);
    let attempt = || -> Result<(), std::io::Error> {
        let file = fresh(folder, &temporary)?;
        give_to_owner_of(folder, &file)?;
        fchmod(&file, mode)?;
        File::from(file).write_all(bytes)?;
        Ok(renameat(folder, &temporary, folder, name)?)
    };
    let mut outcome = attempt();
    for _ in 1..ATTEMPTS_MAX {
        // Somebody else writes the same file: the last one wins.
        let is_contended = |error: &std::io::Error| {
            matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::AlreadyExists)
        };
        if !outcome.as_ref().is_err_and(is_contended) {
            break;
        }
        outcome = attempt();
    }
    outcome.map_err(|source| {
        unlinkat(folder, &temporary, AtFlags::empty()).ok();
        FileError::Io { path: path.to_string(), source }
    })
}

/// The same for the same file: what a killed writer left goes away when the call is made again, and is never a part of
/// what was built.
fn temporary(name: &str) -> String {
    let digest = Digest::of(name.as_bytes()).to_string();
    format!(".write-{}", &digest[digest.len() - TEMPORARY_LETTERS..])
}

/// A file that is nobody else's, not even where the name was taken by a link.
fn fresh(folder: &OwnedFd, name: &str) -> Result<OwnedFd, Errno> {
    match unlinkat(folder, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => {}
        Err(errno) => return Err(errno),
    }
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(folder, name, flags, Mode::from_raw_mode(0o600))
}

/// A tree that a sandbox works on belongs to the sandbox's user: what root writes into it must too.
fn give_to_owner_of(folder: &OwnedFd, made: &OwnedFd) -> Result<(), Errno> {
    if !geteuid().is_root() {
        return Ok(());
    }
    let owner = fstat(folder)?;
    let (uid, gid) = (rustix::fs::Uid::from_raw(owner.st_uid), rustix::fs::Gid::from_raw(owner.st_gid));
    fchown(made, Some(uid), Some(gid))
}

fn kind(mode: u32) -> Kind {
    match FileType::from_raw_mode(mode) {
        FileType::RegularFile => Kind::File,
        FileType::Directory => Kind::Folder,
        FileType::Symlink => Kind::Link,
        _ => Kind::Other,
    }
}

fn fail(path: &WorkspacePath) -> impl Fn(Errno) -> FileError + '_ {
    |errno| FileError::from_errno(path.as_str(), errno)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Killed between making the file beside and renaming it.
    #[test]
    fn what_a_killed_write_left_goes_away_with_the_next() {
        let dir = tempfile::tempdir().unwrap();
        let elsewhere = dir.path().join("elsewhere");
        std::fs::write(&elsewhere, "untouched").unwrap();
        let work = dir.path().join("work");
        std::fs::create_dir(&work).unwrap();
        let tree = Tree::open(&work).unwrap();
        let path = WorkspacePath::parse("a.txt", "/workspace").unwrap();
        let names = || std::fs::read_dir(&work).unwrap().map(|it| it.unwrap().file_name()).collect::<Vec<_>>();
        std::fs::write(work.join(temporary("a.txt")), "half").unwrap();
        tree.write(&path, b"whole").unwrap();
        assert_eq!(names(), ["a.txt"]);
        std::os::unix::fs::symlink(&elsewhere, work.join(temporary("a.txt"))).unwrap();
        tree.write(&path, b"again").unwrap();
        assert_eq!(names(), ["a.txt"]);
        assert_eq!(std::fs::read_to_string(work.join("a.txt")).unwrap(), "again");
        assert_eq!(std::fs::read_to_string(elsewhere).unwrap(), "untouched");
    }
}
