//! `OpenAI`'s API: chat completions and responses played from a script, whole or streamed; embeddings; files; models.
//!
//! Start at `chat` (a stateless answer), then `responses` (answers that are kept and continued).

mod chat;
mod embeddings;
mod errors;
mod files;
mod models;
mod responses;

use std::path::PathBuf;

use axum::body::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use self::{files::StoredFile, responses::Stored};
use super::llm::{Format, Player, Speed};
use crate::{
    TwinError,
    engine::table::Table,
    http::{Content, Reply, Request},
    tape::{RecordConfig, ReplayConfig, Tape},
    twin::{Context, Manifest, Operation, Refusal, Twin, check_secret, operations},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Config {
    api_key: String,
    /// The script to play; without one, chat and responses are refused and everything else works.
    script: Option<PathBuf>,
    /// Models that exist besides the well-known ones and the script's.
    models: Vec<String>,
    speed: Speed,
    record: Option<RecordConfig>,
    replay: Option<ReplayConfig>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            api_key: "sk-twin".to_owned(),
            script: None,
            models: Vec::new(),
            speed: Speed::default(),
            record: None,
            replay: None,
        }
    }
}

#[derive(Clone)]
pub(super) struct Openai {
    api_key: String,
    models: Vec<String>,
    player: Player,
    tape: Tape,
    out_of_credit: bool,
    responses: Table<Stored>,
    files: Table<StoredFile>,
}

impl Openai {
    pub(super) fn open(config: Config) -> Result<Self, TwinError> {
        Ok(Self {
            api_key: config.api_key,
            models: config.models,
            player: Player::open(config.script, config.speed)?,
            tape: Tape::open(config.record, config.replay)
                .map_err(|why| TwinError::Config { twin: "openai".to_owned(), why })?,
            out_of_credit: false,
            responses: Table::default(),
            files: Table::default(),
        })
    }

    /// What costs money is refused where the account has none left.
    fn check_credit(&self) -> Result<(), Reply> {
        if self.out_of_credit { Err(errors::quota()) } else { Ok(()) }
    }
}

impl Twin for Openai {
    const MANIFEST: Manifest = Manifest {
        name: "openai",
        api_version: "2020-10-01",
        body_bytes_max: 64 * 1024 * 1024, // the service takes more, and files of 512 MB; no test should
        actions: &["exhaust_credit", "restore_credit"],
    };
    const OPERATIONS: &'static [Operation<Self>] = operations! {
        "chat.completions.create" "POST" "/v1/chat/completions" Self::create_completion;
        "responses.create" "POST" "/v1/responses" Self::create_response;
        "responses.retrieve" "GET" "/v1/responses/{response_id}" Self::retrieve_response;
        "responses.delete" "DELETE" "/v1/responses/{response_id}" Self::delete_response;
        "responses.input_items" "GET" "/v1/responses/{response_id}/input_items" Self::list_input_items;
        "models.list" "GET" "/v1/models" Self::list_models;
        "models.retrieve" "GET" "/v1/models/{model}" Self::retrieve_model;
        "embeddings.create" "POST" "/v1/embeddings" Self::create_embeddings;
        "files.create" "POST" "/v1/files" Self::create_file;
        "files.list" "GET" "/v1/files" Self::list_files;
        "files.retrieve" "GET" "/v1/files/{file_id}" Self::retrieve_file;
        "files.content" "GET" "/v1/files/{file_id}/content" Self::file_content;
        "files.delete" "DELETE" "/v1/files/{file_id}" Self::delete_file;
    };

    fn authenticate(&self, request: &Request, _operation: &str) -> Result<(), Refusal> {
        let given = request.bearer().ok_or(Refusal::CredentialsMissing)?;
        if self.tape.is_on() {
            return Ok(()); // the service itself has judged the key, or will
        }
        check_secret(given, &self.api_key)
    }

    fn refuse(&self, _: &Context<'_>, refusal: &Refusal) -> Reply {
        errors::refusal(refusal)
    }

    fn decorate(&self, context: &Context<'_>, request: &Request, reply: &mut Reply) {
        errors::complete(request, reply);
        let processing_ms = reply.pace.as_ref().map_or(1, |pace| pace.total().as_millis());
        // A recorded answer keeps what it has, and so does a refusal that counts.
        reply.set_new("x-request-id", errors::request_id(context));
        reply.set_new("openai-processing-ms", processing_ms.to_string());
        for (name, value) in [
            ("openai-organization", "org-twin"),
            ("openai-version", Self::MANIFEST.api_version),
            ("x-ratelimit-limit-requests", "500"),
            ("x-ratelimit-limit-tokens", "200000"),
            ("x-ratelimit-remaining-requests", "499"),
            ("x-ratelimit-remaining-tokens", "199000"),
            ("x-ratelimit-reset-requests", "120ms"),
            ("x-ratelimit-reset-tokens", "300ms"),
        ] {
            reply.set_new(name, value);
        }
    }

    fn upstream(&self) -> Option<&Url> {
        self.tape.upstream()
    }

    /// A recording stands before everything that the twin would say by itself.
    fn perform(&mut self, context: &mut Context<'_>, request: &Request, operation: &Operation<Self>) -> Reply {
        match self.tape.answer(request) {
            None => (operation.run)(self, context, request).unwrap_or_else(|error| error),
            Some(Ok(reply)) => reply,
            Some(Err(why)) => errors::unscripted(&why),
        }
    }

    fn state(&self) -> Value {
        let mut state = self.player.state();
        state["responses"] = self.responses.newest_first().map(Stored::object).cloned().collect();
        state["files"] = self.files.newest_first().map(StoredFile::object).cloned().collect();
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

    /// Streams here have no names for their events.
    fn error_event(&self, context: &Context<'_>, refusal: &Refusal) -> Bytes {
        let body = self.refuse(context, refusal).body.bytes();
        [b"data: ".as_slice(), &body, b"\n\n"].concat().into()
    }
}

