//! Events: the record of what happened, and the payload of webhooks.

use super::{API_VERSION, Stripe, call::Call, call::Made, errors, resource::Resource, row::Row};
use crate::{
    json::{Map, Text, Value, json},
    twin::{Context, Event},
};

/// `object` as it is at this moment: an event never changes.
pub(super) fn event(context: &mut Context<'_>, kind: &str, object: Value, key: Option<&str>) -> Value {
    let traits = Resource::Event.traits();
    json!({
        "id": context.id(traits.prefix, traits.letters),
        "object": "event",
        "api_version": API_VERSION,
        "created": context.unix(),
        "data": {"object": object},
        "livemode": false,
        "pending_webhooks": 1,
        "request": {"id": errors::request_id(context), "idempotency_key": key},
        "type": kind,
    })
}

pub(super) fn webhook(event: &Value) -> Event {
    let payload = serde_json::to_string_pretty(event).expect("an event has text keys only");
    Event::new(event.text("id"), event.text("type"), payload)
}

/// The fields that changed, as they were; none where nothing did.
pub(super) fn previous(before: &Value, after: &Value) -> Option<Value> {
    let (before, after) = (before.as_object()?, after.as_object()?);
    let changed = before.iter().filter(|(name, value)| after.get(name) != Some(value));
    let was = |(name, value): (&Text, &Value)| {
        let inside = after.get(name).and_then(|after| previous(value, after));
        (name.clone(), inside.unwrap_or_else(|| value.clone()))
    };
    let previous: Map = changed.map(was).collect();
    (!previous.is_empty()).then(|| previous.into())
}

impl Stripe {
    /// Records that something happened, and tells whoever listens.
    pub(super) fn happened(&mut self, context: &mut Context<'_>, kind: &str, object: Value, previous: Option<Value>) {
        let mut event = event(context, kind, object, self.idempotency_key.as_deref());
        if let Some(previous) = previous {
            event["data"].set("previous_attributes", previous);
        }
        // Writing the payload is most of the work.
        if !self.webhooks.is_empty() {
            context.emit(webhook(&event));
        }
        self.books.keep(Resource::Event, event);
    }

    /// `type` may end with a star, `types` may be several.
    pub(super) fn list_events(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        call.page(self.books.newest_first(Resource::Event), Value::clone)
    }
}
