//! Who owns what on the host: a uid per sandbox, and the files that are handed to it.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Dir, FileType, Gid, Mode, OFlags, Uid, chownat, openat, statat};

/// Deepest directory that is handed over; deeper ones are a mistake or an attack on the stack.
const DEPTH_MAX: usize = 128;

/// A host uid that no other sandbox of this machine uses while this value lives.
#[derive(Debug)]
pub(crate) struct UidLease {
    pub(crate) uid: u32,
    // The name in the host's abstract socket namespace is the lock: unique on the machine whatever directories
    // factories use, gone with its owner however that dies, and out of reach from inside a sandbox.
    _lock: UnixDatagram,
}

impl UidLease {
    /// The first free uid at or after `first + start`, wrapping around after `count`.
    pub(crate) fn take(first: u32, count: u32, start: u32) -> io::Result<Option<Self>> {
        for step in 0..count {
            let uid = first + (start.wrapping_add(step)) % count;
            let name = SocketAddr::from_abstract_name(format!("factory-sandbox-uid-{uid}"))?;
            match UnixDatagram::bind_addr(&name) {
                Ok(lock) => return Ok(Some(Self { uid, _lock: lock })),
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }
}

/// Gives a tree to `uid`, itself included. Follows no link; entries that it already owns cost one `stat`.
pub(crate) fn give(path: &Path, uid: u32) -> io::Result<()> {
    let owner = (Uid::from_raw(uid), Gid::from_raw(uid));
    let stat = statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW)?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::Symlink => Err(io::Error::new(io::ErrorKind::InvalidInput, "it is a symbolic link")),
        FileType::Directory => {
            chownat(CWD, path, Some(owner.0), Some(owner.1), AtFlags::SYMLINK_NOFOLLOW)?;
            give_entries(&open_directory(CWD, path)?, owner, DEPTH_MAX)
        }
        _ => Ok(chownat(CWD, path, Some(owner.0), Some(owner.1), AtFlags::SYMLINK_NOFOLLOW)?),
    }
}

fn give_entries(dir: &OwnedFd, owner: (Uid, Gid), depth: usize) -> io::Result<()> {
    if depth == 0 {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "directories are nested too deeply"));
    }
    for entry in Dir::read_from(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        let stat = statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)?;
        if (stat.st_uid, stat.st_gid) != (owner.0.as_raw(), owner.1.as_raw()) {
            chownat(dir, name, Some(owner.0), Some(owner.1), AtFlags::SYMLINK_NOFOLLOW)?;
        }
        if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
            give_entries(&open_directory(dir.as_fd(), name)?, owner, depth - 1)?;
        }
    }
    Ok(())
}

fn open_directory<P: rustix::path::Arg>(at: BorrowedFd<'_>, path: P) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(openat(at, path, flags, Mode::empty())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    // Far from the default range, so that real sandboxes on this machine do not matter.
    const FIRST: u32 = 3_000_000_000;

    #[test]
    fn a_uid_is_leased_once_and_free_again_after_its_lease() {
        let first = UidLease::take(FIRST, 2, 0).unwrap().unwrap();
        let second = UidLease::take(FIRST, 2, 0).unwrap().unwrap();
        assert_ne!(first.uid, second.uid);
        assert!(UidLease::take(FIRST, 2, 0).unwrap().is_none());
        let freed = first.uid;
        drop(first);
        assert_eq!(UidLease::take(FIRST, 2, 1).unwrap().unwrap().uid, freed);
    }
}
