//! `expand[]`: an id in an answer becomes the object it names.

use serde_json::Value;

use super::{
    Stripe,
    errors::StripeError,
    objects::{Charge, Customer, PaymentMethod, Refund},
};
use crate::{
    http::{Reply, Request},
    twin::{Answer, Context},
};

const DEPTH_MAX: usize = 4; // the service's own limit
const PATHS_MAX: usize = 20;

/// `object` as the answer, with what the request wants expanded.
pub(super) fn reply(stripe: &Stripe, context: &Context<'_>, request: &Request, mut object: Value) -> Answer {
    for path in wanted(request) {
        let steps: Vec<&str> = path.split('.').collect();
        stripe.expand(&mut object, &steps).map_err(|error| error.reply(context))?;
    }
    Ok(Reply::json(200, &object))
}

impl Stripe {
    /// Rows of a list: paths begin with `data.`.
    pub(super) fn expanded_rows(
        &self,
        context: &Context<'_>,
        request: &Request,
        mut rows: Vec<Value>,
    ) -> Result<Vec<Value>, Reply> {
        for path in wanted(request) {
            let steps: Vec<&str> = path.split('.').collect();
            let inside = steps.strip_prefix(&["data"]).ok_or_else(|| cannot(path).reply(context))?;
            for row in &mut rows {
                self.expand(row, inside).map_err(|error| error.reply(context))?;
            }
        }
        Ok(rows)
    }

    fn expand(&self, object: &mut Value, steps: &[&str]) -> Result<(), StripeError> {
        let Some((first, rest)) = steps.split_first() else { return Ok(()) };
        let slot = object.get_mut(*first).filter(|_| steps.len() <= DEPTH_MAX).ok_or_else(|| cannot(first))?;
        match slot {
            Value::Null => return Ok(()),
            Value::String(id) => *slot = self.object(id).ok_or_else(|| cannot(first))?,
            _ => {}
        }
        self.expand(slot, rest)
    }

    fn object(&self, id: &str) -> Option<Value> {
        match id.split_once('_')?.0 {
            "ch" => self.charges.get(id).map(Charge::json),
            "cus" => self.customers.get(id).map(Customer::json),
            "pi" => self.payment_intents.get(id).map(|intent| self.intent_json(intent)),
            "pm" => self.payment_methods.get(id).map(PaymentMethod::json),
            "re" => self.refunds.get(id).map(Refund::json),
            _ => None,
        }
    }
}

fn wanted(request: &Request) -> impl Iterator<Item = &str> {
    let from = |fields: &'_ Value| fields["expand"].as_array().is_some();
    let fields = if from(request.fields()) { request.fields() } else { &request.query };
    fields["expand"].as_array().into_iter().flatten().filter_map(Value::as_str).take(PATHS_MAX)
}

fn cannot(property: &str) -> StripeError {
    StripeError::invalid(format!("This property cannot be expanded ({property})."))
}
