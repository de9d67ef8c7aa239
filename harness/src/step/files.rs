//! Reads the files that a subject left. Only regular files below the subject's tree or the trial's data folder: a link
//! that a subject makes leads to nothing of this machine.

use std::{
    fs::File,
    io::{self, Read as _},
    path::{Component, Path, PathBuf},
};

use rustix::fs::{FileType, Mode, OFlags, ResolveFlags};

use super::Room;

const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024; // as of a stream of output

/// What stands in a file.
pub(super) enum Found {
    Content(Vec<u8>),
    Nothing,
    /// Why it cannot be looked at.
    Refused(String),
}

/// `path` is relative to `cwd` in the tree, or absolute in the tree or the data folder.
pub(super) fn read(room: &Room, cwd: &Path, path: &str) -> Found {
    let full = room.root.join(cwd).join(path);
    let Some((base, rest)) = inside(room, &full) else {
        return Found::Refused("it is outside of the subject's tree and of the data folder".to_owned());
    };
    match open_beneath(base, &rest).and_then(content) {
        Ok(bytes) if bytes.len() as u64 > FILE_BYTES_MAX => Found::Refused(format!("more than {FILE_BYTES_MAX} bytes")),
        Ok(bytes) => Found::Content(bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Found::Nothing,
        Err(error) => Found::Refused(error.to_string()),
    }
}

/// The folder that `path` is in by its words, and the path from there.
fn inside<'a>(room: &'a Room, path: &Path) -> Option<(&'a Path, PathBuf)> {
    if path.components().any(|part| part == Component::ParentDir) {
        return None;
    }
    let bases = [room.data_dir.as_path(), room.root.as_path()];
    bases.into_iter().find_map(|base| Some((base, path.strip_prefix(base).ok()?.to_owned())))
}

/// Opens without following a link out of `base`, and without waiting for the other end of a pipe.
fn open_beneath(base: &Path, path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let folder = rustix::fs::open(base, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let file = rustix::fs::openat2(&folder, path, flags, Mode::empty(), ResolveFlags::BENEATH)?;
    if FileType::from_raw_mode(rustix::fs::fstat(&file)?.st_mode) != FileType::RegularFile {
        return Err(io::Error::other("it is no regular file"));
    }
    Ok(file.into())
}

fn content(file: File) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}
