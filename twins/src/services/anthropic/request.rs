//! A messages request, checked as the service checks it, and the facts that a script may ask about.

use serde_json::Value;

use super::tools;
use crate::{
    script::Facts,
    services::llm::{Format, Wishes, strings},
};

const THINKING_TOKENS_MIN: u64 = 1_024; // the service's own limit

/// What both operations on messages share.
pub(super) struct Conversation<'r> {
    body: &'r Value,
    messages: &'r [Value],
}

impl<'r> Conversation<'r> {
    /// `Err` is the service's message.
    pub(super) fn read(body: &'r Value) -> Result<Self, String> {
        let messages = match &body["messages"] {
            Value::Null => return Err("messages: Field required".to_owned()),
            Value::Array(messages) if messages.is_empty() => {
                return Err("messages: at least one message is required".to_owned());
            }
            Value::Array(messages) => messages,
            _ => return Err("messages: Input should be a valid list".to_owned()),
        };
        if !body["model"].is_string() {
            return Err("model: Field required".to_owned());
        }
        for (n, message) in messages.iter().enumerate() {
            check_message(n, message, takes_system(body))?;
        }
        check_tool_results(messages)?;
        Ok(Self { body, messages })
    }

    pub(super) fn model(&self) -> &'r str {
        self.body["model"].as_str().expect("checked when it was read")
    }

    pub(super) fn facts(&self) -> Facts {
        let of_role = |role: &'static str| self.messages.iter().filter(move |message| message["role"] == role);
        let last = self.messages.last().expect("checked when it was read");
        let tools = self.body["tools"].as_array().into_iter().flatten();
        Facts {
            model: self.model().to_owned(),
            system: text_of(&self.body["system"]),
            user: of_role("user").map(|message| text_of(&message["content"])).collect(),
            last_user: of_role("user").next_back().map(|message| text_of(&message["content"])).unwrap_or_default(),
            tool_results: results(last).map(|result| text_of(&result["content"])).collect(),
            assistant_turns: of_role("assistant").count(),
            tools: tools.filter_map(|tool| Some(tool["name"].as_str()?.to_owned())).collect(),
        }
    }

    pub(super) fn wishes(&self) -> Wishes<'r> {
        // The second name is the one of the beta.
        let formats = [&self.body["output_config"]["format"], &self.body["output_format"]];
        let schema = formats.into_iter().find(|format| format["type"] == "json_schema");
        let format = schema.map_or(Format::Text, |format| Format::Schema(&format["schema"]));
        Wishes { stops: strings(&self.body["stop_sequences"]), format }
    }

    /// What only an answer needs, not a count. `Err` is the service's message.
    pub(super) fn check_settings(&self) -> Result<(), String> {
        tools::check(&self.body["tools"])?;
        self.check_thinking()
    }

    fn check_thinking(&self) -> Result<(), String> {
        let thinking = &self.body["thinking"];
        if thinking["type"] != "enabled" {
            return Ok(());
        }
        match thinking["budget_tokens"].as_u64() {
            None => Err("thinking.enabled.budget_tokens: Field required".to_owned()),
            Some(budget) if budget < THINKING_TOKENS_MIN => Err(format!(
                "thinking.enabled.budget_tokens: Input should be greater than or equal to {THINKING_TOKENS_MIN}"
            )),
            Some(budget) if self.body["max_tokens"].as_u64().is_some_and(|most| most <= budget) => {
                Err("`max_tokens` must be greater than `thinking.budget_tokens`.".to_owned())
            }
            Some(_) => Ok(()),
        }
    }

    /// Characters that a model would read.
    pub(super) fn characters(&self) -> usize {
        let parts = ["system", "messages", "tools"].map(|field| &self.body[field]);
        parts.iter().filter(|part| !part.is_null()).map(|part| part.to_string().chars().count()).sum()
    }
}

/// Newer models take instructions in the middle of a conversation.
fn takes_system(body: &Value) -> bool {
    body["model"] == "claude-opus-4-8"
}

fn check_message(n: usize, message: &Value, takes_system: bool) -> Result<(), String> {
    match message["role"].as_str() {
        None => return Err(format!("messages.{n}.role: Field required")),
        Some("user" | "assistant") => {}
        Some("system") if takes_system && n > 0 => {}
        Some(other) => {
            return Err(format!("messages: Unexpected role \"{other}\". Allowed roles are \"user\" or \"assistant\""));
        }
    }
    match &message["content"] {
        Value::String(text) if !text.is_empty() => Ok(()),
        Value::Array(blocks) if !blocks.is_empty() => {
            blocks.iter().enumerate().try_for_each(|(b, block)| check_block(n, b, block))
        }
        Value::String(_) | Value::Array(_) => Err(format!("messages.{n}: all messages must have non-empty content")),
        _ => Err(format!("messages.{n}.content: Field required")),
    }
}

fn check_block(n: usize, b: usize, block: &Value) -> Result<(), String> {
    match block["type"].as_str() {
        None => Err(format!("messages.{n}.content.{b}.type: Field required")),
        Some("text") if block["text"].as_str().is_none_or(str::is_empty) => {
            Err("messages: text content blocks must be non-empty".to_owned())
        }
        Some(_) => Ok(()),
    }
}

/// Every call must be answered in the very next message, and nothing else may be.
fn check_tool_results(messages: &[Value]) -> Result<(), String> {
    for (n, message) in messages.iter().enumerate() {
        let called = ids(message, "tool_use", "id");
        let answered = messages.get(n + 1).map(|next| ids(next, "tool_result", "tool_use_id")).unwrap_or_default();
        let open: Vec<_> = called.iter().filter(|id| !answered.contains(id)).copied().collect();
        if !open.is_empty() {
            return Err(format!(
                "messages.{n}: `tool_use` ids were found without `tool_result` blocks immediately after: {}. Each `tool_use` block must have a corresponding `tool_result` block in the next message.",
                open.join(", ")
            ));
        }
        if let Some(stray) = answered.iter().find(|id| !called.contains(id)) {
            return Err(format!(
                "messages.{}.content.0: unexpected `tool_use_id` found in `tool_result` blocks: {stray}. Each `tool_result` block must have a corresponding `tool_use` block in the previous message.",
                n + 1
            ));
        }
    }
    Ok(())
}

fn ids<'m>(message: &'m Value, kind: &str, field: &str) -> Vec<&'m str> {
    let blocks = message["content"].as_array().into_iter().flatten().filter(|block| block["type"] == kind);
    blocks.filter_map(|block| block[field].as_str()).collect()
}

fn results(message: &Value) -> impl Iterator<Item = &Value> {
    message["content"].as_array().into_iter().flatten().filter(|block| block["type"] == "tool_result")
}

/// Plain text, or the text blocks of a list, one per line.
fn text_of(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(blocks) => {
            let texts =
                blocks.iter().filter(|block| block["type"] == "text").filter_map(|block| block["text"].as_str());
            texts.collect::<Vec<_>>().join("\n")
        }
        _ => String::new(),
    }
}
