//! Subscriptions: begun, changed, cancelled. How they renew is in `cycle`.

use super::{
    super::{
        Stripe,
        books::HIDDEN,
        call::{Call, Made},
        errors::StripeError,
        payments::cards::Fate,
        resource::Resource,
        row::Row,
    },
    invoices::Bill,
    lines::Draft,
    period::Interval,
    settlement::no_method,
};
use crate::{
    json::{Value, json},
    twin::Context,
};

const DAY_S: i64 = 24 * 3_600;
const TRIAL_DAYS_MAX: i64 = 730; // the service's own limit

impl Stripe {
    pub(in super::super) fn create_subscription(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let customer = self.customer_given(call)?;
        let wanted = self.wanted_items(call, true)?;
        let currency = wanted[0].0.text("currency").to_owned();
        if wanted.iter().any(|(price, _)| price.text("currency") != currency) {
            return Err(StripeError::invalid("All prices on a subscription must have the same currency."));
        }
        let mut row = self.begun(call, Resource::Subscription);
        for name in ["test_clock", "currency"] {
            row.set(name, customer[name].clone());
        }
        row.set("currency", currency);
        row.set("start_date", call.now());
        self.check_subscription_method(call, &customer)?;
        self.begin_period(call, &mut row, &wanted[0].0)?;
        self.check_can_pay(call, &row, &customer)?;
        let discounts = call.value("discounts").clone();
        row.set("discounts", self.discounts_given(call.context, &discounts, ("subscription", &row))?);
        self.plan_end(call, &mut row);
        let asks = call.text("payment_behavior") != Some("default_incomplete");
        let off_session = call.flag("off_session");
        self.begin_subscription(call.context, row, &wanted, asks.then_some(off_session))
    }

    /// Keeps the subscription with its items and makes the first invoice; `asks_off_session` is whether the customer is
    /// away when that asks for its payment, or nothing where it does not.
    pub(super) fn begin_subscription(
        &mut self,
        context: &mut Context<'_>,
        row: Value,
        wanted: &[(Value, Value)],
        asks_off_session: Option<bool>,
    ) -> Made {
        let id = row.text("id").to_owned();
        for (price, item) in wanted {
            self.add_item(context, &row, price, item);
        }
        let trial = row.text("status") == "trialing";
        self.keep(context, Resource::Subscription, row, "created");
        let invoice = self.invoice_subscription(context, &id, "subscription_create");
        let send = self.found(Resource::Subscription, &id)?.text("collection_method") == "send_invoice";
        if send && !trial {
            self.activate(context, &id);
        }
        let open = self.books.get(Resource::Invoice, &invoice).is_some_and(|row| row.text("status") == "open");
        if let Some(off_session) = asks_off_session.filter(|_| open && !send) {
            // What the card says is in the subscription's status.
            self.collect(context, &invoice, None, off_session).ok();
        }
        self.found(Resource::Subscription, &id).map(|row| self.shown(Resource::Subscription, row))
    }

    /// The first period: a trial, up to an anchor, or one interval.
    fn begin_period(&self, call: &Call<'_, '_, '_>, row: &mut Value, price: &Value) -> Result<(), StripeError> {
        let now = call.now();
        let trial_end = match (call.value("trial_end"), call.int("trial_period_days")) {
            (Value::Number(at), _) => at.as_i64(),
            (_, Some(days)) => Some(now + days * DAY_S),
            _ if call.flag("trial_from_plan") => {
                price["recurring"]["trial_period_days"].as_i64().map(|days| now + days * DAY_S)
            }
            _ => None,
        };
        if call.value("trial_end").as_i64().is_some_and(|end| end <= now) {
            let text = "Invalid timestamp: must be an integer Unix timestamp in the future.";
            return Err(StripeError::invalid(text).param("trial_end"));
        }
        let end = match (trial_end.filter(|end| *end > now), call.int("billing_cycle_anchor")) {
            (Some(end), _) => {
                row.set("status", "trialing");
                row.set("trial_start", now);
                row.set("trial_end", end);
                row.set("billing_cycle_anchor", end);
                end
            }
            (None, Some(anchor)) if anchor > now => anchor,
            (None, Some(_)) => {
                return Err(
                    StripeError::invalid("billing_cycle_anchor cannot be in the past").param("billing_cycle_anchor")
                );
            }
            (None, None) => {
                row.set("billing_cycle_anchor", now);
                Interval::of(&price["recurring"]).next(now, now)
            }
        };
        if end > now + TRIAL_DAYS_MAX * DAY_S && trial_end.is_some() {
            let text = format!("The maximum number of trial period days is {TRIAL_DAYS_MAX} (2 years).");
            return Err(StripeError::invalid(text).param("trial_period_days"));
        }
        row[HIDDEN].set("period_start", now);
        row[HIDDEN].set("period_end", end);
        Ok(())
    }

