//! Stripe: payments, refunds, disputes, saved cards, catalogue, checkout, subscriptions and invoices on test clocks,
//! events with signed webhooks, idempotency keys.
//!
//! Three tables make most of it: `operations` (what can be called), `resource` (what there is), `surface` (parameters
//! and fields, from the SDK's types). The rest are rules: `payments` and `billing`. Start at [`Stripe::serve`].

mod agenda;
mod billing;
mod books;
mod call;
mod crud;
mod errors;
mod events;
mod expand;
mod lists;
mod operations;
mod payments;
mod resource;
mod row;
mod search;
mod surface;
mod webhooks;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value as Given;

use self::{
    books::Books,
    call::{Action, Call, Made},
    errors::StripeError,
    resource::RESOURCES,
};
use crate::{
    engine::{idempotency::IdempotencyRule, outbox::Endpoint, table::Table},
    http::{Reply, Request},
    json::{Map, Text, Value},
    twin::{Answer, Context, Event, Manifest, Operation, Refusal, Twin, check_secret},
};

pub(super) const API_VERSION: &str = "2026-10-28.endive";

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Config {
    account: Account,
    webhooks: Vec<Endpoint>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Account {
    secret_key: String,
}

impl Default for Account {
    fn default() -> Self {
        Self { secret_key: "sk_test_twin".to_owned() }
    }
}

#[derive(Clone)]
pub(super) struct Stripe {
    secret_key: String,
    configured_webhooks: Vec<Endpoint>,
    /// The configured ones and those made over the API.
    webhooks: Vec<Endpoint>,
    books: Books,
    deleted_customers: Table<()>,
    /// Of the request that is being answered: events name it.
    idempotency_key: Option<String>,
}

impl Stripe {
    pub(super) fn open(config: Config) -> Self {
        Self {
            secret_key: config.account.secret_key,
            webhooks: config.webhooks.clone(),
            configured_webhooks: config.webhooks,
            books: Books::new(),
            deleted_customers: Table::default(),
            idempotency_key: None,
        }
    }

    /// Answers one call: what was due by now happens first, then the operation, in the time of the customer's test
    /// clock where there is one.
    fn serve(&mut self, context: &mut Context<'_>, request: &Request, operation: &str, action: &Action) -> Answer {
        self.idempotency_key = request.header("idempotency-key").map(str::to_owned);
        self.catch_up(context);
        let now = context.now;
        let made = self.answer(context, request, operation, action);
        context.now = now;
        self.idempotency_key = None;
        match made {
            Ok(object) => Ok(Reply::json(200, &object)),
            Err(error) => Err(error.reply(context)),
        }
    }

    fn answer(&mut self, context: &mut Context<'_>, request: &Request, operation: &str, action: &Action) -> Made {
        errors::check_headers(request)?;
        let mut call = Call::read(context, request, operation)?;
        self.enter_test_clock(&mut call);
        let object = match action {
            Action::Retrieve(resource) => self.retrieve(&mut call, *resource),
            Action::Update(resource) => self.update(&mut call, *resource),
            Action::Delete(resource) => self.delete(&mut call, *resource),
            Action::List(resource) => self.list(&mut call, *resource),
            Action::Search(resource) => self.search(&mut call, *resource),
            Action::Rule(rule) => rule(self, &mut call),
        }?;
        self.expanded(request, object)
    }
}

impl Twin for Stripe {
    const MANIFEST: Manifest = Manifest {
        name: "stripe",
        api_version: API_VERSION,
        body_bytes_max: 1024 * 1024,
        actions: &["refund", "authenticate_payment", "complete_checkout"],
    };
    const OPERATIONS: &'static [Operation<Self>] = operations::OPERATIONS;
    const IDEMPOTENCY: Option<IdempotencyRule> = Some(IdempotencyRule {
        header: "idempotency-key",
        method: "POST",
        key_chars_max: 255,
        // A request that failed validation never began; everything else is the key's answer for good.
        keeps: |status| status < 400 || status == 402 || status >= 500,
        replayed: ("idempotent-replayed", "true"),
    });

    fn authenticate(&self, request: &Request, _operation: &str) -> Result<(), Refusal> {
        let given = request.bearer().map(str::to_owned).or_else(|| basic_user(request));
        let given = given.ok_or(Refusal::CredentialsMissing)?;
        check_secret(&given, &self.secret_key)
    }

    fn refuse(&self, context: &Context<'_>, refusal: &Refusal) -> Reply {
        errors::refusal(context, refusal)
    }

    fn decorate(&self, context: &Context<'_>, request: &Request, reply: &mut Reply) {
        reply.set("request-id", errors::request_id(context));
        reply.set("stripe-version", request.header("stripe-version").unwrap_or(API_VERSION).to_owned());
        if let Some(account) = request.header("stripe-account") {
            reply.set("stripe-account", account.to_owned());
        }
        if let Some(key) = request.header("idempotency-key").filter(|_| request.method == "POST") {
            reply.set("idempotency-key", key.to_owned());
        }
    }

    fn state(&self) -> Given {
        let table = |traits: &resource::Traits| {
            let rows = self.books.newest_first(traits.resource);
            (Text::Known(traits.table), rows.map(|row| self.shown(traits.resource, row)).collect::<Value>())
        };
        Value::from(RESOURCES.iter().map(table).collect::<Map>()).into()
    }

    fn act(&mut self, context: &mut Context<'_>, action: &str, argument: &Given) -> Result<Given, String> {
        let argument = Value::from(argument);
        let made = match action {
            "refund" => return self.refund_from_dashboard(context, &argument).map(Given::from),
            "authenticate_payment" => self.authenticate_payment(context, &argument),
            "complete_checkout" => self.complete_checkout(context, &argument),
            _ => return Err(format!("unknown action `{action}`")),
        };
        made.map(Given::from).map_err(|error: StripeError| error.message().to_owned())
    }

    fn clock_moved(&mut self, context: &mut Context<'_>) {
        self.catch_up(context);
    }

    fn endpoints(&self) -> &[Endpoint] {
        &self.webhooks
    }

    fn sign(&self, secret: &str, payload: &[u8], at: Timestamp) -> Vec<(&'static str, String)> {
        webhooks::signed(secret, payload, at)
    }

    fn forge(&self, context: &mut Context<'_>, kind: &str, object: &Given) -> Option<Event> {
        Some(events::webhook(&events::event(context, kind, object.into(), None)))
    }
}

/// `curl -u sk_test_…:` sends the key as a user name.
fn basic_user(request: &Request) -> Option<String> {
    use base64::{Engine as _, prelude::BASE64_STANDARD};
    let encoded = request.header("authorization")?.strip_prefix("Basic ")?;
    let decoded = String::from_utf8(BASE64_STANDARD.decode(encoded).ok()?).ok()?;
    Some(decoded.split(':').next().unwrap_or_default().to_owned())
}
