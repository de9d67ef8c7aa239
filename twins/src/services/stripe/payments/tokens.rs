//! Tokens: cards as old integrations name them.

use super::{
    super::{
        Stripe,
        books::HIDDEN,
        call::{Call, Made},
        errors::StripeError,
        resource::Resource,
        row::Row,
        surface::blank,
    },
    cards::{Card, check_expiry},
};
use crate::json::{Value, json};

impl Stripe {
    pub(in super::super) fn create_token(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let about = numbered(call.value("card"));
        let number = about.maybe("number").ok_or_else(|| StripeError::missing("card"))?;
        check_expiry(&about)?;
        let card = Card::by_number(number)?;
        let mut row = self.fresh(call.context, Resource::Token);
        row.set("type", "card");
        row.set("card", token_card(call, card, &about));
        row[HIDDEN].set("card", card.name);
        Ok(self.kept(Resource::Token, row))
    }

    /// `tok_visa` and its like, or one that was made here.
    pub(super) fn card_of_token(&self, token: &str) -> Result<Card, StripeError> {
        let made = self.books.get(Resource::Token, token).map(|row| row[HIDDEN].text("card"));
        let card = made.or_else(|| token.strip_prefix("tok_")).and_then(Card::by_name);
        card.ok_or_else(|| StripeError::no_such(400, "token", token, "payment_method_data[card][token]"))
    }
}

/// Tokens take the parts of an expiry date as text.
fn numbered(given: &Value) -> Value {
    let mut about = if given.is_object() { given.clone() } else { json!({}) };
    for name in ["exp_month", "exp_year"] {
        about[name] = about.maybe(name).and_then(|text| text.parse::<i64>().ok()).map_or(Value::Null, Value::from);
    }
    about
}

fn token_card(call: &mut Call<'_, '_, '_>, card: Card, about: &Value) -> Value {
    let method = card.json(about);
    let mut shown = blank("card");
    shown.set("id", call.context.id("card_", 24));
    for name in ["country", "exp_month", "exp_year", "fingerprint", "funding", "last4"] {
        shown.set(name, method[name].clone());
    }
    shown.set("brand", title(card.brand));
    shown.set("name", about["name"].clone());
    shown.set("cvc_check", if about["cvc"].is_null() { Value::Null } else { json!("unchecked") });
    shown
}

/// Cards of tokens have brands as people write them.
fn title(brand: &str) -> &'static str {
    match brand {
        "visa" => "Visa",
        "mastercard" => "MasterCard",
        "amex" => "American Express",
        "discover" => "Discover",
        "diners" => "Diners Club",
        "jcb" => "JCB",
        "unionpay" => "UnionPay",
        _ => "Unknown",
    }
}