    fn check_subscription_method(&self, call: &Call<'_, '_, '_>, customer: &Value) -> Result<(), StripeError> {
        let Some(id) = call.text("default_payment_method") else { return Ok(()) };
        let method = self.named_by(Resource::PaymentMethod, id, "default_payment_method")?;
        if method["customer"] == customer["id"] {
            return Ok(());
        }
        let text = format!(
            "The customer does not have a payment method with the ID {id}. The payment method must be attached to the customer."
        );
        Err(StripeError::invalid(text).code("resource_missing").param("default_payment_method"))
    }

    /// Without a card nothing begins, unless it may begin incomplete, is free at first, or is sent a bill.
    fn check_can_pay(&self, call: &Call<'_, '_, '_>, row: &Value, customer: &Value) -> Result<(), StripeError> {
        let behavior = call.text("payment_behavior").unwrap_or("allow_incomplete");
        if row.text("collection_method") == "send_invoice" {
            return if call.has("days_until_due") { Ok(()) } else { Err(StripeError::missing("days_until_due")) };
        }
        if row.text("status") == "trialing" || behavior == "default_incomplete" {
            return Ok(());
        }
        let method = row
            .maybe("default_payment_method")
            .or_else(|| customer["invoice_settings"].maybe("default_payment_method"));
        let method = self.found(Resource::PaymentMethod, method.ok_or_else(no_method)?)?;
        match self.card_of(method).fate {
            Fate::Declined(decline) | Fate::DeclinedWhenCharged(decline) if behavior == "error_if_incomplete" => {
                Err(StripeError::declined(&decline))
            }
            Fate::NeedsAction | Fate::NeedsActionOnce if behavior == "error_if_incomplete" => {
                let text = "Payment for this subscription requires additional user action before it can be completed successfully.";
                Err(StripeError::new(402, "card_error", text).code("subscription_payment_intent_requires_action"))
            }
            _ => Ok(()),
        }
    }

    /// `cancel_at_period_end` and `cancel_at` are one thing, seen from two sides.
    fn plan_end(&self, call: &Call<'_, '_, '_>, row: &mut Value) {
        let period_end = row[HIDDEN]["period_end"].clone();
        match (call.sent("cancel_at_period_end"), call.sent("cancel_at")) {
            (Some(Value::Bool(true)), _) => {
                row.set("cancel_at", period_end);
                row.set("canceled_at", call.now());
                row["cancellation_details"] = json!({"comment": null, "feedback": null, "feedback_option": null, "reason": "cancellation_requested"});
            }
            (Some(Value::Bool(false)), _) | (_, Some(Value::Null)) => {
                row.set("cancel_at", Value::Null);
                row.set("canceled_at", Value::Null);
                row.set("cancel_at_period_end", false);
            }
            (_, Some(Value::String(at))) => {
                let at = if at.starts_with("min_") || at.starts_with("max_") {
                    period_end.as_i64()
                } else {
                    at.parse().ok()
                };
                row.set("cancel_at", at);
                row.set("canceled_at", call.now());
            }
            _ => {}
        }
    }

