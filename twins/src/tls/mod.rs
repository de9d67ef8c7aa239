//! TLS for twins: certificates for any host under a local authority, and handshakes that go wrong on purpose.
//!
//! The authority's key never leaves its folder, where only its owner may read it; certificates of hosts live in memory.
//! Their dates are real time, as clients check them by their own clock. Start at [`Authority`].

mod mint;

use std::{
    collections::HashMap,
    fs,
    io::Write as _,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rustls::server::{Acceptor, ServerConfig};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::{LazyConfigAcceptor, server::TlsStream};

use self::mint::Mint;
use crate::TwinError;

const CERTIFICATE: &str = "ca.pem";
const KEY: &str = "ca-key.pem";
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(10); // a client that says nothing is let go
const HOSTS_MAX: usize = 1_000; // whose certificates are kept

/// A local certificate authority. Clients that trust its certificate take twins for the hosts that they stand for.
pub struct Authority {
    certificate_file: PathBuf,
    mint: Mint,
    /// By host and how its handshake goes.
    kept: Mutex<HashMap<(String, Handshake), Arc<ServerConfig>>>,
}

/// How a handshake goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Handshake {
    Sound,
    /// Ends with an alert.
    Refused,
    /// The certificate is somebody else's.
    WrongHost,
    Expired,
    /// Signed by an authority that nobody knows.
    Untrusted,
}

impl Authority {
    /// The authority in `folder`, made there where there is none.
    ///
    /// # Errors
    /// A folder that cannot be used, half an authority, a key that is none.
    pub fn open(folder: &Path) -> Result<Arc<Self>, TwinError> {
        let refused = |why: String| TwinError::Authority { folder: folder.to_owned(), why };
        let (certificate_file, key_file) = (folder.join(CERTIFICATE), folder.join(KEY));
        let mint = match (certificate_file.exists(), key_file.exists()) {
            (true, true) => {
                let key = fs::read_to_string(&key_file).map_err(|error| refused(format!("{KEY}: {error}")))?;
                Mint::of(&key)
                    .map_err(|error| refused(format!("{KEY} is no key of ours ({error}); delete both files")))?
            }
            (false, false) => {
                let (mint, key, certificate) = Mint::fresh().map_err(|error| refused(error.to_string()))?;
                let mut open = fs::DirBuilder::new();
                open.recursive(true).mode(0o700).create(folder).map_err(|error| refused(error.to_string()))?;
                write_new(&key_file, &key, 0o600).map_err(|error| refused(format!("{KEY}: {error}")))?;
                write_new(&certificate_file, &certificate, 0o644)
                    .map_err(|error| refused(format!("{CERTIFICATE}: {error}")))?;
                mint
            }
            (true, false) => return Err(refused(format!("it has {CERTIFICATE} without {KEY}; delete it"))),
            (false, true) => return Err(refused(format!("it has {KEY} without {CERTIFICATE}; delete it"))),
        };
        Ok(Arc::new(Self { certificate_file, mint, kept: Mutex::default() }))
    }

    /// What clients must trust: a file in PEM.
    pub fn certificate_file(&self) -> &Path {
        &self.certificate_file
    }

    /// The conversation behind the handshake, or nothing where it failed. `host` is whom a client means that does not say.
    pub(crate) async fn greet(
        &self,
        stream: TcpStream,
        host: &str,
        goes: impl FnOnce() -> Handshake,
    ) -> Option<TlsStream<TcpStream>> {
        let greeting = async {
            let start = LazyConfigAcceptor::new(Acceptor::default(), stream).await.ok()?;
            let host = start.client_hello().server_name().unwrap_or(host).to_owned();
            let settings = self.settings(host, goes())?;
            start.into_stream(settings).await.ok()
        };
        timeout(HANDSHAKE_WITHIN, greeting).await.ok().flatten()
    }

    fn settings(&self, host: String, goes: Handshake) -> Option<Arc<ServerConfig>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = kept.get(&(host.clone(), goes)) {
            return Some(Arc::clone(known));
        }
        let made = match self.mint.settings(&host, goes) {
            Ok(made) => Arc::new(made),
            Err(error) => {
                tracing::warn!(%error, host, "cannot make a certificate");
                return None;
            }
        };
        if kept.len() >= HOSTS_MAX {
            kept.clear();
        }
        kept.insert((host, goes), Arc::clone(&made));
        Some(made)
    }
}

/// Whole or not at all under its name, and never over another one.
fn write_new(path: &Path, text: &str, mode: u32) -> std::io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    file.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn an_authority_is_made_once_and_its_key_is_its_owners_only() {
        let folder = tempfile::tempdir().expect("is fine");
        let home = folder.path().join("ca");
        let first = fs::read(Authority::open(&home).expect("is fine").certificate_file()).expect("is fine");
        assert_eq!(fs::read(Authority::open(&home).expect("is fine").certificate_file()).expect("is fine"), first);
        assert_eq!(fs::metadata(home.join(KEY)).expect("is fine").permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(&home).expect("is fine").permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn half_an_authority_is_refused_with_the_way_out() {
        let folder = tempfile::tempdir().expect("is fine");
        let said = || Authority::open(folder.path()).err().map(|error| error.to_string()).unwrap_or_default();
        fs::write(folder.path().join(CERTIFICATE), "x").expect("is fine");
        assert!(said().contains("it has ca.pem without ca-key.pem; delete it"));
        fs::write(folder.path().join(KEY), "x").expect("is fine");
        assert!(said().contains("ca-key.pem is no key of ours"));
        fs::remove_file(folder.path().join(CERTIFICATE)).expect("is fine");
        assert!(said().contains("it has ca-key.pem without ca.pem; delete it"));
    }
}
