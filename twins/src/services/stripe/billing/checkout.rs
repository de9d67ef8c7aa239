//! Checkout sessions: a page of Stripe's on which a customer pays. Here `complete_checkout` is the customer.

use super::{
    super::{
        Stripe,
        books::HIDDEN,
        call::{Call, Made},
        errors::StripeError,
        payments::{Order, Terms},
        resource::Resource,
        row::{Row, fill},
        surface::{blank, surface},
    },
    catalog::cost,
    discounts::off,
    period::Interval,
};
use crate::{
    json::{Value, json},
    twin::Context,
};

const OPEN_FOR_S: i64 = 24 * 3_600;
const OPEN_FOR_S_MIN: i64 = 30 * 60;
const METHOD_DEFAULT: &str = "pm_card_visa";

impl Stripe {
    pub(in super::super) fn create_session(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        self.check_named(call, "customer", Resource::Customer)?;
        let mode = call.owned("mode").ok_or_else(|| StripeError::missing("mode"))?;
        let lines = self.checkout_lines(call, &mode)?;
        check_urls(call)?;
        let mut row = self.begun(call, Resource::CheckoutSession);
        let id = row.text("id").to_owned();
        row.set("payment_method_types", call.list("payment_method_types"));
        if row.list("payment_method_types").is_empty() {
            row.set("payment_method_types", json!(["card"]));
        }
        row.set("expires_at", call.int("expires_at").unwrap_or_else(|| call.now() + OPEN_FOR_S));
        if row.int("expires_at") < call.now() + OPEN_FOR_S_MIN {
            let text = "The `expires_at` timestamp must be at least 30 minutes from Checkout Session creation.";
            return Err(StripeError::invalid(text).param("expires_at"));
        }
        if row.text("ui_mode") == "hosted_page" {
            row.set("url", format!("https://checkout.stripe.com/c/pay/{id}"));
        } else {
            row.set("client_secret", format!("{id}_secret_{}", call.context.id("", 25)));
        }
        let given = call.all();
        self.price_session(&mut row, &lines, &given)?;
        row[HIDDEN].set("lines", lines);
        row[HIDDEN].set("given", given);
        Ok(self.kept(Resource::CheckoutSession, row))
    }

    fn checkout_lines(&mut self, call: &mut Call<'_, '_, '_>, mode: &str) -> Result<Vec<Value>, StripeError> {
        let given = call.list("line_items");
        if given.is_empty() && mode != "setup" {
            return Err(StripeError::missing("line_items"));
        }
        let mut lines = Vec::new();
        for (index, item) in given.iter().enumerate() {
            let path = format!("line_items[{index}]");
            let price = self.price_given(call.context, item, &path)?;
            if mode == "payment" && !price["recurring"].is_null() {
                let text = "You specified `payment` mode but passed a recurring price. Either switch to `subscription` mode or use only one-time prices.";
                return Err(StripeError::invalid(text).param(&path));
            }
            let quantity = item["quantity"].as_i64().unwrap_or(1);
            let mut line = blank("item");
            line.set("id", call.context.id("li_", 24));
            line.set("amount_subtotal", cost(&price, quantity));
            line.set("amount_total", cost(&price, quantity));
            line.set("currency", price["currency"].clone());
            line.set("description", self.product_name(&price));
            line.set("price", price);
            line.set("quantity", quantity);
            lines.push(line);
        }
        if mode == "subscription" && !lines.iter().any(|line| line["price"]["recurring"].is_object()) {
            let text = "You must provide at least one recurring price in `subscription` mode when using prices.";
            return Err(StripeError::invalid(text));
        }
        Ok(lines)
    }

    fn price_session(&self, row: &mut Value, lines: &[Value], given: &Value) -> Result<(), StripeError> {
        let subtotal: i64 = lines.iter().map(|line| line.int("amount_subtotal")).sum();
        let mut discount = 0;
        for each in given.list("discounts") {
            let coupon = self.named_by(Resource::Coupon, each.text("coupon"), "discounts[0][coupon]")?;
            discount += off(coupon, subtotal - discount);
        }
        let coupons =
            given.list("discounts").iter().map(|each| json!({"coupon": each["coupon"], "promotion_code": null}));
        row.set("discounts", coupons.collect::<Vec<_>>());
        if row.text("mode") == "setup" {
            row.set("payment_status", "no_payment_required");
            return Ok(());
        }
        row.set("amount_subtotal", subtotal);
        row.set("amount_total", subtotal - discount);
        row.set("currency", lines[0]["currency"].clone());
        row.set("total_details", json!({"amount_discount": discount, "amount_shipping": 0, "amount_tax": 0}));
        if row.text("mode") == "subscription" {
            row.set("payment_method_collection", given.maybe("payment_method_collection").unwrap_or("always"));
        }
        Ok(())
    }

