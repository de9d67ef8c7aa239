//! The names that clients of a stream see, made from the rows that the store keeps. One pure function.

use model::event::{Body, Event, agent::Block};
use serde::Serialize;
use serde_json::{Value, json};

/// One message of `/runs/{id}/stream?format=wire`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WireEvent {
    pub name: WireName,
    pub data: Value,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WireName {
    SessionInit,
    Thought,
    Call,
    Observation,
    FileUpdated,
    PlanStep,
    Chunk,
    Done,
}

impl WireName {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SessionInit => "session_init",
            Self::Thought => "thought",
            Self::Call => "call",
            Self::Observation => "observation",
            Self::FileUpdated => "file_updated",
            Self::PlanStep => "plan_step",
            Self::Chunk => "chunk",
            Self::Done => "done",
        }
    }
}

/// What a client of the wire format is told of `event`; `None` where it is told nothing.
pub fn wire(event: &Event) -> Option<WireEvent> {
    let (name, data) = match &event.body {
        Body::SessionStarted(s) => (
            WireName::SessionInit,
            json!({ "session": s.session, "action": s.action, "provider": s.provider, "model": s.model, "script": s.script }),
        ),
        Body::TurnReplied(reply) => {
            (WireName::Thought, json!({ "session": reply.session, "turn": reply.turn, "text": said(&reply.blocks) }))
        }
        Body::ToolCalled(c) => {
            (WireName::Call, json!({ "call": c.call, "turn": c.turn, "name": c.name, "arguments": c.arguments }))
        }
        Body::ToolReturned(r) => (
            WireName::Observation,
            json!({ "call": r.call, "turn": r.turn, "ok": r.ok, "output": r.output, "duration_ms": r.duration_ms }),
        ),
        Body::TreeExported(t) => (
            WireName::FileUpdated,
            json!({ "tree": t.tree, "added": t.added, "modified": t.modified, "deleted": t.deleted }),
        ),
        Body::NodeArrived(n) => (WireName::PlanStep, json!({ "node": n.node, "status": "arrived" })),
        Body::ActionScheduled(a) => {
            (WireName::PlanStep, json!({ "action": a.id, "node": a.node, "status": "scheduled" }))
        }
        Body::ActionStarted(a) => (WireName::PlanStep, json!({ "action": a.action, "status": "started" })),
        Body::ActionFinished(a) => {
            (WireName::PlanStep, json!({ "action": a.action, "status": "finished", "outcome": a.outcome }))
        }
        Body::CommandPrinted(p) => (WireName::Chunk, json!({ "action": p.action, "stream": p.stream, "text": p.text })),
        Body::RunFinished(f) => (WireName::Done, json!({ "verdict": f.verdict, "reason": f.reason, "spent": f.spent })),
        Body::RunCreated(_)
        | Body::RunClaimed(_)
        | Body::RunParked(_)
        | Body::TreeHydrated(_)
        | Body::BranchWritten(_)
        | Body::IncidentOpened(_)
        | Body::SessionTold(_)
        | Body::TurnStarted(_)
        | Body::TurnFailed(_)
        | Body::SessionEnded(_)
        | Body::CommandStarted(_)
        | Body::CommandExited(_)
        | Body::ControlProved(_)
        | Body::TrialFinished(_)
        | Body::SuiteScored(_)
        | Body::GateEvaluated(_)
        | Body::FeedbackComposed(_)
        | Body::LeakCaught(_) => return None,
    };
    Some(WireEvent { name, data })
}

fn said(blocks: &[Block]) -> String {
    let texts = blocks.iter().filter_map(|block| match block {
        Block::Text { text } | Block::Thinking { text, .. } => Some(text.as_str()),
        Block::ToolCall { .. } => None,
    });
    texts.collect::<Vec<_>>().join("\n\n")
}
