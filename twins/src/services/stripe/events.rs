//! Events: the record of what happened, and the payload of webhooks.

use serde_json::{Value, json};

use super::{API_VERSION, Stripe, lists};
use crate::{
    http::{Reply, Request},
    twin::{Answer, Context, Event},
};

#[derive(Clone)]
pub(super) struct StripeEvent {
    pub(super) id: String,
    pub(super) kind: String,
    pub(super) body: Value,
}

impl StripeEvent {
    /// `object` as it is at this moment: an event never changes.
    pub(super) fn new(context: &mut Context<'_>, kind: &str, object: Value) -> Self {
        let id = context.id("evt_", 24);
        let body = json!({
            "id": id,
            "object": "event",
            "api_version": API_VERSION,
            "created": context.unix(),
            "data": {"object": object},
            "livemode": false,
            "pending_webhooks": 1,
            "request": {"id": super::errors::request_id(context), "idempotency_key": null},
            "type": kind,
        });
        Self { id, kind: kind.to_owned(), body }
    }

    pub(super) fn webhook(&self) -> Event {
        let payload = serde_json::to_string_pretty(&self.body).expect("an event has text keys only");
        Event::new(self.id.clone(), self.kind.clone(), payload)
    }
}

impl Stripe {
    /// Records that something happened, and tells whoever listens.
    pub(super) fn happened(&mut self, context: &mut Context<'_>, kind: &str, object: Value) {
        let event = StripeEvent::new(context, kind, object);
        context.emit(event.webhook());
        self.events.insert(&event.id.clone(), event);
    }

    pub(super) fn list_events(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let wanted = request.query["type"].as_str();
        let matching = self.events.newest_first().filter(|event| wanted.is_none_or(|kind| event.kind == kind));
        let rows = matching.map(|event| event.body.clone()).collect();
        lists::page(context, request, rows)
    }

    pub(super) fn retrieve_event(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let id = request.param("id");
        match self.events.get(id) {
            Some(event) => Ok(Reply::json(200, &event.body)),
            None => Err(super::errors::StripeError::no_such(404, "event", id, "id").reply(context)),
        }
    }
}
