//! A response as server-sent events, each with its number: created, in progress; for each item added, its parts and
//! pieces, done; then the whole response, completed or incomplete.

use axum::body::Bytes;
use serde_json::{Value, json};

use super::{
    Response,
    items::{Output, Part},
};
use crate::services::llm::pieces;

const PADDING_MAX: usize = 12; // letters that hide how long a piece is

pub(super) fn frames(response: &Response, padding: &str, obfuscates: bool) -> Vec<Bytes> {
    let mut stream = Stream { frames: Vec::new(), padding: obfuscates.then_some(padding) };
    stream.push("created", json!({"response": unbilled(response.object.clone())}));
    stream.push("in_progress", json!({"response": unbilled(response.object.clone())}));
    for (index, item) in response.output.iter().enumerate() {
        stream.push("output_item.added", json!({"output_index": index, "item": item.opening()}));
        stream.content(index, item);
        stream.push("output_item.done", json!({"output_index": index, "item": item.finished()}));
    }
    let end = if response.incomplete.is_some() { "incomplete" } else { "completed" };
    stream.push(end, json!({"response": unbilled(response.finished())}));
    stream.frames
}

/// Who pays stands in whole responses only.
fn unbilled(mut object: Value) -> Value {
    object.as_object_mut().map(|fields| fields.remove("billing"));
    object
}

struct Stream<'p> {
    frames: Vec<Bytes>,
    padding: Option<&'p str>,
}

impl Stream<'_> {
    fn push(&mut self, name: &str, mut event: Value) {
        event["type"] = json!(format!("response.{name}"));
        event["sequence_number"] = json!(self.frames.len());
        self.frames.push(format!("event: response.{name}\ndata: {event}\n\n").into());
    }

    fn content(&mut self, index: usize, item: &Output) {
        let at = |event: Value| placed(event, item.id(), index);
        match item {
            Output::Reasoning { summary: None, .. } => {}
            Output::Reasoning { summary: Some(text), .. } => {
                let at = |mut event: Value| {
                    event["summary_index"] = json!(0);
                    at(event)
                };
                let part = |text: &str| json!({"type": "summary_text", "text": text});
                self.push("reasoning_summary_part.added", at(json!({"part": part("")})));
                self.deltas("reasoning_summary_text.delta", text, at);
                self.push("reasoning_summary_text.done", at(json!({"text": text})));
                self.push("reasoning_summary_part.done", at(json!({"part": part(text)})));
            }
            Output::Message { part, .. } => self.part(index, item, part),
            Output::Call { arguments, .. } => {
                self.deltas("function_call_arguments.delta", arguments, at);
                self.push("function_call_arguments.done", at(json!({"arguments": arguments})));
            }
        }
    }

    fn part(&mut self, index: usize, item: &Output, part: &Part) {
        let at = |mut event: Value| {
            event["content_index"] = json!(0);
            placed(event, item.id(), index)
        };
        self.push("content_part.added", at(json!({"part": part.opening()})));
        match part {
            Part::Text(text) => {
                let with_logprobs = |mut event: Value| {
                    event["logprobs"] = json!([]);
                    at(event)
                };
                self.deltas("output_text.delta", text, with_logprobs);
                self.push("output_text.done", with_logprobs(json!({"text": text})));
            }
            Part::Refusal(text) => {
                for piece in pieces(text) {
                    self.push("refusal.delta", at(json!({"delta": piece})));
                }
                self.push("refusal.done", at(json!({"refusal": text})));
            }
        }
        self.push("content_part.done", at(json!({"part": part.finished()})));
    }

    fn deltas(&mut self, name: &str, text: &str, at: impl Fn(Value) -> Value) {
        for piece in pieces(text) {
            let mut event = at(json!({"delta": piece}));
            if let Some(padding) = self.padding {
                event["obfuscation"] = json!(&padding[..1 + self.frames.len() % PADDING_MAX]);
            }
            self.push(name, event);
        }
    }
}

fn placed(mut event: Value, item: &str, index: usize) -> Value {
    event["item_id"] = json!(item);
    event["output_index"] = json!(index);
    event
}
