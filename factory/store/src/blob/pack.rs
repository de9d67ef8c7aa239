//! Pack files: large blobs one after the other, appended by one process each.
//!
//! An entry is `FBLOB1\0\0`, the size as 8 bytes big-endian, the digest, the bytes. The head is for people and repair:
//! reading goes by the offset of the bytes in the database. What a crash leaves at the end is never pointed to.

use std::{
    collections::HashMap,
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use model::hash::Digest;

use super::{BLOB_BYTES_MAX, BlobError};

const PACK_BYTES_MAX: u64 = 64 * 1024 * 1024; // the next blob goes to a new file; a single one may be larger
const ENTRY_MARK: &[u8; 8] = b"FBLOB1\0\0";

/// Where a blob's bytes begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) pack: String,
    pub(super) offset: u64,
}

#[derive(Debug)]
pub(super) struct Packs {
    folder: PathBuf,
    current: Mutex<Option<Pack>>,
}

#[derive(Debug)]
struct Pack {
    name: String,
    file: File,
    size_bytes: u64,
}

impl Packs {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder, current: Mutex::default() }
    }

    /// Appends blobs and syncs the disk once. A failure leaves the pack behind: nothing is known of its end.
    pub(super) fn append<'a>(
        &self,
        blobs: impl Iterator<Item = (&'a Digest, &'a [u8])>,
    ) -> Result<HashMap<Digest, Place>, BlobError> {
        let mut blobs = blobs.peekable();
        if blobs.peek().is_none() {
            return Ok(HashMap::new());
        }
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let mut pack = match current.take() {
            Some(pack) if pack.size_bytes < PACK_BYTES_MAX => pack,
            _ => self.create()?,
        };
        let mut places = HashMap::new();
        for (digest, bytes) in blobs {
            let offset = pack.write(digest, bytes).map_err(self.during("write", &pack.name))?;
            places.insert(*digest, Place { pack: pack.name.clone(), offset });
        }
        pack.file.sync_data().map_err(self.during("sync", &pack.name))?;
        *current = Some(pack);
        Ok(places)
    }

    pub(super) fn read(&self, place: &Place, size_bytes: u64) -> Result<Vec<u8>, BlobError> {
        let size = usize::try_from(size_bytes).ok().filter(|size| *size <= BLOB_BYTES_MAX);
        let size = size.ok_or(BlobError::TooLarge { size_bytes: usize::MAX })?;
        let during = |what| self.during(what, &place.pack);
        let file = File::open(self.folder.join(&place.pack)).map_err(during("open"))?;
        let mut bytes = vec![0; size];
        file.read_exact_at(&mut bytes, place.offset).map_err(during("read"))?;
        Ok(bytes)
    }

    fn create(&self) -> Result<Pack, BlobError> {
        let name = format!("{}.pack", uuid::Uuid::now_v7());
        let create = || {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
            let file = OpenOptions::new().append(true).create_new(true).mode(0o600).open(self.folder.join(&name))?;
            // The file's name must be as durable as its bytes.
            sync_folder(&self.folder)?;
            Ok(file)
        };
        let file = create().map_err(self.during("create", &name))?;
        Ok(Pack { name, file, size_bytes: 0 })
    }

    fn during(&self, what: &'static str, name: &str) -> impl FnOnce(io::Error) -> BlobError + use<> {
        let path = self.folder.join(name);
        move |source| BlobError::Io { what, path, source }
    }
}

impl Pack {
    /// Gives the offset of the bytes.
    fn write(&mut self, digest: &Digest, bytes: &[u8]) -> io::Result<u64> {
        let mut head = Vec::with_capacity(48);
        head.extend_from_slice(ENTRY_MARK);
        head.extend_from_slice(&(bytes.len() as u64).to_be_bytes());
        head.extend_from_slice(digest.as_bytes());
        self.file.write_all(&head)?;
        self.file.write_all(bytes)?;
        let offset = self.size_bytes + head.len() as u64;
        self.size_bytes = offset + bytes.len() as u64;
        Ok(offset)
    }
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blobs_of_one_pack_read_back_each_from_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let packs = Packs::new(folder.path().join("packs"));
        let blobs: Vec<Vec<u8>> = (1..4_u8).map(|n| vec![n; usize::from(n) * 1_000]).collect();
        let digests: Vec<Digest> = blobs.iter().map(|bytes| Digest::of(bytes)).collect();
        let places = packs.append(digests.iter().zip(blobs.iter().map(Vec::as_slice))).unwrap();
        for (digest, bytes) in digests.iter().zip(&blobs) {
            assert_eq!(packs.read(&places[digest], bytes.len() as u64).unwrap(), *bytes);
        }
        assert_eq!(fs::read_dir(folder.path().join("packs")).unwrap().count(), 1);
    }

    #[test]
    fn an_unwritable_folder_is_named() {
        let folder = tempfile::NamedTempFile::new().unwrap();
        let packs = Packs::new(folder.path().join("packs"));
        let error = packs.append([(&Digest::ZERO, b"x".as_slice())].into_iter()).unwrap_err();
        assert!(error.to_string().contains("packs"), "{error}");
    }
}
