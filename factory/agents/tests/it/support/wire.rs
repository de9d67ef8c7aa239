//! One turn of a model in the stream format of each provider.

use serde_json::{Value, json};

#[derive(Clone, Default)]
pub(crate) struct Turn {
    pub(crate) thinking: Option<&'static str>,
    pub(crate) text: Option<String>,
    pub(crate) calls: Vec<(String, &'static str, Value)>,
    pub(crate) stop: Option<&'static str>,
}

impl Turn {
    pub(crate) fn say(text: &str) -> Self {
        Self { text: Some(text.to_owned()), ..Self::default() }
    }

    /// Ids are unique over a session: `prefix` and the number of the call.
    pub(crate) fn call(prefix: &str, calls: impl IntoIterator<Item = (&'static str, Value)>) -> Self {
        let call = |(n, (name, arguments))| (format!("toolu_{prefix}_{n}"), name, arguments);
        Self { calls: (1..).zip(calls).map(call).collect(), ..Self::default() }
    }

    #[must_use]
    pub(crate) fn stopping(mut self, stop: &'static str) -> Self {
        self.stop = Some(stop);
        self
    }

    #[must_use]
    pub(crate) fn thinking(mut self, text: &'static str) -> Self {
        self.thinking = Some(text);
        self
    }
}

pub(crate) fn event(name: &str, data: &Value) -> String {
    format!("event: {name}\ndata: {data}\n\n")
}

pub(crate) fn anthropic(turn: &Turn) -> String {
    let mut blocks: Vec<(Value, Vec<Value>)> = Vec::new();
    if let Some(text) = turn.thinking {
        let deltas = vec![
            json!({"type": "thinking_delta", "thinking": text}),
            json!({"type": "signature_delta", "signature": "c2lnbmVk"}),
        ];
        blocks.push((json!({"type": "thinking", "thinking": "", "signature": ""}), deltas));
    }
    if let Some(text) = &turn.text {
        blocks.push((json!({"type": "text", "text": ""}), vec![json!({"type": "text_delta", "text": text})]));
    }
    for (id, name, arguments) in &turn.calls {
        // A string stands for arguments that are not whole.
        let arguments = arguments.as_str().map_or_else(|| arguments.to_string(), str::to_owned);
        let (first, second) = arguments.split_at(arguments.len() / 2);
        let delta = |part: &str| json!({"type": "input_json_delta", "partial_json": part});
        let start = json!({"type": "tool_use", "id": id, "name": name, "input": {}});
        blocks.push((start, vec![delta(first), delta(second)]));
    }
    let message = json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-4-6",
        "content": [], "stop_reason": null, "stop_sequence": null, "usage": {"input_tokens": 100, "output_tokens": 1}});
    let mut out = event("message_start", &json!({"type": "message_start", "message": message}));
    for (index, (start, deltas)) in blocks.iter().enumerate() {
        let begun = json!({"type": "content_block_start", "index": index, "content_block": start});
        out += &event("content_block_start", &begun);
        for delta in deltas {
            let grown = json!({"type": "content_block_delta", "index": index, "delta": delta});
            out += &event("content_block_delta", &grown);
        }
        out += &event("content_block_stop", &json!({"type": "content_block_stop", "index": index}));
    }
    let stop = turn.stop.unwrap_or(if turn.calls.is_empty() { "end_turn" } else { "tool_use" });
    let delta = json!({"stop_reason": stop, "stop_sequence": null});
    let ending = json!({"type": "message_delta", "delta": delta, "usage": {"output_tokens": 50}});
    out += &event("message_delta", &ending);
    out + &event("message_stop", &json!({"type": "message_stop"}))
}