    pub(in super::super) fn list_subscriptions(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let status = call.owned("status");
        let price = call.owned("price");
        call.set_aside("price");
        call.set_aside("status");
        let wanted = |row: &&Value| match status.as_deref() {
            None => !matches!(row.text("status"), "canceled" | "incomplete_expired"),
            Some("all") => true,
            Some("ended") => matches!(row.text("status"), "canceled" | "incomplete_expired"),
            Some(status) => row.text("status") == status,
        };
        let has = |row: &&Value| {
            price.is_none() || self.items_of(row.text("id")).iter().any(|item| item.maybe("price") == price.as_deref())
        };
        let rows = self.books.newest_first(Resource::Subscription).filter(wanted).filter(has);
        call.page(rows, |row| self.shown(Resource::Subscription, row))
    }

    pub(in super::super) fn update_subscription(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let id = call.id();
        let row = self.live_subscription(id)?;
        let customer = self.found(Resource::Customer, row.text("customer"))?.clone();
        self.check_subscription_method(call, &customer)?;
        let wanted = if call.has("items") { self.wanted_items(call, false)? } else { Vec::new() };
        let mut row = self.changed(call, Resource::Subscription, row);
        if call.sent("discounts").is_some() {
            let given = call.value("discounts").clone();
            row.set("discounts", self.discounts_given(call.context, &given, ("subscription", &row))?);
        }
        self.plan_end(call, &mut row);
        self.move_trial(call, &mut row);
        let before = self.items_of(id);
        self.kept_quietly(call, &row);
        let ended_trial = row.text("status") == "trialing" && row.int("trial_end") <= call.now();
        if !wanted.is_empty() {
            self.replace_items(call, id, &wanted)?;
            let behavior = call.owned("proration_behavior").unwrap_or_default();
            self.after_items_changed(call.context, id, &before, &behavior);
        }
        if ended_trial {
            self.catch_up_with(call.context, id);
        }
        self.found(Resource::Subscription, id).map(|row| self.shown(Resource::Subscription, row))
    }

    fn kept_quietly(&mut self, call: &mut Call<'_, '_, '_>, row: &Value) {
        self.keep(call.context, Resource::Subscription, row.clone(), "updated");
    }

    fn move_trial(&self, call: &Call<'_, '_, '_>, row: &mut Value) {
        let end = match call.value("trial_end") {
            Value::Number(at) => at.as_i64(),
            Value::String(_) => Some(call.now()),
            _ => None,
        };
        let Some(end) = end else { return };
        row.set("trial_end", end);
        row.set("billing_cycle_anchor", end);
        if end > call.now() {
            row.set("status", "trialing");
            row[HIDDEN].set("period_end", end);
            row[HIDDEN].set("warned", false);
        } else if row.text("status") == "trialing" {
            row[HIDDEN].set("warned", true);
        }
    }

    pub(super) fn live_subscription(&self, id: &str) -> Made {
        let row = self.found(Resource::Subscription, id)?;
        if matches!(row.text("status"), "canceled" | "incomplete_expired") {
            let text = "A canceled subscription can only update its cancellation_details and metadata.";
            return Err(StripeError::invalid(text));
        }
        Ok(row.clone())
    }

    pub(in super::super) fn cancel_subscription(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let row = self.found(Resource::Subscription, call.id())?.clone();
        if matches!(row.text("status"), "canceled" | "incomplete_expired") {
            return Err(StripeError::no_such(404, "subscription", call.id(), "id"));
        }
        let row = self.changed(call, Resource::Subscription, row);
        self.kept(Resource::Subscription, row.clone());
        if call.flag("prorate") {
            let before = self.items_of(call.id());
            self.prorate(call.context, &row, &before, &[]);
        }
        let shown = self.end_subscription(call.context, row, "cancellation_requested");
        if call.flag("invoice_now") {
            let invoice = self.invoice_items_now(call.context, call.id(), "subscription_update");
            invoice.into_iter().for_each(|id| drop(self.collect(call.context, &id, None, true)));
        }
        Ok(shown)
    }

