//! The signed list of heads that is kept outside the database, so that the database cannot vouch for itself.
//!
//! `{"anchor": {…}, "public_key": hex, "signature": hex}`; the signature is Ed25519 over the compact JSON of `anchor`
//! after `factory.anchor.1\n`. The key lies in `<data_home>/audit/key`, mode 0600: copy the anchor to another machine,
//! or commit it, to be safe from whoever can write both.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use jiff::Timestamp;
use model::{event::StreamId, hash::Digest, id::RunId};
use serde::{Deserialize, Serialize};

use super::{AuditReport, Scope, StreamHead, heads};
use crate::{Access, Error, Store, record::now};

const DOMAIN: &[u8] = b"factory.anchor.1\n";

/// What an anchor vouches for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Anchored {
    pub anchored_at: Timestamp,
    pub events: u64,
    pub(super) streams: BTreeMap<String, StreamHead>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SignedAnchor {
    anchor: Anchored,
    public_key: String,
    signature: String,
}

#[derive(Debug, thiserror::Error)]
pub enum AnchorError {
    #[error("could not {what} {path}; check the disk's space and the file's owner")]
    Io {
        what: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{path} is not an anchor: {why}; take it from a backup, or remove it to begin a new one")]
    Unreadable { path: PathBuf, why: String },
    #[error("{path} was signed with another key or changed afterwards; take it from a backup")]
    BadSignature { path: PathBuf },
    #[error("the log does not hold what is anchored already: {}; nothing was anchored", .0.first_bad.as_ref().map(ToString::to_string).unwrap_or_default())]
    Contradicted(Box<AuditReport>),
    #[error(transparent)]
    Store(#[from] Error),
}

/// The anchor's file for a database: its place is part of the name, so that no database answers for another one.
pub(crate) fn anchor_name(access: &Access, is_private: bool) -> String {
    if is_private {
        return "anchor.json".to_owned();
    }
    let options = &access.owner;
    let host =
        options.get_socket().map_or_else(|| options.get_host().to_owned(), |socket| socket.display().to_string());
    let place = format!("{host}:{}/{}", options.get_port(), options.get_database().unwrap_or_default());
    format!("anchor-{}.json", Digest::of(place.as_bytes()).short())
}

impl From<sqlx::Error> for AnchorError {
    fn from(source: sqlx::Error) -> Self {
        Self::Store(source.into())
    }
}

impl Store {
    /// Where the anchor lies if nobody says otherwise: each database that this home works with has its own.
    pub fn anchor_path(&self) -> PathBuf {
        self.data_home.join("audit").join(&self.anchor_name)
    }

    /// Checks the log against the anchor at `path`, if there is one, and then signs the heads as they are now.
    ///
    /// Never replaces an anchor that the log contradicts: it is the evidence.
    pub async fn anchor(&self, path: &Path) -> Result<Anchored, AnchorError> {
        let _alone = self.lock_anchors().await?;
        let report = self.verify(path.exists().then_some(path)).await?;
        if report.first_bad.is_some() {
            return Err(AnchorError::Contradicted(Box::new(report)));
        }
        let mut connection = self.pool.acquire().await?;
        let streams = heads(&mut connection).await?;
        self.sign(path, streams)
    }

    /// Recomputes the chains of a run's own streams and holds them against the anchor; where they are good, signs their
    /// heads beside what is anchored of other streams.
    ///
    /// Costs what the run is long, not what the log is: for the end of every run. [`Store::verify`] checks all.
    pub async fn anchor_run(&self, run: &RunId) -> Result<AuditReport, AnchorError> {
        let path = self.anchor_path();
        let _alone = self.lock_anchors().await?;
        let mut streams = if path.exists() { self.read_anchor(&path)?.streams } else { BTreeMap::new() };
        let own = [StreamId::run(run), StreamId::sealed(run)];
        let vouched: BTreeMap<_, _> =
            own.iter().filter_map(|stream| streams.get_key_value(stream.as_str())).map(owned).collect();
        let checked = self.check(Scope::Streams(&own), Some(&anchored(vouched))).await?;
        if checked.report.first_bad.is_none() {
            streams.extend(checked.heads);
            self.sign(&path, streams)?;
        }
        Ok(checked.report)
    }

    fn sign(&self, path: &Path, streams: BTreeMap<String, StreamHead>) -> Result<Anchored, AnchorError> {
        let anchor = anchored(streams);
        let key = self.key()?;
        let signed = SignedAnchor {
            public_key: hex::encode(key.verifying_key().as_bytes()),
            signature: hex::encode(key.sign(&signed_bytes(&anchor)).to_bytes()),
            anchor,
        };
        replace(path, &signed).map_err(during("write", path))?;
        Ok(signed.anchor)
    }

    /// Held while an anchor is read, extended and replaced: two runs may end at once, in two processes.
    async fn lock_anchors(&self) -> Result<File, AnchorError> {
        let path = self.data_home.join("audit/lock");
        let locked = tokio::task::spawn_blocking(move || {
            let file = open_lock(&path).map_err(during("open", &path))?;
            file.lock().map_err(during("lock", &path))?;
            Ok(file)
        });
        locked.await.expect("nothing in it panics")
    }

    /// Reads an anchor and checks that this data home has signed it.
    pub(super) fn read_anchor(&self, path: &Path) -> Result<Anchored, AnchorError> {
        let text = fs::read_to_string(path).map_err(during("read", path))?;
        let unreadable =
            |why: serde_json::Error| AnchorError::Unreadable { path: path.to_owned(), why: why.to_string() };
        let signed: SignedAnchor = serde_json::from_str(&text).map_err(unreadable)?;
        let trusted = self.key()?.verifying_key();
        if is_signed_by(&signed, &trusted) {
            Ok(signed.anchor)
        } else {
            Err(AnchorError::BadSignature { path: path.to_owned() })
        }
    }

    /// This data home's key, made when it is first needed.
    fn key(&self) -> Result<SigningKey, AnchorError> {
        let path = self.data_home.join("audit/key");
        match fs::read_to_string(&path) {
            Ok(text) => parse_key(&text)
                .ok_or_else(|| AnchorError::Unreadable { path, why: "expected 64 hexadecimal digits".to_owned() }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => make_key(&path).map_err(during("write", &path)),
            Err(error) => Err(during("read", &path)(error)),
        }
    }
}

fn anchored(streams: BTreeMap<String, StreamHead>) -> Anchored {
    Anchored { anchored_at: now(), events: streams.values().map(|head| head.count).sum(), streams }
}

fn owned((stream, head): (&String, &StreamHead)) -> (String, StreamHead) {
    (stream.clone(), head.clone())
}

fn open_lock(path: &Path) -> io::Result<File> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder_of(path))?;
    OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)
}

