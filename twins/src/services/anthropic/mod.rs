//! Anthropic's Messages API, played from a script: whole or streamed, with tools, thinking and usage; in batches, too.
//!
//! Start at `messages` (what a request must be, what an answer is), then `stream` (the order of events).

mod batches;
mod errors;
mod messages;
mod models;
mod pages;
mod request;
mod stream;
mod tools;

use std::path::PathBuf;

use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use self::batches::Batch;
use super::llm::{Player, Speed};
use crate::{
    TwinError,
    engine::table::Table,
    http::{Reply, Request},
    tape::{RecordConfig, ReplayConfig, Tape},
    twin::{Context, Manifest, Operation, Refusal, Twin, check_secret, operations},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Config {
    api_key: String,
    /// The script to play; without one, messages are refused and everything else works.
    script: Option<PathBuf>,
    /// Models that exist besides the well-known ones and the script's.
    models: Vec<String>,
    speed: Speed,
    record: Option<RecordConfig>,
    replay: Option<ReplayConfig>,
    /// How long a batch is processed, in milliseconds of virtual time.
    batch_ms: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            api_key: "sk-ant-twin".to_owned(),
            script: None,
            models: Vec::new(),
            speed: Speed::default(),
            record: None,
            replay: None,
            batch_ms: 60_000,
        }
    }
}

#[derive(Clone)]
pub(super) struct Anthropic {
    api_key: String,
    models: Vec<String>,
    batch_ms: u32,
    player: Player,
    tape: Tape,
    out_of_credit: bool,
    batches: Table<Batch>,
}

impl Anthropic {
    pub(super) fn open(config: Config) -> Result<Self, TwinError> {
        Ok(Self {
            api_key: config.api_key,
            models: config.models,
            batch_ms: config.batch_ms,
            player: Player::open(config.script, config.speed)?,
            tape: Tape::open(config.record, config.replay)
                .map_err(|why| TwinError::Config { twin: "anthropic".to_owned(), why })?,
            out_of_credit: false,
            batches: Table::default(),
        })
    }
}

impl Twin for Anthropic {
    const MANIFEST: Manifest = Manifest {
        name: "anthropic",
        api_version: "2023-06-01",
        body_bytes_max: 32 * 1024 * 1024, // the service's own limit
        actions: &["exhaust_credit", "restore_credit"],
    };
    const OPERATIONS: &'static [Operation<Self>] = operations! {
        "messages.create" "POST" "/v1/messages" Self::create_message;
        "messages.count_tokens" "POST" "/v1/messages/count_tokens" Self::count_tokens;
        "messages.batches.create" "POST" "/v1/messages/batches" Self::create_batch;
        "messages.batches.list" "GET" "/v1/messages/batches" Self::list_batches;
        "messages.batches.retrieve" "GET" "/v1/messages/batches/{batch_id}" Self::retrieve_batch;
        "messages.batches.cancel" "POST" "/v1/messages/batches/{batch_id}/cancel" Self::cancel_batch;
        "messages.batches.delete" "DELETE" "/v1/messages/batches/{batch_id}" Self::delete_batch;
        "messages.batches.results" "GET" "/v1/messages/batches/{batch_id}/results" Self::batch_results;
        "models.list" "GET" "/v1/models" Self::list_models;
        "models.retrieve" "GET" "/v1/models/{id}" Self::retrieve_model;
    };

    fn authenticate(&self, request: &Request, _operation: &str) -> Result<(), Refusal> {
        let given = request.header("x-api-key").or_else(|| request.bearer()).ok_or(Refusal::CredentialsMissing)?;
        if self.tape.is_on() {
            return Ok(()); // the service itself has judged the key, or will
        }
        check_secret(given, &self.api_key)
    }

    fn refuse(&self, context: &Context<'_>, refusal: &Refusal) -> Reply {
        errors::refusal(context, refusal)
    }

    fn decorate(&self, context: &Context<'_>, _request: &Request, reply: &mut Reply) {
        // A recorded answer keeps what it has.
        reply.set_new("request-id", errors::request_id(context));
        reply.set_new("anthropic-organization-id", "00000000-0000-4000-8000-000000000007");
    }

    fn upstream(&self) -> Option<&Url> {
        self.tape.upstream()
    }

    /// A recording stands before everything that the twin would say by itself.
    fn perform(&mut self, context: &mut Context<'_>, request: &Request, operation: &Operation<Self>) -> Reply {
        match self.tape.answer(request) {
            None => (operation.run)(self, context, request).unwrap_or_else(|error| error),
            Some(Ok(reply)) => reply,
            Some(Err(why)) => errors::unscripted(context, &why),
        }
    }

    fn state(&self) -> Value {
        let mut state = self.player.state();
        state["batches"] = self.batches.newest_first().map(Batch::kept).collect();
        state
    }

    fn act(&mut self, _: &mut Context<'_>, action: &str, _: &Value) -> Result<Value, String> {
        self.out_of_credit = match action {
            "exhaust_credit" => true,
            "restore_credit" => false,
            _ => return Err(format!("unknown action `{action}`")),
        };
        Ok(json!({"out_of_credit": self.out_of_credit}))
    }
}
