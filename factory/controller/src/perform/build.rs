//! Lets a builder work: runs the agent in a sandbox on its workspace, kills it, and takes out what it left.
//!
//! The workspace outlives the process, so an interrupted session goes on where its events end.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use agents::{Control, Environment, ExternalAgent, JournalError, Session, SessionConfig};
use async_trait::async_trait;
use model::{
    budget::{Budget, Spend},
    event::{
        Body, Event,
        agent::{CommandPrinted, EndReason, SessionEnded, ToolReturned},
        run::FailureClass,
    },
    id::SessionId,
};
use sandbox::Sandbox;
use serde_json::json;
use uuid::Uuid;

use super::{Done, Failure, Job, workspace::Workspace};
use crate::{journal::bodies, leak::LeakScanner, model_hub, runner::SandboxRunner, seed::AgentSetting, task};

/// An outside agent without a wall-time budget ends after this.
const COMMAND_TIME_DEFAULT: Duration = Duration::from_secs(60 * 60);

pub(super) async fn build(job: &Job) -> Result<Done, Failure> {
    let iteration = job.action.visit;
    let task = task_text(job, iteration).await;
    let place = Workspace::prepare(job, &task).await?;
    let sandbox = Arc::new(place.sandbox(job).await?);
    let journal = AgentJournal::new(job);
    let worked = match &job.seed.settings.agent {
        AgentSetting::Command { command } => command_works(job, command, &task, &place, &sandbox, &journal).await,
        AgentSetting::Provider { .. } | AgentSetting::Script { .. } => {
            session_works(job, &task, &place, &sandbox, &journal).await
        }
    };
    kill(sandbox).await?;
    if journal.leaked.load(Ordering::Relaxed) {
        return Err(Failure::permanent("a holdout is within the builder's reach, and it was read; see the incident"));
    }
    match worked {
        Ok(worked) => {
            let tree = place.export(job).await?;
            let output = json!({ "tree": tree, "iteration": iteration, "ended": worked.ended });
            Ok(Done { output, spent: worked.spent })
        }
        Err(failure) => {
            if failure.class == FailureClass::Budget {
                // What was paid for is kept, and published as unfinished.
                place.export(job).await?;
            }
            Err(failure)
        }
    }
}

/// How the agent's part ended.
struct Worked {
    ended: String,
    spent: Spend,
}

/// Nothing of the builder is alive when its tree is taken out.
async fn kill(sandbox: Arc<Sandbox>) -> Result<(), Failure> {
    match Arc::try_unwrap(sandbox) {
        Ok(sandbox) => sandbox.kill().await.map_err(Failure::transient),
        // Only a leaked task could hold it; dropping ours would leave the builder alive.
        Err(_) => Err(Failure::transient("the builder's sandbox is still in use")),
    }
}

async fn task_text(job: &Job, iteration: u32) -> String {
    let feedback = |body: &Body| match body {
        Body::FeedbackComposed(feedback) => Some(feedback.text.clone()),
        _ => None,
    };
    let feedback = job.journal.last(feedback).await;
    task::text(&job.seed.spec, iteration, feedback.as_deref())
}

/// What the run has left without this action, so that the builder ends before the run's budget does. A resumed session
/// counts what it has spent itself.
async fn budget_left(job: &Job) -> Budget {
    let state = job.journal.state().await;
    state.budget.less(&state.spent, state.elapsed_ms())
}

async fn session_works(
    job: &Job,
    task: &str,
    place: &Workspace,
    sandbox: &Arc<Sandbox>,
    journal: &AgentJournal<'_>,
) -> Result<Worked, Failure> {
    let begun = job.journal.look(|events| Session::begun_by(&job.action.id, bodies(events))).await;
    let begun = begun.filter(|_| place.resumed);
    if let Some(session) = &begun
        && let Some(ended) = job.journal.last(|body| ended(body, session)).await
    {
        return worked(&ended);
    }
    let hub = model_hub::open(job).await?.ok_or_else(|| Failure::permanent("the run has no model"))?;
    let session = begun.unwrap_or_else(|| SessionId::from_uuid(Uuid::now_v7()));
    let mut config = SessionConfig::new(session, job.action.id.clone(), hub.profile);
    config.script.clone_from(&hub.script);
    config.budget = budget_left(job).await;
    let runner = Arc::new(SandboxRunner(Arc::clone(sandbox)));
    let environment: Arc<dyn Environment> = place.environment(job, runner)?;
    let service = Arc::clone(&hub.service);
    let resume = |events: &[Event]| Session::resume(config, service, environment, task, bodies(events));
    let session = job.journal.look(resume).await;
    let ran = session.run(journal, &Control::default()).await;
    hub.close().await;
    worked(&ran.map_err(Failure::transient)?)
}

