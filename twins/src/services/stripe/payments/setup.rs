//! Setup intents: a card is saved without being charged.

use super::{
    super::{
        Stripe,
        call::{Call, Made},
        errors::StripeError,
        resource::Resource,
        row::Row,
    },
    cards::{AUTHENTICATION_REQUIRED, Decline, Fate},
    confirm::{Terms, next_action},
};
use crate::{json::Value, twin::Context};

impl Stripe {
    pub(in super::super) fn create_setup_intent(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        self.check_named(call, "customer", Resource::Customer)?;
        let method = self.method_given(call)?;
        if call.flag("confirm") && method.is_none() {
            return Err(unattached());
        }
        let mut row = self.begun(call, Resource::SetupIntent);
        let id = row.text("id").to_owned();
        row.set("client_secret", format!("{id}_secret_{}", call.context.id("", 25)));
        row.set("status", if method.is_some() { "requires_confirmation" } else { "requires_payment_method" });
        row.set("payment_method", method);
        self.keep(call.context, Resource::SetupIntent, row, "created");
        if call.flag("confirm") {
            let terms = Terms::of(call);
            self.confirm_setup(call.context, &id, &terms)?;
        }
        self.show_setup(&id)
    }

    fn show_setup(&self, id: &str) -> Made {
        self.found(Resource::SetupIntent, id).map(|row| self.shown(Resource::SetupIntent, row))
    }

    pub(in super::super) fn update_setup_intent(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        self.check_named(call, "customer", Resource::Customer)?;
        let row = self.found(Resource::SetupIntent, call.id())?.clone();
        let method = self.method_given(call)?;
        let mut row = self.changed(call, Resource::SetupIntent, row);
        if let Some(method) = method {
            row.set("payment_method", method);
            row.set("status", "requires_confirmation");
        }
        Ok(self.kept(Resource::SetupIntent, row))
    }

    pub(in super::super) fn confirm_setup_intent(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let mut row = self.found(Resource::SetupIntent, call.id())?.clone();
        if matches!(row.text("status"), "succeeded" | "canceled") {
            let text =
                format!("You cannot confirm this SetupIntent because it has a status of {}.", row.text("status"));
            return Err(self.unexpected_setup(&row, &text));
        }
        let method = self.method_given(call)?.or_else(|| row.maybe("payment_method").map(str::to_owned));
        row.set("payment_method", Some(method.ok_or_else(unattached)?));
        self.kept(Resource::SetupIntent, row);
        let terms = Terms::of(call);
        self.confirm_setup(call.context, call.id(), &terms)?;
        self.show_setup(call.id())
    }

    fn confirm_setup(&mut self, context: &mut Context<'_>, id: &str, terms: &Terms) -> Result<(), StripeError> {
        let mut row = self.found(Resource::SetupIntent, id)?.clone();
        let method = self.found(Resource::PaymentMethod, row.text("payment_method"))?.clone();
        match self.card_of(&method).fate {
            Fate::Declined(decline) => return Err(self.setup_declined(context, row, &method, &decline)),
            Fate::NeedsAction | Fate::NeedsActionOnce | Fate::NeedsActionThenDeclined(_) => {
                if terms.off_session {
                    return Err(self.setup_declined(context, row, &method, &AUTHENTICATION_REQUIRED));
                }
                row.set("status", "requires_action");
                row.set("next_action", next_action(id, terms));
                self.keep(context, Resource::SetupIntent, row, "requires_action");
            }
            Fate::Paid | Fate::PaidAtOnce | Fate::DeclinedWhenCharged(_) | Fate::Disputed { .. } => {
                self.set_up(context, row)?;
            }
        }
        Ok(())
    }

    pub(in super::super) fn set_up(&mut self, context: &mut Context<'_>, mut row: Value) -> Result<(), StripeError> {
        if let Some(customer) = row.maybe("customer") {
            self.attach(context, row.text("payment_method"), customer)?;
        }
        self.prove(row.text("payment_method"));
        row.set("status", "succeeded");
        row.set("next_action", Value::Null);
        row.set("last_setup_error", Value::Null);
        self.keep(context, Resource::SetupIntent, row, "succeeded");
        Ok(())
    }

    fn setup_declined(
        &mut self,
        context: &mut Context<'_>,
        mut row: Value,
        method: &Value,
        decline: &Decline,
    ) -> StripeError {
        let error = StripeError::declined(decline).with("payment_method", self.shown(Resource::PaymentMethod, method));
        row.set("status", "requires_payment_method");
        row.set("payment_method", Value::Null);
        row.set("next_action", Value::Null);
        row.set("last_setup_error", error.body().clone());
        let shown = self.keep(context, Resource::SetupIntent, row, "setup_failed");
        error.with("setup_intent", shown)
    }

    pub(super) fn authenticate_setup(&mut self, context: &mut Context<'_>, id: &str, proven: bool) -> Made {
        let mut row = self.found(Resource::SetupIntent, id)?.clone();
        if row.text("status") != "requires_action" {
            return Err(StripeError::invalid(format!("the setup intent `{id}` does not wait for an action")));
        }
        if proven {
            self.set_up(context, row)?;
        } else {
            let text = "We are unable to authenticate your payment method. Please choose a different payment method and try again.";
            row.set("status", "requires_payment_method");
            row.set("next_action", Value::Null);
            let error = StripeError::invalid(text).code("setup_intent_authentication_failure");
            row.set("last_setup_error", error.body().clone());
            self.keep(context, Resource::SetupIntent, row, "setup_failed");
        }
        self.show_setup(id)
    }

    pub(in super::super) fn cancel_setup_intent(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let row = self.found(Resource::SetupIntent, call.id())?.clone();
        if matches!(row.text("status"), "succeeded" | "canceled") {
            let text = format!(
                "You cannot cancel this SetupIntent because it has a status of {}. Only a SetupIntent with one of the following statuses may be canceled: requires_payment_method, requires_confirmation, requires_action.",
                row.text("status")
            );
            return Err(self.unexpected_setup(&row, &text));
        }
        let mut row = self.changed(call, Resource::SetupIntent, row);
        row.set("status", "canceled");
        row.set("next_action", Value::Null);
        Ok(self.keep(call.context, Resource::SetupIntent, row, "canceled"))
    }

    fn unexpected_setup(&self, row: &Value, message: &str) -> StripeError {
        let shown = self.shown(Resource::SetupIntent, row);
        StripeError::invalid(message).code("setup_intent_unexpected_state").with("setup_intent", shown)
    }
}

fn unattached() -> StripeError {
    StripeError::invalid("You cannot confirm this SetupIntent because it's missing a payment method. Update the SetupIntent with a payment method and then confirm it again.")
        .code("setup_intent_unexpected_state")
}
