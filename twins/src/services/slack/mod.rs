//! Slack: the Web API of a workspace with people, channels, threads, files and views; signed events, interactions and
//! slash commands to the app.
//!
//! `model` is the state, `show` says how it reads over the wire, `gate` decides who may call what and how often, and
//! the other modules are the methods by subject. `acts` is what people do in the workspace without the app. Start at
//! `operations`.

mod account;
mod acts;
mod blocks;
mod call;
mod channels;
mod chat;
mod config;
mod errors;
mod events;
mod files;
mod gate;
mod history;
mod members;
mod messages;
mod model;
mod operations;
mod pages;
mod pins;
mod reactions;
mod scheduled;
mod show;
mod users;
mod views;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use self::{
    config::App,
    gate::{Actor, Quotas},
    model::{Channel, File, Message, Scheduled, Trigger, User, View},
};
use crate::{
    engine::{outbox::Endpoint, table::Table},
    http::{Reply, Request},
    twin::{Context, Event, Manifest, Operation, Refusal, Twin},
};

const BODY_BYTES_MAX: usize = 1024 * 1024; // of a call; files are uploaded below the same limit

#[derive(Clone)]
pub(super) struct Slack {
    app: App,
    /// By token.
    actors: BTreeMap<String, Actor>,
    users: Table<User>,
    channels: Table<Channel>,
    /// By channel and `ts`.
    messages: Table<Message>,
    /// Shown to one person, and never again.
    ephemerals: Table<Message>,
    scheduled: Table<Scheduled>,
    files: Table<File>,
    views: Table<View>,
    triggers: Table<Trigger>,
    /// Codes of people who let the app in; false: used already.
    codes: BTreeMap<String, bool>,
    quotas: Quotas,
    endpoints: Vec<Endpoint>,
    /// Where the last caller reached the twin: addresses in what is sent to the app begin with it.
    origin: String,
}

impl Twin for Slack {
    const MANIFEST: Manifest =
        Manifest { name: "slack", api_version: "Web API", body_bytes_max: BODY_BYTES_MAX, actions: acts::ACTIONS };
    const OPERATIONS: &'static [Operation<Self>] = operations::OPERATIONS;

    fn authenticate(&self, request: &Request, operation: &str) -> Result<(), Refusal> {
        self.let_in(request, operation)
    }

    fn refuse(&self, _context: &Context<'_>, refusal: &Refusal) -> Reply {
        errors::refusal(refusal)
    }

    fn decorate(&self, context: &Context<'_>, request: &Request, reply: &mut Reply) {
        if !request.path.starts_with("/api/") {
            return;
        }
        reply.set("content-type", "application/json; charset=utf-8");
        if let Some(actor) = self.actor(request) {
            reply.set("x-oauth-scopes", &*actor.scopes_shown);
        }
        reply.set("x-slack-req-id", context.request_token.to_lowercase());
    }

    fn state(&self) -> Value {
        json!({
            "channels": self.channels.oldest_first().map(|channel| self.channel_state(channel)).collect::<Vec<_>>(),
            "messages": self.messages.oldest_first().map(|message| self.message_state(message)).collect::<Vec<_>>(),
            "ephemerals": self.ephemerals.oldest_first().map(|message| self.message_state(message)).collect::<Vec<_>>(),
            "scheduled": self.scheduled.oldest_first().map(show::scheduled).collect::<Vec<_>>(),
            "users": self.users.oldest_first().map(|user| self.user_json(user)).collect::<Vec<_>>(),
            "files": self.files.oldest_first().map(|file| self.file_json(file)).collect::<Vec<_>>(),
            "views": self.views.oldest_first().map(|view| self.view_json(view)).collect::<Vec<_>>(),
        })
    }

    fn act(&mut self, context: &mut Context<'_>, action: &str, argument: &Value) -> Result<Value, String> {
        self.happens(context, action, argument)
    }

    fn clock_moved(&mut self, context: &mut Context<'_>) {
        self.post_what_is_due(context);
    }

    fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }

    fn sign(&self, secret: &str, payload: &[u8], at: Timestamp) -> Vec<(&'static str, String)> {
        events::signed(secret, payload, at)
    }

    fn repeated(&self, attempt: u32, failure: &str) -> Vec<(&'static str, String)> {
        events::repeated(attempt, failure)
    }

    fn forge(&self, context: &mut Context<'_>, kind: &str, object: &Value) -> Option<Event> {
        Some(self.event(context, kind, object))
    }
}