fn ended(body: &Body, session: &SessionId) -> Option<SessionEnded> {
    match body {
        Body::SessionEnded(ended) if ended.session == *session => Some(ended.clone()),
        _ => None,
    }
}

/// Which endings the run goes on from: what a turn limit or a refusal left is graded like any other tree.
fn worked(ended: &SessionEnded) -> Result<Worked, Failure> {
    let failed =
        |class, message: &str| Failure { class, message: message.to_owned(), spent: Spend::default(), error: None };
    match ended.reason {
        EndReason::Completed | EndReason::TurnLimit | EndReason::Refused => {
            Ok(Worked { ended: format!("{:?}", ended.reason).to_lowercase(), spent: ended.spent })
        }
        EndReason::Budget => Err(failed(FailureClass::Budget, "the builder used up the budget")),
        EndReason::ProviderFailed => Err(failed(FailureClass::Transient, &ended.message)),
        EndReason::Cancelled => Err(failed(FailureClass::Permanent, &ended.message)),
    }
}

async fn command_works(
    job: &Job,
    command: &str,
    task: &str,
    place: &Workspace,
    sandbox: &Arc<Sandbox>,
    journal: &AgentJournal<'_>,
) -> Result<Worked, Failure> {
    let exited = |body: &Body| match body {
        Body::CommandExited(exited) if exited.action == job.action.id => Some(exited.clone()),
        _ => None,
    };
    if let Some(exited) = job.journal.last(exited).await.filter(|_| place.resumed) {
        return Ok(Worked { ended: exited.status, spent: Spend::default() });
    }
    let left = budget_left(job).await.wall_time_ms.map_or(COMMAND_TIME_DEFAULT, Duration::from_millis);
    let runner = Arc::new(SandboxRunner(Arc::clone(sandbox)));
    let agent = ExternalAgent {
        action: job.action.id.clone(),
        argv: vec!["/bin/sh".to_owned(), "-c".to_owned(), command.to_owned()],
        task: task.to_owned(),
        env: BTreeMap::from([("PATH".to_owned(), job.factory.path.clone())]),
        timeout: left,
        environment: place.environment(job, Arc::clone(&runner))?,
        runner,
    };
    let exited = agent.run(journal, &Control::default()).await.map_err(Failure::transient)?;
    Ok(Worked { ended: exited.status, spent: Spend::default() })
}

/// Writes in the agent's name, and looks for canaries in what it reads and prints: one there means that a holdout is
/// within its reach. Such an event is not written and does not reach the model; the build ends.
struct AgentJournal<'a> {
    job: &'a Job,
    canaries: LeakScanner,
    leaked: AtomicBool,
}

#[derive(Debug, thiserror::Error)]
#[error("it holds the canary of a holdout")]
struct Leaked;

impl<'a> AgentJournal<'a> {
    fn new(job: &'a Job) -> Self {
        Self { job, canaries: job.canaries(), leaked: AtomicBool::new(false) }
    }

    fn held(&self, body: &Body) -> BTreeSet<String> {
        match body {
            Body::ToolReturned(ToolReturned { output, .. }) => self.canaries.scan(output),
            Body::CommandPrinted(CommandPrinted { text, .. }) => self.canaries.scan(text),
            _ => BTreeSet::new(),
        }
    }
}

#[async_trait]
impl agents::Journal for AgentJournal<'_> {
    async fn record(&self, body: Body) -> Result<(), JournalError> {
        let held = self.held(&body);
        if held.is_empty() {
            let recorded = self.job.journal.record_by_agent("builder", body).await;
            return recorded.map_err(|error| JournalError(Box::new(error)));
        }
        self.leaked.store(true, Ordering::Relaxed);
        let caught = self.job.caught(body.kind(), held.into_iter().collect()).await;
        Err(JournalError(caught.map_or_else(Into::into, |()| Leaked.into())))
    }
}
