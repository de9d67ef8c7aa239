//! A request for a response, checked as the service checks it, and the facts that a script may ask about.

use serde_json::{Value, json};

use super::super::{errors, format_of, hex_id, text_of};
use crate::{
    http::Reply,
    script::{Facts, Transcript},
    services::llm::Wishes,
    twin::Context,
};

pub(super) struct Ask<'r> {
    body: &'r Value,
    before: Vec<Value>,
    input: Vec<Value>,
}

impl<'r> Ask<'r> {
    /// `before` is the conversation that this request continues. `Err` is the service's refusal.
    pub(super) fn read(context: &mut Context<'_>, body: &'r Value, before: Vec<Value>) -> Result<Self, Reply> {
        let input = match &body["input"] {
            Value::Null => return Err(errors::missing("input")),
            Value::String(text) => vec![json!({"type": "message", "role": "user", "content": text})],
            Value::Array(items) => items.clone(),
            other => return Err(errors::wrong_type("input", "one of a string or array of input items", other)),
        };
        for (n, item) in input.iter().enumerate() {
            check_item(n, item)?;
        }
        let input = input.into_iter().map(|item| with_id(context, item)).collect();
        let ask = Self { body, before, input };
        ask.check_results()?;
        ask.check_format()?;
        Ok(ask)
    }

    pub(super) fn streams(&self) -> bool {
        self.body["stream"] == true
    }

    pub(super) fn obfuscates(&self) -> bool {
        self.body["stream_options"]["include_obfuscation"] != false
    }

    pub(super) fn input(&self) -> &[Value] {
        &self.input
    }

    pub(super) fn conversation(&self) -> impl Iterator<Item = Value> {
        self.before.iter().chain(&self.input).cloned()
    }

    pub(super) fn wishes(&self) -> Wishes<'r> {
        Wishes { stops: Vec::new(), format: format_of(&self.body["text"]["format"]) }
    }

    pub(super) fn facts(&self) -> Facts {
        let mut transcript = Transcript::default();
        if let Some(instructions) = self.body["instructions"].as_str() {
            transcript.system(instructions);
        }
        for item in self.before.iter().chain(&self.input) {
            match kind(item) {
                "function_call_output" | "custom_tool_call_output" => transcript.tool_result(text_of(&item["output"])),
                "message" => match item["role"].as_str() {
                    Some("system" | "developer") => transcript.system(&text_of(&item["content"])),
                    Some("assistant") => transcript.assistant(),
                    _ => transcript.user(text_of(&item["content"])),
                },
                _ => transcript.assistant(),
            }
        }
        let tools = self.body["tools"].as_array().into_iter().flatten();
        let names = tools.filter_map(|tool| Some(tool["name"].as_str()?.to_owned())).collect();
        transcript.facts(self.body["model"].as_str().unwrap_or_default(), names)
    }

    /// Characters that a model would read.
    pub(super) fn characters(&self) -> usize {
        let settings = ["instructions", "tools", "text"].map(|field| &self.body[field]);
        let all = settings.into_iter().filter(|part| !part.is_null()).chain(&self.before).chain(&self.input);
        all.map(|part| part.to_string().chars().count()).sum()
    }

    /// Every call has its output somewhere behind it, and every output its call.
    fn check_results(&self) -> Result<(), Reply> {
        let mut open: Vec<&str> = Vec::new();
        for item in self.before.iter().chain(&self.input) {
            let id = item["call_id"].as_str().unwrap_or_default();
            match kind(item) {
                "function_call" => open.push(id),
                "function_call_output" => {
                    let at = open.iter().position(|known| *known == id);
                    let stray = format!("No tool call found for function call output with call_id {id}.");
                    open.remove(at.ok_or_else(|| errors::invalid(&stray, "input", None))?);
                }
                _ => {}
            }
        }
        match open.first() {
            None => Ok(()),
            Some(id) => Err(errors::invalid(&format!("No tool output found for function call {id}."), "input", None)),
        }
    }

    fn check_format(&self) -> Result<(), Reply> {
        let format = &self.body["text"]["format"];
        if format["type"] == "json_schema" && !format["name"].is_string() {
            return Err(errors::missing("text.format.name"));
        }
        Ok(())
    }
}

/// A message may leave its type out.
fn kind(item: &Value) -> &str {
    item["type"].as_str().unwrap_or("message")
}

fn check_item(n: usize, item: &Value) -> Result<(), Reply> {
    if !item.is_object() {
        return Err(errors::wrong_type(&format!("input[{n}]"), "an input item", item));
    }
    let param = |field: &str| format!("input[{n}].{field}");
    match kind(item) {
        "message" => match item["role"].as_str() {
            None => Err(errors::missing(&param("role"))),
            Some("system" | "developer" | "user" | "assistant") => Ok(()),
            Some(other) => {
                let message = format!(
                    "Invalid value: '{other}'. Supported values are: 'assistant', 'system', 'developer', and 'user'."
                );
                Err(errors::invalid(&message, &param("role"), Some("invalid_value")))
            }
        },
        "function_call" | "function_call_output" if !item["call_id"].is_string() => {
            Err(errors::missing(&param("call_id")))
        }
        _ => Ok(()),
    }
}

/// The item as the service keeps it: with an id, and text as a part of a list.
fn with_id(context: &mut Context<'_>, mut item: Value) -> Value {
    let prefix = match kind(&item) {
        "message" => "msg_",
        "function_call" => "fc_",
        "function_call_output" => "fco_",
        "reasoning" => "rs_",
        _ => "item_",
    };
    if !item["id"].is_string() {
        item["id"] = json!(hex_id(context, prefix));
    }
    if kind(&item) == "message" {
        item["type"] = json!("message");
        if let Some(text) = item["content"].as_str().map(str::to_owned) {
            let part = if item["role"] == "assistant" { "output_text" } else { "input_text" };
            item["content"] = json!([{"type": part, "text": text}]);
        }
        if item.get("status").is_none() {
            item["status"] = json!("completed");
        }
    }
    item
}
