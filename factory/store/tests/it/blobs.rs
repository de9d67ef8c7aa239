//! Bytes once, by their digest, checked whenever they are read.

use model::hash::Digest;
use store::{BLOB_BYTES_MAX, BlobError};

use crate::support::Db;

const LARGE: usize = 100_000; // goes to a pack

fn bytes(seed: u8, size: usize) -> Vec<u8> {
    (0..size).map(|n| seed.wrapping_add(u8::try_from(n % 251).unwrap())).collect()
}

fn packs_size(db: &Db) -> u64 {
    let folder = db.data_home.path().join("packs");
    folder.read_dir().map_or(0, |entries| entries.map(|entry| entry.unwrap().metadata().unwrap().len()).sum())
}

#[tokio::test]
async fn small_and_large_bytes_come_back_as_they_were() {
    let db = Db::new().await;
    for size in [0, 1, 8 * 1024, 8 * 1024 + 1, LARGE] {
        let blob = bytes(1, size);
        let digest = db.blobs().put(&blob).await.unwrap();
        assert_eq!(digest, Digest::of(&blob));
        assert_eq!(db.blobs().get(&digest).await.unwrap(), blob, "{size}");
        assert!(db.blobs().contains(&digest).await.unwrap());
    }
    db.end().await;
}

#[tokio::test]
async fn the_same_bytes_are_stored_once() {
    let db = Db::new().await;
    let blob = bytes(1, LARGE);
    let digests = db.blobs().put_all(vec![blob.clone(), bytes(2, 5), blob.clone()]).await.unwrap();
    assert_eq!(digests[0], digests[2]);
    let size = packs_size(&db);
    assert!(size >= LARGE as u64 && size < 2 * LARGE as u64);
    db.another_process().await.blobs().put(&blob).await.unwrap();
    assert_eq!(packs_size(&db), size);
    db.end().await;
}

#[tokio::test]
async fn another_process_reads_what_this_one_put() {
    let db = Db::new().await;
    let blob = bytes(3, LARGE);
    let digest = db.blobs().put(&blob).await.unwrap();
    assert_eq!(db.another_process().await.blobs().get(&digest).await.unwrap(), blob);
    db.end().await;
}

#[tokio::test]
async fn a_tree_is_its_files_and_then_its_manifest() {
    let db = Db::new().await;
    let (one, other) = (bytes(1, 10), bytes(2, LARGE));
    let manifest = format!("{}\n{}\n", Digest::of(&one), Digest::of(&other));
    let tree = db.blobs().put_tree(manifest.as_bytes(), vec![one.clone(), other]).await.unwrap();
    assert_eq!(db.blobs().get(&tree).await.unwrap(), manifest.as_bytes());
    assert_eq!(db.blobs().get(&Digest::of(&one)).await.unwrap(), one);
    db.end().await;
}

#[tokio::test]
async fn a_flipped_bit_in_a_pack_or_in_a_row_is_noticed() {
    let db = Db::new().await;
    let (large, small) =
        (db.blobs().put(&bytes(1, LARGE)).await.unwrap(), db.blobs().put(&bytes(1, 10)).await.unwrap());
    let pack = db.data_home.path().join("packs").read_dir().unwrap().next().unwrap().unwrap().path();
    let mut content = std::fs::read(&pack).unwrap();
    *content.last_mut().unwrap() ^= 1;
    std::fs::write(&pack, content).unwrap();
    db.tamper("update blobs set data = set_byte(data, 0, 255) where data is not null").await;
    for digest in [large, small] {
        let error = db.blobs().get(&digest).await.unwrap_err();
        assert!(matches!(error, BlobError::Corrupt { .. }), "{error}");
    }
    db.end().await;
}

#[tokio::test]
async fn unknown_digests_and_lost_packs_are_told_apart() {
    let db = Db::new().await;
    let error = db.blobs().get(&Digest::of(b"never")).await.unwrap_err();
    assert!(matches!(error, BlobError::Missing { .. }), "{error}");
    let digest = db.blobs().put(&bytes(1, LARGE)).await.unwrap();
    std::fs::remove_dir_all(db.data_home.path().join("packs")).unwrap();
    let error = db.blobs().get(&digest).await.unwrap_err();
    assert!(matches!(error, BlobError::Io { .. }), "{error}");
    db.end().await;
}

#[tokio::test]
async fn a_blob_beyond_its_bound_is_refused() {
    let db = Db::new().await;
    let error = db.blobs().put_all(vec![vec![0; BLOB_BYTES_MAX + 1]]).await.unwrap_err();
    assert!(matches!(error, BlobError::TooLarge { .. }), "{error}");
    db.end().await;
}
