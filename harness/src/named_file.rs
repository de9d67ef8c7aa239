//! Files that people name in what they write.

use std::{fs, io, path::Path};

/// The length of a regular file. A pipe or a device could let its reader wait for ever, so it is refused.
pub(crate) fn length(path: &Path) -> io::Result<u64> {
    let about = fs::metadata(path)?;
    if about.is_file() { Ok(about.len()) } else { Err(io::Error::other("it is no regular file")) }
}

/// What stands in a regular file.
pub(crate) fn read(path: &Path) -> io::Result<Vec<u8>> {
    length(path).and_then(|_| fs::read(path))
}
