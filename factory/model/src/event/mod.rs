//! Everything that can happen, as one closed enum, and the envelope the store keeps it in.
//!
//! A kind is `noun.verb`. Adding one: a struct in the file of its noun, a line in [`bodies!`] below, a row in
//! `docs/events.md` (a test compares the two).

pub mod agent;
pub mod grade;
pub mod run;

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{hash::Digest, id::RunId};

macro_rules! bodies {
    ($($kind:literal v$version:literal => $variant:ident($data:path),)*) => {
        /// What happened. Serialises as `{"type": kind, "data": {…}}`.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "type", content = "data")]
        pub enum Body {
            $(#[serde(rename = $kind)] $variant($data),)*
        }

        impl Body {
            /// Every kind with its present schema version, in the order of the catalogue.
            pub const KINDS: &[(&str, u16)] = &[$(($kind, $version)),*];

            pub fn kind(&self) -> &'static str {
                match self { $(Self::$variant(_) => $kind,)* }
            }

            pub fn version(&self) -> u16 {
                match self { $(Self::$variant(_) => $version,)* }
            }
        }

        $(impl From<$data> for Body {
            fn from(data: $data) -> Self {
                Self::$variant(data)
            }
        })*
    };
}

bodies! {
    "run.created" v1 => RunCreated(run::Created),
    "run.claimed" v1 => RunClaimed(run::Claimed),
    "run.parked" v1 => RunParked(run::Parked),
    "run.finished" v1 => RunFinished(run::Finished),
    "node.arrived" v1 => NodeArrived(run::NodeArrived),
    "action.scheduled" v1 => ActionScheduled(run::Action),
    "action.started" v1 => ActionStarted(run::ActionStarted),
    "action.finished" v1 => ActionFinished(run::ActionFinished),
    "tree.hydrated" v1 => TreeHydrated(run::TreeHydrated),
    "tree.exported" v1 => TreeExported(run::TreeExported),
    "branch.written" v1 => BranchWritten(run::BranchWritten),
    "incident.opened" v1 => IncidentOpened(run::IncidentOpened),
    "session.started" v1 => SessionStarted(agent::SessionStarted),
    "session.told" v1 => SessionTold(agent::SessionTold),
    "turn.started" v1 => TurnStarted(agent::TurnStarted),
    "turn.replied" v1 => TurnReplied(agent::TurnReplied),
    "turn.failed" v1 => TurnFailed(agent::TurnFailed),
    "tool.called" v1 => ToolCalled(agent::ToolCalled),
    "tool.returned" v1 => ToolReturned(agent::ToolReturned),
    "session.ended" v1 => SessionEnded(agent::SessionEnded),
    "command.started" v1 => CommandStarted(agent::CommandStarted),
    "command.printed" v1 => CommandPrinted(agent::CommandPrinted),
    "command.exited" v1 => CommandExited(agent::CommandExited),
    "control.proved" v1 => ControlProved(grade::ControlProved),
    "trial.finished" v1 => TrialFinished(grade::TrialFinished),
    "suite.scored" v1 => SuiteScored(grade::SuiteScored),
    "gate.evaluated" v1 => GateEvaluated(grade::GateEvaluated),
    "feedback.composed" v1 => FeedbackComposed(grade::FeedbackComposed),
    "leak.caught" v1 => LeakCaught(grade::LeakCaught),
}

/// Where events are in order: a run's own stream, or the part of it that no agent role may ever read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StreamId(String);

impl StreamId {
    pub fn run(run: &RunId) -> Self {
        Self(run.to_string())
    }

    /// The sealed stream of a run: what holdouts did, for people only.
    pub fn sealed(run: &RunId) -> Self {
        Self(format!("sealed:{run}"))
    }

    pub fn from_stored(text: String) -> Self {
        Self(text)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn is_sealed(&self) -> bool {
        self.0.starts_with("sealed:")
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Who did it (AO-39).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", content = "name")]
pub enum Actor {
    User(String),
    Agent(String),
    Service(String),
}

/// An event that is not stored yet.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    pub body: Body,
    pub actor: Actor,
    /// The event that led to this one.
    pub causation_id: Option<Uuid>,
    /// A second append with the same key on the same stream changes nothing.
    pub idempotency_key: Option<String>,
}

impl Draft {
    /// An event of the factory itself.
    pub fn service(name: &str, body: impl Into<Body>) -> Self {
        Self { body: body.into(), actor: Actor::Service(name.to_owned()), causation_id: None, idempotency_key: None }
    }

    #[must_use]
    pub fn by(mut self, actor: Actor) -> Self {
        self.actor = actor;
        self
    }

    #[must_use]
    pub fn once(mut self, key: impl Into<String>) -> Self {
        self.idempotency_key = Some(key.into());
        self
    }
}

/// A stored event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    pub id: Uuid,
    pub stream: StreamId,
    /// Invariant: gap-free per stream, from 1; enforced by the head's compare-and-swap and the primary key.
    pub seq: u64,
    /// The lease epoch under which it was written; 0 before the first claim.
    pub epoch: u64,
    #[serde(flatten)]
    pub body: Body,
    pub version: u16,
    pub actor: Actor,
    /// What this belongs to over all streams: the run.
    pub correlation_id: String,
    pub causation_id: Option<Uuid>,
    pub recorded_at: Timestamp,
    /// `BLAKE3(hash of the previous event || canonical bytes of this one)`.
    pub hash: Digest,
}
