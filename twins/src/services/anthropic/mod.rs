//! Anthropic's Messages API, played from a script: whole or streamed, with tools, thinking and usage.
//!
//! Start at `messages` (what a request must be, what an answer is), then `stream` (the order of events).

mod errors;
mod messages;
mod models;
mod request;
mod stream;

use std::{collections::VecDeque, path::PathBuf, sync::Arc};

use serde::Deserialize;
use serde_json::{Value, json};
use subtle::ConstantTimeEq;

use crate::{
    TwinError,
    http::{Reply, Request},
    script::{self, Script},
    twin::{Context, Manifest, Operation, Refusal, Twin, operations},
};

const PLAYED_MAX: usize = 1_000; // labels kept for `state`

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Config {
    api_key: String,
    /// The script to play; without one, messages are refused and everything else works.
    script: Option<PathBuf>,
}

impl Default for Config {
    fn default() -> Self {
        Self { api_key: "sk-ant-twin".to_owned(), script: None }
    }
}

#[derive(Clone)]
pub(super) struct Anthropic {
    api_key: String,
    script: Option<Arc<Script>>,
    played: VecDeque<String>,
}

impl Anthropic {
    pub(super) fn open(config: Config) -> Result<Self, TwinError> {
        let script = config.script.map(|path| script::load(&path)).transpose().map_err(TwinError::Script)?;
        Ok(Self { api_key: config.api_key, script: script.map(Arc::new), played: VecDeque::new() })
    }

    fn note(&mut self, label: &str) {
        self.played.push_back(label.to_owned());
        if self.played.len() > PLAYED_MAX {
            self.played.pop_front();
        }
    }
}

impl Twin for Anthropic {
    const MANIFEST: Manifest = Manifest {
        name: "anthropic",
        api_version: "2023-06-01",
        body_bytes_max: 32 * 1024 * 1024, // the service's own limit
        actions: &[],
    };
    const OPERATIONS: &'static [Operation<Self>] = operations! {
        "messages.create" "POST" "/v1/messages" Self::create_message;
        "messages.count_tokens" "POST" "/v1/messages/count_tokens" Self::count_tokens;
        "models.list" "GET" "/v1/models" Self::list_models;
        "models.retrieve" "GET" "/v1/models/{id}" Self::retrieve_model;
    };

    fn authenticate(&self, request: &Request, _operation: &str) -> Result<(), Refusal> {
        let given = request.header("x-api-key").or_else(|| request.bearer()).ok_or(Refusal::CredentialsMissing)?;
        let right = bool::from(given.as_bytes().ct_eq(self.api_key.as_bytes()));
        if right { Ok(()) } else { Err(Refusal::CredentialsWrong) }
    }

    fn refuse(&self, context: &Context<'_>, refusal: &Refusal) -> Reply {
        errors::refusal(context, refusal)
    }

    fn decorate(&self, context: &Context<'_>, _request: &Request, reply: &mut Reply) {
        reply.set("request-id", errors::request_id(context));
        reply.set("anthropic-organization-id", "00000000-0000-4000-8000-000000000007");
    }

    fn state(&self) -> Value {
        json!({"script": self.script.as_ref().map(|script| &script.name), "played": self.played})
    }

    fn act(&mut self, _: &mut Context<'_>, action: &str, _: &Value) -> Result<Value, String> {
        Err(format!("unknown action `{action}`"))
    }
}
