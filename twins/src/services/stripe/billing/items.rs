//! Items of subscriptions, and what it costs to change them in the middle of a period.

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
    catalog::cost,
    cycle::begin_period,
    invoices::Bill,
    lines::{Draft, Origin},
    period::Interval,
};
use crate::{
    json::{Value, json},
    twin::Context,
};

impl Stripe {
    /// The price and the parameters of each item that is wanted; where items are changed, one may name no price.
    pub(super) fn wanted_items(
        &mut self,
        call: &mut Call<'_, '_, '_>,
        fresh: bool,
    ) -> Result<Vec<(Value, Value)>, StripeError> {
        let items = call.list("items");
        if items.is_empty() {
            return Err(StripeError::missing("items"));
        }
        let mut wanted = Vec::new();
        for (index, item) in items.into_iter().enumerate() {
            let path = format!("items[{index}]");
            let keeps = !fresh && item.maybe("id").is_some() && item["price"].is_null() && item["price_data"].is_null();
            let price = if keeps { Value::Null } else { self.price_given(call.context, &item, &path)? };
            if !keeps && price["recurring"].is_null() {
                let text = "The price specified is set to `type=one_time` but this field only accepts prices with `type=recurring`.";
                return Err(StripeError::invalid(text).param(&format!("{path}[price]")));
            }
            wanted.push((price, item));
        }
        Ok(wanted)
    }

    pub(super) fn add_item(
        &mut self,
        context: &mut Context<'_>,
        subscription: &Value,
        price: &Value,
        given: &Value,
    ) -> Value {
        let mut row = self.fresh(context, Resource::SubscriptionItem);
        row.set("price", price["id"].clone());
        row.set("quantity", given["quantity"].as_i64().unwrap_or(1));
        fill(&mut row, surface().object("subscription_item"), &json!({"metadata": given["metadata"]}));
        row[HIDDEN].set("subscription", subscription["id"].clone());
        self.kept(Resource::SubscriptionItem, row)
    }

    pub(super) fn items_of(&self, subscription: &str) -> Vec<Value> {
        let rows = self.books.oldest_first(Resource::SubscriptionItem);
        rows.filter(|row| row[HIDDEN].text("subscription") == subscription).cloned().collect()
    }

    /// The field `items` of a subscription.
    pub(in super::super) fn subscription_items(&self, row: &Value) -> Value {
        let id = row.text("id");
        let data: Vec<_> = self.items_of(id).iter().map(|item| self.shown(Resource::SubscriptionItem, item)).collect();
        json!({"object": "list", "data": data, "has_more": false, "total_count": data.len(),
            "url": format!("/v1/subscription_items?subscription={id}")})
    }

    /// An item shows its whole price, the plan that this once was, and its subscription's period.
    pub(in super::super) fn show_price_of(&self, item: &mut Value) {
        let row = self.books.get(Resource::SubscriptionItem, item.text("id"));
        let id = row.map(|row| row[HIDDEN].text("subscription").to_owned()).unwrap_or_default();
        let period = self.books.get(Resource::Subscription, &id).map(|row| row[HIDDEN].clone()).unwrap_or_default();
        item.set("subscription", id);
        item.set("current_period_start", period.int("period_start"));
        item.set("current_period_end", period.int("period_end"));
        if let Some(price) = self.books.get(Resource::Price, item.text("price")) {
            item.set("plan", plan(price));
            item.set("price", price.clone());
        }
    }

    /// Applies `items` of an update: by id or by price, with quantity, other price, or `deleted`.
    pub(super) fn replace_items(
        &mut self,
        call: &mut Call<'_, '_, '_>,
        id: &str,
        wanted: &[(Value, Value)],
    ) -> Result<(), StripeError> {
        let subscription = self.found(Resource::Subscription, id)?.clone();
        for (index, (price, given)) in wanted.iter().enumerate() {
            let Some(item) = given.maybe("id") else {
                self.add_item(call.context, &subscription, price, given);
                continue;
            };
            let row =
                self.books.get(Resource::SubscriptionItem, item).filter(|row| row[HIDDEN].text("subscription") == id);
            let mut row = row
                .cloned()
                .ok_or_else(|| StripeError::no_such(400, "subscription_item", item, &format!("items[{index}][id]")))?;
            if given.flag("deleted") {
                self.books.remove(Resource::SubscriptionItem, item);
                continue;
            }
            change(&mut row, price, given);
            self.kept(Resource::SubscriptionItem, row);
        }
        Ok(())
    }

