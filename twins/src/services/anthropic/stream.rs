//! A message as server-sent events, in the order in which the service sends them: `message_start`; for each block
//! start, deltas, stop (a `ping` after the first start); `message_delta` with the final usage; `message_stop`.

use axum::body::Bytes;
use serde_json::{Value, json};

use super::messages::Message;
use crate::services::llm::pieces;

pub(super) fn frames(message: &Message) -> Vec<Bytes> {
    let mut frames = vec![frame(&json!({"type": "message_start", "message": message.head(&[], 1)}))];
    for (index, block) in message.blocks.iter().enumerate() {
        frames.push(frame(&json!({"type": "content_block_start", "index": index, "content_block": opening(block)})));
        if index == 0 {
            frames.push(frame(&json!({"type": "ping"})));
        }
        let delta = |delta| frame(&json!({"type": "content_block_delta", "index": index, "delta": delta}));
        frames.extend(deltas(block).into_iter().map(delta));
        frames.push(frame(&json!({"type": "content_block_stop", "index": index})));
    }
    let mut usage = json!({"input_tokens": message.input_tokens, "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0, "output_tokens": message.output_tokens});
    message.detail(&mut usage);
    let end = json!({"stop_reason": message.stop.name(), "stop_sequence": message.stop_sequence, "stop_details": null});
    frames.push(frame(&json!({"type": "message_delta", "delta": end, "usage": usage})));
    frames.push(frame(&json!({"type": "message_stop"})));
    frames
}

/// The block with its content still to come.
fn opening(block: &Value) -> Value {
    let mut opening = block.clone();
    for (field, empty) in [("text", json!("")), ("thinking", json!("")), ("signature", json!("")), ("input", json!({}))]
    {
        if block.get(field).is_some() {
            opening[field] = empty;
        }
    }
    opening
}

fn deltas(block: &Value) -> Vec<Value> {
    if let Some(text) = block["text"].as_str() {
        return pieces(text).into_iter().map(|piece| json!({"type": "text_delta", "text": piece})).collect();
    }
    if let Some(text) = block["thinking"].as_str() {
        let thinking = pieces(text).into_iter().map(|piece| json!({"type": "thinking_delta", "thinking": piece}));
        let signature = json!({"type": "signature_delta", "signature": block["signature"]});
        return thinking.chain(std::iter::once(signature)).collect();
    }
    let input = block["input"].to_string();
    let whole = std::iter::once(String::new()).chain(pieces(&input));
    whole.map(|piece| json!({"type": "input_json_delta", "partial_json": piece})).collect()
}

fn frame(event: &Value) -> Bytes {
    let name = event["type"].as_str().expect("every event has a type");
    format!("event: {name}\ndata: {event}\n\n").into()
}
