//! Responses: answers that are kept, read back, and continued by the id of the one before.
//!
//! Start at [`Openai::create_response`]; `request` is what comes in, `items` what goes out, `stream` its order of events.

mod items;
mod request;
mod stream;

use serde_json::{Value, json};

use self::{items::Output, request::Ask};
use super::{Openai, check_numbers, errors, hex_id, json_body, models};
use crate::{
    http::{Reply, Request},
    script::StopReason,
    services::llm::{Said, ascii},
    twin::{Answer, Context},
};

const KEPT_MAX: usize = 1_000; // conversations of a test are far shorter
const PAGE_MAX: usize = 100; // the service's own limit
const PAGE_DEFAULT: usize = 20;

/// A response with the conversation up to it.
#[derive(Clone)]
pub(super) struct Stored {
    object: Value,
    /// What this request added.
    input: Vec<Value>,
    /// Everything before and with this response, oldest first.
    conversation: Vec<Value>,
}

impl Stored {
    pub(super) fn object(&self) -> &Value {
        &self.object
    }
}

impl Openai {
    pub(super) fn create_response(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let body = json_body(request)?;
        let asked = body["model"].as_str().ok_or_else(|| errors::missing("model"))?;
        let model = self.resolve(asked).ok_or_else(|| no_such_model(asked))?;
        check_numbers(body)?;
        let before = self.conversation_before(body)?;
        let ask = Ask::read(context, body, before)?;
        self.check_credit()?;
        let said = self.player.answer(&ask.facts(), &ask.wishes()).map_err(|why| errors::unscripted(&why))?;
        let label = ascii(&said.label);
        let input_tokens = self.player.input_tokens(ask.characters());
        let pace = self.player.pace(said.output_tokens);
        let response = Response::new(context, body, &model, said, input_tokens);
        self.keep(&ask, &response);
        let reply = if ask.streams() {
            Reply::events(stream::frames(&response, &context.request_token, ask.obfuscates()))
        } else {
            Reply::json(200, &response.finished())
        };
        Ok(reply.header("x-twin-script", label).paced(pace))
    }

    pub(super) fn retrieve_response(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        Ok(Reply::json(200, self.stored(request)?.object()))
    }

    pub(super) fn delete_response(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        self.stored(request)?;
        let id = request.param("response_id");
        self.responses.remove(id);
        Ok(Reply::json(200, &json!({"id": id, "object": "response", "deleted": true})))
    }

    pub(super) fn list_input_items(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let stored = self.stored(request)?;
        let query = &request.query;
        let mut items: Vec<&Value> = stored.input.iter().collect();
        if query["order"] != "asc" {
            items.reverse();
        }
        let limit = query["limit"].as_str().map_or(Some(PAGE_DEFAULT), |given| given.parse().ok());
        let limit = limit.filter(|limit| (1..=PAGE_MAX).contains(limit));
        let message = format!("Invalid 'limit': expected an integer from 1 to {PAGE_MAX}.");
        let limit = limit.ok_or_else(|| errors::invalid(&message, "limit", Some("invalid_value")))?;
        let start = query["after"].as_str().and_then(|after| items.iter().position(|item| item["id"] == after));
        let start = start.map_or(0, |at| at + 1);
        let page: Vec<&&Value> = items[start..].iter().take(limit).collect();
        let has_more = items.len() - start > page.len();
        let (first, last) = (page.first().map(|item| &item["id"]), page.last().map(|item| &item["id"]));
        let list = json!({"object": "list", "data": page, "has_more": has_more, "first_id": first, "last_id": last});
        Ok(Reply::json(200, &list))
    }

    fn stored(&self, request: &Request) -> Result<&Stored, Reply> {
        let id = request.param("response_id");
        self.responses.get(id).ok_or_else(|| errors::not_found(&format!("Response with id '{id}' not found."), None))
    }

    fn conversation_before(&self, body: &Value) -> Result<Vec<Value>, Reply> {
        let Some(id) = body["previous_response_id"].as_str() else { return Ok(Vec::new()) };
        let message = format!("Previous response with id '{id}' not found.");
        let param = "previous_response_id";
        let gone = || errors::invalid(&message, param, Some("previous_response_not_found"));
        self.responses.get(id).map(|stored| stored.conversation.clone()).ok_or_else(gone)
    }

    fn keep(&mut self, ask: &Ask<'_>, response: &Response) {
        if response.object["store"] == false {
            return;
        }
        if self.responses.len() == KEPT_MAX {
            self.responses.remove_oldest();
        }
        let output = response.output.iter().map(Output::finished);
        let conversation = ask.conversation().chain(output).collect();
        let stored = Stored { object: response.finished(), input: ask.input().to_vec(), conversation };
        self.responses.insert(&response.id, stored);
    }
}

