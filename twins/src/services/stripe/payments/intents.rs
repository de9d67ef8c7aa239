//! Payment intents: made, changed, captured, cancelled. What happens when one is confirmed is in `confirm`.

use super::{
    super::{
        Stripe,
        books::HIDDEN,
        call::{Call, Made},
        errors::StripeError,
        resource::Resource,
        row::Row,
    },
    confirm::Terms,
    money,
};
use crate::{json::Value, twin::Context};

/// A payment that the twin's own side asks for: an invoice, a checkout.
pub(in super::super) struct Order {
    pub(in super::super) amount: i64,
    pub(in super::super) currency: String,
    pub(in super::super) customer: Option<String>,
    pub(in super::super) description: Option<String>,
    pub(in super::super) receipt_email: Option<String>,
    pub(in super::super) metadata: Value,
    pub(in super::super) setup_future_usage: Option<String>,
    /// Whose bill it pays.
    pub(in super::super) invoice: Option<String>,
}

impl Stripe {
    pub(in super::super) fn create_payment_intent(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let amount = call.amount("amount")?.unwrap_or_default();
        let currency = money::currency(call.text("currency").unwrap_or_default())?;
        money::check(amount, &currency)?;
        self.check_named(call, "customer", Resource::Customer)?;
        check_types(call)?;
        let method = self.method_given(call)?;
        let terms = Terms::of(call);
        if call.flag("confirm") {
            method.as_ref().ok_or_else(unattached)?;
            check_redirects(call)?;
        }
        let mut intent = self.begun(call, Resource::PaymentIntent);
        intent.set("currency", currency);
        let id = self.begin_intent(call.context, intent, method);
        if call.flag("confirm") {
            self.confirm_intent(call.context, &id, &terms)?;
        }
        self.show_intent(&id)
    }

    /// A payment without a request of its own; gives its id.
    pub(in super::super) fn order(
        &mut self,
        context: &mut Context<'_>,
        order: Order,
        method: Option<String>,
    ) -> String {
        let mut intent = self.fresh(context, Resource::PaymentIntent);
        intent.set("amount", order.amount);
        intent.set("currency", order.currency);
        intent.set("customer", order.customer);
        intent.set("description", order.description);
        intent.set("receipt_email", order.receipt_email);
        intent.set("metadata", order.metadata);
        intent.set("setup_future_usage", order.setup_future_usage);
        intent[HIDDEN].set("invoice", order.invoice);
        self.begin_intent(context, intent, method)
    }

    fn begin_intent(&mut self, context: &mut Context<'_>, mut intent: Value, method: Option<String>) -> String {
        let id = intent.text("id").to_owned();
        intent.set("client_secret", format!("{id}_secret_{}", context.id("", 25)));
        if intent["automatic_payment_methods"].flag("enabled")
            && intent["automatic_payment_methods"]["allow_redirects"].is_null()
        {
            intent["automatic_payment_methods"].set("allow_redirects", "always");
        }
        intent.set("status", if method.is_some() { "requires_confirmation" } else { "requires_payment_method" });
        intent.set("payment_method", method);
        self.keep(context, Resource::PaymentIntent, intent, "created");
        id
    }

    pub(in super::super) fn retrieve_payment_intent(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        self.show_intent(call.id())
    }

    pub(super) fn show_intent(&self, id: &str) -> Made {
        self.found(Resource::PaymentIntent, id).map(|row| self.shown(Resource::PaymentIntent, row))
    }

