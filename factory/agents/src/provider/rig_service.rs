//! [`RigService`]: one configured model, asked turn by turn.

use futures::StreamExt;
use model::{
    budget::Spend,
    event::agent::{Block, Stop},
};
use rig_core::{
    DynModel,
    completion::{CompletionRequest, CompletionResponse, OnUnsupported, Usage, message::EmptyToolName},
    error::ProviderError,
    operation::Completion,
    streaming::{Item, StreamEvent},
};
use serde_json::json;

use super::{
    Backoff, Provider, ProviderConfig, TurnFailure, rig_messages,
    rig_model::{rig_model, rig_reasoning},
};
use crate::conversation::{Message, ToolDefinition, text_of};

/// A model with its connection pool and policies (RIG-4). Cheap to share behind an `Arc`.
pub struct RigService {
    config: ProviderConfig,
    model: DynModel<Completion>,
}

/// In practice: this machine has no certificate authorities, and the model is not on this machine.
#[derive(Debug, thiserror::Error)]
#[error(
    "set up the HTTP client for models: {}; install ca-certificates, or set SSL_CERT_FILE to a file of trusted certificates",
    innermost(.0)
)]
pub struct RigServiceError(#[from] reqwest::Error);

/// The client's own text is "builder error", whatever the reason.
fn innermost(error: &reqwest::Error) -> String {
    let chain = std::iter::successors(Some(error as &dyn std::error::Error), |error| error.source());
    chain.last().map(ToString::to_string).unwrap_or_default()
}

/// What one turn is asked with. The tools are sent every time: a request without them would void the history's calls.
#[derive(Clone, Copy, Debug)]
pub struct TurnRequest<'a> {
    pub system: &'a str,
    pub history: &'a [Message],
    pub tools: &'a [ToolDefinition],
}

/// The whole reply of one turn.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    pub blocks: Vec<Block>,
    pub stop: Stop,
    pub spent: Spend,
}

/// A piece of a reply while it arrives. Not durable: void if the turn fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delta<'a> {
    Text(&'a str),
    Thinking(&'a str),
    /// A call of this tool has begun; its arguments follow with the reply.
    ToolCall(&'a str),
    /// What came of this turn so far is void; it is asked again.
    Voided,
}

/// A completion without tools.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    pub text: String,
    pub stop: Stop,
    /// All attempts together.
    pub spent: Spend,
}

impl RigService {
    pub fn new(config: ProviderConfig) -> Result<Self, RigServiceError> {
        let model = rig_model(&config)?;
        Ok(Self { config, model })
    }

    pub fn config(&self) -> &ProviderConfig {
        &self.config
    }

    /// Asks once, as a stream.
    ///
    /// # Cancel safety
    /// Dropping the future closes the connection; nothing else is left.
    pub async fn turn(
        &self,
        request: TurnRequest<'_>,
        on_delta: &mut (dyn FnMut(Delta<'_>) + Send),
    ) -> Result<Reply, TurnFailure> {
        let mut delivered = false;
        let mut noting = |delta: Delta<'_>| {
            delivered = true;
            on_delta(delta);
        };
        let outcome = self.stream(request, &mut noting).await;
        let response = outcome.map_err(|error| self.failure(&error, delivered))?;
        Ok(Reply {
            blocks: rig_messages::blocks(&response),
            stop: rig_messages::stop(&response),
            spent: spend(&response.usage),
        })
    }

    /// One completion without tools, with retries: what judges ask with.
    pub async fn complete(&self, prompt: &str, system: &str) -> Result<Answer, TurnFailure> {
        let history = [Message::User(prompt.to_owned())];
        let request = TurnRequest { system, history: &history, tools: &[] };
        let mut backoff = Backoff::new(&self.config);
        loop {
            let failure = match self.turn(request, &mut |_| {}).await {
                Ok(reply) => {
                    return Ok(Answer { text: text_of(&reply.blocks), stop: reply.stop, spent: reply.spent });
                }
                Err(failure) => failure,
            };
            let Some(wait) = backoff.after(&failure) else { return Err(failure) };
            tracing::debug!(wait_ms = wait.as_millis(), reason = %failure, "asking the model again");
            tokio::time::sleep(wait).await;
        }
    }

    /// Gemini's key is a part of the address, and proxies echo headers: an event must hold neither.
    fn failure(&self, error: &ProviderError, delivered: bool) -> TurnFailure {
        let mut failure = TurnFailure::from_rig(error, delivered);
        let key = self.config.api_key.expose();
        if !key.is_empty() {
            failure.message = failure.message.replace(key, "[redacted]");
        }
        failure
    }

    async fn stream(
        &self,
        request: TurnRequest<'_>,
        on_delta: &mut (dyn FnMut(Delta<'_>) + Send),
    ) -> Result<CompletionResponse, ProviderError> {
        let request = self.rig_request(request).map_err(ProviderError::request)?;
        let mut stream = self.model.stream(request)?;
        while let Some(item) = stream.next().await {
            match item? {
                Item::Event(StreamEvent::Text { text, .. }) => on_delta(Delta::Text(&text)),
                Item::Event(StreamEvent::Reasoning { text, .. }) => on_delta(Delta::Thinking(&text)),
                Item::Event(StreamEvent::Start { name: Some(name), .. }) => on_delta(Delta::ToolCall(name.as_str())),
                Item::Event(
                    StreamEvent::Start { name: None, .. } | StreamEvent::Arguments { .. } | StreamEvent::End { .. },
                )
                | Item::Unknown(_) => {}
            }
        }
        stream.finish().await
    }

    fn rig_request(&self, request: TurnRequest<'_>) -> Result<CompletionRequest, EmptyToolName> {
        let mut rig = CompletionRequest::new("");
        if self.config.provider == Provider::Openai {
            rig = rig.additional_params(json!({"store": false}));
        }
        rig.chat_history = rig_messages::rig_history(request.system, request.history);
        let tools = rig_messages::rig_tools(request.tools)?;
        let rig = rig
            .max_tokens(self.config.max_tokens)
            .temperature(self.config.temperature)
            .accept_unknown_finish_reasons(true)
            .on_unsupported(OnUnsupported::Ignore);
        let rig = match self.config.reasoning_effort {
            Some(effort) => rig.reasoning(rig_reasoning(effort)),
            None => rig,
        };
        Ok(if tools.is_empty() { rig } else { rig.tools(tools).parallel_tool_calls(true) })
    }
}

/// At list price: a scripted model costs what the real one would have.
fn spend(usage: &Usage) -> Spend {
    let dollars = usage.cost.map_or(0.0, |cost| cost.total);
    Spend {
        cost_usd_micros: (dollars * 1_000_000.0).round() as u64,
        input_tokens: usage.input_tokens.unwrap_or(0),
        output_tokens: usage.output_tokens.unwrap_or(0),
        model_calls: 1,
    }
}
