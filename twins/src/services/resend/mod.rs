//! Resend: sends mail at once or later, keeps what became of it, and tells by signed webhooks. Domains and API keys.
//!
//! `emails` is the heart; `errors` says no in the service's words.

mod domains;
mod emails;
mod errors;
mod keys;
mod lists;
mod webhooks;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use self::{domains::Domain, emails::Email, keys::Key, webhooks::Hook};
use crate::{
    engine::{idempotency::IdempotencyRule, outbox::Endpoint, table::Table},
    http::{Reply, Request},
    twin::{Answer, Context, Event, Manifest, Operation, Refusal, Twin, check_secret, operations},
};

const BODY_BYTES_MAX: usize = 40 * 1024 * 1024; // the service's own limit for a message with its attachments

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Config {
    api_key: String,
    /// Verified domains; where left out, mail may come from any.
    domains: Option<Vec<String>>,
    webhooks: Vec<Endpoint>,
}

impl Default for Config {
    fn default() -> Self {
        Self { api_key: "re_twin".to_owned(), domains: None, webhooks: Vec::new() }
    }
}

#[derive(Clone)]
pub(super) struct Resend {
    api_key: String,
    /// Mail from a domain that is not verified is refused.
    checks_domains: bool,
    emails: Table<Email>,
    domains: Table<Domain>,
    keys: Table<Key>,
    /// Ids of keys, by their tokens.
    tokens: BTreeMap<String, String>,
    hooks: Table<Hook>,
    configured: Vec<Endpoint>,
    /// The configured ones and those made over the API.
    endpoints: Vec<Endpoint>,
}

impl Resend {
    pub(super) fn open(config: Config) -> Self {
        let mut twin = Self {
            api_key: config.api_key,
            checks_domains: config.domains.is_some(),
            emails: Table::default(),
            domains: Table::default(),
            keys: Table::default(),
            tokens: BTreeMap::new(),
            hooks: Table::default(),
            endpoints: config.webhooks.clone(),
            configured: config.webhooks,
        };
        config.domains.into_iter().flatten().for_each(|name| twin.add_verified_domain(&name));
        twin
    }
}

impl Twin for Resend {
    const MANIFEST: Manifest = Manifest {
        name: "resend",
        api_version: "2026",
        body_bytes_max: BODY_BYTES_MAX,
        actions: &["bounce", "complain", "open", "click"],
    };
    const OPERATIONS: &'static [Operation<Self>] = operations! {
        "emails.send" "POST" "/emails" Self::send;
        "emails.batch" "POST" "/emails/batch" Self::send_batch;
        "emails.list" "GET" "/emails" Self::list_emails;
        "emails.get" "GET" "/emails/{id}" Self::show_email;
        "emails.update" "PATCH" "/emails/{id}" Self::reschedule;
        "emails.cancel" "POST" "/emails/{id}/cancel" Self::cancel;
        "domains.create" "POST" "/domains" Self::create_domain;
        "domains.list" "GET" "/domains" Self::list_domains;
        "domains.get" "GET" "/domains/{id}" Self::show_domain;
        "domains.update" "PATCH" "/domains/{id}" Self::update_domain;
        "domains.verify" "POST" "/domains/{id}/verify" Self::verify_domain;
        "domains.delete" "DELETE" "/domains/{id}" Self::delete_domain;
        "api_keys.create" "POST" "/api-keys" Self::create_key;
        "api_keys.list" "GET" "/api-keys" Self::list_keys;
        "api_keys.delete" "DELETE" "/api-keys/{id}" Self::delete_key;
        "webhooks.create" "POST" "/webhooks" Self::create_hook;
        "webhooks.list" "GET" "/webhooks" Self::list_hooks;
        "webhooks.get" "GET" "/webhooks/{id}" Self::show_hook;
        "webhooks.update" "PATCH" "/webhooks/{id}" Self::update_hook;
        "webhooks.delete" "DELETE" "/webhooks/{id}" Self::delete_hook;
    };
    const IDEMPOTENCY: Option<IdempotencyRule> = Some(IdempotencyRule {
        header: "idempotency-key",
        method: "POST",
        key_chars_max: 256,
        keeps: |status| status < 400,
        replayed: ("idempotent-replayed", "true"),
    });

    fn authenticate(&self, request: &Request, operation: &str) -> Result<(), Refusal> {
        let given = request.bearer().ok_or(Refusal::CredentialsMissing)?;
        if check_secret(given, &self.api_key).is_ok() {
            return Ok(());
        }
        let key = self.tokens.get(given).and_then(|id| self.keys.get(id)).ok_or(Refusal::CredentialsWrong)?;
        // Keys for sending are let in here, and told what they may not by the operation.
        if key.may(operation) { Ok(()) } else { Err(Refusal::Status(errors::RESTRICTED)) }
    }

    fn refuse(&self, _context: &Context<'_>, refusal: &Refusal) -> Reply {
        errors::refusal(refusal)
    }

    /// What was due by now leaves first.
    fn perform(&mut self, context: &mut Context<'_>, request: &Request, operation: &Operation<Self>) -> Reply {
        self.send_what_is_due(context);
        (operation.run)(self, context, request).unwrap_or_else(|error| error)
    }

    fn decorate(&self, _context: &Context<'_>, _request: &Request, reply: &mut Reply) {
        reply.set_new("ratelimit-limit", "10");
        reply.set_new("ratelimit-remaining", "9");
        reply.set_new("ratelimit-reset", "1");
    }

    fn inbox(&self) -> Option<Vec<Value>> {
        Some(self.emails.oldest_first().map(Email::state).collect())
    }

    fn state(&self) -> Value {
        json!({
            "messages": self.emails.oldest_first().map(Email::state).collect::<Vec<_>>(),
            "domains": self.domains.oldest_first().map(Domain::shown).collect::<Vec<_>>(),
            "api_keys": self.keys.oldest_first().map(Key::shown).collect::<Vec<_>>(),
        })
    }

    fn act(&mut self, context: &mut Context<'_>, action: &str, argument: &Value) -> Result<Value, String> {
        self.send_what_is_due(context);
        self.befalls(context, action, argument)
    }

    fn clock_moved(&mut self, context: &mut Context<'_>) {
        self.send_what_is_due(context);
    }

    fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }

    fn sign(&self, secret: &str, payload: &[u8], at: Timestamp) -> Vec<(&'static str, String)> {
        webhooks::signed(secret, payload, at)
    }

    fn forge(&self, context: &mut Context<'_>, kind: &str, object: &Value) -> Option<Event> {
        Some(webhooks::event(context.now, kind, object))
    }
}

/// An id as the service writes it.
fn uuid(context: &mut Context<'_>, table: &'static str) -> String {
    let hex = hex::encode(Sha256::digest(context.id(table, 24)));
    format!("{}-{}-4{}-a{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..32])
}

/// An instant as the service writes it.
fn written(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S.%6f+00").to_string()
}

/// The body as an object, as everything but a batch needs it.
fn object(request: &Request) -> Result<crate::http::Fields<'_>, Reply> {
    match &request.content {
        crate::http::Content::Json(Value::Object(_)) => Ok(request.tracked()),
        _ => Err(errors::invalid("The request body must be a JSON object.")),
    }
}

fn answer(object: &Value) -> Answer {
    Ok(Reply::json(200, object))
}
