//! What can go wrong, each with the way out.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// A [`std::result::Result`] of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a sandbox, a command in it, or a copy of files did not work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    #[error("find the helper `factory-sandbox` in {}; install it beside the factory, or name it in the options", searched.display())]
    HelperMissing { searched: PathBuf },
    #[error("accept the sandbox's description: {0}")]
    Spec(String),
    #[error("make a sandbox: cannot {stage}: {reason}; `factory doctor` shows what this machine lacks")]
    Setup { stage: String, reason: String },
    #[error("make a sandbox within {} s; see whether the machine is overloaded, then try again", limit.as_secs())]
    SetupTimeout { limit: Duration },
    #[error("find a free host uid among {count} from {first}; end some sandboxes, or widen the range in the options")]
    UidsExhausted { first: u32, count: u32 },
    #[error("start a command: cannot {0}")]
    Start(String),
    #[error("reach port {port} of the sandbox: {reason}")]
    Port { port: u16, reason: String },
    #[error("talk to the sandbox: it has ended; create another one")]
    Gone,
    #[error("see the sandbox end within {} s; its processes may wait for a stuck disk", limit.as_secs())]
    KillTimeout { limit: Duration },
    #[error("copy {path}: {reason}")]
    Copy { path: String, reason: String },
    #[error("read {what} {}: it has more than {limit} {unit}; exclude folders or raise the limit", path.display())]
    TooLarge { what: &'static str, path: PathBuf, limit: u64, unit: &'static str },
    #[error("{doing}: {source}")]
    Io { doing: String, source: io::Error },
}

/// Adds what was being done to an I/O error.
pub(crate) trait Doing<T> {
    fn doing(self, what: impl FnOnce() -> String) -> Result<T>;
}

impl<T, E: Into<io::Error>> Doing<T> for std::result::Result<T, E> {
    fn doing(self, what: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|error| Error::Io { doing: what(), source: error.into() })
    }
}
