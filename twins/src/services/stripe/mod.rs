//! Stripe: customers, payment intents, charges, refunds, events, signed webhooks, idempotency keys.
//!
//! State is typed and small; what goes over the wire is written by `objects`. Start at [`Stripe`], then
//! `payments` for the state machine of a payment.

mod cards;
mod customers;
mod errors;
mod events;
mod expand;
mod lists;
mod objects;
mod params;
mod payments;
mod refunds;
mod webhooks;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use subtle::ConstantTimeEq;

use self::{
    events::StripeEvent,
    objects::{Charge, Customer, PaymentIntent, PaymentMethod, Refund},
};
use crate::{
    engine::{idempotency::IdempotencyRule, outbox::Endpoint, table::Table},
    http::{Reply, Request},
    twin::{Context, Event, Manifest, Operation, Refusal, Twin, operations},
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
    webhooks: Vec<Endpoint>,
    customers: Table<Customer>,
    payment_methods: Table<PaymentMethod>,
    payment_intents: Table<PaymentIntent>,
    charges: Table<Charge>,
    refunds: Table<Refund>,
    events: Table<StripeEvent>,
}

impl Stripe {
    pub(super) fn open(config: Config) -> Self {
        Self {
            secret_key: config.account.secret_key,
            webhooks: config.webhooks,
            customers: Table::default(),
            payment_methods: Table::default(),
            payment_intents: Table::default(),
            charges: Table::default(),
            refunds: Table::default(),
            events: Table::default(),
        }
    }
}

impl Twin for Stripe {
    const MANIFEST: Manifest =
        Manifest { name: "stripe", api_version: API_VERSION, body_bytes_max: 1024 * 1024, actions: &["refund"] };
    const OPERATIONS: &'static [Operation<Self>] = operations! {
        "customers.create" "POST" "/v1/customers" Self::create_customer;
        "customers.retrieve" "GET" "/v1/customers/{id}" Self::retrieve_customer;
        "payment_intents.create" "POST" "/v1/payment_intents" Self::create_payment_intent;
        "payment_intents.list" "GET" "/v1/payment_intents" Self::list_payment_intents;
        "payment_intents.retrieve" "GET" "/v1/payment_intents/{id}" Self::retrieve_payment_intent;
        "payment_intents.confirm" "POST" "/v1/payment_intents/{id}/confirm" Self::confirm_payment_intent;
        "payment_intents.capture" "POST" "/v1/payment_intents/{id}/capture" Self::capture_payment_intent;
        "payment_intents.cancel" "POST" "/v1/payment_intents/{id}/cancel" Self::cancel_payment_intent;
        "charges.list" "GET" "/v1/charges" Self::list_charges;
        "charges.retrieve" "GET" "/v1/charges/{id}" Self::retrieve_charge;
        "refunds.create" "POST" "/v1/refunds" Self::create_refund;
        "refunds.list" "GET" "/v1/refunds" Self::list_refunds;
        "refunds.retrieve" "GET" "/v1/refunds/{id}" Self::retrieve_refund;
        "events.list" "GET" "/v1/events" Self::list_events;
        "events.retrieve" "GET" "/v1/events/{id}" Self::retrieve_event;
    };
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
        let right = bool::from(given.as_bytes().ct_eq(self.secret_key.as_bytes()));
        if right { Ok(()) } else { Err(Refusal::CredentialsWrong) }
    }

    fn refuse(&self, context: &Context<'_>, refusal: &Refusal) -> Reply {
        errors::refusal(context, refusal)
    }

    fn decorate(&self, context: &Context<'_>, request: &Request, reply: &mut Reply) {
        reply.set("request-id", errors::request_id(context));
        reply.set("stripe-version", request.header("stripe-version").unwrap_or(API_VERSION).to_owned());
        if let Some(key) = request.header("idempotency-key").filter(|_| request.method == "POST") {
            reply.set("idempotency-key", key.to_owned());
        }
    }

    fn state(&self) -> Value {
        json!({
            "customers": self.customers.newest_first().map(Customer::json).collect::<Vec<_>>(),
            "payment_intents": self.payment_intents.newest_first().map(|it| self.intent_json(it)).collect::<Vec<_>>(),
            "charges": self.charges.newest_first().map(Charge::json).collect::<Vec<_>>(),
            "refunds": self.refunds.newest_first().map(Refund::json).collect::<Vec<_>>(),
            "events": self.events.newest_first().map(|event| event.body.clone()).collect::<Vec<_>>(),
        })
    }

    fn act(&mut self, context: &mut Context<'_>, action: &str, argument: &Value) -> Result<Value, String> {
        match action {
            "refund" => self.refund_from_dashboard(context, argument),
            _ => Err(format!("unknown action `{action}`")),
        }
    }

    fn endpoints(&self) -> &[Endpoint] {
        &self.webhooks
    }

    fn sign(&self, secret: &str, payload: &[u8], at: Timestamp) -> Vec<(&'static str, String)> {
        webhooks::signed(secret, payload, at)
    }

    fn forge(&self, context: &mut Context<'_>, kind: &str, object: &Value) -> Option<Event> {
        let event = StripeEvent::new(context, kind, object.clone());
        Some(event.webhook())
    }
}

/// `curl -u sk_test_…:` sends the key as a user name.
fn basic_user(request: &Request) -> Option<String> {
    use base64::{Engine as _, prelude::BASE64_STANDARD};
    let encoded = request.header("authorization")?.strip_prefix("Basic ")?;
    let decoded = String::from_utf8(BASE64_STANDARD.decode(encoded).ok()?).ok()?;
    Some(decoded.split(':').next().unwrap_or_default().to_owned())
}
