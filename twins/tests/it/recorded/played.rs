//! What a recorded answer says, as a script that says the same.

use serde_json::{Map, Value, json};

use super::answer::{Answer, Body};

#[derive(Default)]
pub(super) struct Played {
    think: String,
    say: String,
    calls: Vec<(String, Value)>,
    stop: &'static str,
}

impl Played {
    pub(super) fn of(provider: &str, answer: &Answer) -> Self {
        let mut played = Self { stop: "end_turn", ..Self::default() };
        match (&answer.body, provider) {
            (Body::Whole(body), "anthropic") => played.message(body),
            (Body::Stream(events), "anthropic") => played.message(&message(events)),
            (Body::Whole(body), _) if body["choices"].is_array() => {
                played.choice(&body["choices"][0], &body["choices"][0]["message"]);
            }
            (Body::Whole(body), _) => played.response(body),
            (Body::Stream(events), _) => match events.iter().rev().find(|(_, data)| data["response"].is_object()) {
                Some((_, last)) => played.response(&last["response"]),
                None => played.choice(&last_choice(events), &completion(events)),
            },
        }
        played
    }

    /// JSON is YAML.
    pub(super) fn script(&self, model: &str) -> Value {
        let raw = |text: &str| json!(format!("{{% raw %}}{text}{{% endraw %}}"));
        let mut turn = json!({"turn": "recorded", "say": raw(&self.say), "stop": self.stop});
        if !self.think.is_empty() {
            turn["think"] = raw(&self.think);
        }
        let call = |(tool, input): &(String, Value)| json!({ tool.as_str(): input });
        turn["calls"] = self.calls.iter().map(call).collect();
        json!({"script": "recorded", "model": model, "turns": [turn]})
    }

    fn message(&mut self, message: &Value) {
        for block in message["content"].as_array().into_iter().flatten() {
            match block["type"].as_str() {
                Some("text") => self.say.push_str(block["text"].as_str().unwrap_or_default()),
                // What was thought may be hidden; that it was counts.
                Some("thinking") => self.think = format!("{} …", block["thinking"].as_str().unwrap_or_default()),
                Some("tool_use") => self.call(&block["name"], block["input"].clone()),
                _ => {}
            }
        }
        self.stop = match message["stop_reason"].as_str() {
            Some("tool_use") => "tool_use",
            Some("max_tokens") => "max_tokens",
            Some("stop_sequence") => {
                // Written, and then cut off again.
                self.say.push_str(message["stop_sequence"].as_str().unwrap_or_default());
                "end_turn"
            }
            Some("refusal") => "refusal",
            _ => "end_turn",
        };
    }

    fn choice(&mut self, choice: &Value, message: &Value) {
        self.say = message["content"].as_str().unwrap_or_default().to_owned();
        for call in message["tool_calls"].as_array().into_iter().flatten() {
            self.call(&call["function"]["name"], arguments(&call["function"]["arguments"]));
        }
        self.stop = match choice["finish_reason"].as_str() {
            Some("length") => "max_tokens",
            Some("tool_calls") => "tool_use",
            _ if message["refusal"].is_string() => "refusal",
            _ if !self.calls.is_empty() => "tool_use",
            _ => "end_turn",
        };
        if let Some(refusal) = message["refusal"].as_str() {
            self.say = refusal.to_owned();
        }
    }

    fn response(&mut self, response: &Value) {
        for item in response["output"].as_array().into_iter().flatten() {
            match item["type"].as_str() {
                Some("reasoning") => self.think = "Let me think.".to_owned(),
                Some("function_call") => self.call(&item["name"], arguments(&item["arguments"])),
                _ => {
                    for part in item["content"].as_array().into_iter().flatten() {
                        self.say.push_str(part["text"].as_str().unwrap_or_default());
                        if let Some(refusal) = part["refusal"].as_str() {
                            self.say.push_str(refusal);
                            self.stop = "refusal";
                        }
                    }
                }
            }
        }
        if response["status"] == "incomplete" {
            self.stop = "max_tokens";
        }
    }

    fn call(&mut self, name: &Value, input: Value) {
        let input = if input.is_object() { input } else { json!({}) };
        self.calls.push((name.as_str().unwrap_or_default().to_owned(), input));
    }
}

/// Arguments that were cut off are no JSON; the call counts.
fn arguments(text: &Value) -> Value {
    serde_json::from_str(text.as_str().unwrap_or_default()).unwrap_or_else(|_| json!({"cut": "off"}))
}

/// A message put together from its events.
fn message(events: &[(String, Value)]) -> Value {
    let mut blocks: Vec<Map<String, Value>> = Vec::new();
    let mut end = Value::Null;
    for (_, event) in events {
        if let Some(block) = event["content_block"].as_object() {
            blocks.push(block.clone());
        }
        let delta = &event["delta"];
        if delta["stop_reason"].is_string() {
            end = delta.clone();
        }
        let Some(block) = blocks.last_mut() else { continue };
        for (field, into) in [("text", "text"), ("thinking", "thinking"), ("partial_json", "json")] {
            if let Some(more) = delta[field].as_str() {
                let old = block.get(into).and_then(Value::as_str).unwrap_or_default();
                let joined = format!("{old}{more}");
                block.insert(into.to_owned(), joined.into());
            }
        }
    }
    for block in &mut blocks {
        if let Some(text) = block.get("json").cloned() {
            block.insert("input".to_owned(), arguments(&text));
        }
    }
    json!({"content": blocks, "stop_reason": end["stop_reason"], "stop_sequence": end["stop_sequence"]})
}

/// A chat message put together from its chunks.
fn completion(events: &[(String, Value)]) -> Value {
    let (mut text, mut refusal, mut calls) = (String::new(), String::new(), Vec::<(String, String)>::new());
    for (_, chunk) in events {
        let delta = &chunk["choices"][0]["delta"];
        text.push_str(delta["content"].as_str().unwrap_or_default());
        refusal.push_str(delta["refusal"].as_str().unwrap_or_default());
        for call in delta["tool_calls"].as_array().into_iter().flatten() {
            if let Some(name) = call["function"]["name"].as_str() {
                calls.push((name.to_owned(), String::new()));
            }
            if let Some((_, arguments)) = calls.last_mut() {
                arguments.push_str(call["function"]["arguments"].as_str().unwrap_or_default());
            }
        }
    }
    let calls = calls.into_iter().map(|(name, arguments)| json!({"function": {"name": name, "arguments": arguments}}));
    let refusal = if refusal.is_empty() { Value::Null } else { json!(refusal) };
    json!({"content": text, "refusal": refusal, "tool_calls": calls.collect::<Vec<_>>()})
}

fn last_choice(events: &[(String, Value)]) -> Value {
    let finished = events.iter().rev().map(|(_, chunk)| &chunk["choices"][0]);
    finished.into_iter().find(|choice| choice["finish_reason"].is_string()).cloned().unwrap_or_default()
}