    pub(in super::super) fn list_sessions(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let about = call.set_aside("customer_details");
        let rows = self.books.newest_first(Resource::CheckoutSession);
        let rows =
            rows.filter(|row| about.maybe("email").is_none_or(|email| row["customer_details"].text("email") == email));
        call.page(rows, |row| self.shown(Resource::CheckoutSession, row))
    }

    pub(in super::super) fn session_lines(&self, id: &str) -> Value {
        let lines = self.books.get(Resource::CheckoutSession, id).map_or(&[][..], |row| row[HIDDEN].list("lines"));
        json!({"object": "list", "data": lines, "has_more": false, "url": format!("/v1/checkout/sessions/{id}/line_items")})
    }

    pub(in super::super) fn list_session_lines(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let lines = self.found(Resource::CheckoutSession, call.id())?[HIDDEN].list("lines").to_vec();
        call.page(lines.iter(), Value::clone)
    }

    pub(in super::super) fn expire_session(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let row = self.found(Resource::CheckoutSession, call.id())?.clone();
        if row.text("status") != "open" {
            let text = "Only Checkout Sessions with a status in [\"open\"] can be expired. This Checkout Session has a status of ".to_owned();
            return Err(StripeError::invalid(format!("{text}{}.", row.text("status"))));
        }
        Ok(self.session_expires(call.context, row))
    }

    pub(in super::super) fn session_expires(&mut self, context: &mut Context<'_>, mut row: Value) -> Value {
        row.set("status", "expired");
        row.set("url", Value::Null);
        self.keep(context, Resource::CheckoutSession, row, "expired")
    }

    /// `{"complete_checkout": {"session": "cs_…", "payment_method": "pm_card_visa", "email": "a@example.com"}}`: the
    /// customer fills in the page. A card that is declined leaves the session open, as on the page.
    pub(in super::super) fn complete_checkout(&mut self, context: &mut Context<'_>, argument: &Value) -> Made {
        let id = argument.maybe("session").ok_or_else(|| StripeError::invalid("give `session`"))?;
        let mut row = self.found(Resource::CheckoutSession, id)?.clone();
        if row.text("status") != "open" {
            return Err(StripeError::invalid(format!("the session `{id}` is {}", row.text("status"))));
        }
        let email = argument
            .maybe("email")
            .or_else(|| row.maybe("customer_email"))
            .unwrap_or("customer@example.com")
            .to_owned();
        let name = argument.maybe("name").unwrap_or("Test Customer").to_owned();
        let method = self.method_named(context, argument.maybe("payment_method").unwrap_or(METHOD_DEFAULT))?;
        self.session_customer(context, &mut row, &email, &name);
        match row.text("mode") {
            "payment" => self.pay_session(context, &mut row, &method)?,
            "setup" => self.set_up_session(context, &mut row, &method)?,
            _ => self.subscribe_session(context, &mut row, &method)?,
        }
        row.set("status", "complete");
        row.set("url", Value::Null);
        row.set(
            "customer_details",
            json!({"address": null, "business_name": null, "email": email,
            "individual_name": null, "name": name, "phone": null, "tax_exempt": "none", "tax_ids": []}),
        );
        Ok(self.keep(context, Resource::CheckoutSession, row, "completed"))
    }

    /// A subscription always has a customer, a payment where that was wished.
    fn session_customer(&mut self, context: &mut Context<'_>, row: &mut Value, email: &str, name: &str) {
        let wished = row.text("mode") != "payment" || row.text("customer_creation") == "always";
        if !row["customer"].is_null() || !wished {
            return;
        }
        let mut customer = self.fresh(context, Resource::Customer);
        let id = customer.text("id").to_owned();
        customer.set("email", email);
        customer.set("name", name);
        customer.set("invoice_prefix", id[4..12].to_uppercase());
        self.keep(context, Resource::Customer, customer, "created");
        row.set("customer", id);
    }