    /// Tells about it, and bills what the rest of the period costs more or less. Another interval begins a new period.
    pub(super) fn after_items_changed(
        &mut self,
        context: &mut Context<'_>,
        id: &str,
        before: &[Value],
        behavior: &str,
    ) {
        let mut row = self.books.get(Resource::Subscription, id).expect("the caller has it").clone();
        let after = self.items_of(id);
        let (was, is) = (self.interval_of(before), self.interval_of(&after));
        let billed = matches!(row.text("status"), "active" | "past_due" | "unpaid");
        if billed && behavior != "none" {
            let after = if was == is { after.as_slice() } else { &[] };
            self.prorate(context, &row, before, after);
        }
        if billed && was != is {
            let now = context.unix();
            row.set("billing_cycle_anchor", now);
            begin_period(&mut row, now, is.map_or(now, |interval| interval.next(now, now)));
            self.keep(context, Resource::Subscription, row, "updated");
            let invoice = self.invoice_subscription(context, id, "subscription_update");
            self.collect_if_open(context, &invoice);
            return;
        }
        self.keep(context, Resource::Subscription, row, "updated");
        if billed
            && behavior == "always_invoice"
            && let Some(invoice) = self.invoice_items_now(context, id, "subscription_update")
        {
            self.collect_if_open(context, &invoice);
        }
    }

    fn interval_of(&self, items: &[Value]) -> Option<Interval> {
        let price = self.books.get(Resource::Price, items.first()?.text("price"))?;
        Some(Interval::of(&price["recurring"]))
    }

    pub(super) fn collect_if_open(&mut self, context: &mut Context<'_>, invoice: &str) {
        if self.books.get(Resource::Invoice, invoice).is_some_and(|row| row.text("status") == "open") {
            // What the card says is in the invoice's and the subscription's status.
            self.collect(context, invoice, None, true).ok();
        }
    }

    /// Books the rest of the period: back for what was, due for what is.
    pub(super) fn prorate(&mut self, context: &mut Context<'_>, row: &Value, before: &[Value], after: &[Value]) {
        for draft in self.prorations(row, before, after, context.unix()) {
            self.pend(context, row, &draft);
        }
    }

    pub(super) fn prorations(&self, row: &Value, before: &[Value], after: &[Value], now: i64) -> Vec<Draft> {
        let (start, end) = (row[HIDDEN].int("period_start"), row[HIDDEN].int("period_end"));
        let gone = before.iter().filter(|item| !after.contains(item)).map(|item| (item, -1, "Unused time on"));
        let come = after.iter().filter(|item| !before.contains(item)).map(|item| (item, 1, "Remaining time on"));
        let draft = |(item, sign, what): (&Value, i64, &str)| {
            let price = self.books.get(Resource::Price, item.text("price"))?;
            let quantity = item.int("quantity");
            let whole = i128::from((end - start).max(1));
            let left = i128::from((end - now).clamp(0, end - start));
            // Rounded to the nearest; no larger than the cost of the whole period.
            let part = (i128::from(cost(price, quantity)) * left * 2 / whole + 1) / 2;
            let name = self.product_name(price);
            let date = jiff::Timestamp::from_second(now).ok()?.strftime("%d %b %Y").to_string();
            Some(Draft {
                amount: sign * i64::try_from(part).unwrap_or_default(),
                description: format!("{what} {quantity} × {name} after {date}"),
                period: (now, end),
                price: Some(price.clone()),
                quantity,
                metadata: json!({}),
                discountable: false,
                origin: Origin::InvoiceItem {
                    id: String::new(),
                    subscription: Some(row.text("id").to_owned()),
                    proration: true,
                },
            })
        };
        gone.chain(come).filter_map(draft).filter(|draft| draft.amount != 0).collect()
    }

