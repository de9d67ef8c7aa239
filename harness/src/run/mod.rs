//! A run: every scenario k times, in parallel, early stopped where nothing is left to win, each record durable before
//! it counts. Start at [`run`].

mod build;
mod gate;
mod plan;
mod queue;
mod schedule;

use std::sync::Arc;

use async_trait::async_trait;

pub(crate) use gate::Bar;
pub use gate::Gate;
pub use plan::{Earlier, Plan, StopEarly};

use crate::{
    record::{StepRecord, TrialId, TrialRecord},
    report::Report,
    scenario::LintContext,
    scratch::Scratch,
    step::{Actor, Patience, http::Clients},
    subject::Launcher,
};

/// Follows a run. Calls come from several trials at once, in order within a trial.
#[async_trait]
pub trait Observer: Send + Sync {
    async fn trial_started(&self, _trial: &TrialId) {}

    async fn step_finished(&self, _trial: &TrialId, _step: &StepRecord) {}

    /// Returns when the record is durable; only then is the trial counted. An error ends the run.
    async fn trial_finished(&self, _record: &TrialRecord) -> Result<(), ObserverError> {
        Ok(())
    }
}

/// What kept an observer from keeping a record.
pub type ObserverError = Box<dyn std::error::Error + Send + Sync>;

/// An observer that looks away.
#[derive(Clone, Copy, Debug)]
pub struct Unobserved;

impl Observer for Unobserved {}

/// Why a run has no report.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error("{0}")]
    Lint(located::Diagnostics),
    #[error("the plan holds no trial: {reason}")]
    Empty { reason: &'static str },
    #[error("a record could not be kept, so the run ended: {0}")]
    Observer(ObserverError),
    #[error("the earlier part of the run cannot be read: {0}")]
    Earlier(ObserverError),
    #[error("cannot make an HTTP client: {0}; install a TLS provider first")]
    Client(#[from] reqwest::Error),
    #[error("{0}")]
    Launch(#[from] crate::subject::LaunchError),
}

/// Runs the plan to its end, or to where the gate cannot be reached any more.
///
/// Failing scenarios are part of the report, never an error.
///
/// # Cancel safety
/// Dropping the future kills the subjects that run and closes their twins; records that were handed over stay.
///
/// # Errors
/// Where the suite does not fit the subject, nothing can be run at all, or the observer cannot keep a record.
pub async fn run(
    mut plan: Plan,
    launcher: &dyn Launcher,
    ask: Option<Arc<dyn judges::Ask>>,
    observer: &dyn Observer,
) -> Result<Report, RunError> {
    // A subject's program may be given relative to its tree, so the tree must not be relative to anything.
    plan.root = std::path::absolute(&plan.root).unwrap_or(plan.root);
    // Whether that succeeds changes nothing for this run.
    tokio::task::spawn_blocking(Scratch::sweep_once).await.ok();
    run_with(Patience::Real, plan, launcher, ask.as_deref(), observer).await
}

pub(crate) async fn run_with(
    patience: Patience,
    mut plan: Plan,
    launcher: &dyn Launcher,
    ask: Option<&dyn judges::Ask>,
    observer: &dyn Observer,
) -> Result<Report, RunError> {
    let context = LintContext { requirements: None, subject: Some(&plan.subject) };
    plan.suite.lint(context).map_err(RunError::Lint)?;
    let clients = Clients::new()?;
    let actor = Actor { patience, http: clients.plain(), clients: &clients, launcher, ask };
    let done = std::mem::take(&mut plan.done);
    schedule::execute(&plan, done, actor, observer).await
}
