//! The items that an answer is made of: reasoning, messages, function calls; each as it opens and as it ends.

use serde_json::{Value, json};

use super::super::{hex, hex_id};
use crate::{
    script::{Block, StopReason},
    services::llm::Said,
    twin::Context,
};

pub(super) enum Output {
    Reasoning { id: String, summary: Option<String>, sealed: String },
    Message { id: String, part: Part, phase: Option<&'static str>, status: &'static str },
    Call { id: String, call_id: String, name: String, arguments: String, status: &'static str },
}

pub(super) enum Part {
    Text(String),
    Refusal(String),
}

/// The items of what was said. What was cut off is the last of them.
pub(super) fn output(context: &mut Context<'_>, body: &Value, model: &str, said: Said) -> Vec<Output> {
    let (stop, count) = (said.stop, said.blocks.len());
    let calls = said.blocks.iter().any(|block| matches!(block, Block::ToolUse { .. }));
    let phase = model.starts_with("gpt-5.").then_some(if calls { "commentary" } else { "final_answer" });
    let mut output = Vec::new();
    for (index, block) in said.blocks.into_iter().enumerate() {
        let cut = stop == StopReason::MaxTokens && index + 1 == count;
        let status = if cut { "incomplete" } else { "completed" };
        output.push(match block {
            Block::Thinking(text) => {
                let sealed = context.id("sealed", 64);
                let summary = (!body["reasoning"]["summary"].is_null()).then_some(text);
                Output::Reasoning { id: hex_id(context, "rs_"), summary, sealed }
            }
            Block::Text(text) => {
                let part = if stop == StopReason::Refusal { Part::Refusal(text) } else { Part::Text(text) };
                Output::Message { id: hex_id(context, "msg_"), part, phase, status }
            }
            Block::ToolUse { tool, input } => Output::Call {
                id: hex_id(context, "fc_"),
                call_id: context.id("call_", 24),
                name: tool,
                arguments: input.to_string(),
                status,
            },
        });
    }
    output
}

impl Output {
    pub(super) fn id(&self) -> &str {
        match self {
            Self::Reasoning { id, .. } | Self::Message { id, .. } | Self::Call { id, .. } => id,
        }
    }

    /// The item with its content still to come.
    pub(super) fn opening(&self) -> Value {
        let mut item = self.finished();
        match self {
            Self::Reasoning { sealed, .. } => {
                item["summary"] = json!([]);
                item["encrypted_content"] = json!(hex(sealed, 64));
            }
            Self::Message { .. } => {
                item["content"] = json!([]);
                item["status"] = json!("in_progress");
            }
            Self::Call { .. } => {
                item["arguments"] = json!("");
                item["status"] = json!("in_progress");
            }
        }
        item
    }

    pub(super) fn finished(&self) -> Value {
        match self {
            Self::Reasoning { id, summary, sealed } => {
                let summary: Vec<Value> =
                    summary.iter().map(|text| json!({"type": "summary_text", "text": text})).collect();
                json!({"id": id, "type": "reasoning", "summary": summary, "content": [], "encrypted_content": sealed})
            }
            Self::Message { id, part, phase, status } => {
                let mut item = json!({"id": id, "type": "message", "role": "assistant", "status": status,
                    "content": [part.finished()]});
                if let Some(phase) = phase {
                    item["phase"] = json!(phase);
                }
                item
            }
            Self::Call { id, call_id, name, arguments, status } => {
                json!({"id": id, "type": "function_call", "call_id": call_id, "name": name, "arguments": arguments,
                    "status": status})
            }
        }
    }
}

impl Part {
    pub(super) fn opening(&self) -> Value {
        self.holding("")
    }

    pub(super) fn finished(&self) -> Value {
        match self {
            Self::Text(text) | Self::Refusal(text) => self.holding(text),
        }
    }

    fn holding(&self, text: &str) -> Value {
        match self {
            Self::Text(_) => json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []}),
            Self::Refusal(_) => json!({"type": "refusal", "refusal": text}),
        }
    }
}
