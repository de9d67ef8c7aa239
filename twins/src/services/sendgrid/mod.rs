//! `SendGrid`: takes mail, sends it at its time and keeps it. API v3.
//!
//! `check` is what the service complains about, `message` what it keeps, `scheduled` mail that waits, `suppressions` who
//! gets none.

mod check;
mod errors;
mod events;
mod message;
mod scheduled;
mod signing;
mod suppressions;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use self::{
    errors::{errors, problem},
    events::Settings,
    message::{Message, messages},
    scheduled::Hold,
    suppressions::{List, Suppression},
};
use crate::{
    engine::{outbox::Endpoint, table::Table},
    http::{Content, Reply, Request},
    twin::{Answer, Context, Manifest, Operation, Refusal, Twin, check_secret, operations},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Config {
    api_key: String,
    /// Receivers of events; the `secret` is what the key pair follows from.
    webhooks: Vec<Endpoint>,
}

impl Default for Config {
    fn default() -> Self {
        Self { api_key: "SG.twin".to_owned(), webhooks: Vec::new() }
    }
}

#[derive(Clone)]
pub(super) struct Sendgrid {
    api_key: String,
    /// What was sent, in its order.
    messages: Table<Message>,
    /// What waits for its time.
    scheduled: Vec<Message>,
    /// What was sent to nobody, as nobody was left to get it.
    dropped: Table<Message>,
    batches: BTreeSet<String>,
    /// By batch.
    holds: BTreeMap<String, Hold>,
    suppressions: BTreeMap<List, BTreeMap<String, Suppression>>,
    /// Of messages sent, for their keys.
    count: u64,
    /// What was set over the API, which goes to `endpoints` behind what was configured.
    hook: Settings,
    configured: Vec<Endpoint>,
    endpoints: Vec<Endpoint>,
}

impl Sendgrid {
    pub(super) fn open(config: Config) -> Self {
        Self {
            api_key: config.api_key,
            messages: Table::default(),
            scheduled: Vec::new(),
            dropped: Table::default(),
            batches: BTreeSet::new(),
            holds: BTreeMap::new(),
            suppressions: BTreeMap::new(),
            count: 0,
            hook: Settings::default(),
            endpoints: config.webhooks.clone(),
            configured: config.webhooks,
        }
    }

    fn send(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let Content::Json(mail) = &request.content else {
            return Err(errors(415, [problem("Content-Type should be application/json.", "")]));
        };
        let problems = self.problems(mail, context.unix());
        if !problems.is_empty() {
            return Err(errors(400, problems));
        }
        // A sandbox checks and keeps nothing.
        if mail["mail_settings"]["sandbox_mode"]["enable"] == true {
            return Ok(Reply::empty(200));
        }
        let id = context.id("", 22);
        for message in messages(mail, &id, context.now) {
            if message.is_due(context.now) { self.deliver(context, message) } else { self.scheduled.push(message) }
        }
        Ok(Reply::empty(202).header("x-message-id", id))
    }

    /// To everybody who is not on a list of those who get nothing.
    fn deliver(&mut self, context: &mut Context<'_>, mut message: Message) {
        message.drop_recipients(|address| self.is_suppressed(address));
        self.tell_of_delivery(context, &message);
        self.count += 1;
        let key = self.count.to_string();
        let table = if message.has_recipients() { &mut self.messages } else { &mut self.dropped };
        table.insert(&key, message);
    }
}

impl Twin for Sendgrid {
    const MANIFEST: Manifest = Manifest {
        name: "sendgrid",
        api_version: "v3",
        body_bytes_max: 30 * 1024 * 1024,
        actions: &["bounce", "block", "report_spam", "unsubscribe", "open", "click", "defer"],
    };
    const OPERATIONS: &'static [Operation<Self>] = operations! {
        "mail.send" "POST" "/v3/mail/send" Self::send;
        "mail.batch.create" "POST" "/v3/mail/batch" Self::create_batch;
        "mail.batch.validate" "GET" "/v3/mail/batch/{id}" Self::validate_batch;
        "scheduled_sends.create" "POST" "/v3/user/scheduled_sends" Self::create_hold;
        "scheduled_sends.list" "GET" "/v3/user/scheduled_sends" Self::list_holds;
        "scheduled_sends.get" "GET" "/v3/user/scheduled_sends/{id}" Self::show_hold;
        "scheduled_sends.update" "PATCH" "/v3/user/scheduled_sends/{id}" Self::update_hold;
        "scheduled_sends.delete" "DELETE" "/v3/user/scheduled_sends/{id}" Self::delete_hold;
        "suppression.list" "GET" "/v3/suppression/{list}" Self::list_suppressions;
        "suppression.get" "GET" "/v3/suppression/{list}/{email}" Self::show_suppression;
        "suppression.delete" "DELETE" "/v3/suppression/{list}/{email}" Self::delete_suppression;
        "webhooks.event.get" "GET" "/v3/user/webhooks/event/settings" Self::show_settings;
        "webhooks.event.update" "PATCH" "/v3/user/webhooks/event/settings" Self::update_settings;
        "webhooks.event.signed.get" "GET" "/v3/user/webhooks/event/settings/signed" Self::show_signing;
        "webhooks.event.signed.update" "PATCH" "/v3/user/webhooks/event/settings/signed" Self::update_signing;
        "asm.suppressions.global.add" "POST" "/v3/asm/suppressions/global" Self::add_unsubscribes;
        "asm.suppressions.global.get" "GET" "/v3/asm/suppressions/global/{email}" Self::show_unsubscribe;
        "asm.suppressions.global.delete" "DELETE" "/v3/asm/suppressions/global/{email}" Self::delete_unsubscribe;
    };

    fn authenticate(&self, request: &Request, _operation: &str) -> Result<(), Refusal> {
        let given = request.bearer().ok_or(Refusal::CredentialsMissing)?;
        check_secret(given, &self.api_key)
    }

    fn refuse(&self, context: &Context<'_>, refusal: &Refusal) -> Reply {
        errors::refusal(context, refusal)
    }

    /// What was due by now leaves first.
    fn perform(&mut self, context: &mut Context<'_>, request: &Request, operation: &Operation<Self>) -> Reply {
        self.send_what_is_due(context);
        (operation.run)(self, context, request).unwrap_or_else(|error| error)
    }

    fn decorate(&self, _context: &Context<'_>, _request: &Request, reply: &mut Reply) {
        reply.set("server", "nginx");
    }

    fn inbox(&self) -> Option<Vec<Value>> {
        Some(self.messages.oldest_first().map(|message| json!(message)).collect())
    }

    fn state(&self) -> Value {
        let all = |table: &Table<Message>| json!(table.oldest_first().collect::<Vec<_>>());
        json!({"messages": all(&self.messages), "scheduled": self.scheduled, "dropped": all(&self.dropped),
            "suppressions": self.suppressions_state()})
    }

    fn act(&mut self, context: &mut Context<'_>, action: &str, argument: &Value) -> Result<Value, String> {
        match action {
            "open" | "click" | "defer" => self.does(context, action, argument),
            _ => self.befalls(context, action, argument),
        }
    }

    fn clock_moved(&mut self, context: &mut Context<'_>) {
        self.send_what_is_due(context);
    }

    fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }

    /// Without a secret nothing is signed.
    fn sign(&self, secret: &str, payload: &[u8], at: Timestamp) -> Vec<(&'static str, String)> {
        let mut headers = vec![("user-agent", "SendGrid Event API".to_owned())];
        if !secret.is_empty() {
            headers.extend(signing::signed(secret, payload, at));
        }
        headers
    }
}
