//! Answers a conversation by playing the script.

use serde_json::{Value, json};

use super::{Anthropic, errors, models, request::Conversation, stream};
use crate::{
    http::{Content, Reply, Request},
    script::{Block, Played, StopReason},
    twin::{Answer, Context},
};

/// An answer with its ids, ready for either wire form.
pub(super) struct Message {
    pub(super) id: String,
    pub(super) model: String,
    /// In the wire's form.
    pub(super) blocks: Vec<Value>,
    pub(super) stop: StopReason,
    pub(super) input_tokens: u64,
    pub(super) output_tokens: u64,
}

impl Anthropic {
    pub(super) fn create_message(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let body = json_body(context, request)?;
        if !body["max_tokens"].is_u64() {
            return Err(errors::invalid(context, "max_tokens: Field required"));
        }
        let conversation = self.conversation(context, body)?;
        let script =
            self.script.clone().ok_or_else(|| errors::unscripted(context, "this twin has no script to play"))?;
        let played = script.play(&conversation.facts()).map_err(|why| errors::unscripted(context, &why))?;
        let label = played.label.clone();
        self.note(&label);
        let input_tokens = tokens(conversation.characters(), script.usage.input_tokens_per_char);
        let message =
            Message::new(context, conversation.model(), played, input_tokens, script.usage.output_tokens_per_char);
        let reply = if body["stream"] == true { Reply::events(stream::frames(&message)) } else { message.whole() };
        Ok(reply.header("x-twin-script", ascii(&label)))
    }

    pub(super) fn count_tokens(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let conversation = self.conversation(context, json_body(context, request)?)?;
        let rate = self.script.as_ref().map(|script| script.usage).unwrap_or_default().input_tokens_per_char;
        Ok(Reply::json(200, &json!({"input_tokens": tokens(conversation.characters(), rate)})))
    }

    fn conversation<'r>(&self, context: &Context<'_>, body: &'r Value) -> Result<Conversation<'r>, Reply> {
        let conversation = Conversation::read(body).map_err(|why| errors::invalid(context, &why))?;
        if self.has_model(conversation.model()) {
            Ok(conversation)
        } else {
            Err(models::no_such_model(context, conversation.model()))
        }
    }
}

fn json_body<'r>(context: &Context<'_>, request: &'r Request) -> Result<&'r Value, Reply> {
    if request.header("anthropic-version").is_none() {
        return Err(errors::invalid(context, "anthropic-version: header is required"));
    }
    match &request.content {
        Content::Json(body @ Value::Object(_)) => Ok(body),
        _ => Err(errors::invalid(context, "The request body must be a JSON object with content-type application/json")),
    }
}

impl Message {
    fn new(context: &mut Context<'_>, model: &str, played: Played, input_tokens: u64, output_rate: f64) -> Self {
        let id = context.id("msg_01", 22);
        let mut characters = 0;
        let mut blocks = Vec::new();
        for block in played.blocks {
            let (length, wire) = wire_block(context, block);
            characters += length;
            blocks.push(wire);
        }
        let output_tokens = tokens(characters, output_rate);
        Self { id, model: model.to_owned(), blocks, stop: played.stop, input_tokens, output_tokens }
    }

    fn whole(&self) -> Reply {
        let head = self.head(&self.blocks, json!(self.stop.name()), self.output_tokens);
        Reply::json(200, &head)
    }

    /// The message object, as it stands at the beginning of a stream or as a whole answer.
    pub(super) fn head(&self, content: &[Value], stop_reason: Value, output_tokens: u64) -> Value {
        json!({
            "id": self.id, "type": "message", "role": "assistant", "model": self.model, "content": content,
            "stop_reason": stop_reason, "stop_sequence": null, "stop_details": null,
            "usage": {"input_tokens": self.input_tokens, "cache_creation_input_tokens": 0,
                "cache_read_input_tokens": 0,
                "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
                "output_tokens": output_tokens, "service_tier": "standard", "inference_geo": "global"},
        })
    }
}

/// How many characters a model would have written, and the block on the wire.
fn wire_block(context: &mut Context<'_>, block: Block) -> (usize, Value) {
    match block {
        Block::Thinking(text) => {
            let signature = context.id("", 64);
            (text.chars().count(), json!({"type": "thinking", "thinking": text, "signature": signature}))
        }
        Block::Text(text) => (text.chars().count(), json!({"type": "text", "text": text})),
        Block::ToolUse { tool, input } => {
            let length = tool.chars().count() + input.to_string().chars().count();
            let id = context.id("toolu_01", 22);
            (length, json!({"type": "tool_use", "id": id, "name": tool, "input": input, "caller": {"type": "direct"}}))
        }
    }
}

#[expect(clippy::cast_precision_loss, clippy::cast_sign_loss, clippy::cast_possible_truncation, reason = "an estimate")]
fn tokens(characters: usize, rate: f64) -> u64 {
    (characters as f64 * rate).ceil().max(1.0) as u64
}

/// Header values are visible ASCII.
fn ascii(text: &str) -> String {
    text.chars().map(|c| if c == ' ' || c.is_ascii_graphic() { c } else { '?' }).collect()
}
