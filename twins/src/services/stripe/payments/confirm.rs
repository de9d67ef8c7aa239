//! A payment is confirmed: the card is asked, and what it says becomes charges, errors, next actions, disputes.

use super::{
    super::{
        Stripe,
        books::HIDDEN,
        call::{Call, Made},
        errors::StripeError,
        resource::Resource,
        row::Row,
    },
    cards::{AUTHENTICATION_REQUIRED, Decline, Fate},
};
use crate::{
    json::{Value, json},
    twin::Context,
};

/// Under which a payment is confirmed.
#[derive(Default)]
pub(in super::super) struct Terms {
    /// The customer is not there to prove anything.
    pub(in super::super) off_session: bool,
    pub(in super::super) error_on_requires_action: bool,
    /// An invoice waits for a customer who is away, where another payment would be declined.
    pub(in super::super) waits: bool,
    pub(in super::super) return_url: Option<String>,
}

impl Terms {
    pub(in super::super) fn of(call: &Call<'_, '_, '_>) -> Self {
        Self {
            off_session: call.text("off_session").is_some_and(|given| given != "false"),
            error_on_requires_action: call.flag("error_on_requires_action"),
            waits: false,
            return_url: call.owned("return_url"),
        }
    }
}

impl Stripe {
    /// Asks the card. A decline is kept as a failed charge and becomes an error that carries the intent.
    pub(in super::super) fn confirm_intent(
        &mut self,
        context: &mut Context<'_>,
        id: &str,
        terms: &Terms,
    ) -> Result<(), StripeError> {
        let intent = self.found(Resource::PaymentIntent, id)?.clone();
        let method = self.found(Resource::PaymentMethod, intent.text("payment_method"))?.clone();
        check_owner(&intent, &method)?;
        match self.fate_of(&method, terms.off_session) {
            Fate::Paid | Fate::PaidAtOnce | Fate::Disputed { .. } => self.paid(context, intent, &method),
            Fate::NeedsAction | Fate::NeedsActionOnce | Fate::NeedsActionThenDeclined(_) => {
                if terms.off_session && !terms.waits || terms.error_on_requires_action {
                    return Err(self.declined(context, intent, &method, &AUTHENTICATION_REQUIRED));
                }
                self.needs_action(context, intent, terms);
            }
            Fate::Declined(decline) | Fate::DeclinedWhenCharged(decline) => {
                return Err(self.declined(context, intent, &method, &decline));
            }
        }
        Ok(())
    }

    fn paid(&mut self, context: &mut Context<'_>, mut intent: Value, method: &Value) {
        let mut charge = self.new_charge(context, &intent, method, None);
        let amount = intent.int("amount");
        intent.set("latest_charge", charge["id"].clone());
        intent.set("last_payment_error", Value::Null);
        intent.set("next_action", Value::Null);
        self.save_for_later(context, &intent, method);
        if intent.text("capture_method") == "manual" {
            intent.set("status", "requires_capture");
            intent.set("amount_capturable", amount);
            self.keep(context, Resource::Charge, charge, "succeeded");
            self.keep(context, Resource::PaymentIntent, intent, "amount_capturable_updated");
            return;
        }
        charge.set("captured", true);
        charge.set("amount_captured", amount);
        let charge = self.settle(context, charge);
        let charge_id = charge.text("id").to_owned();
        intent.set("amount_received", amount);
        intent.set("status", "succeeded");
        self.keep(context, Resource::Charge, charge, "succeeded");
        self.keep(context, Resource::PaymentIntent, intent, "succeeded");
        if let Fate::Disputed { reason, inquiry } = self.card_of(method).fate {
            self.open_dispute(context, &charge_id, reason, inquiry);
        }
    }

    /// What was paid with `setup_future_usage` belongs to the customer from now on.
    fn save_for_later(&mut self, context: &mut Context<'_>, intent: &Value, method: &Value) {
        if let (Some(customer), Some(_)) = (intent.maybe("customer"), intent.maybe("setup_future_usage"))
            && method["customer"].is_null()
        {
            // The card has just been charged: saving it cannot fail.
            self.attach(context, method.text("id"), customer).ok();
        }
    }

    fn needs_action(&mut self, context: &mut Context<'_>, mut intent: Value, terms: &Terms) {
        intent.set("status", "requires_action");
        intent.set("next_action", next_action(intent.text("id"), terms));
        self.keep(context, Resource::PaymentIntent, intent, "requires_action");
    }

