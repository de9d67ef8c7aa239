//! What the pages ask, as one trait, and the plain structs that answer.
//!
//! Whoever keeps the log implements [`Reads`]. Most answers are folds over a run's events, and those folds live here
//! ([`RunPage::from_events`], [`AgentSession::from_events`], [`Trajectory::from_trial`]), so that an implementation
//! is little more than fetching rows.

mod agent;
mod run;
mod trajectory;

use async_trait::async_trait;
use futures::stream::BoxStream;
use jiff::Timestamp;
use model::{
    budget::Spend,
    event::{Event, grade::TrialFinished, run::Parked},
    hash::Digest,
    id::{ActionId, RunId},
    verdict::{Score, Verdict},
};
use serde::Serialize;

pub use agent::{AgentSession, Call, Conversation, Entry, OutsideCommand, Reply};
pub use run::{AgentHead, Incident, Progress, Round, RunFold, RunPage, StepStatus, Trial, WalkStep, points};
pub use trajectory::{Part, Step, StepState, Trajectory, TwinCall};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the factory's log did not answer: {0}; `factory doctor` tells what is missing")]
    Unavailable(String),
}

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The reads behind the pages. `None` means that there is no such thing.
#[async_trait]
pub trait Reads: Send + Sync + 'static {
    /// Every known spec, those without a run included.
    async fn specs(&self) -> Result<Vec<SpecRow>>;

    /// The latest runs, newest first.
    async fn runs(&self, limit: u32) -> Result<Vec<RunRow>>;

    async fn run(&self, run: &RunId) -> Result<Option<RunPage>>;

    /// Holdout trials with their true names. Pages only: nothing that an agent role can read may call this.
    async fn sealed_trials_for_people(&self, run: &RunId) -> Result<Vec<TrialFinished>>;

    /// One trial of a visible scenario.
    async fn trajectory(&self, run: &RunId, key: &TrialKey) -> Result<Option<Trajectory>>;

    /// One trial of a holdout, whole. Pages only: nothing that an agent role can read may call this.
    async fn sealed_trajectory_for_people(&self, run: &RunId, key: &TrialKey) -> Result<Option<Trajectory>>;

    /// What the agent of an action said and did.
    async fn agent_session(&self, run: &RunId, action: &ActionId) -> Result<Option<AgentSession>>;

    /// Events of the run's own stream with `seq > after_seq`, in order.
    async fn events(&self, run: &RunId, after_seq: u64, limit: u32) -> Result<Vec<Event>>;

    /// The same without an end: what is stored, then what comes. It ends only when the factory shuts down or the log
    /// fails; the browser then asks again from where it was.
    fn follow(&self, run: &RunId, after_seq: u64) -> BoxStream<'static, Event>;

    /// Something that the overview shows has changed, in any run. May coalesce.
    fn pulse(&self) -> BoxStream<'static, ()>;

    async fn audit(&self) -> Result<AuditState>;
}

/// Which trial. The same scenario and number come again in every round, so the action tells them apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrialKey {
    pub scenario: String,
    pub trial: u32,
    /// The grading action; `None` is the latest that has this trial.
    pub action: Option<ActionId>,
}

impl TrialKey {
    /// Whether `finished` is the trial that is meant. The last one that fits is the one to show.
    pub fn fits(&self, finished: &TrialFinished) -> bool {
        finished.scenario == self.scenario
            && finished.trial == self.trial
            && self.action.as_ref().is_none_or(|action| *action == finished.action)
    }
}

#[derive(Clone, Debug, Serialize)]
pub struct SpecRow {
    pub id: String,
    pub title: String,
    /// Relative to the repository.
    pub path: String,
    pub latest: Option<RunRow>,
    /// Gates of the latest run, oldest first.
    pub history: Vec<Point>,
}

/// What a gate saw.
#[derive(Clone, Debug, Serialize)]
pub struct Point {
    pub iteration: u32,
    /// Fresh trials after a gate that had passed.
    pub fresh: bool,
    pub visible: Score,
    pub holdout: Score,
}

#[derive(Clone, Debug, Serialize)]
pub struct RunRow {
    pub run: RunId,
    pub spec: String,
    pub title: String,
    pub phase: Phase,
    pub created_at: Timestamp,
    /// Set once the run is finished.
    pub ended_at: Option<Timestamp>,
    pub iterations: u32,
    pub target: Option<f64>,
    pub visible: Option<Score>,
    pub holdout: Option<Score>,
    pub spent: Spend,
    /// Incidents opened so far.
    pub incidents: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "phase")]
pub enum Phase {
    Active,
    /// A person must answer.
    Parked(Parked),
    Finished {
        verdict: Verdict,
        reason: String,
    },
}

impl Phase {
    pub fn is_finished(&self) -> bool {
        matches!(self, Self::Finished { .. })
    }
}

#[derive(Clone, Debug, Serialize)]
pub struct AuditState {
    pub streams: u64,
    pub events: u64,
    /// When every chain was last recomputed; `None` if never.
    pub verified_at: Option<Timestamp>,
    /// Digest over the heads of all streams.
    pub head: Option<Digest>,
    pub first_bad: Option<BadRow>,
}

/// The first event whose hash, order or count is not what it should be.
#[derive(Clone, Debug, Serialize)]
pub struct BadRow {
    pub stream: String,
    pub seq: u64,
    pub what: String,
}
