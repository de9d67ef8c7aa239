//! Charges: what a confirmed payment leaves behind, and what it does to the balance.

use super::{
    super::{
        Stripe,
        call::{Call, Made},
        errors::StripeError,
        resource::Resource,
        row::Row,
    },
    cards::Decline,
};
use crate::{
    json::{Value, json},
    twin::Context,
};

impl Stripe {
    /// Of an intent, with a method; failed where there is a decline.
    pub(super) fn new_charge(
        &mut self,
        context: &mut Context<'_>,
        intent: &Value,
        method: &Value,
        decline: Option<&Decline>,
    ) -> Value {
        let mut charge = self.fresh(context, Resource::Charge);
        for name in [
            "amount",
            "currency",
            "customer",
            "description",
            "receipt_email",
            "metadata",
            "shipping",
            "statement_descriptor",
            "statement_descriptor_suffix",
            "transfer_group",
            "on_behalf_of",
        ] {
            charge.set(name, intent[name].clone());
        }
        charge.set("payment_intent", intent["id"].clone());
        charge.set("payment_method", method["id"].clone());
        charge.set("billing_details", method["billing_details"].clone());
        charge.set("payment_method_details", self.details(intent, method));
        charge.set("paid", decline.is_none());
        charge.set("status", if decline.is_none() { "succeeded" } else { "failed" });
        charge.set("outcome", outcome(decline));
        charge.set("failure_code", decline.map(|decline| decline.code));
        charge.set("failure_message", decline.map(|decline| decline.message));
        let receipt =
            decline.is_none().then(|| format!("https://pay.stripe.com/receipts/payment/{}", charge.text("id")));
        charge.set("receipt_url", receipt);
        charge
    }

    fn details(&self, intent: &Value, method: &Value) -> Value {
        let card = &method["card"];
        json!({"type": "card", "card": {
            "amount_authorized": intent["amount"], "authorization_code": null, "brand": card["brand"],
            "checks": card["checks"], "country": card["country"], "exp_month": card["exp_month"],
            "exp_year": card["exp_year"], "electronic_commerce_indicator": null, "extended_authorization": {"status": "disabled"},
            "fingerprint": card["fingerprint"], "funding": card["funding"],
            "incremental_authorization": {"status": "unavailable"}, "installments": null, "last4": card["last4"],
            "mandate": null, "multicapture": {"status": "unavailable"}, "network": card["brand"],
            "network_token": {"used": false}, "network_transaction_id": null,
            "overcapture": {"maximum_amount_capturable": intent["amount"], "status": "unavailable"},
            "regulated_status": card["regulated_status"], "three_d_secure": null, "transaction_link_id": null,
            "wallet": null,
        }})
    }

    /// Of a payment intent: the same as capturing that.
    pub(in super::super) fn capture_charge(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let charge = self.found(Resource::Charge, call.id())?;
        if charge.flag("captured") || charge.text("status") != "succeeded" {
            let text = format!("Charge {} has already been captured.", call.id());
            return Err(StripeError::invalid(text).code("charge_already_captured"));
        }
        let intent = self.found(Resource::PaymentIntent, charge.text("payment_intent"))?.clone();
        let amount = call.amount("amount")?.unwrap_or_else(|| intent.int("amount"));
        if amount > intent.int("amount") {
            let text = "The amount to capture is greater than the amount that can be captured.";
            return Err(StripeError::invalid(text).code("amount_too_large").param("amount"));
        }
        self.captured(call.context, intent, amount);
        self.retrieve(call, Resource::Charge)
    }
}

fn outcome(decline: Option<&Decline>) -> Value {
    match decline {
        None => json!({"advice_code": null, "network_advice_code": null, "network_decline_code": null,
            "network_status": "approved_by_network", "reason": null, "risk_level": "normal", "risk_score": 20,
            "seller_message": "Payment complete.", "type": "authorized"}),
        Some(decline) => json!({"advice_code": "try_again_later", "network_advice_code": null,
            "network_decline_code": "01", "network_status": "declined_by_network",
            "reason": decline.decline_code.unwrap_or(decline.code), "risk_level": "normal", "risk_score": 20,
            "seller_message": "The bank did not return any further details with this decline.",
            "type": "issuer_declined"}),
    }
}
