//! A chat request, checked as the service checks it, and the facts that a script may ask about.

use serde_json::Value;

use super::{
    super::{errors, format_of, text_of},
    logprobs::Logprobs,
};
use crate::{
    http::Reply,
    script::{Facts, Transcript},
    services::llm::{Wishes, strings},
};

const CHOICES_MAX: u64 = 128; // the service's own limit
const ROLES: &str = "'system', 'assistant', 'user', 'function', 'tool', and 'developer'";

pub(super) struct Chat<'r> {
    body: &'r Value,
    messages: &'r [Value],
}

/// What a stream carries besides the answer.
pub(super) struct StreamOptions {
    pub(super) usage: bool,
    pub(super) obfuscation: bool,
}

impl<'r> Chat<'r> {
    /// `Err` is the service's refusal.
    pub(super) fn read(body: &'r Value) -> Result<Self, Reply> {
        if !body["model"].is_string() {
            let message = "you must provide a model parameter";
            return Err(errors::error(400, "invalid_request_error", message, None, None));
        }
        let messages = match &body["messages"] {
            Value::Null => return Err(errors::missing("messages")),
            Value::Array(messages) if messages.is_empty() => return Err(no_messages()),
            Value::Array(messages) => messages,
            other => return Err(errors::wrong_type("messages", "an array of objects", other)),
        };
        messages.iter().enumerate().try_for_each(|(n, message)| check_role(n, message))?;
        check_results(messages)?;
        let chat = Self { body, messages };
        chat.check_choices()?;
        chat.check_json_mode()?;
        Ok(chat)
    }

    pub(super) fn model(&self) -> &'r str {
        self.body["model"].as_str().expect("checked when it was read")
    }

    pub(super) fn choices(&self) -> u64 {
        self.body["n"].as_u64().unwrap_or(1)
    }

    pub(super) fn streams(&self) -> bool {
        self.body["stream"] == true
    }

    pub(super) fn stream_options(&self) -> StreamOptions {
        let options = &self.body["stream_options"];
        StreamOptions { usage: options["include_usage"] == true, obfuscation: options["include_obfuscation"] != false }
    }

    pub(super) fn logprobs(&self) -> Option<Logprobs> {
        (self.body["logprobs"] == true).then(|| Logprobs { top: self.body["top_logprobs"].as_u64().unwrap_or(0) })
    }

    pub(super) fn wishes(&self) -> Wishes<'r> {
        Wishes { stops: strings(&self.body["stop"]), format: format_of(&self.body["response_format"]) }
    }

    pub(super) fn facts(&self) -> Facts {
        let mut transcript = Transcript::default();
        for message in self.messages {
            let text = text_of(&message["content"]);
            match message["role"].as_str() {
                Some("system" | "developer") => transcript.system(&text),
                Some("assistant") => transcript.assistant(),
                Some("tool" | "function") => transcript.tool_result(text),
                _ => transcript.user(text),
            }
        }
        let tools = self.body["tools"].as_array().into_iter().flatten();
        let name = |tool: &Value| Some(tool["function"]["name"].as_str()?.to_owned());
        transcript.facts(self.model(), tools.filter_map(name).collect())
    }

    /// Characters that a model would read.
    pub(super) fn characters(&self) -> usize {
        let parts = ["messages", "tools", "response_format"].map(|field| &self.body[field]);
        parts.iter().filter(|part| !part.is_null()).map(|part| part.to_string().chars().count()).sum()
    }

    fn check_choices(&self) -> Result<(), Reply> {
        let given = &self.body["n"];
        let fits = given.is_null() || given.as_u64().is_some_and(|n| (1..=CHOICES_MAX).contains(&n));
        let message = format!("Invalid 'n': expected an integer from 1 to {CHOICES_MAX}, but got {given} instead.");
        if fits { Ok(()) } else { Err(errors::invalid(&message, "n", Some("invalid_value"))) }
    }

    fn check_json_mode(&self) -> Result<(), Reply> {
        let format = &self.body["response_format"];
        let asks = || self.messages.iter().any(|message| text_of(&message["content"]).to_lowercase().contains("json"));
        if format["type"] == "json_object" && !asks() {
            let message =
                "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'.";
            return Err(errors::invalid(message, "messages", None));
        }
        if format["type"] == "json_schema" && !format["json_schema"]["name"].is_string() {
            return Err(errors::missing("response_format.json_schema.name"));
        }
        Ok(())
    }
}

fn no_messages() -> Reply {
    let message =
        "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty array instead.";
    errors::invalid(message, "messages", Some("empty_array"))
}

fn check_role(n: usize, message: &Value) -> Result<(), Reply> {
    let param = format!("messages[{n}].role");
    match message["role"].as_str() {
        None => Err(errors::missing(&param)),
        Some("system" | "developer" | "user" | "assistant" | "tool" | "function") => Ok(()),
        Some(other) => {
            let message = format!("Invalid value: '{other}'. Supported values are: {ROLES}.");
            Err(errors::invalid(&message, &param, Some("invalid_value")))
        }
    }
}

/// Every call is answered right behind it, and nothing else is.
fn check_results(messages: &[Value]) -> Result<(), Reply> {
    let mut open: Vec<&str> = Vec::new();
    for (n, message) in messages.iter().enumerate() {
        if message["role"] == "tool" {
            let id = message["tool_call_id"].as_str().unwrap_or_default();
            let before = open.len();
            open.retain(|known| *known != id);
            if open.len() == before {
                let text = "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with 'tool_calls'.";
                return Err(errors::invalid(text, &format!("messages.[{n}].role"), None));
            }
            continue;
        }
        check_answered(n, &open)?;
        let calls = message["tool_calls"].as_array().into_iter().flatten();
        open = calls.filter_map(|call| call["id"].as_str()).collect();
    }
    check_answered(messages.len(), &open)
}

fn check_answered(n: usize, open: &[&str]) -> Result<(), Reply> {
    if open.is_empty() {
        return Ok(());
    }
    let message = format!(
        "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. The following tool_call_ids did not have response messages: {}",
        open.join(", ")
    );
    Err(errors::invalid(&message, &format!("messages.[{n}].role"), None))
}