    /// Bills what waits for this subscription, without a new period; nothing where nothing waits.
    pub(super) fn invoice_items_now(
        &mut self,
        context: &mut Context<'_>,
        id: &str,
        reason: &'static str,
    ) -> Option<String> {
        let mut row = self.books.get(Resource::Subscription, id)?.clone();
        let customer = self.books.get(Resource::Customer, row.text("customer"))?.clone();
        let items = self.pending_items(customer.text("id"), Some(id));
        if items.is_empty() {
            return None;
        }
        let now = context.unix();
        let currency = row.text("currency").to_owned();
        let bill = Bill { customer: &customer, currency, reason, subscription: Some(&row), period: (now, now) };
        let invoice = self.bill(context, &bill);
        let invoice = self.issue(context, invoice, &[], &items).text("id").to_owned();
        self.finalize(context, &invoice, true);
        row.set("latest_invoice", invoice.clone());
        self.kept(Resource::Subscription, row);
        Some(invoice)
    }

    pub(in super::super) fn create_subscription_item(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let id = call.owned("subscription").unwrap_or_default();
        self.named_by(Resource::Subscription, &id, "subscription")?;
        let subscription = self.live_subscription(&id)?;
        let given = call.all();
        let price = self.price_given(call.context, &given, "")?;
        let before = self.items_of(&id);
        let item = self.add_item(call.context, &subscription, &price, &given);
        self.after_items_changed(call.context, &id, &before, given.text("proration_behavior"));
        self.show_item(item.text("id"))
    }

    pub(in super::super) fn list_subscription_items(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let id = call.owned("subscription").ok_or_else(|| StripeError::missing("subscription"))?;
        self.named_by(Resource::Subscription, &id, "subscription")?;
        call.set_aside("subscription");
        let rows = self.items_of(&id);
        call.page(rows.iter(), |row| self.shown(Resource::SubscriptionItem, row))
    }

    fn show_item(&self, id: &str) -> Made {
        self.found(Resource::SubscriptionItem, id).map(|row| self.shown(Resource::SubscriptionItem, row))
    }

    pub(in super::super) fn retrieve_subscription_item(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        self.show_item(call.id())
    }

    pub(in super::super) fn update_subscription_item(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let mut row = self.found(Resource::SubscriptionItem, call.id())?.clone();
        let id = row[HIDDEN].text("subscription").to_owned();
        self.live_subscription(&id)?;
        let given = call.all();
        let other = !given["price"].is_null() || !given["price_data"].is_null();
        let price = if other { self.price_given(call.context, &given, "")? } else { Value::Null };
        let before = self.items_of(&id);
        change(&mut row, &price, &given);
        self.kept(Resource::SubscriptionItem, row);
        self.after_items_changed(call.context, &id, &before, given.text("proration_behavior"));
        self.show_item(call.id())
    }

    pub(in super::super) fn delete_subscription_item(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let row = self.found(Resource::SubscriptionItem, call.id())?;
        let id = row[HIDDEN].text("subscription").to_owned();
        let before = self.items_of(&id);
        if before.len() == 1 {
            let text = format!(
                "A subscription must have at least one active plan. To delete this item, cancel the subscription {id} instead."
            );
            return Err(StripeError::invalid(text).param("item"));
        }
        let answer = self.delete(call, Resource::SubscriptionItem)?;
        let behavior = call.owned("proration_behavior").unwrap_or_default();
        self.after_items_changed(call.context, &id, &before, &behavior);
        Ok(answer)
    }
}

fn change(row: &mut Value, price: &Value, given: &Value) {
    if !price.is_null() {
        row.set("price", price["id"].clone());
    }
    if let Some(quantity) = given["quantity"].as_i64() {
        row.set("quantity", quantity);
    }
    if given["metadata"].is_object() {
        fill(row, surface().object("subscription_item"), &json!({"metadata": given["metadata"]}));
    }
}

/// A price as old integrations know it.
fn plan(price: &Value) -> Value {
    let recurring = &price["recurring"];
    json!({"id": price["id"], "object": "plan", "active": price["active"], "amount": price["unit_amount"],
        "amount_decimal": price["unit_amount_decimal"], "billing_scheme": price["billing_scheme"],
        "created": price["created"], "currency": price["currency"], "interval": recurring["interval"],
        "interval_count": recurring["interval_count"], "livemode": false, "metadata": price["metadata"],
        "meter": recurring["meter"], "nickname": price["nickname"], "product": price["product"], "tiers_mode": null,
        "transform_usage": null, "trial_period_days": recurring["trial_period_days"],
        "usage_type": recurring["usage_type"]})
}
