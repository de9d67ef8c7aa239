//! What the tests share: a model's server that plays turns, a journal in memory, a workspace.

pub(crate) mod server;
pub(crate) mod wire;

use std::{
    path::Path,
    sync::{Arc, Mutex},
};

use agents::{
    Control, Environment, Journal, JournalError, LocalEnvironment, ProcessRunner, Profile, Provider, ProviderConfig,
    RigService, Secret, Session, SessionConfig,
};
use async_trait::async_trait;
use model::{
    event::{
        Body,
        agent::{SessionEnded, ToolReturned},
    },
    id::{ActionId, SessionId},
};
use tempfile::TempDir;

/// Events in memory; from the `fail_after`th on it refuses, as a store does whose lease is lost.
#[derive(Default)]
pub(crate) struct Memory {
    pub(crate) events: Mutex<Vec<Body>>,
    pub(crate) fail_after: Option<usize>,
    pub(crate) live: Mutex<String>,
}

#[async_trait]
impl Journal for Memory {
    async fn record(&self, body: Body) -> Result<(), JournalError> {
        let mut events = self.events.lock().unwrap();
        if self.fail_after.is_some_and(|most| events.len() >= most) {
            return Err(JournalError("the lease is lost".into()));
        }
        events.push(body);
        Ok(())
    }

    fn live(&self, delta: agents::provider::Delta<'_>) {
        use std::fmt::Write;
        write!(self.live.lock().unwrap(), "{delta:?};").unwrap();
    }
}

impl Memory {
    pub(crate) fn events(&self) -> Vec<Body> {
        self.events.lock().unwrap().clone()
    }

    pub(crate) fn kinds(&self) -> Vec<&'static str> {
        self.events.lock().unwrap().iter().map(Body::kind).collect()
    }

    pub(crate) fn returned(&self) -> Vec<ToolReturned> {
        let returned = |body| match body {
            Body::ToolReturned(returned) => Some(returned),
            _ => None,
        };
        self.events().into_iter().filter_map(returned).collect()
    }
}

/// A workspace in a temporary folder; commands run in it as plain processes.
pub(crate) struct Workspace {
    pub(crate) folder: TempDir,
    pub(crate) environment: Arc<dyn Environment>,
}

impl Workspace {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = std::env::vars().filter(|(name, _)| name == "PATH");
        let secret = [("SOME_API_KEY".to_owned(), "sk-leak".to_owned())];
        let home = folder.path().to_str().unwrap().to_owned();
        let environment =
            LocalEnvironment::new(folder.path(), home, path.chain(secret), Arc::new(ProcessRunner)).unwrap();
        Self { folder, environment: Arc::new(environment) }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn put(&self, path: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    pub(crate) fn text(&self, path: &str) -> String {
        std::fs::read_to_string(self.path().join(path)).unwrap()
    }
}

pub(crate) fn service(provider: Provider, model: &str, base_url: &str) -> Arc<RigService> {
    // A second install by another test of this process is no fault.
    rustls::crypto::ring::default_provider().install_default().ok();
    let mut config = ProviderConfig::new(provider, model, Secret::new("test-key")).at(base_url.parse().unwrap());
    config.retry_base_ms = 1;
    Arc::new(RigService::new(config).unwrap())
}

pub(crate) fn session_id() -> SessionId {
    SessionId::from_uuid(uuid::Uuid::from_u128(1))
}

pub(crate) fn config() -> SessionConfig {
    SessionConfig::new(session_id(), ActionId::new("build", 1, 1), Profile::ANTHROPIC)
}

/// Runs a session with Anthropic's wire to its end.
pub(crate) async fn run(
    server: &server::Server,
    workspace: &Workspace,
    config: SessionConfig,
) -> (SessionEnded, Memory) {
    let journal = Memory::default();
    let session = Session::start(config, server.anthropic(), workspace.environment.clone(), "Build it.");
    let ended = session.run(&journal, &Control::default()).await.unwrap();
    (ended, journal)
}