    pub(in super::super) fn update_payment_intent(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let intent = self.found(Resource::PaymentIntent, call.id())?.clone();
        let status = intent.text("status");
        if matches!(status, "succeeded" | "canceled" | "requires_capture")
            && ["amount", "currency", "customer", "payment_method", "payment_method_data"].iter().any(|it| call.has(it))
        {
            let text = format!(
                "This PaymentIntent's amount, currency, customer and payment method could not be updated because it has a status of {status}. You may only update them when it has one of the following statuses: requires_payment_method, requires_confirmation, requires_action."
            );
            return Err(self.unexpected(&intent, &text));
        }
        self.check_named(call, "customer", Resource::Customer)?;
        let method = self.method_given(call)?;
        let mut intent = self.changed(call, Resource::PaymentIntent, intent);
        let currency = money::currency(intent.text("currency"))?;
        money::check(intent.int("amount"), &currency)?;
        intent.set("currency", currency);
        if let Some(method) = method {
            intent.set("payment_method", method);
            intent.set("status", "requires_confirmation");
            intent.set("next_action", Value::Null);
        }
        Ok(self.kept(Resource::PaymentIntent, intent))
    }

    pub(in super::super) fn confirm_payment_intent(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let intent = self.found(Resource::PaymentIntent, call.id())?.clone();
        let status = intent.text("status");
        if matches!(status, "succeeded" | "requires_capture" | "canceled") {
            let why = match status {
                "canceled" => "it has a status of canceled",
                _ => "it has already succeeded after being previously confirmed",
            };
            return Err(self.unexpected(&intent, &format!("You cannot confirm this PaymentIntent because {why}.")));
        }
        if call.text("client_secret").is_some_and(|secret| secret != intent.text("client_secret")) {
            let text = "The client_secret provided does not match any associated PaymentIntent on this account. Ensure the publishable key used belongs to the same account that created the PaymentIntent.";
            return Err(StripeError::invalid(text).code("resource_missing").param("client_secret"));
        }
        let method = self.method_given(call)?.or_else(|| intent.maybe("payment_method").map(str::to_owned));
        let mut intent = self.changed(call, Resource::PaymentIntent, intent);
        intent.set("payment_method", Some(method.ok_or_else(unattached)?));
        let invoice = intent[HIDDEN].maybe("invoice").map(str::to_owned);
        self.kept(Resource::PaymentIntent, intent);
        let terms = Terms::of(call);
        let outcome = self.confirm_intent(call.context, call.id(), &terms);
        if let Some(invoice) = invoice {
            self.payment_ended(call.context, &invoice, call.id());
        }
        outcome?;
        self.show_intent(call.id())
    }

    pub(in super::super) fn capture_payment_intent(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let mut intent = self.found(Resource::PaymentIntent, call.id())?.clone();
        let status = intent.text("status");
        if status != "requires_capture" {
            let text = format!(
                "This PaymentIntent could not be captured because it has a status of {status}. Only a PaymentIntent with one of the following statuses may be captured: requires_capture."
            );
            return Err(self.unexpected(&intent, &text));
        }
        let amount = call.amount("amount_to_capture")?.unwrap_or_else(|| intent.int("amount"));
        if amount > intent.int("amount") {
            let text = "The amount to capture is greater than the amount that can be captured.";
            return Err(StripeError::invalid(text).code("amount_too_large").param("amount_to_capture"));
        }
        intent = self.changed(call, Resource::PaymentIntent, intent);
        self.captured(call.context, intent, amount);
        self.show_intent(call.id())
    }

    /// `intent` holds money that now becomes ours.
    pub(super) fn captured(&mut self, context: &mut Context<'_>, mut intent: Value, amount: i64) {
        let charge = self.books.get(Resource::Charge, intent.text("latest_charge"));
        let mut charge = charge.expect("an authorized intent has a charge").clone();
        charge.set("captured", true);
        charge.set("amount_captured", amount);
        let charge = self.settle(context, charge);
        intent.set("amount_received", amount);
        intent.set("amount_capturable", 0);
        intent.set("status", "succeeded");
        self.keep(context, Resource::Charge, charge, "captured");
        self.keep(context, Resource::PaymentIntent, intent, "succeeded");
    }

