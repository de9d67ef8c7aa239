//! Events of agents: the built-in one turn by turn, and any outside command by its output.
//!
//! A session's whole history can be rebuilt from these events alone, for any provider.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    budget::Spend,
    hash::Digest,
    id::{ActionId, SessionId},
};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionStarted {
    pub session: SessionId,
    pub action: ActionId,
    pub profile: String,
    pub provider: String,
    pub model: String,
    /// Set where a script plays the model: its name.
    pub script: Option<String>,
    pub system: String,
}

/// A text that the model receives as a user turn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionTold {
    pub session: SessionId,
    pub origin: Origin,
    pub text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    Task,
    /// Lands after the current tool round.
    Steer,
    /// Lands after the current input ends.
    FollowUp,
    /// From the loop itself: a repeated pattern, a budget that nears its end.
    Warning,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TurnStarted {
    pub session: SessionId,
    pub turn: u32,
}

/// The model's whole reply of one turn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TurnReplied {
    pub session: SessionId,
    pub turn: u32,
    pub blocks: Vec<Block>,
    pub stop: Stop,
    pub spent: Spend,
    pub duration_ms: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "block")]
pub enum Block {
    Text {
        text: String,
    },
    /// `opaque` is what the provider wants back unread: signatures, encrypted content.
    Thinking {
        text: String,
        opaque: Option<Value>,
    },
    ToolCall {
        call: String,
        name: String,
        arguments: Value,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stop {
    EndTurn,
    ToolUse,
    MaxTokens,
    Refusal,
    Other,
}

/// A request that gave no reply; its partial output is void.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TurnFailed {
    pub session: SessionId,
    pub turn: u32,
    pub attempt: u32,
    pub retryable: bool,
    pub message: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToolCalled {
    pub session: SessionId,
    pub turn: u32,
    pub call: String,
    pub name: String,
    pub arguments: Value,
    /// Where it is known beforehand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<FileChange>,
}

/// What a call makes of one file: if the call is interrupted, the file tells whether it took effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileChange {
    /// Relative to the workspace.
    pub path: String,
    pub before: Digest,
    pub after: Digest,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolReturned {
    pub session: SessionId,
    pub turn: u32,
    pub call: String,
    pub ok: bool,
    /// Full output, up to the event's size limit.
    pub output: String,
    /// What the model saw where that is less than `output`.
    pub shown: Option<String>,
    pub duration_ms: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionEnded {
    pub session: SessionId,
    pub reason: EndReason,
    pub turns: u32,
    pub spent: Spend,
    /// The model's last words.
    pub message: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// A reply without tool calls.
    Completed,
    TurnLimit,
    Budget,
    Refused,
    ProviderFailed,
    Cancelled,
}

/// An outside agent (`--agent 'command …'`) was started in the sandbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandStarted {
    pub action: ActionId,
    pub argv: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandPrinted {
    pub action: ActionId,
    pub stream: OutputStream,
    pub text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutputStream {
    Stdout,
    Stderr,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandExited {
    pub action: ActionId,
    /// `exit 0`, `signal 9`, `timed out`.
    pub status: String,
    pub success: bool,
    pub duration_ms: u64,
}
