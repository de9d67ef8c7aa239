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
    ($($kind:literal @ $version:literal => $variant:ident($data:path),)*) => {
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
    "run.created" @ 1 => RunCreated(run::Created),
    "run.claimed" @ 1 => RunClaimed(run::Claimed),
    "run.parked" @ 1 => RunParked(run::Parked),
    "run.finished" @ 1 => RunFinished(run::Finished),
    "node.arrived" @ 1 => NodeArrived(run::NodeArrived),
    "action.scheduled" @ 1 => ActionScheduled(run::Action),
    "action.started" @ 1 => ActionStarted(run::ActionStarted),
    "action.finished" @ 1 => ActionFinished(run::ActionFinished),
    "tree.hydrated" @ 1 => TreeHydrated(run::TreeHydrated),
    "tree.exported" @ 1 => TreeExported(run::TreeExported),
    "branch.written" @ 1 => BranchWritten(run::BranchWritten),
    "incident.opened" @ 1 => IncidentOpened(run::IncidentOpened),
    "session.started" @ 1 => SessionStarted(agent::SessionStarted),
    "session.told" @ 1 => SessionTold(agent::SessionTold),
    "turn.started" @ 1 => TurnStarted(agent::TurnStarted),
    "turn.replied" @ 1 => TurnReplied(agent::TurnReplied),
    "turn.failed" @ 1 => TurnFailed(agent::TurnFailed),
    "tool.called" @ 1 => ToolCalled(agent::ToolCalled),
    "tool.returned" @ 1 => ToolReturned(agent::ToolReturned),
    "session.ended" @ 1 => SessionEnded(agent::SessionEnded),
    "command.started" @ 1 => CommandStarted(agent::CommandStarted),
    "command.printed" @ 1 => CommandPrinted(agent::CommandPrinted),
    "command.exited" @ 1 => CommandExited(agent::CommandExited),
    "control.proved" @ 1 => ControlProved(grade::ControlProved),
    "trial.finished" @ 1 => TrialFinished(grade::TrialFinished),
    "suite.scored" @ 1 => SuiteScored(grade::SuiteScored),
    "gate.evaluated" @ 1 => GateEvaluated(grade::GateEvaluated),
    "feedback.composed" @ 1 => FeedbackComposed(grade::FeedbackComposed),
    "leak.caught" @ 1 => LeakCaught(grade::LeakCaught),
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