    pub(in super::super) fn cancel_payment_intent(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let intent = self.found(Resource::PaymentIntent, call.id())?.clone();
        let status = intent.text("status");
        if matches!(status, "succeeded" | "canceled") {
            let text = format!(
                "You cannot cancel this PaymentIntent because it has a status of {status}. Only a PaymentIntent with one of the following statuses may be canceled: requires_payment_method, requires_capture, requires_confirmation, requires_action, processing."
            );
            return Err(self.unexpected(&intent, &text));
        }
        let reason = call.value("cancellation_reason").clone();
        Ok(self.cancel_intent(call.context, intent, reason))
    }

    pub(in super::super) fn cancel_intent(
        &mut self,
        context: &mut Context<'_>,
        mut intent: Value,
        reason: Value,
    ) -> Value {
        if intent.text("status") == "requires_capture"
            && let Some(charge) = self.books.get(Resource::Charge, intent.text("latest_charge"))
        {
            let mut charge = charge.clone();
            charge.set("amount_refunded", charge.int("amount"));
            charge.set("refunded", true);
            self.keep(context, Resource::Charge, charge, "refunded");
        }
        intent.set("status", "canceled");
        intent.set("amount_capturable", 0);
        intent.set("canceled_at", context.unix());
        intent.set("cancellation_reason", reason);
        intent.set("next_action", Value::Null);
        self.keep(context, Resource::PaymentIntent, intent, "canceled")
    }

    pub(in super::super) fn increment_authorization(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let intent = self.found(Resource::PaymentIntent, call.id())?.clone();
        let (status, amount) = (intent.text("status"), call.amount("amount")?.unwrap_or_default());
        if status != "requires_capture" {
            let text = format!(
                "This PaymentIntent could not be incremented because it has a status of {status}. Only a PaymentIntent with one of the following statuses may be incremented: requires_capture."
            );
            return Err(self.unexpected(&intent, &text));
        }
        if amount <= intent.int("amount") {
            let text = "The amount must be greater than the currently authorized amount.";
            return Err(StripeError::invalid(text).param("amount"));
        }
        let mut intent = self.changed(call, Resource::PaymentIntent, intent);
        intent.set("amount_capturable", amount);
        let charge = self.books.get(Resource::Charge, intent.text("latest_charge"));
        let mut charge = charge.expect("an authorized intent has a charge").clone();
        charge.set("amount", amount);
        self.keep(call.context, Resource::Charge, charge, "updated");
        Ok(self.keep(call.context, Resource::PaymentIntent, intent, "amount_capturable_updated"))
    }

    fn unexpected(&self, intent: &Value, message: &str) -> StripeError {
        let shown = self.shown(Resource::PaymentIntent, intent);
        StripeError::invalid(message).code("payment_intent_unexpected_state").with("payment_intent", shown)
    }
}

fn check_types(call: &Call<'_, '_, '_>) -> Result<(), StripeError> {
    if call.value("automatic_payment_methods").flag("enabled") && call.has("payment_method_types") {
        let text = "You may only specify one of these parameters: automatic_payment_methods, payment_method_types.";
        return Err(StripeError::invalid(text).param("automatic_payment_methods"));
    }
    Ok(())
}

/// Who lets Stripe choose the method must say where a redirect comes back to.
fn check_redirects(call: &Call<'_, '_, '_>) -> Result<(), StripeError> {
    let automatic = call.value("automatic_payment_methods");
    if automatic.flag("enabled") && automatic.text("allow_redirects") != "never" && !call.has("return_url") {
        return Err(StripeError::invalid(
            "This PaymentIntent is configured to accept payment methods enabled in your Dashboard. Because some of these payment methods might redirect your customer off of your page, you must provide a `return_url`. If you don't want to accept redirect-based payment methods, set `automatic_payment_methods[enabled]` to `true` and `automatic_payment_methods[allow_redirects]` to `never` when creating Setup Intents and Payment Intents.",
        ));
    }
    Ok(())
}

fn unattached() -> StripeError {
    StripeError::invalid("You cannot confirm this PaymentIntent because it's missing a payment method. You can either update the PaymentIntent with a payment method and then confirm it again, or confirm it again directly with a payment method or ConfirmationToken.")
        .code("payment_intent_unexpected_state")
}
