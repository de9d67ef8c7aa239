//! The model of a run, ready to be asked: a provider's, or a script that the LLM twin plays over HTTP.

use std::sync::{Arc, Mutex, PoisonError};

use agents::{Profile, ProviderConfig, RigService, Secret};
use async_trait::async_trait;
use judges::{Ask, AskError, Prompt};
use model::budget::Spend;
use serde_json::json;
use twins::{Engine, EngineOptions, Served, Space};

use crate::{
    model_access::Provider,
    perform::{Failure, Job},
    seed::AgentSetting,
};

/// What the LLM twin is asked for where the spec names no model.
const SCRIPTED_MODEL: &str = "claude-sonnet-4-6";
const SCRIPT_KEY: &str = "sk-ant-script";

/// A model that can be asked. Dropping it ends its twin.
pub(crate) struct ModelHub {
    pub(crate) service: Arc<RigService>,
    pub(crate) profile: Profile,
    /// Where a script plays: its file, for the record.
    pub(crate) script: Option<String>,
    spent: Arc<Mutex<Spend>>,
    twin: Option<(Space, Served)>,
}

/// Connects to the run's model. A run whose agent is an outside command has one too, if it can: for judges.
pub(crate) async fn open(job: &Job) -> Result<Option<ModelHub>, Failure> {
    match &job.seed.settings.agent {
        AgentSetting::Script { path, model, profile } => {
            let shown = path.strip_prefix(&job.seed.settings.repository).unwrap_or(path).display().to_string();
            scripted(job, path, shown, model.as_deref(), profile.as_deref()).await.map(Some)
        }
        AgentSetting::Provider { provider, model, .. } => {
            let known = job.factory.provider.as_ref().filter(|known| known.name == *provider);
            let known = known.ok_or_else(|| {
                Failure::permanent(format!("the run asks {provider}, whose key is no longer set: set it and resume"))
            })?;
            keyed(known, model.as_deref()).map(Some)
        }
        AgentSetting::Command { .. } => job.factory.provider.as_ref().map(|known| keyed(known, None)).transpose(),
    }
}

async fn scripted(
    job: &Job,
    path: &std::path::Path,
    shown: String,
    model: Option<&str>,
    profile: Option<&str>,
) -> Result<ModelHub, Failure> {
    let seed = job.seed.settings.seed;
    let engine = Engine::new(EngineOptions { seed, start_at: job.seed.created_at });
    let space = engine.space("model", seed);
    let config = json!({ "api_key": SCRIPT_KEY, "script": path });
    let served = space.serve("anthropic", config).map_err(Failure::permanent)?;
    let base_url = served.base_url.parse().map_err(Failure::permanent)?;
    let model = model.unwrap_or(SCRIPTED_MODEL);
    let config = ProviderConfig::new(agents::Provider::Anthropic, model, Secret::new(SCRIPT_KEY)).at(base_url);
    let service = Arc::new(RigService::new(config).map_err(Failure::transient)?);
    let profile = profile.and_then(Profile::named).unwrap_or(Profile::ANTHROPIC);
    Ok(ModelHub { service, profile, script: Some(shown), spent: Arc::default(), twin: Some((space, served)) })
}

fn keyed(known: &Provider, model: Option<&str>) -> Result<ModelHub, Failure> {
    let provider = match known.name.as_str() {
        "anthropic" => agents::Provider::Anthropic,
        "openai" => agents::Provider::Openai,
        "gemini" => agents::Provider::Gemini,
        "ollama" => agents::Provider::Ollama,
        other => return Err(Failure::permanent(format!("there is no provider `{other}`"))),
    };
    let model = model.or(known.model.as_deref()).unwrap_or(match provider {
        agents::Provider::Anthropic => SCRIPTED_MODEL,
        agents::Provider::Openai | agents::Provider::OpenaiChat => "gpt-5.2",
        agents::Provider::Gemini => "gemini-3-pro",
        agents::Provider::Ollama => "qwen3:8b",
    });
    let mut config = ProviderConfig::new(provider, model, Secret::new(known.key.clone().unwrap_or_default()));
    if let Some(url) = &known.base_url {
        config = config.at(url.parse().map_err(|error| Failure::permanent(format!("`{url}`: {error}")))?);
    }
    let service = Arc::new(RigService::new(config).map_err(Failure::transient)?);
    Ok(ModelHub { service, profile: Profile::of(provider), script: None, spent: Arc::default(), twin: None })
}

impl ModelHub {
    /// The model as a judge.
    pub(crate) fn ask(&self) -> Arc<dyn Ask> {
        Arc::new(ModelJudge { service: Arc::clone(&self.service), spent: Arc::clone(&self.spent) })
    }

    /// What the judges have spent.
    pub(crate) fn judged(&self) -> Spend {
        *self.spent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the twin, if a script was playing.
    pub(crate) async fn close(self) {
        if let Some((space, _served)) = self.twin {
            space.close().await;
        }
    }
}

struct ModelJudge {
    service: Arc<RigService>,
    spent: Arc<Mutex<Spend>>,
}

#[async_trait]
impl Ask for ModelJudge {
    async fn ask(&self, prompt: Prompt) -> Result<String, AskError> {
        let answer = self.service.complete(&prompt.user, &prompt.system).await;
        let answer = answer.map_err(|error| AskError::new(error.to_string()))?;
        *self.spent.lock().unwrap_or_else(PoisonError::into_inner) += answer.spent;
        Ok(answer.text)
    }
}
