//! A completion as chunks: for each choice its role and its pieces; how each ends; then the usage if it was asked for; then
//! `[DONE]`. Tool calls open one after the other, each with its own index, and their arguments follow in pieces.

use axum::body::Bytes;
use serde_json::{Value, json};

use super::{Completion, Message, object, request::StreamOptions};
use crate::services::llm::pieces;

const PADDING_MAX: usize = 12; // letters that hide how long a piece is

pub(super) fn frames(completion: &Completion, options: &StreamOptions, padding: &str) -> Vec<Bytes> {
    let chunk = |choices: Value, usage: Value, n: usize| {
        let mut chunk = json!({"id": completion.id, "object": "chat.completion.chunk", "created": completion.created,
            "model": completion.model, "service_tier": "default", "system_fingerprint": completion.fingerprint,
            "choices": choices});
        if options.usage {
            chunk["usage"] = usage;
        }
        if options.obfuscation {
            chunk["obfuscation"] = json!(&padding[..1 + n % PADDING_MAX]);
        }
        Bytes::from(format!("data: {chunk}\n\n"))
    };
    let mut frames = Vec::new();
    for index in 0..completion.choices {
        for delta in deltas(&completion.message) {
            let text = delta["content"].as_str().map(str::to_owned);
            let choice = json!({"index": index, "delta": delta, "finish_reason": null});
            frames.push(chunk(json!([completion.choice(choice, text.as_deref())]), Value::Null, frames.len()));
        }
    }
    for index in 0..completion.choices {
        let end = json!({"index": index, "delta": {}, "finish_reason": completion.finish});
        frames.push(chunk(json!([completion.choice(end, None)]), Value::Null, frames.len()));
    }
    if options.usage {
        frames.push(chunk(json!([]), completion.usage.clone(), frames.len()));
    }
    frames.push(Bytes::from_static(b"data: [DONE]\n\n"));
    frames
}

fn deltas(message: &Message) -> Vec<Value> {
    let mut deltas = Vec::new();
    let (text, refusal) = (message.content.as_deref(), message.refusal.as_deref());
    // One call and no text: the role and the beginning of the call share a chunk.
    match (text, refusal, message.calls.as_slice()) {
        (None, None, [only]) => deltas.push(json!({"role": "assistant", "content": null, "refusal": null,
            "tool_calls": [only.opening(0)]})),
        (None, None, _) => deltas.push(json!({"role": "assistant", "content": null})),
        _ => deltas.push(json!({"role": "assistant", "content": "", "refusal": null})),
    }
    let said = |field: &'static str, text: Option<&str>| {
        pieces(text.unwrap_or_default()).into_iter().map(move |piece| object([(field, json!(piece))]))
    };
    deltas.extend(said("content", text));
    deltas.extend(said("refusal", refusal));
    for (index, call) in message.calls.iter().enumerate() {
        if message.calls.len() > 1 || text.is_some() {
            deltas.push(json!({"tool_calls": [call.opening(index)]}));
        }
        let piece = |piece| json!({"tool_calls": [{"index": index, "function": {"arguments": piece}}]});
        deltas.extend(pieces(&call.arguments).into_iter().map(piece));
    }
    deltas
}
