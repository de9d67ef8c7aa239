//! Bytes, once each, by their BLAKE3 digest.
//!
//! Small ones are rows; a large one is a stretch of a pack file, and its row says where. The bytes are on the disk
//! before the row is committed, and whoever names a digest in an event has called [`Blobs::put`] before: so an event
//! never names bytes that a crash could have taken. Every read is checked against the digest.

mod pack;

use std::{
    collections::{HashMap, HashSet},
    path::PathBuf,
    sync::Arc,
};

use model::hash::Digest;
use pack::{Packs, Place};
use sqlx::postgres::PgPool;

use crate::error::{signed, unsigned};

const INLINE_BYTES_MAX: usize = 8 * 1024; // a page of Postgres; larger rows would be moved out of line
/// One blob is held in memory as a whole, while it is written and while it is read.
pub const BLOB_BYTES_MAX: usize = 256 * 1024 * 1024;

#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    #[error("{digest} is not stored")]
    Missing { digest: Digest },
    #[error("the bytes stored as {digest} in {place} are not those that were put; restore the file from a backup")]
    Corrupt { digest: Digest, place: String },
    #[error("{size_bytes} bytes in one blob, and {BLOB_BYTES_MAX} are allowed; split it")]
    TooLarge { size_bytes: usize },
    #[error("could not {what} {path}; check the disk's space and the folder's owner")]
    Io {
        what: &'static str,
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error(transparent)]
    Store(#[from] crate::Error),
}

impl From<sqlx::Error> for BlobError {
    fn from(source: sqlx::Error) -> Self {
        Self::Store(source.into())
    }
}

/// `size_bytes, data, pack, pack_offset`: either data or a place.
type BlobRow = (i64, Option<Vec<u8>>, Option<String>, Option<i64>);

/// Where blobs go and come from. Clones share the open pack.
#[derive(Clone, Debug)]
pub struct Blobs {
    pool: PgPool,
    packs: Arc<Packs>,
}

impl Blobs {
    pub(crate) fn new(pool: PgPool, folder: PathBuf) -> Self {
        Self { pool, packs: Arc::new(Packs::new(folder)) }
    }

    /// Stores bytes; the second time costs one query.
    pub async fn put(&self, bytes: &[u8]) -> Result<Digest, BlobError> {
        let digests = self.put_all(vec![bytes.to_vec()]).await?;
        Ok(digests[0])
    }

    /// Stores many at the price of one: one sync of the disk, one statement. Digests in the order given.
    pub async fn put_all(&self, blobs: Vec<Vec<u8>>) -> Result<Vec<Digest>, BlobError> {
        if let Some(large) = blobs.iter().find(|bytes| bytes.len() > BLOB_BYTES_MAX) {
            return Err(BlobError::TooLarge { size_bytes: large.len() });
        }
        let digests: Vec<Digest> = blobs.iter().map(|bytes| Digest::of(bytes)).collect();
        let stored = self.stored(&digests).await?;
        let mut fresh: HashMap<Digest, Vec<u8>> = digests.iter().copied().zip(blobs).collect();
        fresh.retain(|digest, _| !stored.contains(digest));
        if !fresh.is_empty() {
            self.insert(fresh.into_iter().collect()).await?;
        }
        Ok(digests)
    }

    /// Stores a tree: its files, and then the manifest that lists their digests. The manifest's digest names the tree.
    pub async fn put_tree(&self, manifest: &[u8], files: Vec<Vec<u8>>) -> Result<Digest, BlobError> {
        self.put_all(files).await?;
        self.put(manifest).await
    }

    /// The bytes, checked.
    pub async fn get(&self, digest: &Digest) -> Result<Vec<u8>, BlobError> {
        let row: Option<BlobRow> =
            sqlx::query_as("select size_bytes, data, pack, pack_offset from blobs where digest = $1")
                .bind(digest.as_bytes().as_slice())
                .fetch_optional(&self.pool)
                .await?;
        let (bytes, place) = match row {
            Some((_, Some(data), _, _)) => (data, "the database".to_owned()),
            Some((size, None, Some(pack), Some(offset))) => {
                let place = Place { pack: pack.clone(), offset: unsigned(offset) };
                (self.read(place, unsigned(size)).await?, pack)
            }
            _ => return Err(BlobError::Missing { digest: *digest }),
        };
        if Digest::of(&bytes) == *digest { Ok(bytes) } else { Err(BlobError::Corrupt { digest: *digest, place }) }
    }

    /// Whether the digest is known. Does not look at the bytes.
    pub async fn contains(&self, digest: &Digest) -> Result<bool, BlobError> {
        Ok(self.stored(std::slice::from_ref(digest)).await?.contains(digest))
    }

    async fn stored(&self, digests: &[Digest]) -> Result<HashSet<Digest>, BlobError> {
        let bytes: Vec<&[u8]> = digests.iter().map(|digest| digest.as_bytes().as_slice()).collect();
        let known: Vec<Vec<u8>> = sqlx::query_scalar("select digest from blobs where digest = any($1)")
            .bind(bytes)
            .fetch_all(&self.pool)
            .await?;
        Ok(known.iter().map(|bytes| crate::record::digest(bytes)).collect())
    }

    async fn insert(&self, mut blobs: Vec<(Digest, Vec<u8>)>) -> Result<(), BlobError> {
        blobs.sort_by_key(|(digest, _)| *digest); // one order for all, so that two writers do not wait for each other
        let packs = Arc::clone(&self.packs);
        let writing = tokio::task::spawn_blocking(move || {
            let large = blobs.iter().filter(|(_, bytes)| bytes.len() > INLINE_BYTES_MAX);
            let places = packs.append(large.map(|(digest, bytes)| (digest, bytes.as_slice())))?;
            Ok::<_, BlobError>((blobs, places))
        });
        let (blobs, places) = joined(writing.await)?;
        let of = |(digest, _): &(Digest, Vec<u8>)| places.get(digest).cloned();
        let packed: Vec<Option<Place>> = blobs.iter().map(of).collect();
        let inline = blobs.iter().zip(&packed).map(|((_, bytes), place)| place.is_none().then_some(bytes.as_slice()));
        sqlx::query(
            "insert into blobs (digest, size_bytes, data, pack, pack_offset)
             select * from unnest($1::bytea[], $2::bigint[], $3::bytea[], $4::text[], $5::bigint[])
             on conflict (digest) do nothing",
        )
        .bind(blobs.iter().map(|(digest, _)| digest.as_bytes().as_slice()).collect::<Vec<_>>())
        .bind(blobs.iter().map(|(_, bytes)| signed(bytes.len() as u64)).collect::<Vec<_>>())
        .bind(inline.collect::<Vec<_>>())
        .bind(packed.iter().map(|place| place.as_ref().map(|place| place.pack.as_str())).collect::<Vec<_>>())
        .bind(packed.iter().map(|place| place.as_ref().map(|place| signed(place.offset))).collect::<Vec<_>>())
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    async fn read(&self, place: Place, size_bytes: u64) -> Result<Vec<u8>, BlobError> {
        let packs = Arc::clone(&self.packs);
        joined(tokio::task::spawn_blocking(move || packs.read(&place, size_bytes)).await)
    }
}

/// A blocking task ends early by a panic, which goes on here, or with the whole runtime.
fn joined<T>(result: Result<Result<T, BlobError>, tokio::task::JoinError>) -> Result<T, BlobError> {
    result.unwrap_or_else(|early| match early.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(_) => Err(crate::Error::from(sqlx::Error::WorkerCrashed).into()),
    })
}
