//! Folders that last as long as their owner: removed when it drops them and, where it was killed, by the next process that
//! looks. Never touches a folder whose owner lives, or another user's.
//!
//! The owner holds a lock on the folder itself, and the kernel lets go of it whatever kills the process: a folder that can
//! be locked has no owner.

use std::{
    fs::{self, File, TryLockError},
    io,
    os::unix::fs::MetadataExt as _,
    path::Path,
    sync::Once,
};

use rustix::{
    fs::{Mode, OFlags},
    process::geteuid,
};
use tempfile::TempDir;

use crate::subject::kill_marked;

const NAME_BYTES: usize = 6; // drawn; as many follow that say whose it is
const ATTEMPTS_MAX: usize = 8; // each is lost only to a process that looks for leftovers in the same microseconds

/// A folder of its own, empty at first.
#[derive(Debug)]
pub struct Scratch {
    // Invariant: declared first, so that the folder is gone before its lock is.
    folder: TempDir,
    _held: File,
}

impl Scratch {
    /// Below the system's folder for temporary files.
    ///
    /// # Errors
    /// Where no folder can be made, for a full disk, say.
    pub fn new() -> io::Result<Self> {
        Self::new_in(&std::env::temp_dir())
    }

    /// Below `parent`, which must be there.
    ///
    /// # Errors
    /// Like [`Self::new`].
    pub fn new_in(parent: &Path) -> io::Result<Self> {
        for _ in 0..ATTEMPTS_MAX {
            let folder = tempfile::Builder::new().prefix(&name(rand::random())).rand_bytes(0).tempdir_in(parent)?;
            if let Some(held) = hold(folder.path())? {
                return Ok(Self { folder, _held: held });
            }
        }
        Err(io::Error::other("each new folder was taken for a leftover at once"))
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Removes what dead owners have left below `parent`, and kills what they had started there. What cannot be removed is only in the way; it is tried again
    /// next time.
    pub fn sweep(parent: &Path) {
        for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
            let is_ours = is_ours(&entry.file_name().to_string_lossy());
            if is_ours && let Ok(Some(_held)) = hold(&entry.path()) {
                kill_marked(&entry.path());
                fs::remove_dir_all(entry.path()).ok();
            }
        }
    }

    /// [`Self::sweep`] of the system's folder for temporary files, the first time that a process asks.
    pub(crate) fn sweep_once() {
        static SWEPT: Once = Once::new();
        SWEPT.call_once(|| Self::sweep(&std::env::temp_dir()));
    }
}

/// A subject sees the name and must not be able to tell that it is tested, so nothing in it says so: what we know it by
/// is that its second half is computed of the first.
fn name(drawn: [u8; NAME_BYTES]) -> String {
    let sign = blake3::derive_key("harness 2026 scratch folder", &drawn);
    format!("tmp{}{}", hex::encode(drawn), hex::encode(&sign[..NAME_BYTES]))
}

fn is_ours(entry: &str) -> bool {
    let mut drawn = [0; NAME_BYTES];
    let digits = entry.strip_prefix("tmp").and_then(|digits| digits.get(..2 * NAME_BYTES));
    digits.is_some_and(|digits| hex::decode_to_slice(digits, &mut drawn).is_ok()) && name(drawn) == entry
}

/// Locks a folder of this user; `None` where somebody else has it, or it is not there any more.
fn hold(path: &Path) -> io::Result<Option<File>> {
    // A link could lead anywhere.
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let folder = match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(folder) => File::from(folder),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    match folder.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(error)) => return Err(error),
    }
    // It may have been taken for a leftover, and removed, between its making and its lock.
    let (locked, there) = (folder.metadata()?, fs::symlink_metadata(path));
    let is_there = there.is_ok_and(|there| (there.dev(), there.ino()) == (locked.dev(), locked.ino()));
    Ok((is_there && locked.uid() == geteuid().as_raw()).then_some(folder))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{Scratch, hold, is_ours, name};

    #[test]
    fn what_has_an_owner_and_what_has_another_name_stays() {
        let parent = tempfile::tempdir().unwrap();
        let owned = Scratch::new_in(parent.path()).unwrap();
        let foreign = parent.path().join("somebody-elses");
        let left = parent.path().join(name([1; 6]));
        for folder in [owned.path(), &foreign, &left] {
            fs::create_dir_all(folder.join("data")).unwrap();
        }
        let link = parent.path().join(name([2; 6]));
        std::os::unix::fs::symlink(&foreign, &link).unwrap();

        Scratch::sweep(parent.path());
        assert!(!left.exists(), "nobody owns it");
        for kept in [owned.path().join("data"), foreign.join("data"), link] {
            assert!(kept.exists(), "{}", kept.display());
        }
        let path = owned.path().to_owned();
        drop(owned);
        assert!(!path.exists());
    }

    #[test]
    fn a_name_is_known_by_its_second_half_and_tells_nothing() {
        let ours = name([7; 6]);
        assert!(
            is_ours(&ours) && !is_ours(&format!("{ours}0")) && !is_ours("tmp") && !is_ours("tmpö7890123456789"),
            "{ours}"
        );
        assert!(!ours.contains("harness") && !ours.contains("trial"));
    }

    #[test]
    fn a_folder_that_was_removed_before_it_was_locked_is_not_held() {
        let parent = tempfile::tempdir().unwrap();
        assert!(hold(&parent.path().join("gone")).unwrap().is_none());
    }
}
