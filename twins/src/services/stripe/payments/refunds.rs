//! Refunds, asked for over the API or made on the service's own dashboard.

use super::{
    super::{
        Stripe,
        call::{Call, Made},
        errors::StripeError,
        resource::Resource,
        row::Row,
    },
    balance::Movement,
    money,
};
use crate::{
    json::{Value, json},
    twin::Context,
};

impl Stripe {
    pub(in super::super) fn create_refund(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let charge = self.charge_to_refund(call)?;
        let amount = call.amount("amount")?;
        let row = self.begun(call, Resource::Refund);
        self.refund(call.context, &charge, row, amount)
    }

    fn charge_to_refund(&self, call: &Call<'_, '_, '_>) -> Result<String, StripeError> {
        match (call.text("charge"), call.text("payment_intent")) {
            (Some(id), _) => match self.books.get(Resource::Charge, id) {
                Some(_) => Ok(id.to_owned()),
                None => Err(StripeError::no_such(404, "charge", id, "charge")),
            },
            (None, Some(id)) => self.paid_charge(id),
            (None, None) => Err(StripeError::invalid(
                "One of the following params should be provided for this request: payment_intent or charge.",
            )),
        }
    }

    fn paid_charge(&self, intent_id: &str) -> Result<String, StripeError> {
        let found = self.books.get(Resource::PaymentIntent, intent_id);
        let intent = found.ok_or_else(|| StripeError::no_such(404, "payment_intent", intent_id, "payment_intent"))?;
        match intent.maybe("latest_charge") {
            Some(charge) if intent.text("status") == "succeeded" => Ok(charge.to_owned()),
            _ => Err(StripeError::invalid(format!(
                "This PaymentIntent ({intent_id}) does not have a successful charge to refund."
            ))),
        }
    }

    fn refund(&mut self, context: &mut Context<'_>, charge_id: &str, mut row: Value, amount: Option<i64>) -> Made {
        let mut charge = self.books.get(Resource::Charge, charge_id).expect("the caller found it").clone();
        let amount = refundable(&charge, amount)?;
        charge.set("amount_refunded", charge.int("amount_refunded") + amount);
        charge.set("refunded", charge["amount_refunded"] == charge["amount_captured"]);
        row.set("amount", amount);
        for name in ["currency", "payment_intent", "customer", "payment_method"] {
            row.set(name, charge[name].clone());
        }
        row.set("charge", charge_id);
        let movement = Movement {
            kind: "refund",
            category: "refund",
            amount: -amount,
            fee: 0,
            source: &row,
            available_on: context.unix(),
        };
        let transaction = self.book(context, &movement);
        row.set("balance_transaction", transaction["id"].clone());
        let shown = self.keep(context, Resource::Refund, row, "created");
        self.keep(context, Resource::Charge, charge, "refunded");
        Ok(shown)
    }

    /// Cards refund at once: there is nothing left to cancel.
    pub(in super::super) fn cancel_refund(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let status = self.found(Resource::Refund, call.id())?.text("status");
        let text = format!(
            "You cannot cancel this refund because it has a status of {status}. Only refunds with status requires_action can be canceled."
        );
        Err(StripeError::invalid(text).code("refund_not_cancelable"))
    }

    /// `{"refund": {"payment_intent": "pi_…", "amount": 500}}`: somebody at the shop pressed the button.
    pub(in super::super) fn refund_from_dashboard(
        &mut self,
        context: &mut Context<'_>,
        argument: &Value,
    ) -> Result<Value, String> {
        let id = argument["payment_intent"].as_str().ok_or("give `payment_intent`")?;
        let charge = self.paid_charge(id).map_err(|_| format!("no paid payment intent `{id}`"))?;
        let row = self.fresh(context, Resource::Refund);
        let made = self.refund(context, &charge, row, argument["amount"].as_i64());
        made.map_err(|_| format!("the charge of `{id}` cannot be refunded by that amount"))
    }
}

/// How much goes back: all that is left, or the amount where so much is left.
fn refundable(charge: &Value, amount: Option<i64>) -> Result<i64, StripeError> {
    let left = charge.int("amount_captured") - charge.int("amount_refunded");
    let id = charge.text("id");
    if charge.flag("disputed") {
        let text = format!("Charge {id} has been charged back; cannot issue a refund.");
        return Err(StripeError::invalid(text).code("charge_disputed"));
    }
    if left <= 0 {
        let text = format!("Charge {id} has already been refunded.");
        return Err(StripeError::invalid(text).code("charge_already_refunded").with("charge", json!(id)));
    }
    match amount {
        Some(amount) if amount > left => {
            let shown = |amount| money::shown(amount, charge.text("currency"));
            let (asked, left) = (shown(amount), shown(left));
            let text = format!("Refund amount ({asked}) is greater than unrefunded amount on charge ({left})");
            Err(StripeError::invalid(text).param("amount"))
        }
        amount => Ok(amount.unwrap_or(left)),
    }
}
