//! The flow: a graph of nodes that a run walks. Files are YAML; `factory.yaml` is the factory's own.
//!
//! Owns the shape, the condition language and the lint. Who walks it: [`crate::run`].

mod condition;
mod lint;

use std::collections::BTreeMap;

use located::{Diagnostics, Source};
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use condition::{ConditionError, check, holds};

/// A graph of nodes.
///
/// ```yaml
/// flow: hello
/// version: 1
/// start: begin
/// nodes:
///   begin: { type: entry, next: [{ to: ask }] }
///   ask:   { type: agent, with: { task: say hello }, retries: 1, next: [{ to: end }] }
///   end:   { type: exit, with: { verdict: satisfied } }
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Flow {
    pub flow: String,
    pub version: u32,
    pub start: String,
    pub nodes: BTreeMap<String, Node>,
    /// Where the walk goes when a budget ends; without it the run finishes at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_budget: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Node {
    #[serde(rename = "type")]
    pub kind: NodeKind,
    /// For the performer of this kind; the engine reads only `exit.with.verdict` and `human.with`.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub with: Value,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub next: Vec<Edge>,
    /// Additional attempts after a transient failure. Default 0, at most 10.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub retries: u32,
    /// A satisfied exit is refused until this node has succeeded.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub goal: bool,
    /// Where to go when every attempt has failed; without it the run ends as an infrastructure failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_failure: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the shape that serde asks for")]
fn is_zero(n: &u32) -> bool {
    *n == 0
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edge {
    pub to: String,
    /// A condition; an edge without one is taken where no condition before it held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeKind {
    Entry,
    Llm,
    Agent,
    Tool,
    Rag,
    Vault,
    Condition,
    Parallel,
    FanIn,
    Human,
    Harness,
    Judge,
    Gate,
    Subflow,
    Exit,
}

impl NodeKind {
    /// Whether the walk itself handles the node; all other kinds are actions that a worker performs.
    pub fn is_control(self) -> bool {
        matches!(self, Self::Entry | Self::Condition | Self::Parallel | Self::FanIn | Self::Exit)
    }

    /// Whether an action of this kind is refused once a budget has ended.
    pub fn spends(self) -> bool {
        matches!(self, Self::Llm | Self::Agent | Self::Rag | Self::Harness | Self::Judge | Self::Subflow)
    }

    pub fn words(self) -> &'static str {
        match self {
            Self::Entry => "entry",
            Self::Llm => "llm",
            Self::Agent => "agent",
            Self::Tool => "tool",
            Self::Rag => "rag",
            Self::Vault => "vault",
            Self::Condition => "condition",
            Self::Parallel => "parallel",
            Self::FanIn => "fan_in",
            Self::Human => "human",
            Self::Harness => "harness",
            Self::Judge => "judge",
            Self::Gate => "gate",
            Self::Subflow => "subflow",
            Self::Exit => "exit",
        }
    }
}

impl Flow {
    /// Reads and lints a flow file.
    ///
    /// # Errors
    /// The first place that does not fit the shape, or every lint finding at once.
    pub fn parse(source: &Source) -> Result<Self, Diagnostics> {
        let flow: Self = located::yaml(source)?;
        lint::findings(&flow, source).or(flow)
    }

    /// How many edges lead to `node`: what a `fan_in` waits for.
    pub fn in_degree(&self, node: &str) -> usize {
        self.nodes.values().flat_map(|n| &n.next).filter(|edge| edge.to == node).count()
    }
}
