//! Performers: one file for each kind of action. A performer reads the log to see what of its action is done already,
//! does the rest, and gives an output. It never decides what comes next and never retries itself.

mod build;
mod feedback;
mod gate;
mod grade;
mod publish;
mod workspace;

use std::{collections::BTreeSet, path::PathBuf, sync::Arc};

use model::{
    budget::Spend,
    event::{
        Body, Event,
        grade::LeakCaught,
        run::{Action, FailureClass, IncidentOpened},
    },
    flow::NodeKind,
    hash::Digest,
    id::IncidentId,
};
use serde_json::Value;
use uuid::Uuid;

use crate::{
    Error, Factory,
    journal::{Journal, bodies},
    layout::RunDir,
    leak::LeakScanner,
    seed::Seed,
};

/// One action to perform.
pub(crate) struct Job {
    pub(crate) factory: Arc<Factory>,
    pub(crate) journal: Journal,
    pub(crate) seed: Arc<Seed>,
    pub(crate) action: Action,
}

/// What a performed action gives.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) output: Value,
    pub(crate) spent: Spend,
}

/// Why it gave nothing. `error` is set where the log itself could not be written.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) class: FailureClass,
    pub(crate) message: String,
    /// Besides what the action's own events tell.
    pub(crate) spent: Spend,
    pub(crate) error: Option<Box<Error>>,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        Self { class: FailureClass::Transient, message, spent: Spend::default(), error: Some(Box::new(error)) }
    }
}

impl Failure {
    pub(crate) fn transient(message: impl std::fmt::Display) -> Self {
        Self::of(FailureClass::Transient, message)
    }

    pub(crate) fn permanent(message: impl std::fmt::Display) -> Self {
        Self::of(FailureClass::Permanent, message)
    }

    fn of(class: FailureClass, message: impl std::fmt::Display) -> Self {
        Self { class, message: message.to_string(), spent: Spend::default(), error: None }
    }
}

impl Job {
    pub(crate) fn new(factory: &Arc<Factory>, journal: &Journal, seed: &Arc<Seed>, action: Action) -> Self {
        Self { factory: Arc::clone(factory), journal: journal.clone(), seed: Arc::clone(seed), action }
    }

    pub(crate) fn dir(&self) -> &RunDir {
        &self.seed.dir
    }

    /// The tree that the last build left, however that build ended.
    pub(crate) async fn built_tree(&self) -> Result<Digest, Failure> {
        let exported = |body: &Body| match body {
            Body::TreeExported(exported) => Some(exported.tree),
            _ => None,
        };
        self.journal
            .last(exported)
            .await
            .ok_or_else(|| Failure::permanent("nothing was built before this node: the flow must build first"))
    }

    /// What a builder starts from: what the last finished build left, or the seed.
    pub(crate) async fn base_tree(&self) -> PathBuf {
        let state = self.journal.state().await;
        let digest = state.outputs.get("build").and_then(|output| output["tree"].as_str()?.parse().ok());
        digest.map_or_else(|| self.dir().seed(), |digest: Digest| self.dir().tree(digest))
    }

    /// How many builds there were.
    pub(crate) async fn iteration(&self) -> u32 {
        self.journal.state().await.visits.get("build").copied().unwrap_or_default()
    }

    pub(crate) fn scanner(&self) -> LeakScanner {
        LeakScanner::new(&self.seed.secrets, self.seed.public.iter().map(String::as_str))
    }

    /// Finds nothing but canaries: for texts that an agent makes itself and that may resemble anything.
    pub(crate) fn canaries(&self) -> LeakScanner {
        let bare = |secret: &crate::leak::Secret| crate::leak::Secret { text: String::new(), ..secret.clone() };
        LeakScanner::new(&self.seed.secrets.iter().map(bare).collect::<Vec<_>>(), [])
    }

    /// Writes down that holdout text was found and kept from the builder, and tells a person.
    pub(crate) async fn caught(&self, surface: &str, holdouts: Vec<String>) -> Result<(), Error> {
        let summary = format!("{surface} held text of {}; the builder did not get it", holdouts.join(", "));
        let leak = LeakCaught { action: self.action.id.clone(), surface: surface.to_owned(), holdouts };
        self.journal.record(leak).await?;
        let incident = IncidentId::from_uuid(Uuid::now_v7());
        self.journal.record(IncidentOpened { incident, code: "holdout_leak".to_owned(), summary }).await
    }
}

/// What this action's sessions have cost so far, however it ended.
pub(crate) async fn spent_by_models(job: &Job) -> Spend {
    let sum = |events: &[Event]| {
        let mut sessions = BTreeSet::new();
        let mut spent = Spend::default();
        for body in bodies(events) {
            match body {
                Body::SessionStarted(started) if started.action == job.action.id => {
                    sessions.insert(&started.session);
                }
                Body::TurnReplied(turn) if sessions.contains(&turn.session) => spent += turn.spent,
                _ => {}
            }
        }
        spent
    };
    job.journal.look(sum).await
}

/// Performs one action.
pub(crate) async fn perform(job: &Job) -> Result<Done, Failure> {
    let tool = job.action.input["tool"].as_str();
    match (job.action.kind, tool) {
        (NodeKind::Agent, _) => Box::pin(build::build(job)).await,
        (NodeKind::Harness, _) if job.action.input["suite"] == "controls" => grade::prove(job).await,
        (NodeKind::Harness, _) => Box::pin(grade::grade(job)).await,
        (NodeKind::Gate, _) => gate::evaluate(job).await,
        (NodeKind::Tool, Some("feedback")) => feedback::compose(job).await,
        (NodeKind::Tool, Some("publish")) => publish::publish(job).await,
        (kind, _) => Err(Failure::permanent(format!(
            "no performer for a node of type `{}` here; this worker performs agent, harness, gate, human and the tools \
             `feedback` and `publish`",
            kind.words()
        ))),
    }
}

/// Walks and copies of trees, off the threads that drive everything else.
async fn on_disk<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, sandbox::Error> + Send + 'static,
) -> Result<T, Failure> {
    let worked = tokio::task::spawn_blocking(work).await.map_err(Failure::transient)?;
    worked.map_err(|error| match error {
        // The same tree has the same fault the next time.
        sandbox::Error::Copy { .. } | sandbox::Error::TooLarge { .. } => Failure::permanent(error),
        other => Failure::transient(other),
    })
}

fn done(output: Value) -> Done {
    Done { output, spent: Spend::default() }
}