    pub(super) fn end_subscription(&mut self, context: &mut Context<'_>, mut row: Value, reason: &str) -> Value {
        row.set("status", "canceled");
        row.set("ended_at", context.unix());
        if row["canceled_at"].is_null() {
            row.set("canceled_at", context.unix());
        }
        if !row["cancellation_details"].is_object() {
            row.set("cancellation_details", json!({"comment": null, "feedback": null, "feedback_option": null}));
        }
        row["cancellation_details"].set("reason", reason);
        self.stop_collecting(row.text("latest_invoice"));
        self.keep(context, Resource::Subscription, row, "deleted")
    }

    /// An invoice that is still open waits, and is not asked for again.
    fn stop_collecting(&mut self, invoice: &str) {
        if let Some(mut row) = self.books.get(Resource::Invoice, invoice).cloned() {
            row.set("auto_advance", false);
            row.set("next_payment_attempt", Value::Null);
            self.kept(Resource::Invoice, row);
        }
    }

    pub(in super::super) fn end_subscriptions_of(&mut self, context: &mut Context<'_>, customer: &str) {
        let rows = self.books.oldest_first(Resource::Subscription);
        let live = |row: &&Value| {
            row.text("customer") == customer && !matches!(row.text("status"), "canceled" | "incomplete_expired")
        };
        for row in rows.filter(live).cloned().collect::<Vec<_>>() {
            self.end_subscription(context, row, "cancellation_requested");
        }
    }

    pub(in super::super) fn customer_subscriptions(&self, customer: &str) -> Value {
        let rows = self.books.newest_first(Resource::Subscription);
        let rows = rows.filter(|row| row.text("customer") == customer && row.text("status") != "canceled");
        let data: Vec<_> = rows.map(|row| self.shown(Resource::Subscription, row)).collect();
        json!({"object": "list", "data": data, "has_more": false, "url": format!("/v1/customers/{customer}/subscriptions")})
    }

    /// The invoice for the period that begins now, finalized; gives its id.
    pub(super) fn invoice_subscription(&mut self, context: &mut Context<'_>, id: &str, reason: &'static str) -> String {
        let invoice = self.draft_for_period(context, id, reason);
        self.finalize(context, &invoice, true);
        invoice
    }

    pub(super) fn draft_for_period(&mut self, context: &mut Context<'_>, id: &str, reason: &'static str) -> String {
        let mut row = self.books.get(Resource::Subscription, id).expect("the caller has it").clone();
        let customer = self.books.get(Resource::Customer, row.text("customer")).cloned().unwrap_or_default();
        let now = context.unix();
        let bill = Bill {
            customer: &customer,
            currency: row.text("currency").to_owned(),
            reason,
            subscription: Some(&row),
            period: if reason == "subscription_create" { (now, now) } else { (row[HIDDEN].int("last_start"), now) },
        };
        let invoice = self.bill(context, &bill);
        let drafts = self.period_drafts(&row);
        let items = self.pending_items(customer.text("id"), Some(id));
        let invoice = self.issue(context, invoice, &drafts, &items)["id"].clone();
        row.set("latest_invoice", invoice.clone());
        row.set("discounts", self.lasting(row.list("discounts"), now));
        self.kept(Resource::Subscription, row);
        invoice.as_str().unwrap_or_default().to_owned()
    }

    /// What the current period costs: nothing in a trial, a part where it is short.
    pub(super) fn period_drafts(&self, row: &Value) -> Vec<Draft> {
        let period = (row[HIDDEN].int("period_start"), row[HIDDEN].int("period_end"));
        let trial = row.text("status") == "trialing";
        let draft = |item: &Value| {
            let price = self.books.get(Resource::Price, item.text("price")).cloned().unwrap_or_default();
            let name = self.product_name(&price);
            let mut draft = Draft::of_item(item, &price, &name, row.text("id"), period);
            let whole = Interval::of(&price["recurring"]).next(period.0, period.0) - period.0;
            if trial {
                draft.amount = 0;
                draft.description = format!("Trial period for {name}");
            } else if period.1 - period.0 < whole && row.int("billing_cycle_anchor") == period.1 {
                draft.amount = draft.amount * (period.1 - period.0) / whole;
            }
            draft
        };
        self.items_of(row.text("id")).iter().map(draft).collect()
    }
}
