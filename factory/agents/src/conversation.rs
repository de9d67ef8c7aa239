//! The neutral history of a session: what every provider's wire can be built from, and what events hold.

use model::event::agent::Block;
use serde_json::Value;

/// One message of the history.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    User(String),
    Assistant(Vec<Block>),
    /// Answers to all tool calls of the assistant message before it, in call order.
    Results(Vec<CallResult>),
}

/// The answer to one tool call, as the model sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallResult {
    pub call: String,
    pub name: String,
    pub ok: bool,
    pub text: String,
}

/// A tool as the model is told of it.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolDefinition {
    pub name: String,
    pub description: String,
    /// JSON Schema of the arguments: always an object.
    pub parameters: Value,
}

/// All text of a reply, blocks joined by blank lines.
pub(crate) fn text_of(blocks: &[Block]) -> String {
    let texts: Vec<&str> = blocks
        .iter()
        .filter_map(|block| match block {
            Block::Text { text } => Some(text.as_str()),
            Block::Thinking { .. } | Block::ToolCall { .. } => None,
        })
        .collect();
    texts.join("\n\n")
}