    fn declined(
        &mut self,
        context: &mut Context<'_>,
        mut intent: Value,
        method: &Value,
        decline: &Decline,
    ) -> StripeError {
        let charge = self.new_charge(context, &intent, method, Some(decline));
        let error = StripeError::declined(decline)
            .with("charge", charge["id"].clone())
            .with("payment_method", self.shown(Resource::PaymentMethod, method));
        intent.set("status", "requires_payment_method");
        intent.set("payment_method", Value::Null);
        intent.set("next_action", Value::Null);
        intent.set("latest_charge", charge["id"].clone());
        intent.set("last_payment_error", error.body().clone());
        self.keep(context, Resource::Charge, charge, "failed");
        let shown = self.keep(context, Resource::PaymentIntent, intent, "payment_failed");
        error.with("payment_intent", shown)
    }

    /// `{"authenticate_payment": {"payment_intent": "pi_…", "outcome": "failed"}}`: the holder did, or could not, prove
    /// who they are. Takes a `setup_intent` as well; without an outcome it succeeds.
    pub(in super::super) fn authenticate_payment(&mut self, context: &mut Context<'_>, argument: &Value) -> Made {
        let proven = argument.maybe("outcome").unwrap_or("succeeded") == "succeeded";
        if let Some(id) = argument.maybe("setup_intent") {
            return self.authenticate_setup(context, id, proven);
        }
        let id = argument.maybe("payment_intent").ok_or_else(|| StripeError::invalid("give `payment_intent`"))?;
        let mut intent = self.found(Resource::PaymentIntent, id)?.clone();
        if intent.text("status") != "requires_action" {
            return Err(StripeError::invalid(format!("the payment intent `{id}` does not wait for an action")));
        }
        let method = self.found(Resource::PaymentMethod, intent.text("payment_method"))?.clone();
        if proven {
            self.prove(method.text("id"));
            match self.card_of(&method).fate {
                Fate::NeedsActionThenDeclined(decline) => {
                    drop(self.declined(context, intent.clone(), &method, &decline))
                }
                _ => self.paid(context, intent.clone(), &method),
            }
        } else {
            self.unproven(context, &mut intent, &method);
        }
        if let Some(invoice) = intent[HIDDEN].maybe("invoice") {
            self.payment_ended(context, invoice, id);
        }
        self.show_intent(id)
    }

    fn unproven(&mut self, context: &mut Context<'_>, intent: &mut Value, method: &Value) {
        let text = "We are unable to authenticate your payment method. Please choose a different payment method and try again.";
        let error = StripeError::invalid(text)
            .code("payment_intent_authentication_failure")
            .with("payment_method", self.shown(Resource::PaymentMethod, method));
        intent.set("status", "requires_payment_method");
        intent.set("payment_method", Value::Null);
        intent.set("next_action", Value::Null);
        intent.set("last_payment_error", error.body().clone());
        self.keep(context, Resource::PaymentIntent, intent.clone(), "payment_failed");
    }
}

/// Where the holder proves who they are: a page to go to, or what a script in the browser does.
pub(super) fn next_action(id: &str, terms: &Terms) -> Value {
    let page = format!("https://hooks.stripe.com/3d_secure_2/hosted?intent={id}");
    match &terms.return_url {
        Some(back) => json!({"type": "redirect_to_url", "redirect_to_url": {"return_url": back, "url": page}}),
        None => json!({"type": "use_stripe_sdk", "use_stripe_sdk": {"type": "three_d_secure_redirect",
            "stripe_js": page}}),
    }
}

fn check_owner(intent: &Value, method: &Value) -> Result<(), StripeError> {
    match method.maybe("customer") {
        Some(owner) if intent.maybe("customer") != Some(owner) => {
            let text = if intent["customer"].is_null() {
                format!(
                    "The provided PaymentMethod ({}) belongs to the customer {owner}. Include the Customer in the `customer` parameter on the PaymentIntent.",
                    method.text("id")
                )
            } else {
                format!(
                    "The provided PaymentMethod ({}) belongs to a different Customer ({owner}) than the PaymentIntent's.",
                    method.text("id")
                )
            };
            Err(StripeError::invalid(text).param("payment_method"))
        }
        _ => Ok(()),
    }
}
