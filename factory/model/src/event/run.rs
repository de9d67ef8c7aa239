//! Events of a run, its nodes and its actions.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    budget::{Budget, Spend},
    flow::{Flow, NodeKind},
    hash::Digest,
    id::{ActionId, IncidentId, RunId, WorkspaceId},
    verdict::{Score, Verdict},
};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Created {
    pub run: RunId,
    pub workspace: WorkspaceId,
    pub spec: SpecRef,
    pub seed: Digest,
    /// The whole flow, so that a run never depends on a file that changes under it.
    pub flow: Flow,
    pub budget: Budget,
    /// What the performers need: paths relative to the repository, suites, agent. Opaque to the engine.
    pub settings: Value,
    pub created_at: Timestamp,
}

/// The spec a run builds, as it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpecRef {
    pub id: String,
    pub title: String,
    /// Relative to the repository.
    pub path: String,
    pub digest: Digest,
}

/// A worker took the run over; every later event carries its epoch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claimed {
    pub worker: String,
    pub epoch: u64,
    pub at: Timestamp,
}

/// The run waits for a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parked {
    pub action: ActionId,
    pub question: String,
    /// What the person may answer; each is an edge label of the node.
    pub choices: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finished {
    pub verdict: Verdict,
    /// One sentence for a person.
    pub reason: String,
    pub spent: Spend,
    pub at: Timestamp,
}

/// The walk reached a node that needs no worker: entry, condition, parallel, `fan_in` or exit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeArrived {
    pub node: String,
    /// The node that led here; `None` at the start.
    pub from: Option<String>,
}

/// Written before a worker starts it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Action {
    pub id: ActionId,
    pub node: String,
    /// The how-manieth time the walk is at this node, from 1.
    pub visit: u32,
    /// 1 is the first try.
    pub attempt: u32,
    pub kind: NodeKind,
    /// The node's `with`, as the flow has it.
    pub input: Value,
    /// How long to wait before the start: back-off of a retry.
    pub delay_ms: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActionStarted {
    pub action: ActionId,
    pub worker: String,
    pub at: Timestamp,
}

/// Written once per action; nothing of it is done again afterwards.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ActionFinished {
    pub action: ActionId,
    pub outcome: Outcome,
    pub spent: Spend,
    pub at: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "status")]
pub enum Outcome {
    Succeeded {
        /// What conditions and later nodes read as `nodes.<id>`.
        output: Value,
    },
    Failed {
        class: FailureClass,
        message: String,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureClass {
    /// May pass by itself: tried again as often as the node allows.
    Transient,
    /// Will not pass by itself.
    Permanent,
    /// A budget ended in the middle.
    Budget,
}

/// A fresh tree was given to a sandbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TreeHydrated {
    pub action: ActionId,
    pub tree: Digest,
    pub files: u64,
    pub size_bytes: u64,
}

/// What an agent left, taken out of its dead sandbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TreeExported {
    pub action: ActionId,
    pub base: Digest,
    pub tree: Digest,
    pub added: Vec<String>,
    pub modified: Vec<String>,
    pub deleted: Vec<String>,
    /// What was refused and why: devices, escaping links, oversize files.
    pub refused: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BranchWritten {
    pub branch: String,
    pub commit: String,
    pub visible: Score,
    pub holdout: Score,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncidentOpened {
    pub incident: IncidentId,
    /// Stable code: `holdout_leak`, `budget_breach`, `escape_attempt`, `unsound_scenario` …
    pub code: String,
    pub summary: String,
}
