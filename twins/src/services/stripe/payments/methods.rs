//! Payment methods: test cards that were named, described or saved.

use super::{
    super::{
        Stripe,
        books::HIDDEN,
        call::{Call, Made},
        errors::StripeError,
        resource::Resource,
        row::{Row, fill},
        surface::surface,
    },
    cards::{Card, Fate, check_expiry},
};
use crate::{
    json::{Value, json},
    twin::Context,
};

const CARD: &str = "card";
/// Set once the holder has proved who they are.
const PROVEN: &str = "proven";

impl Stripe {
    pub(in super::super) fn create_payment_method(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let given = call.all();
        let row = self.method_described(call.context, &given)?;
        Ok(self.kept(Resource::PaymentMethod, row))
    }

    pub(in super::super) fn list_payment_methods(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        self.check_named(call, "customer", Resource::Customer)?;
        let rows = self.books.newest_first(Resource::PaymentMethod).filter(|row| !row["customer"].is_null());
        call.page(rows, |row| self.shown(Resource::PaymentMethod, row))
    }

    pub(in super::super) fn update_payment_method(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        check_expiry(call.value("card"))?;
        if self.found(Resource::PaymentMethod, call.id())?["customer"].is_null() {
            return Err(StripeError::invalid(
                "You must save this PaymentMethod to a customer before you can update it.",
            ));
        }
        self.update(call, Resource::PaymentMethod)
    }

    pub(in super::super) fn attach_payment_method(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let customer = call.owned("customer").ok_or_else(|| StripeError::missing("customer"))?;
        self.named_by(Resource::Customer, &customer, "customer")?;
        let id = self.method_named(call.context, call.id())?;
        self.attach(call.context, &id, &customer)?;
        let row = self.found(Resource::PaymentMethod, &id)?;
        Ok(self.shown(Resource::PaymentMethod, row))
    }

    /// It cannot be used again afterwards, as in the service.
    pub(in super::super) fn detach_payment_method(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let mut row = self.found(Resource::PaymentMethod, call.id())?.clone();
        let customer = row["customer"].take();
        let Some(customer) = customer.as_str() else {
            let text = "The payment method you provided is not attached to a customer so detachment is impossible.";
            return Err(StripeError::invalid(text));
        };
        if let Some(customer) = self.books.get(Resource::Customer, customer)
            && customer["invoice_settings"]["default_payment_method"] == row["id"]
        {
            let mut customer = customer.clone();
            customer["invoice_settings"].set("default_payment_method", Value::Null);
            self.kept(Resource::Customer, customer);
        }
        row[HIDDEN].set("used_up", true);
        Ok(self.keep(call.context, Resource::PaymentMethod, row, "detached"))
    }

    /// Saves a card for a customer. The network is asked, as far as that needs no holder.
    pub(in super::super) fn attach(
        &mut self,
        context: &mut Context<'_>,
        id: &str,
        customer: &str,
    ) -> Result<(), StripeError> {
        let mut row = self.found(Resource::PaymentMethod, id)?.clone();
        if row.text("customer") == customer {
            return Ok(());
        }
        usable(&row)?;
        if !row["customer"].is_null() {
            let text = "The payment method you provided has already been attached to a customer.";
            return Err(StripeError::invalid(text).param("payment_method"));
        }
        if let Fate::Declined(decline) = self.card_of(&row).fate {
            return Err(StripeError::declined(&decline));
        }
        row.set("customer", customer);
        self.keep(context, Resource::PaymentMethod, row, "attached");
        Ok(())
    }

    /// The id of the payment method that a request names or describes.
    pub(in super::super) fn method_given(
        &mut self,
        call: &mut Call<'_, '_, '_>,
    ) -> Result<Option<String>, StripeError> {
        if let Some(id) = call.owned("payment_method") {
            return self.method_named(call.context, &id).map(Some);
        }
        if !call.has("payment_method_data") {
            return Ok(None);
        }
        let given = call.value("payment_method_data").clone();
        let row = self.method_described(call.context, &given)?;
        let id = row.text("id").to_owned();
        self.kept(Resource::PaymentMethod, row);
        Ok(Some(id))
    }

    /// Names of test cards become a fresh payment method each time, as in the service.
    pub(in super::super) fn method_named(
        &mut self,
        context: &mut Context<'_>,
        id: &str,
    ) -> Result<String, StripeError> {
        if let Some(row) = self.books.get(Resource::PaymentMethod, id) {
            usable(row)?;
            return Ok(id.to_owned());
        }
        let card = id.strip_prefix("pm_card_").and_then(Card::by_name);
        let card = card.ok_or_else(|| StripeError::no_such(400, "PaymentMethod", id, "payment_method"))?;
        let row = self.method_of(context, card, &json!({}));
        let id = row.text("id").to_owned();
        self.kept(Resource::PaymentMethod, row);
        Ok(id)
    }

    fn method_described(&mut self, context: &mut Context<'_>, given: &Value) -> Result<Value, StripeError> {
        match given.text("type") {
            "card" => {}
            "" if given["card"].is_object() => {}
            "" => return Err(StripeError::missing("type")),
            other => {
                let text = format!("The payment method type \"{other}\" is not one that this twin knows: it has card.");
                return Err(StripeError::invalid(text).param("type"));
            }
        }
        let about = &given["card"];
        check_expiry(about)?;
        let card = match (about.maybe("token"), about.maybe("number")) {
            (Some(token), _) => self.card_of_token(token)?,
            (None, Some(number)) => Card::by_number(number)?,
            (None, None) => return Err(StripeError::missing("card")),
        };
        let mut row = self.method_of(context, card, about);
        let mut plain = given.clone();
        plain.as_object_mut().map(|fields| fields.remove("card"));
        fill(&mut row, surface().object("payment_method"), &plain);
        if let Some(preferred) = about["networks"].maybe("preferred") {
            row["card"]["networks"].set("preferred", preferred);
        }
        Ok(row)
    }

    fn method_of(&mut self, context: &mut Context<'_>, card: Card, given: &Value) -> Value {
        let mut row = self.fresh(context, Resource::PaymentMethod);
        row.set("card", card.json(given));
        row.set("created", context.unix());
        row[HIDDEN].set(CARD, card.name);
        row
    }

    pub(in super::super) fn card_of(&self, method: &Value) -> Card {
        Card::by_name(method[HIDDEN].text(CARD)).expect("a payment method is made of a known card")
    }

    /// What will happen when it is charged now.
    pub(super) fn fate_of(&self, method: &Value, off_session: bool) -> Fate {
        match self.card_of(method).fate {
            Fate::NeedsActionOnce if off_session && method[HIDDEN].flag(PROVEN) => Fate::Paid,
            fate => fate,
        }
    }

    pub(super) fn prove(&mut self, method: &str) {
        self.books.note(method, PROVEN, json!(true));
    }
}

fn usable(row: &Value) -> Result<(), StripeError> {
    if !row[HIDDEN].flag("used_up") {
        return Ok(());
    }
    let text = "The provided PaymentMethod was previously used with a PaymentIntent without Customer attachment, shared with a connected account without Customer attachment, or was detached from a Customer. It may not be used again. To use a PaymentMethod multiple times, you must attach it to a Customer first.";
    Err(StripeError::invalid(text).code("payment_method_unexpected_state").param("payment_method"))
}