/// The body, where it is an object.
fn json_body(request: &Request) -> Result<&Value, Reply> {
    match &request.content {
        Content::Json(body @ Value::Object(_)) => Ok(body),
        _ => {
            let message = "We could not parse the JSON body of your request. The OpenAI API expects a JSON payload with content-type application/json.";
            Err(errors::error(400, "invalid_request_error", message, None, None))
        }
    }
}

/// Numbers that both ways to ask a model bound.
fn check_numbers(body: &Value) -> Result<(), Reply> {
    for (param, least, most) in [
        ("temperature", 0.0, 2.0),
        ("top_p", 0.0, 1.0),
        ("presence_penalty", -2.0, 2.0),
        ("frequency_penalty", -2.0, 2.0),
    ] {
        let given = &body[param];
        if given.is_null() {
            continue;
        }
        let number = given.as_f64().ok_or_else(|| errors::wrong_type(param, "a decimal", given))?;
        let (side, sign, bound) =
            if number > most { ("above maximum", "<=", most) } else { ("below minimum", ">=", least) };
        if number > most || number < least {
            let code = format!("decimal_{}_value", side.replace("imum", "").replace(' ', "_"));
            let message = format!(
                "Invalid '{param}': decimal {side} value. Expected a value {sign} {bound}, but got {number:?} instead."
            );
            return Err(errors::invalid(&message, param, Some(&code)));
        }
    }
    Ok(())
}

/// What `response_format` and `text.format` ask for; `schema` is where the second holds it directly.
fn format_of(format: &Value) -> Format<'_> {
    match format["type"].as_str() {
        Some("json_object") => Format::AnyJson,
        Some("json_schema") => {
            let nested = &format["json_schema"]["schema"];
            Format::Schema(if nested.is_null() { &format["schema"] } else { nested })
        }
        _ => Format::Text,
    }
}

/// Text, or the text parts of a list, one per line.
fn text_of(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => {
            let texts = parts.iter().filter_map(|part| part["text"].as_str().or_else(|| part["refusal"].as_str()));
            texts.collect::<Vec<_>>().join("\n")
        }
        _ => String::new(),
    }
}

/// `length` hexadecimal digits from a token: the service's ids have no other letters.
fn hex(token: &str, length: usize) -> String {
    hex::encode(blake3::hash(token.as_bytes()).as_bytes())[..length].to_owned()
}

/// A fresh id in the service's form: the prefix and 48 hexadecimal digits.
fn hex_id(context: &mut Context<'_>, prefix: &'static str) -> String {
    let token = context.id(prefix, 24);
    format!("{prefix}{}", hex(&token, 48))
}
