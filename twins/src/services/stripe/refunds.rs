//! Refunds, asked for over the API or made on the service's own dashboard.

use serde_json::{Map, Value, json};

use super::{
    Stripe,
    errors::StripeError,
    expand, lists,
    objects::{Charge, Refund, Status},
    params::Params,
};
use crate::{
    http::Request,
    twin::{Answer, Context},
};

const CREATE: &[&str] = &[
    "amount",
    "charge",
    "currency",
    "metadata",
    "payment_intent",
    "reason",
    "refund_application_fee",
    "reverse_transfer",
];
const REASONS: [&str; 3] = ["duplicate", "fraudulent", "requested_by_customer"];

impl Stripe {
    pub(super) fn create_refund(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let made = self.refund_as_asked(context, request.fields());
        let shown = made.map_err(|error| error.reply(context))?;
        expand::reply(self, context, request, shown)
    }

    fn refund_as_asked(&mut self, context: &mut Context<'_>, fields: &Value) -> Result<Value, StripeError> {
        let params = Params::new(fields, CREATE)?;
        let reason = params.text("reason");
        if reason.is_some_and(|reason| !REASONS.contains(&reason)) {
            return Err(
                StripeError::invalid(format!("Invalid reason: must be one of {}", REASONS.join(", "))).param("reason")
            );
        }
        let charge = self.charge_to_refund(params)?;
        self.refund(context, &charge, params.amount("amount")?, reason.map(str::to_owned), params.metadata())
    }

    fn charge_to_refund(&self, params: Params<'_>) -> Result<String, StripeError> {
        match (params.text("charge"), params.text("payment_intent")) {
            (Some(id), _) if self.charges.get(id).is_some() => Ok(id.to_owned()),
            (Some(id), _) => Err(StripeError::no_such(404, "charge", id, "charge")),
            (None, Some(id)) => self.paid_charge(id),
            (None, None) => Err(StripeError::invalid(
                "One of the following params should be provided for this request: payment_intent or charge.",
            )),
        }
    }

    fn paid_charge(&self, intent_id: &str) -> Result<String, StripeError> {
        let found = self.payment_intents.get(intent_id);
        let intent = found.ok_or_else(|| StripeError::no_such(404, "payment_intent", intent_id, "payment_intent"))?;
        match &intent.latest_charge {
            Some(charge) if intent.status == Status::Succeeded => Ok(charge.clone()),
            _ => Err(StripeError::invalid(format!(
                "This PaymentIntent ({intent_id}) does not have a successful charge to refund."
            ))),
        }
    }

    fn refund(
        &mut self,
        context: &mut Context<'_>,
        charge_id: &str,
        amount: Option<i64>,
        reason: Option<String>,
        metadata: Map<String, Value>,
    ) -> Result<Value, StripeError> {
        let charge = self.charges.get_mut(charge_id).expect("the caller found it");
        let amount = refundable(charge, amount)?;
        charge.amount_refunded += amount;
        let after = charge.json();
        let refund = Refund {
            id: context.id("re_", 24),
            created: context.unix(),
            amount,
            currency: charge.currency.clone(),
            charge: charge.id.clone(),
            payment_intent: charge.payment_intent.clone(),
            reason,
            metadata,
        };
        let (id, shown) = (refund.id.clone(), refund.json());
        self.refunds.insert(&id, refund);
        self.happened(context, "refund.created", shown.clone());
        self.happened(context, "charge.refunded", after);
        Ok(shown)
    }

    /// `{"refund": {"payment_intent": "pi_…", "amount": 500}}`: somebody at the shop pressed the button.
    pub(super) fn refund_from_dashboard(
        &mut self,
        context: &mut Context<'_>,
        argument: &Value,
    ) -> Result<Value, String> {
        let id = argument["payment_intent"].as_str().ok_or("give `payment_intent`")?;
        let charge = self.paid_charge(id).map_err(|_| format!("no paid payment intent `{id}`"))?;
        let made = self.refund(context, &charge, argument["amount"].as_i64(), None, Map::new());
        made.map_err(|_| format!("the charge of `{id}` cannot be refunded by that amount"))
    }

    pub(super) fn retrieve_refund(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let id = request.param("id");
        match self.refunds.get(id) {
            Some(refund) => expand::reply(self, context, request, refund.json()),
            None => Err(StripeError::no_such(404, "refund", id, "refund").reply(context)),
        }
    }

    pub(super) fn list_refunds(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let (charge, intent) = (request.query["charge"].as_str(), request.query["payment_intent"].as_str());
        let fits = |refund: &&Refund| {
            charge.is_none_or(|id| refund.charge == id) && intent.is_none_or(|id| refund.payment_intent == id)
        };
        let rows = self.refunds.newest_first().filter(fits).map(Refund::json).collect();
        let rows = self.expanded_rows(context, request, rows)?;
        lists::page(context, request, rows)
    }
}

/// How much goes back: all that is left, or the amount where so much is left.
fn refundable(charge: &Charge, amount: Option<i64>) -> Result<i64, StripeError> {
    let left = charge.refundable();
    if left <= 0 {
        let text = format!("Charge {} has already been refunded.", charge.id);
        return Err(StripeError::invalid(text).code("charge_already_refunded").with("charge", json!(charge.id)));
    }
    match amount {
        Some(amount) if amount > left => Err(StripeError::invalid(format!(
            "Refund amount ({}) is greater than unrefunded amount on charge ({})",
            money(amount),
            money(left)
        ))
        .param("amount")),
        amount => Ok(amount.unwrap_or(left)),
    }
}

fn money(cents: i64) -> String {
    format!("${}.{:02}", cents / 100, cents % 100)
}
