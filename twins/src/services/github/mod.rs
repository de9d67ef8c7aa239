//! GitHub: the REST API over real git objects, smart HTTP for `git` itself, signed webhooks.
//!
//! `git` holds the objects and knows no REST; `model` is the rest of the state; `show` says how rows read over the wire;
//! the other modules are the operations by resource. `gate` decides who may do what, and how often. Start at
//! `operations`.

mod access;
mod branches;
mod changes;
mod checks;
mod collaborators;
mod comments;
mod commits;
mod config;
mod contents;
mod errors;
mod events;
mod gate;
mod git;
mod git_data;
mod hooks;
mod issues;
mod labels;
mod links;
mod merging;
mod milestones;
mod model;
mod operations;
mod pulls;
mod repos;
mod reviews;
mod search;
mod show;
mod show_issues;
mod transport;
mod users;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use self::{
    config::Limits,
    gate::Quotas,
    links::Links,
    model::{Account, Repo, Token},
};
use crate::{
    engine::{outbox::Endpoint, table::Table},
    http::{Reply, Request},
    twin::{Context, Event, Manifest, Operation, Refusal, Twin},
};

pub(super) const API_VERSION: &str = "2022-11-28";
const BODY_BYTES_MAX: usize = 48 * 1024 * 1024; // a push or a file; the service takes 100 MB of base64

#[derive(Clone)]
pub(super) struct GitHub {
    /// By login in lower case.
    accounts: Table<Account>,
    tokens: BTreeMap<String, Token>,
    /// By full name in lower case.
    repos: Table<Repo>,
    quotas: Quotas,
    /// Receivers of the configuration; those of the repositories' hooks come behind them in `endpoints`.
    configured: Vec<Endpoint>,
    endpoints: Vec<Endpoint>,
    last_id: u64,
}

impl GitHub {
    fn empty(limits: Limits, configured: Vec<Endpoint>) -> Self {
        Self {
            accounts: Table::default(),
            tokens: BTreeMap::new(),
            repos: Table::default(),
            quotas: Quotas::new(limits),
            configured,
            endpoints: Vec::new(),
            last_id: 0,
        }
    }

    /// Unique over all kinds of rows.
    fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }
}

impl Twin for GitHub {
    const MANIFEST: Manifest = Manifest {
        name: "github",
        api_version: API_VERSION,
        body_bytes_max: BODY_BYTES_MAX,
        actions: &["push", "comment", "merge_pull_request"],
    };
    const OPERATIONS: &'static [Operation<Self>] = operations::OPERATIONS;
    const MOUNT: Option<&'static str> = Some("/api/v3");

    fn authenticate(&self, request: &Request, operation: &str) -> Result<(), Refusal> {
        match gate::credentials(request) {
            None => Ok(()), // what is public may be read by anyone: each operation knows
            Some(given) if self.tokens.contains_key(&given) || gate::is_app_token(operation, &given) => Ok(()),
            Some(_) => Err(Refusal::CredentialsWrong),
        }
    }

    fn refuse(&self, _context: &Context<'_>, refusal: &Refusal) -> Reply {
        errors::refusal(refusal)
    }

    fn perform(&mut self, context: &mut Context<'_>, request: &Request, operation: &Operation<Self>) -> Reply {
        self.gated(context, request, operation)
    }

    fn decorate(&self, context: &Context<'_>, request: &Request, reply: &mut Reply) {
        self.add_headers(context, request, reply);
    }

    fn state(&self) -> Value {
        let links = Links::below("http://github.twin");
        let repos = self.repos.oldest_first().map(|repo| self.repo_state(&links, repo));
        let users = self.accounts.oldest_first().map(|account| self.account_json(&links, account));
        json!({"users": users.collect::<Vec<_>>(), "repositories": repos.collect::<Vec<_>>()})
    }

    fn act(&mut self, context: &mut Context<'_>, action: &str, argument: &Value) -> Result<Value, String> {
        match action {
            "push" => self.act_push(context, argument),
            "comment" => self.act_comment(context, argument),
            "merge_pull_request" => self.act_merge(context, argument),
            _ => Err(format!("unknown action `{action}`")),
        }
    }

    fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }

    fn sign(&self, secret: &str, payload: &[u8], _at: Timestamp) -> Vec<(&'static str, String)> {
        events::signed(secret, payload)
    }

    fn forge(&self, context: &mut Context<'_>, kind: &str, object: &Value) -> Option<Event> {
        Some(events::event(context, kind, object))
    }
}