pub(crate) fn openai_chat(turn: &Turn) -> String {
    let chunk = |delta: Value, stop: Option<&str>| {
        let choice = json!({"index": 0, "delta": delta, "finish_reason": stop});
        let chunk = json!({"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-5.2",
            "choices": [choice]});
        format!("data: {chunk}\n\n")
    };
    let mut out = chunk(json!({"role": "assistant"}), None);
    if let Some(text) = &turn.text {
        out += &chunk(json!({"content": text}), None);
    }
    for (index, (id, name, arguments)) in turn.calls.iter().enumerate() {
        let function = json!({"name": name, "arguments": ""});
        out +=
            &chunk(json!({"tool_calls": [{"index": index, "id": id, "type": "function", "function": function}]}), None);
        let arguments = arguments.to_string();
        let (first, second) = arguments.split_at(arguments.len() / 2);
        for part in [first, second] {
            out += &chunk(json!({"tool_calls": [{"index": index, "function": {"arguments": part}}]}), None);
        }
    }
    out += &chunk(json!({}), Some(if turn.calls.is_empty() { "stop" } else { "tool_calls" }));
    let usage = json!({"prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 150});
    let last = json!({"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-5.2",
        "choices": [], "usage": usage});
    out + &format!("data: {last}\n\ndata: [DONE]\n\n")
}

/// Gemini sends no ids and signs the first call of a turn.
pub(crate) fn gemini(turn: &Turn) -> String {
    let mut parts: Vec<Value> = turn.text.iter().map(|text| json!({"text": text})).collect();
    for (nth, (_, name, arguments)) in turn.calls.iter().enumerate() {
        let mut part = json!({"functionCall": {"name": name, "args": arguments}});
        if nth == 0 {
            part["thoughtSignature"] = json!("c2lnbmVk");
        }
        parts.push(part);
    }
    let candidate = json!({"index": 0, "finishReason": "STOP", "content": {"role": "model", "parts": parts}});
    let usage = json!({"promptTokenCount": 100, "candidatesTokenCount": 50, "totalTokenCount": 150});
    let chunk = json!({"responseId": "r1", "modelVersion": "gemini-3-pro-preview", "candidates": [candidate],
        "usageMetadata": usage});
    format!("data: {chunk}\n\n")
}

pub(crate) fn openai_responses(turn: &Turn) -> String {
    let mut items: Vec<Value> = Vec::new();
    if let Some(text) = turn.thinking {
        items.push(json!({"type": "reasoning", "id": "rs_1", "encrypted_content": "ZW5j",
            "summary": [{"type": "summary_text", "text": text}]}));
    }
    if let Some(text) = &turn.text {
        items.push(json!({"type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
            "content": [{"type": "output_text", "text": text, "annotations": []}]}));
    }
    for (id, name, arguments) in &turn.calls {
        items.push(json!({"type": "function_call", "id": format!("fc_{id}"), "call_id": id, "name": name,
            "arguments": arguments.to_string(), "status": "completed"}));
    }
    let mut sequence = 0;
    let mut send = |mut data: Value| {
        data["sequence_number"] = json!(sequence);
        sequence += 1;
        event(data["type"].as_str().unwrap(), &data)
    };
    let response = |status: &str, output: &[Value], usage: Value| {
        json!({"id": "resp_1", "object": "response", "created_at": 1, "status": status, "model": "gpt-5.2",
            "output": output, "error": null, "incomplete_details": null, "instructions": null,
            "max_output_tokens": null, "tools": [], "usage": usage})
    };
    let mut out = send(json!({"type": "response.created", "response": response("in_progress", &[], Value::Null)}));
    for (index, item) in items.iter().enumerate() {
        out += &send(json!({"type": "response.output_item.added", "output_index": index, "item": item}));
        out += &send(json!({"type": "response.output_item.done", "output_index": index, "item": item}));
    }
    let usage = json!({"input_tokens": 100, "input_tokens_details": {"cached_tokens": 0}, "output_tokens": 50,
        "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 150});
    out + &send(json!({"type": "response.completed", "response": response("completed", &items, usage)}))
}

/// Lines of JSON, without ids of calls.
pub(crate) fn ollama(turn: &Turn) -> String {
    let line = |message: Value, done: bool| {
        let mut line =
            json!({"model": "qwen3:8b", "created_at": "2026-01-01T00:00:00Z", "message": message, "done": done});
        if done {
            line["done_reason"] = json!("stop");
            line["prompt_eval_count"] = json!(100);
            line["eval_count"] = json!(50);
        }
        format!("{line}\n")
    };
    let call =
        |(_, name, arguments): &(String, &str, Value)| json!({"function": {"name": name, "arguments": arguments}});
    let calls: Vec<Value> = turn.calls.iter().map(call).collect();
    let text = turn.text.as_deref().unwrap_or_default();
    let mut message = json!({"role": "assistant", "content": text});
    if !calls.is_empty() {
        message["tool_calls"] = json!(calls);
    }
    line(message, false) + &line(json!({"role": "assistant", "content": ""}), true)
}
