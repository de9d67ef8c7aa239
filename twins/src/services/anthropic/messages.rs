//! Answers a conversation by playing the script.

use serde_json::{Value, json};

use super::{Anthropic, errors, models, request::Conversation, stream};
use crate::{
    http::{Content, Reply, Request},
    script::{Block, StopReason},
    services::llm::{Said, ascii},
    twin::{Answer, Context},
};

/// An answer with its ids, ready for either wire form.
pub(super) struct Message {
    pub(super) id: String,
    pub(super) model: String,
    /// In the wire's form.
    pub(super) blocks: Vec<Value>,
    pub(super) stop: StopReason,
    pub(super) stop_sequence: Option<String>,
    pub(super) input_tokens: u64,
    pub(super) output_tokens: u64,
    pub(super) thinking_tokens: u64,
}

impl Anthropic {
    pub(super) fn create_message(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let body = json_body(context, request)?;
        let (label, message) = self.answer(context, body)?;
        let reply = if body["stream"] == true {
            Reply::events(stream::frames(&message))
        } else {
            Reply::json(200, &message.whole())
        };
        Ok(reply.header("x-twin-script", label).paced(self.player.pace(message.output_tokens)))
    }

    pub(super) fn count_tokens(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let conversation = self.conversation(context, json_body(context, request)?)?;
        let input_tokens = self.player.input_tokens(conversation.characters());
        Ok(Reply::json(200, &json!({"input_tokens": input_tokens})))
    }

    /// Which turn answers, and the message; whether it came alone or in a batch.
    pub(super) fn answer(&mut self, context: &mut Context<'_>, body: &Value) -> Result<(String, Message), Reply> {
        let max_tokens = &body["max_tokens"];
        if !max_tokens.is_u64() {
            let why = if max_tokens.is_null() { "Field required" } else { "Input should be a valid integer" };
            return Err(errors::invalid(context, &format!("max_tokens: {why}")));
        }
        let conversation = self.conversation(context, body)?;
        conversation.check_settings().map_err(|why| errors::invalid(context, &why))?;
        if self.out_of_credit {
            return Err(errors::out_of_credit(context));
        }
        let said = self.player.answer(&conversation.facts(), &conversation.wishes());
        let said = said.map_err(|why| errors::unscripted(context, &why))?;
        let label = ascii(&said.label);
        let input_tokens = self.player.input_tokens(conversation.characters());
        Ok((label, Message::new(context, conversation.model(), said, input_tokens)))
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

pub(super) fn json_body<'r>(context: &Context<'_>, request: &'r Request) -> Result<&'r Value, Reply> {
    if request.header("anthropic-version").is_none() {
        return Err(errors::invalid(context, "anthropic-version: header is required"));
    }
    match &request.content {
        Content::Json(body @ Value::Object(_)) => Ok(body),
        _ => Err(errors::invalid(context, "The request body must be a JSON object with content-type application/json")),
    }
}

impl Message {
    fn new(context: &mut Context<'_>, model: &str, said: Said, input_tokens: u64) -> Self {
        Self {
            id: context.id("msg_01", 22),
            model: model.to_owned(),
            blocks: said.blocks.into_iter().map(|block| wire_block(context, block)).collect(),
            stop: said.stop,
            stop_sequence: said.stop_sequence,
            input_tokens,
            output_tokens: said.output_tokens,
            thinking_tokens: said.thinking_tokens,
        }
    }

    pub(super) fn whole(&self) -> Value {
        let mut whole = self.head(&self.blocks, self.output_tokens);
        whole["stop_reason"] = json!(self.stop.name());
        whole["stop_sequence"] = json!(self.stop_sequence);
        self.detail(&mut whole["usage"]);
        whole
    }

    /// The message object, as it stands at the beginning of a stream.
    pub(super) fn head(&self, content: &[Value], output_tokens: u64) -> Value {
        json!({
            "id": self.id, "type": "message", "role": "assistant", "model": self.model, "content": content,
            "stop_reason": null, "stop_sequence": null, "stop_details": null,
            "usage": {"input_tokens": self.input_tokens, "cache_creation_input_tokens": 0,
                "cache_read_input_tokens": 0,
                "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
                "output_tokens": output_tokens, "service_tier": "standard", "inference_geo": "global"},
        })
    }

    /// What the usage of an answer with thinking says besides.
    pub(super) fn detail(&self, usage: &mut Value) {
        if self.thinking_tokens > 0 {
            usage["output_tokens_details"] = json!({"thinking_tokens": self.thinking_tokens});
        }
    }
}

fn wire_block(context: &mut Context<'_>, block: Block) -> Value {
    match block {
        Block::Thinking(text) => json!({"type": "thinking", "thinking": text, "signature": context.id("", 64)}),
        Block::Text(text) => json!({"type": "text", "text": text}),
        Block::ToolUse { tool, input } => {
            let id = context.id("toolu_01", 22);
            json!({"type": "tool_use", "id": id, "name": tool, "input": input, "caller": {"type": "direct"}})
        }
    }
}
