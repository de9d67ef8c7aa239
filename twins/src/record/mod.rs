//! Recording of any service over HTTP: a reverse proxy that writes down each exchange without secrets, with the shape of
//! its answer. Streams pass through as they come. A recording can be served again, and is one of the three sides that
//! [`crate::drift`] compares.
//!
//! Start at [`record`]; `line` is the file, `redact` what never gets into it, `stubs` how it is served. The recordings of
//! the LLM twins, which know what counts of a prompt, are `tape`'s.

mod body;
mod line;
mod redact;
mod server;
mod stubs;
mod tee;

use std::{path::PathBuf, sync::Arc};

use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};
use url::Url;

use self::server::Recorder;
pub(crate) use self::{
    line::{Recording, is_one},
    stubs::stubs,
};
use crate::{
    engine::door::Door,
    shape::{Folder, Shapes},
};

/// What is recorded, and where to.
#[derive(Clone, Debug)]
pub struct RecordOptions {
    /// The service: what stands before the path.
    pub upstream: Url,
    /// Must not exist yet.
    pub out: PathBuf,
    /// Patterns of what else must not be written down.
    pub redact: Vec<String>,
    /// Templates of paths whose ids look like words: `/repos/{owner}/{repo}`.
    pub paths: Vec<String>,
    /// 0: any.
    pub port: u16,
}

/// Why nothing is recorded.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    #[error("`{upstream}` is no address of a service; write it like https://api.example.com")]
    Upstream { upstream: Url },
    #[error("{why}")]
    Pattern { why: String },
    #[error("`{}` cannot be made; choose a file that is not there yet", out.display())]
    Out { out: PathBuf, source: std::io::Error },
    #[error(transparent)]
    Read(#[from] located::Diagnostic),
    #[error("port {port} cannot be had; choose another one, or 0 for a free one")]
    Listen { port: u16, source: std::io::Error },
}

/// The shapes of all answers in recordings, by operation and status.
///
/// # Errors
/// A file that cannot be read, a template that is none.
pub fn recorded_shapes(files: &[PathBuf], paths: &[String]) -> Result<Shapes, RecordError> {
    let folder = Folder::new(paths).map_err(|why| RecordError::Pattern { why })?;
    let folder = (!paths.is_empty()).then_some(folder);
    let mut all = Shapes::default();
    for file in files {
        all.extend(Recording::read(file)?.shapes(folder.as_ref()));
    }
    Ok(all)
}

/// A running proxy. Dropping it ends it; [`Recorded::close`] also waits.
pub struct Recorded {
    /// `http://127.0.0.1:PORT`, without a slash at the end.
    pub base_url: String,
    pub port: u16,
    recorder: Arc<Recorder>,
    tasks: TaskTracker,
    closing: CancellationToken,
    _close_on_drop: DropGuard,
}

/// Starts to record on a loopback port, on a thread of its own: a caller that is busy makes nobody wait.
///
/// # Errors
/// An address or a pattern that is none, a file that exists, a port that is taken.
pub fn record(options: RecordOptions) -> Result<Recorded, RecordError> {
    let taken = |source| RecordError::Listen { port: options.port, source };
    let door = Door::at(options.port).map_err(taken)?;
    let port = door.port;
    let base_url = format!("http://127.0.0.1:{port}");
    let recorder = Arc::new(Recorder::new(&options, &base_url)?);
    let (tasks, closing) = (TaskTracker::new(), CancellationToken::new());
    server::open(door, Arc::clone(&recorder), &tasks, closing.clone());
    let _close_on_drop = closing.clone().drop_guard();
    Ok(Recorded { base_url, port, recorder, tasks, closing, _close_on_drop })
}

impl Recorded {
    /// How far it is, also after it is closed.
    pub fn progress(&self) -> Progress {
        Progress(Arc::clone(&self.recorder))
    }

    /// Ends every connection and waits until what was under way is written down.
    pub async fn close(self) {
        self.closing.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// Counts what was written down.
pub struct Progress(Arc<Recorder>);

impl Progress {
    /// How many exchanges the file has.
    pub fn exchanges(&self) -> u64 {
        self.0.written()
    }
}
