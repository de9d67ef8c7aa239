//! What most operations do: make an object, show it, change it, take it away, list its kind. Rules of single resources
//! build on these.

use super::{
    Stripe,
    books::HIDDEN,
    call::{Call, Made},
    errors::StripeError,
    events,
    resource::Resource,
    row::Row,
};
use crate::{
    json::{Value, json},
    twin::Context,
};

impl Stripe {
    /// A row with a fresh id and the parameters that are fields, not kept yet.
    pub(super) fn begun(&mut self, call: &mut Call<'_, '_, '_>, resource: Resource) -> Value {
        let mut row = self.fresh(call.context, resource);
        call.fill(&mut row, resource);
        row
    }

    /// A row with a fresh id and nothing else.
    pub(super) fn fresh(&mut self, context: &mut Context<'_>, resource: Resource) -> Value {
        let traits = resource.traits();
        let mut row = resource.blank();
        row.set("id", context.id(traits.prefix, traits.letters));
        if row.get("created").is_some() {
            row.set("created", context.unix());
        }
        row
    }

    pub(super) fn changed(&self, call: &Call<'_, '_, '_>, resource: Resource, mut row: Value) -> Value {
        call.fill(&mut row, resource);
        row
    }

    pub(super) fn retrieve(&mut self, call: &mut Call<'_, '_, '_>, resource: Resource) -> Made {
        let row = self.found(resource, call.id())?;
        Ok(self.shown(resource, row))
    }

    pub(super) fn update(&mut self, call: &mut Call<'_, '_, '_>, resource: Resource) -> Made {
        let row = self.found(resource, call.id())?.clone();
        let row = self.changed(call, resource, row);
        Ok(self.keep(call.context, resource, row, "updated"))
    }

    pub(super) fn delete(&mut self, call: &mut Call<'_, '_, '_>, resource: Resource) -> Made {
        let row = self.found(resource, call.id())?.clone();
        self.books.remove(resource, call.id());
        let shown = self.shown(resource, &row);
        self.tell(call.context, resource, shown, "deleted");
        Ok(json!({"id": call.id(), "object": resource.traits().object, "deleted": true}))
    }

    pub(super) fn list(&mut self, call: &mut Call<'_, '_, '_>, resource: Resource) -> Made {
        call.page(self.books.newest_first(resource), |row| self.shown(resource, row))
    }

    /// The object that the path names.
    pub(super) fn found(&self, resource: Resource, id: &str) -> Result<&Value, StripeError> {
        let traits = resource.traits();
        self.books.get(resource, id).ok_or_else(|| StripeError::no_such(404, traits.noun, id, traits.param))
    }

    /// The object that the parameter `param` names.
    pub(super) fn named_by(&self, resource: Resource, id: &str, param: &str) -> Result<&Value, StripeError> {
        let noun = resource.traits().noun;
        self.books.get(resource, id).ok_or_else(|| StripeError::no_such(400, noun, id, param))
    }

    /// A parameter that names an object, if it is there, must name one.
    pub(super) fn check_named(
        &self,
        call: &Call<'_, '_, '_>,
        param: &str,
        resource: Resource,
    ) -> Result<(), StripeError> {
        call.text(param).map_or(Ok(()), |id| self.named_by(resource, id, param).map(drop))
    }

    /// Keeps a row and tells about it: `event` is the last part of the event's name. Gives the object as it is shown.
    pub(super) fn keep(&mut self, context: &mut Context<'_>, resource: Resource, row: Value, event: &str) -> Value {
        let before = self.books.get(resource, row.text("id")).filter(|_| event == "updated");
        let before = before.map(|before| self.shown(resource, before));
        let shown = self.kept(resource, row);
        if let Some(noun) = resource.traits().event {
            let previous = before.and_then(|before| events::previous(&before, &shown));
            self.happened(context, &format!("{noun}.{event}"), shown.clone(), previous);
        }
        shown
    }

    /// Keeps a row without a word.
    pub(super) fn kept(&mut self, resource: Resource, row: Value) -> Value {
        let shown = self.shown(resource, &row);
        self.books.keep(resource, row);
        shown
    }

    pub(super) fn tell(&mut self, context: &mut Context<'_>, resource: Resource, shown: Value, event: &str) {
        if let Some(noun) = resource.traits().event {
            self.happened(context, &format!("{noun}.{event}"), shown, None);
        }
    }

    /// A row as it goes over the wire.
    pub(super) fn shown(&self, resource: Resource, row: &Value) -> Value {
        let mut shown = row.clone();
        if let Some(fields) = shown.as_object_mut() {
            fields.remove(HIDDEN);
        }
        match resource {
            Resource::Subscription => shown.set("items", self.subscription_items(row)),
            Resource::SubscriptionItem => self.show_price_of(&mut shown),
            _ => {}
        }
        shown
    }
}
