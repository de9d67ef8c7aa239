//! Between the neutral history and Rig's messages, both ways.
//!
//! Events hold neutral blocks. What only the provider understands and wants back (signatures, encrypted reasoning)
//! travels in the `opaque` of a thinking block: that block's own item, or the item of the block right after it.

use model::event::agent::{Block, Stop};
use rig_core::completion::{
    CompletionResponse, FinishReason, ToolDefinition as RigToolDefinition,
    message::{
        AssistantContent, AssistantMessage, CallId, EmptyToolName, Message as RigMessage, Origin, Reasoning, Text,
        ToolCall as RigToolCall, ToolFunction, ToolName, ToolResult, ToolResultContent,
    },
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::conversation::{CallResult, Message, ToolDefinition};

/// What `opaque` holds: enough to give the very same item back to the very same model, and only to it.
#[derive(Serialize, Deserialize)]
struct RigOpaque {
    origin: Origin,
    content: AssistantContent,
}

pub(super) fn rig_tools(tools: &[ToolDefinition]) -> Result<Vec<RigToolDefinition>, EmptyToolName> {
    let tool = |tool: &ToolDefinition| {
        let name = ToolName::new(tool.name.as_str())?;
        Ok(RigToolDefinition::new(name, tool.description.as_str(), tool.parameters.clone()))
    };
    tools.iter().map(tool).collect()
}

pub(super) fn rig_history(system: &str, history: &[Message]) -> Vec<RigMessage> {
    let system = (!system.is_empty()).then(|| RigMessage::system(system));
    system.into_iter().chain(history.iter().filter_map(rig_message)).collect()
}

fn rig_message(message: &Message) -> Option<RigMessage> {
    match message {
        Message::User(text) => Some(RigMessage::user(text.as_str())),
        Message::Assistant(blocks) => rig_assistant(blocks).map(RigMessage::Assistant),
        Message::Results(results) => {
            let results: Vec<ToolResult> = results.iter().filter_map(rig_result).collect();
            (!results.is_empty()).then(|| RigMessage::tool_results(results))
        }
    }
}

fn rig_result(result: &CallResult) -> Option<ToolResult> {
    Some(ToolResult {
        call: rig_call_id(&result.call),
        name: ToolName::new(result.name.as_str()).ok()?,
        content: vec![ToolResultContent::text(result.text.as_str())],
        is_error: !result.ok,
    })
}

/// `None` where nothing is left to send: providers refuse empty messages.
fn rig_assistant(blocks: &[Block]) -> Option<AssistantMessage> {
    let mut origin = None;
    let mut content: Vec<AssistantContent> = Vec::new();
    let mut next: Option<AssistantContent> = None;
    for block in blocks {
        let rebuilt = match block {
            Block::Thinking { opaque: Some(opaque), .. } => {
                let Ok(opaque) = RigOpaque::deserialize(opaque) else { continue };
                origin = Some(opaque.origin);
                match opaque.content {
                    attached @ (AssistantContent::Text(_) | AssistantContent::ToolCall(_)) => {
                        next = Some(attached);
                        continue;
                    }
                    own => own,
                }
            }
            Block::Thinking { text, opaque: None } => AssistantContent::Reasoning(Reasoning::new(text.as_str())),
            Block::Text { text } => next.take().unwrap_or_else(|| AssistantContent::text(text.as_str())),
            Block::ToolCall { call, name, arguments } => match next.take() {
                Some(AssistantContent::ToolCall(attached)) => {
                    AssistantContent::ToolCall(RigToolCall { id: rig_call_id(call), ..attached })
                }
                _ => rig_call(call, name, arguments)?,
            },
        };
        content.push(rebuilt);
    }
    content.retain(|block| !block.is_blank());
    (!content.is_empty()).then(|| AssistantMessage::new(content).with_origin(origin))
}

fn rig_call(call: &str, name: &str, arguments: &Value) -> Option<AssistantContent> {
    let function = ToolFunction::new(ToolName::new(name).ok()?, arguments.clone());
    Some(AssistantContent::ToolCall(RigToolCall::new(rig_call_id(call), function)))
}

/// Calls that the provider sent without an id go back without one.
const LOCAL_PREFIX: &str = "local:";

fn rig_call_id(call: &str) -> CallId {
    let local = call.strip_prefix(LOCAL_PREFIX).and_then(|id| CallId::deserialize(json!({"local": id})).ok());
    local.unwrap_or_else(|| CallId::from_wire(call))
}

fn call_id(id: &CallId) -> String {
    if id.is_local() { format!("{LOCAL_PREFIX}{id}") } else { id.wire().into_owned() }
}

/// The neutral blocks of a reply.
pub(super) fn blocks(response: &CompletionResponse) -> Vec<Block> {
    let mut blocks = Vec::with_capacity(response.choice.len());
    let mut calls: Vec<String> = Vec::new();
    for (at, content) in response.choice.iter().enumerate() {
        let before = at.checked_sub(1).map(|before| &response.choice[before]);
        if must_return(response.origin.api.as_str(), before, content) {
            blocks.push(Block::Thinking { text: String::new(), opaque: opaque(&response.origin, content) });
        }
        blocks.push(match content {
            AssistantContent::Text(Text { text, .. }) => Block::Text { text: text.clone() },
            AssistantContent::ToolCall(call) => {
                calls.push(unused(call_id(&call.id), &calls));
                Block::ToolCall {
                    call: calls[calls.len() - 1].clone(),
                    name: call.function.name.as_str().to_owned(),
                    arguments: arguments(&call.function),
                }
            }
            AssistantContent::Reasoning(reasoning) => {
                Block::Thinking { text: reasoning.text.clone(), opaque: opaque(&response.origin, content) }
            }
            // Steps of the provider's own tools, images, and whatever a later Rig adds: kept, not understood.
            _ => Block::Thinking { text: String::new(), opaque: opaque(&response.origin, content) },
        });
    }
    blocks
}

/// `None` where the provider has nothing to get back.
fn opaque(origin: &Origin, content: &AssistantContent) -> Option<Value> {
    let returned = content.native_item().is_some() || matches!(content, AssistantContent::Opaque(_));
    let opaque = || RigOpaque { origin: origin.clone(), content: content.clone() };
    returned.then(opaque).and_then(|opaque| serde_json::to_value(opaque).ok())
}

/// Whether a text or a call must go back as the very item that came. Gemini signs the part that a thought led to, not
/// the thought, and refuses a history without it; `OpenAI` takes a reasoning item only with the item that followed it.
fn must_return(api: &str, before: Option<&AssistantContent>, content: &AssistantContent) -> bool {
    if !matches!(content, AssistantContent::Text(_) | AssistantContent::ToolCall(_)) {
        return false;
    }
    let has = |key| content.native_item().is_some_and(|item| item.get(key).is_some());
    let follows_reasoning = matches!(before, Some(AssistantContent::Reasoning(_) | AssistantContent::Opaque(_)));
    has("thoughtSignature") || (api == "openai.responses" && follows_reasoning)
}

/// Arguments that are not an object are kept as the text that came, so that the model can be told what it sent.
fn arguments(function: &ToolFunction) -> Value {
    match &function.invalid_arguments {
        Some(text) => Value::String(text.clone()),
        None => function.arguments_value(),
    }
}

/// Some servers number calls from 0 in every reply, or give two the same id: results are matched by id.
fn unused(id: String, taken: &[String]) -> String {
    if !taken.contains(&id) {
        return id;
    }
    (2..).map(|n| format!("{id}-{n}")).find(|id| !taken.contains(id)).expect("one of endlessly many numbers is free")
}

pub(super) fn stop(response: &CompletionResponse) -> Stop {
    let refused = response.error.is_some();
    match response.finish_reason() {
        Some(FinishReason::ContentFilter) => Stop::Refusal,
        _ if refused => Stop::Refusal,
        Some(FinishReason::Length) => Stop::MaxTokens,
        Some(FinishReason::ToolCalls) => Stop::ToolUse,
        Some(FinishReason::Stop) | None if response.tool_calls().next().is_some() => Stop::ToolUse,
        Some(FinishReason::Stop) | None => Stop::EndTurn,
        Some(_) => Stop::Other,
    }
}
