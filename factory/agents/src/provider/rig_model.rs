//! From a [`ProviderConfig`] to a connected Rig model.

use std::time::Duration;

use rig_core::{
    DynModel,
    completion::{Effort, Reasoning},
    http_client::DynHttpClient,
    operation::Completion,
    providers::{anthropic::wire::AnthropicConfig, gemini::GeminiConfig, ollama::OllamaConfig, openai::OpenAIConfig},
};

use super::{Provider, ProviderConfig, ReasoningEffort};

/// One connection pool per service; nothing is sent before the first turn.
pub(super) fn rig_model(config: &ProviderConfig) -> Result<DynModel<Completion>, reqwest::Error> {
    let http = http(config)?;
    let key = config.api_key.expose();
    let base = config.base_url.as_ref().map(|url| url.as_str().trim_end_matches('/').to_owned());
    let model = config.model.as_str();
    Ok(match config.provider {
        Provider::Anthropic => {
            let provider = AnthropicConfig::new(key);
            let provider = match base {
                Some(base) => provider.with_base_url(base),
                None => provider,
            };
            let mut bound = provider.connect(http).completion(model);
            bound.wire = bound.wire.with_prompt_caching();
            bound.erase()
        }
        Provider::Openai => openai(key, base).connect(http).responses(model).erase(),
        Provider::OpenaiChat => openai(key, base).connect(http).chat(model).erase(),
        Provider::Gemini => {
            let provider = GeminiConfig::new(key);
            let provider = match base {
                Some(base) => provider.with_base_url(base),
                None => provider,
            };
            provider.connect(http).completion(model).erase()
        }
        Provider::Ollama => {
            let provider = OllamaConfig::new().with_api_key(key);
            let provider = match base {
                Some(base) => provider.with_base_url(base),
                None => provider,
            };
            provider.connect(http).native_completion(model).erase()
        }
    })
}

pub(super) fn rig_reasoning(effort: ReasoningEffort) -> Reasoning {
    match effort {
        ReasoningEffort::Off => Reasoning::Off,
        ReasoningEffort::Minimal => Reasoning::Effort(Effort::Minimal),
        ReasoningEffort::Low => Reasoning::Effort(Effort::Low),
        ReasoningEffort::Medium => Reasoning::Effort(Effort::Medium),
        ReasoningEffort::High => Reasoning::Effort(Effort::High),
    }
}

fn openai(key: &str, base: Option<String>) -> OpenAIConfig {
    let provider = OpenAIConfig::new(key);
    match base {
        Some(base) => provider.with_base_url(base),
        None => provider,
    }
}

/// A model on this machine speaks plain HTTP: where no authority can be loaded, a client without any does for it.
fn http(config: &ProviderConfig) -> Result<DynHttpClient, reqwest::Error> {
    let client = match settings(config).build() {
        Err(_) if is_plain(config) => settings(config).tls_certs_only([]).build()?,
        built => built?,
    };
    Ok(DynHttpClient::new(rig_reqwest::ReqwestClient::from(client)))
}

/// Rig has no time-outs of its own.
fn settings(config: &ProviderConfig) -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .connect_timeout(Duration::from_millis(config.connect_timeout_ms))
        .read_timeout(Duration::from_millis(config.read_timeout_ms))
        .tcp_nodelay(true)
}

/// Without an address of its own a config means the provider's, which is HTTPS but for Ollama's.
fn is_plain(config: &ProviderConfig) -> bool {
    config.base_url.as_ref().map_or(config.provider == Provider::Ollama, |url| url.scheme() == "http")
}