fn no_such_model(asked: &str) -> Reply {
    let message = format!("The requested model '{asked}' does not exist.");
    errors::invalid(&message, "model", Some("model_not_found"))
}

/// An answer with its ids, ready for either wire form.
struct Response {
    id: String,
    /// As it stands before anything is written.
    object: Value,
    output: Vec<Output>,
    usage: Value,
    created: i64,
    incomplete: Option<&'static str>,
}

impl Response {
    fn new(context: &mut Context<'_>, body: &Value, model: &str, said: Said, input_tokens: u64) -> Self {
        let id = hex_id(context, "resp_");
        let usage = json!({"input_tokens": input_tokens, "output_tokens": said.output_tokens,
            "total_tokens": input_tokens + said.output_tokens,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens_details": {"reasoning_tokens": said.thinking_tokens}});
        let incomplete = (said.stop == StopReason::MaxTokens).then_some("max_output_tokens");
        let object = echoed(body, &id, model, context.unix());
        let output = items::output(context, body, model, said);
        Self { id, object, output, usage, created: context.unix(), incomplete }
    }

    fn finished(&self) -> Value {
        let mut object = self.object.clone();
        object["output"] = self.output.iter().map(Output::finished).collect();
        object["usage"] = self.usage.clone();
        match self.incomplete {
            Some(reason) => {
                object["status"] = json!("incomplete");
                object["incomplete_details"] = json!({ "reason": reason });
            }
            None => {
                object["status"] = json!("completed");
                object["completed_at"] = json!(self.created);
            }
        }
        object
    }
}

/// The settings of the request with the service's defaults, which every response repeats.
fn echoed(body: &Value, id: &str, model: &str, created: i64) -> Value {
    let or = |field: &str, default: Value| body.get(field).filter(|given| !given.is_null()).cloned().unwrap_or(default);
    let image_tokens = || json!({"image_tokens": 0, "text_tokens": 0});
    json!({
        "id": id, "object": "response", "created_at": created, "completed_at": null, "status": "in_progress",
        "background": or("background", json!(false)), "billing": {"payer": "developer"}, "error": null,
        "frequency_penalty": or("frequency_penalty", json!(0.0)), "incomplete_details": null,
        "instructions": or("instructions", Value::Null), "max_output_tokens": or("max_output_tokens", Value::Null),
        "max_tool_calls": or("max_tool_calls", Value::Null), "metadata": or("metadata", json!({})), "model": model,
        "moderation": null, "output": [], "parallel_tool_calls": or("parallel_tool_calls", json!(true)),
        "presence_penalty": or("presence_penalty", json!(0.0)),
        "previous_response_id": or("previous_response_id", Value::Null),
        "prompt_cache_key": or("prompt_cache_key", Value::Null),
        "prompt_cache_retention": or("prompt_cache_retention", json!("in_memory")),
        "reasoning": reasoning(&body["reasoning"], model), "safety_identifier": or("safety_identifier", Value::Null),
        "service_tier": "default", "store": or("store", json!(true)), "temperature": or("temperature", json!(1.0)),
        "text": text(&body["text"]), "tool_choice": or("tool_choice", json!("auto")),
        "tool_usage": {"image_gen": {"input_tokens": 0, "input_tokens_details": image_tokens(), "output_tokens": 0,
            "output_tokens_details": image_tokens(), "total_tokens": 0}, "web_search": {"num_requests": 0}},
        "tools": body["tools"].as_array().into_iter().flatten().map(tool).collect::<Vec<_>>(),
        "top_logprobs": or("top_logprobs", json!(0)), "top_p": or("top_p", json!(1.0)),
        "truncation": or("truncation", json!("disabled")), "usage": null, "user": or("user", Value::Null),
    })
}

fn reasoning(asked: &Value, model: &str) -> Value {
    if !models::reasons(model) {
        return json!({"context": null, "effort": null, "summary": null});
    }
    let or = |field: &str, default: &str| asked[field].as_str().unwrap_or(default).to_owned();
    json!({"context": or("context", "current_turn"), "effort": or("effort", "medium"),
        "mode": or("mode", "standard"), "summary": asked["summary"]})
}

fn text(asked: &Value) -> Value {
    let mut format = asked["format"].clone();
    if format.is_null() {
        format = json!({"type": "text"});
    }
    if format["type"] == "json_schema" && format.get("description").is_none() {
        format["description"] = Value::Null;
    }
    json!({"format": format, "verbosity": asked["verbosity"].as_str().unwrap_or("medium")})
}

fn tool(asked: &Value) -> Value {
    let mut tool = asked.clone();
    if tool["type"] == "function" && tool.is_object() {
        for (field, default) in [("description", Value::Null), ("output_schema", Value::Null), ("strict", json!(true))]
        {
            if tool.get(field).is_none() {
                tool[field] = default;
            }
        }
    }
    tool
}
