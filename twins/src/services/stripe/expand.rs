//! `expand[]`: an id in an answer becomes the object it names, where the surface says that there is a reference.

use serde_json::Value as Given;

use super::{
    Stripe,
    errors::StripeError,
    resource::Resource,
    row::Row,
    surface::{Field, Kind, surface},
};
use crate::{http::Request, json::Value};

const DEPTH_MAX: usize = 4; // the service's own limit
const PATHS_MAX: usize = 20;

impl Stripe {
    /// `answer` with what the request wants expanded.
    pub(super) fn expanded(&self, request: &Request, mut answer: Value) -> Result<Value, StripeError> {
        for path in wanted(request) {
            let steps: Vec<&str> = path.split('.').collect();
            if steps.len() > DEPTH_MAX + 1 {
                let text = format!("You cannot expand more than {DEPTH_MAX} levels of a property. Property: {path}");
                return Err(StripeError::invalid(text));
            }
            let object = answer["object"].as_str().unwrap_or_default().to_owned();
            let whole = || cannot(path, &object);
            match object.as_str() {
                "list" | "search_result" => self.expand_page(&mut answer, &steps).ok_or_else(whole)?,
                _ => self.expand_object(&mut answer, &object, &steps).ok_or_else(whole)?,
            }
        }
        Ok(answer)
    }

    /// Rows of a page: paths begin with `data`.
    fn expand_page(&self, page: &mut Value, steps: &[&str]) -> Option<()> {
        let inside = steps.strip_prefix(&["data"])?;
        for row in page["data"].as_array_mut()? {
            let object = row["object"].as_str().unwrap_or_default().to_owned();
            self.expand_object(row, &object, inside)?;
        }
        Some(())
    }

    fn expand_object(&self, value: &mut Value, object: &str, steps: &[&str]) -> Option<()> {
        self.expand_fields(value, surface().object(object), steps)
    }

    fn expand_fields(&self, value: &mut Value, fields: &[Field], steps: &[&str]) -> Option<()> {
        let Some((first, rest)) = steps.split_first() else { return Some(()) };
        let field = Field::find(fields, first)?;
        if value.get(first).is_none_or(Value::is_null) {
            self.include(value, first);
        }
        match value.get_mut(first) {
            Some(slot) => self.expand_slot(slot, &field.kind, rest),
            None => Some(()), // an optional field that this object does not have
        }
    }

    fn expand_slot(&self, slot: &mut Value, kind: &Kind, rest: &[&str]) -> Option<()> {
        match kind {
            Kind::Reference(object) => {
                if let Value::String(id) = slot {
                    *slot = self.named(object, id)?;
                }
                let object = slot.maybe("object").unwrap_or(object).to_owned();
                if slot.is_null() { Some(()) } else { self.expand_object(slot, &object, rest) }
            }
            Kind::Page if rest.is_empty() => Some(()),
            Kind::Page => self.expand_page(slot, rest),
            Kind::List(inner) => {
                slot.as_array_mut().into_iter().flatten().try_for_each(|item| self.expand_slot(item, inner, rest))
            }
            Kind::Object(_) if slot.is_null() || rest.is_empty() => Some(()),
            Kind::Object(fields) => self.expand_fields(slot, fields, rest),
            Kind::Text
            | Kind::Integer
            | Kind::Number
            | Kind::Boolean
            | Kind::Metadata
            | Kind::Range
            | Kind::Anything
            | Kind::OneOf(_)
            | Kind::IntegerOr(_) => None,
        }
    }

    fn named(&self, object: &str, id: &str) -> Option<Value> {
        // A reference to one of several kinds has no name of its own.
        let resource = Resource::of_object(object).or_else(|| Resource::of_id(id))?;
        Some(self.shown(resource, self.books.get(resource, id)?))
    }

    /// Fields that are there only when they are asked for.
    fn include(&self, value: &mut Value, field: &str) {
        let id = value["id"].as_str().unwrap_or_default();
        let included = match (value["object"].as_str(), field) {
            (Some("checkout.session"), "line_items") => self.session_lines(id),
            (Some("customer"), "subscriptions") => self.customer_subscriptions(id),
            (Some("invoice"), "payments") => self.invoice_payments(id),
            (Some("invoice"), "confirmation_secret") => self.confirmation_secret(id),
            _ => return,
        };
        value[field] = included;
    }
}

fn wanted(request: &Request) -> impl Iterator<Item = &str> {
    let from = |fields: &'_ Given| fields["expand"].as_array().is_some();
    let fields = if from(request.fields()) { request.fields() } else { &request.query };
    fields["expand"].as_array().into_iter().flatten().filter_map(Given::as_str).take(PATHS_MAX)
}

fn cannot(path: &str, object: &str) -> StripeError {
    let last = path.rsplit('.').next().unwrap_or(path);
    let hint = match object {
        "list" | "search_result" if !path.starts_with("data.") => {
            format!(" You may want to try expanding 'data.{path}' instead.")
        }
        _ => String::new(),
    };
    StripeError::invalid(format!("This property cannot be expanded ({last}).{hint}"))
}
