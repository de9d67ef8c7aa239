//! Models of any provider behind one type.
//!
//! Owns: connecting, streaming, time-outs, retries, usage and cost. Never does: tools, history, budgets; those are the
//! session's. Everything that touches Rig is named `Rig…` and lives below this module. Start at [`RigService`].

mod failure;
mod retry;
mod rig_messages;
mod rig_model;
mod rig_service;

use serde::Deserialize;
use url::Url;

use crate::secret::Secret;

pub use failure::{FailureKind, TurnFailure};
pub(crate) use retry::Backoff;
pub use rig_service::{Answer, Delta, Reply, RigService, RigServiceError, TurnRequest};

/// How to reach a model, and how to ask it.
///
/// ```toml
/// provider = "anthropic"
/// model = "claude-sonnet-4-6"
/// base_url = "http://127.0.0.1:4010"   # default: the provider's own
/// ```
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProviderConfig {
    pub provider: Provider,
    pub model: String,
    /// For `openai` and `openai_chat` it includes `/v1`; for the others it is the root.
    #[serde(default)]
    pub base_url: Option<Url>,
    #[serde(default)]
    pub api_key: Secret,
    /// Most tokens of one reply. Default 16,384.
    #[serde(default = "max_tokens")]
    pub max_tokens: u64,
    #[serde(default)]
    pub temperature: Option<f64>,
    #[serde(default)]
    pub reasoning_effort: Option<ReasoningEffort>,
    /// Default 10 s.
    #[serde(default = "connect_timeout_ms")]
    pub connect_timeout_ms: u64,
    /// Longest silence of the provider before or in the middle of a reply. Default 120 s.
    #[serde(default = "read_timeout_ms")]
    pub read_timeout_ms: u64,
    /// Attempts after the first one. Default 2.
    #[serde(default = "retries_max")]
    pub retries_max: u32,
    /// The first wait between two attempts; doubles each time. Default 1 s.
    #[serde(default = "retry_base_ms")]
    pub retry_base_ms: u64,
}

impl ProviderConfig {
    pub fn new(provider: Provider, model: impl Into<String>, api_key: Secret) -> Self {
        Self {
            provider,
            model: model.into(),
            base_url: None,
            api_key,
            max_tokens: max_tokens(),
            temperature: None,
            reasoning_effort: None,
            connect_timeout_ms: connect_timeout_ms(),
            read_timeout_ms: read_timeout_ms(),
            retries_max: retries_max(),
            retry_base_ms: retry_base_ms(),
        }
    }

    #[must_use]
    pub fn at(mut self, base_url: Url) -> Self {
        self.base_url = Some(base_url);
        self
    }
}

fn max_tokens() -> u64 {
    16_384
}

fn connect_timeout_ms() -> u64 {
    10_000
}

fn read_timeout_ms() -> u64 {
    120_000
}

fn retries_max() -> u32 {
    2
}

fn retry_base_ms() -> u64 {
    1_000
}

/// A wire protocol and the service that speaks it by default.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Provider {
    Anthropic,
    /// The Responses API.
    Openai,
    /// Chat Completions, of any server that is compatible.
    OpenaiChat,
    Gemini,
    Ollama,
}

impl Provider {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Anthropic => "anthropic",
            Self::Openai => "openai",
            Self::OpenaiChat => "openai_chat",
            Self::Gemini => "gemini",
            Self::Ollama => "ollama",
        }
    }
}

/// How long the model may think; a model without the choice ignores it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReasoningEffort {
    Off,
    Minimal,
    Low,
    Medium,
    High,
}
