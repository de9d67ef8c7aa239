//! Chat completions: the whole conversation comes with each request, nothing is kept.

mod logprobs;
mod request;
mod stream;

use serde_json::{Map, Value, json};

use self::{logprobs::Logprobs, request::Chat};
use super::{Openai, check_numbers, errors, json_body, models};
use crate::{
    http::{Reply, Request},
    script::{Block, StopReason},
    services::llm::{Said, ascii},
    twin::{Answer, Context},
};

/// An answer with its ids, ready for either wire form.
struct Completion {
    id: String,
    model: String,
    created: i64,
    fingerprint: String,
    /// How many equal choices.
    choices: u64,
    message: Message,
    finish: &'static str,
    usage: Value,
    /// None: not asked for.
    logprobs: Option<Logprobs>,
}

#[derive(Default)]
struct Message {
    content: Option<String>,
    refusal: Option<String>,
    calls: Vec<Call>,
}

struct Call {
    id: String,
    name: String,
    arguments: String,
}

impl Openai {
    pub(super) fn create_completion(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let body = json_body(request)?;
        let chat = Chat::read(body)?;
        let model = self.resolve(chat.model()).ok_or_else(|| no_such_model(chat.model()))?;
        check_numbers(body)?;
        self.check_credit()?;
        let said = self.player.answer(&chat.facts(), &chat.wishes()).map_err(|why| errors::unscripted(&why))?;
        let label = ascii(&said.label);
        let prompt_tokens = self.player.input_tokens(chat.characters());
        let pace = self.player.pace(said.output_tokens);
        let mut completion = Completion::new(context, model, chat.choices(), said, prompt_tokens);
        completion.logprobs = chat.logprobs();
        let reply = if chat.streams() {
            Reply::events(stream::frames(&completion, &chat.stream_options(), &context.request_token))
        } else {
            Reply::json(200, &completion.whole())
        };
        Ok(reply.header("x-twin-script", label).paced(pace))
    }
}

fn no_such_model(asked: &str) -> Reply {
    let message = format!("The model `{asked}` does not exist or you do not have access to it.");
    errors::error(404, "invalid_request_error", &message, None, Some("model_not_found"))
}

impl Completion {
    fn new(context: &mut Context<'_>, model: String, choices: u64, said: Said, prompt_tokens: u64) -> Self {
        let usage = usage(prompt_tokens, said.output_tokens * choices, said.thinking_tokens * choices);
        let finish = finish(&said);
        let fingerprint = format!("fp_{}", super::hex(&model, 10));
        Self {
            id: context.id("chatcmpl-", 29),
            created: context.unix(),
            message: Message::new(context, said),
            model,
            fingerprint,
            choices,
            finish,
            usage,
            logprobs: None,
        }
    }

    fn whole(&self) -> Value {
        let text = self.message.content.as_deref();
        let choice = |index| {
            self.choice(json!({"index": index, "message": self.message.whole(), "finish_reason": self.finish}), text)
        };
        let choices: Vec<Value> = (0..self.choices).map(choice).collect();
        json!({"id": self.id, "object": "chat.completion", "created": self.created, "model": self.model,
            "choices": choices, "usage": self.usage, "service_tier": "default",
            "system_fingerprint": self.fingerprint})
    }

    /// The choice, or a piece of it, with the probabilities of its text. Models that reason have no field for them.
    fn choice(&self, mut choice: Value, text: Option<&str>) -> Value {
        if !models::reasons(&self.model) {
            choice["logprobs"] = match (self.logprobs, text) {
                (Some(logprobs), Some(text)) => logprobs.of(text),
                _ => Value::Null,
            };
        }
        choice
    }
}

fn finish(said: &Said) -> &'static str {
    match said.stop {
        StopReason::EndTurn | StopReason::StopSequence | StopReason::Refusal => "stop",
        StopReason::ToolUse => "tool_calls",
        StopReason::MaxTokens => "length",
    }
}

fn usage(prompt: u64, completion: u64, reasoning: u64) -> Value {
    json!({"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": reasoning, "audio_tokens": 0,
            "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0}})
}

impl Message {
    /// Thinking is counted, never shown.
    fn new(context: &mut Context<'_>, said: Said) -> Self {
        let refuses = said.stop == StopReason::Refusal;
        let mut message = Self::default();
        for block in said.blocks {
            match block {
                Block::Thinking(_) => {}
                Block::Text(text) if refuses => message.refusal = Some(text),
                Block::Text(text) => message.content = Some(text),
                Block::ToolUse { tool, input } => {
                    let id = context.id("call_", 24);
                    message.calls.push(Call { id, name: tool, arguments: input.to_string() });
                }
            }
        }
        if message.calls.is_empty() && message.content.is_none() && !refuses {
            message.content = Some(String::new());
        }
        message
    }

    fn whole(&self) -> Value {
        let mut message = json!({"role": "assistant", "content": self.content, "refusal": self.refusal,
            "annotations": []});
        if !self.calls.is_empty() {
            message["tool_calls"] = self.calls.iter().map(Call::whole).collect();
        }
        message
    }
}

impl Call {
    fn whole(&self) -> Value {
        json!({"id": self.id, "type": "function", "function": {"name": self.name, "arguments": self.arguments}})
    }

    /// The call with its arguments still to come.
    fn opening(&self, index: usize) -> Value {
        json!({"index": index, "id": self.id, "type": "function",
            "function": {"name": self.name, "arguments": ""}})
    }
}

/// An object of what is there.
fn object<const N: usize>(fields: [(&str, Value); N]) -> Value {
    Value::Object(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>())
}