    fn pay_session(&mut self, context: &mut Context<'_>, row: &mut Value, method: &str) -> Result<(), StripeError> {
        if row.int("amount_total") == 0 {
            row.set("payment_status", "no_payment_required");
            return Ok(());
        }
        let data = row[HIDDEN]["given"]["payment_intent_data"].clone();
        let order = Order {
            amount: row.int("amount_total"),
            currency: row.text("currency").to_owned(),
            customer: row.maybe("customer").map(str::to_owned),
            description: data.maybe("description").map(str::to_owned),
            receipt_email: data.maybe("receipt_email").map(str::to_owned),
            metadata: if data["metadata"].is_object() { data["metadata"].clone() } else { json!({}) },
            setup_future_usage: data.maybe("setup_future_usage").map(str::to_owned),
            invoice: None,
        };
        let intent = self.order(context, order, Some(method.to_owned()));
        if data.text("capture_method") == "manual" {
            let mut held = self.found(Resource::PaymentIntent, &intent)?.clone();
            held.set("capture_method", "manual");
            self.kept(Resource::PaymentIntent, held);
        }
        self.confirm_intent(context, &intent, &Terms { error_on_requires_action: true, ..Terms::default() })?;
        let held = self.found(Resource::PaymentIntent, &intent)?.text("status") == "requires_capture";
        row.set("payment_intent", intent);
        row.set("payment_status", if held { "unpaid" } else { "paid" });
        Ok(())
    }

    fn set_up_session(&mut self, context: &mut Context<'_>, row: &mut Value, method: &str) -> Result<(), StripeError> {
        let mut intent = self.fresh(context, Resource::SetupIntent);
        let id = intent.text("id").to_owned();
        intent.set("client_secret", format!("{id}_secret_{}", context.id("", 25)));
        intent.set("customer", row["customer"].clone());
        intent.set("payment_method", method);
        fill(&mut intent, surface().object("setup_intent"), &row[HIDDEN]["given"]["setup_intent_data"]);
        self.keep(context, Resource::SetupIntent, intent.clone(), "created");
        self.set_up(context, intent)?;
        row.set("setup_intent", id);
        Ok(())
    }

    fn subscribe_session(
        &mut self,
        context: &mut Context<'_>,
        row: &mut Value,
        method: &str,
    ) -> Result<(), StripeError> {
        let customer = row.text("customer").to_owned();
        self.attach(context, method, &customer)?;
        let card = self.card_of(self.found(Resource::PaymentMethod, method)?);
        if let super::super::payments::cards::Fate::DeclinedWhenCharged(decline) = card.fate {
            return Err(StripeError::declined(&decline));
        }
        let data = row[HIDDEN]["given"]["subscription_data"].clone();
        let mut subscription = self.fresh(context, Resource::Subscription);
        fill(&mut subscription, surface().object("subscription"), &data);
        let now = context.unix();
        for (name, value) in [
            ("customer", json!(customer)),
            ("currency", row["currency"].clone()),
            ("default_payment_method", json!(method)),
            ("start_date", json!(now)),
            ("billing_cycle_anchor", json!(now)),
        ] {
            subscription.set(name, value);
        }
        let coupons = row[HIDDEN]["given"]["discounts"].clone();
        let discounts = self.discounts_given(context, &coupons, ("subscription", &subscription))?;
        subscription.set("discounts", discounts);
        let lines = row[HIDDEN].list("lines").to_vec();
        let wanted: Vec<_> = lines
            .iter()
            .filter(|line| line["price"]["recurring"].is_object())
            .map(|line| (line["price"].clone(), json!({"quantity": line["quantity"]})))
            .collect();
        let mut end = Interval::of(&wanted[0].0["recurring"]).next(now, now);
        if let Some(days) = data["trial_period_days"].as_i64() {
            end = now + days * OPEN_FOR_S;
            subscription.set("status", "trialing");
            subscription.set("trial_start", now);
            subscription.set("trial_end", end);
            subscription.set("billing_cycle_anchor", end);
        }
        subscription[HIDDEN].set("period_start", now);
        subscription[HIDDEN].set("period_end", end);
        let made = self.begin_subscription(context, subscription, &wanted, Some(false))?;
        row.set("subscription", made["id"].clone());
        row.set("invoice", made["latest_invoice"].clone());
        row.set("payment_status", if made.text("status") == "trialing" { "no_payment_required" } else { "paid" });
        Ok(())
    }
}

/// A hosted page must know where the customer goes next.
fn check_urls(call: &Call<'_, '_, '_>) -> Result<(), StripeError> {
    let hosted = call.text("ui_mode").unwrap_or("hosted_page") == "hosted_page";
    if hosted && !call.has("success_url") {
        let text = "You must provide a success_url when the ui_mode is hosted_page.";
        return Err(StripeError::invalid(text).code("parameter_missing").param("success_url"));
    }
    Ok(())
}