fn is_signed_by(signed: &SignedAnchor, trusted: &VerifyingKey) -> bool {
    let mut bytes = [0; 64];
    let decoded = hex::decode_to_slice(&signed.signature, &mut bytes).is_ok();
    decoded && trusted.verify_strict(&signed_bytes(&signed.anchor), &Signature::from_bytes(&bytes)).is_ok()
}

fn signed_bytes(anchor: &Anchored) -> Vec<u8> {
    let json = serde_json::to_vec(anchor).expect("an anchor holds only strings as keys");
    [DOMAIN, &json].concat()
}

fn parse_key(text: &str) -> Option<SigningKey> {
    let mut bytes = [0; 32];
    hex::decode_to_slice(text.trim(), &mut bytes).ok()?;
    Some(SigningKey::from_bytes(&bytes))
}

/// Two processes may come here at once: the first to create the file has made the key.
fn make_key(path: &Path) -> io::Result<SigningKey> {
    let mut bytes = [0_u8; 32];
    rand::fill(&mut bytes);
    let fresh = beside(path)?;
    write_synced(&fresh, hex::encode(bytes).as_bytes())?;
    let linked = fs::hard_link(&fresh, path);
    fs::remove_file(&fresh)?;
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => parse_key(&fs::read_to_string(path)?).ok_or_else(|| io::Error::other("the key was changed meanwhile")),
    }
}

/// A reader sees the old anchor or the new one, also after a power cut.
fn replace(path: &Path, signed: &SignedAnchor) -> io::Result<()> {
    let fresh = beside(path)?;
    write_synced(&fresh, &serde_json::to_vec_pretty(signed)?)?;
    fs::rename(&fresh, path)?;
    File::open(folder_of(path))?.sync_all()
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."))
}

/// A name in the same folder, which is made where it is missing.
fn beside(path: &Path) -> io::Result<PathBuf> {
    let folder = folder_of(path);
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    Ok(folder.join(format!(".{}.new", uuid::Uuid::now_v7())))
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn during(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> AnchorError + use<> {
    let path = path.to_owned();
    move |source| AnchorError::Io { what, path, source }
}
