//! Time passes for a subscription: trials end, periods renew, what was planned to end ends, and invoices that are not
//! paid decide what it becomes.

use super::{
    super::{
        Stripe,
        agenda::TRIAL_WARNING_S,
        books::HIDDEN,
        call::{Call, Made},
        resource::Resource,
        row::Row,
    },
    invoices::Bill,
    lines::Draft,
    period::Interval,
};
use crate::{
    json::{Value, json},
    twin::Context,
};

const HOUR_S: i64 = 3_600; // a renewal's invoice stays a draft so long

impl Stripe {
    pub(in super::super) fn subscription_falls_due(&mut self, context: &mut Context<'_>, mut row: Value) {
        let now = context.unix();
        if row["cancel_at"].as_i64().is_some_and(|at| at <= now) {
            self.end_subscription(context, row, "cancellation_requested");
            return;
        }
        match row.text("status") {
            "trialing" if !row[HIDDEN].flag("warned") => {
                row[HIDDEN].set("warned", true);
                let near = row.int("trial_end") - now <= TRIAL_WARNING_S;
                self.keep(context, Resource::Subscription, row, if near { "trial_will_end" } else { "updated" });
            }
            "trialing" => self.trial_ends(context, row),
            "incomplete" => self.incomplete_expires(context, row),
            _ => self.renew(context, row),
        }
    }

    /// As if the clock had come to where it is.
    pub(super) fn catch_up_with(&mut self, context: &mut Context<'_>, id: &str) {
        if let Some(row) = self.books.get(Resource::Subscription, id).cloned() {
            self.subscription_falls_due(context, row);
        }
    }

    /// Whoever has no card may be sent away, or made to wait.
    fn trial_ends(&mut self, context: &mut Context<'_>, mut row: Value) {
        let probe = json!({"customer": row["customer"], "default_payment_method": row["default_payment_method"]});
        let behavior = row["trial_settings"]["end_behavior"].text("missing_payment_method").to_owned();
        if self.method_for(&probe).is_none() {
            match behavior.as_str() {
                "cancel" => {
                    self.end_subscription(context, row, "payment_failed");
                    return;
                }
                "pause" => {
                    row.set("status", "paused");
                    self.keep(context, Resource::Subscription, row, "paused");
                    return;
                }
                _ => {}
            }
        }
        row.set("status", "active");
        self.renew(context, row);
    }

    fn incomplete_expires(&mut self, context: &mut Context<'_>, mut row: Value) {
        let invoice = self.books.get(Resource::Invoice, row.text("latest_invoice")).cloned();
        if let Some(invoice) = invoice.filter(|invoice| invoice.text("status") == "open") {
            self.end_invoice(context, invoice, "void", "voided_at", "voided");
        }
        row.set("status", "incomplete_expired");
        row.set("ended_at", context.unix());
        self.keep(context, Resource::Subscription, row, "updated");
    }

    /// The next period begins; its invoice is a draft for an hour.
    fn renew(&mut self, context: &mut Context<'_>, mut row: Value) {
        let (id, now) = (row.text("id").to_owned(), context.unix());
        let interval = self.items_of(&id).first().and_then(|item| self.books.get(Resource::Price, item.text("price")));
        let interval = interval.map(|price| Interval::of(&price["recurring"]));
        let Some(interval) = interval else {
            self.end_subscription(context, row, "cancellation_requested");
            return;
        };
        let end = interval.next(row.int("billing_cycle_anchor"), now);
        begin_period(&mut row, now, end);
        if row.flag("cancel_at_period_end") {
            row.set("cancel_at", row[HIDDEN]["period_end"].clone());
        }
        let paused = row["pause_collection"].is_object();
        self.keep(context, Resource::Subscription, row, "updated");
        let invoice = self.draft_for_period(context, &id, "subscription_cycle");
        let mut invoice = self.books.get(Resource::Invoice, &invoice).expect("was drafted above").clone();
        if paused {
            invoice.set("auto_advance", false);
        } else {
            invoice.set("automatically_finalizes_at", now + HOUR_S);
        }
        self.kept(Resource::Invoice, invoice);
    }

    /// A draft finalizes by itself and asks for its payment, or asks again.
    pub(in super::super) fn invoice_falls_due(&mut self, context: &mut Context<'_>, row: &Value) {
        let id = row.text("id").to_owned();
        if row.text("status") == "draft" {
            self.finalize(context, &id, true);
        }
        let Some(mut open) = self.books.get(Resource::Invoice, &id).filter(|row| row.text("status") == "open").cloned()
        else {
            return;
        };
        open.set("next_payment_attempt", Value::Null);
        let charges = open.text("collection_method") == "charge_automatically";
        self.kept(Resource::Invoice, open.clone());
        if !charges {
            self.keep(context, Resource::Invoice, open, "sent");
            return;
        }
        if self.method_for(&open).is_none() {
            open.set("attempted", true);
            open.set("attempt_count", open.int("attempt_count") + 1);
            self.kept(Resource::Invoice, open);
            self.payment_ended(context, &id, "");
            return;
        }
        // What the card says is in the invoice's and the subscription's status.
        self.collect(context, &id, None, true).ok();
    }

    pub(super) fn subscription_paid(&mut self, context: &mut Context<'_>, invoice: &str) {
        let invoice = self.books.get(Resource::Invoice, invoice).cloned().unwrap_or_default();
        let Some(id) = invoice["parent"]["subscription_details"].maybe("subscription") else { return };
        let status = self.books.get(Resource::Subscription, id).map(|row| row.text("status"));
        if matches!(status, Some("incomplete" | "past_due" | "unpaid")) {
            self.activate(context, id);
        }
    }

    pub(super) fn activate(&mut self, context: &mut Context<'_>, id: &str) {
        let mut row = self.books.get(Resource::Subscription, id).expect("the caller has it").clone();
        row.set("status", "active");
        self.keep(context, Resource::Subscription, row, "updated");
    }

    /// The first payment leaves it incomplete, a later one past due; after the last attempt it ends.
    pub(super) fn subscription_unpaid(&mut self, context: &mut Context<'_>, invoice: &str) {
        let invoice = self.books.get(Resource::Invoice, invoice).cloned().unwrap_or_default();
        let Some(id) = invoice["parent"]["subscription_details"].maybe("subscription") else { return };
        let Some(mut row) = self.books.get(Resource::Subscription, id).cloned() else { return };
        if self.tries_are_over(&invoice) {
            self.end_subscription(context, row, "payment_failed");
        } else if row.text("status") == "active" {
            row.set("status", "past_due");
            self.keep(context, Resource::Subscription, row, "updated");
        }
    }

    /// The invoice that would come next, or that a change would make; nothing is kept.
    pub(in super::super) fn preview_invoice(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let subscription = match call.text("subscription") {
            Some(id) => Some(self.named_by(Resource::Subscription, id, "subscription")?.clone()),
            None => None,
        };
        let customer = match &subscription {
            Some(row) => self.found(Resource::Customer, row.text("customer"))?.clone(),
            None => self.customer_given(call)?,
        };
        let mut drafts = match &subscription {
            Some(row) => self.preview_of(call, row)?,
            None => Vec::new(),
        };
        let of = subscription.as_ref().map(|row| row.text("id"));
        drafts.extend(self.pending_items(customer.text("id"), of).iter().map(|row| self.item_draft(row)));
        if drafts.is_empty() {
            let text = format!("No upcoming invoices for customer: {}", customer.text("id"));
            return Err(super::super::errors::StripeError::new(404, "invalid_request_error", text)
                .code("invoice_upcoming_none"));
        }
        let currency = subscription.as_ref().unwrap_or(&customer).maybe("currency").unwrap_or("usd").to_owned();
        let at = subscription.as_ref().map_or_else(|| call.now(), |row| row[HIDDEN].int("period_end"));
        let bill = Bill {
            customer: &customer,
            currency,
            reason: "upcoming",
            subscription: subscription.as_ref(),
            period: (call.now(), at),
        };
        let mut invoice = self.bill(call.context, &bill);
        invoice.set("id", format!("upcoming_{}", invoice.text("id")));
        invoice.set("starting_balance", customer.int("balance"));
        invoice.set("next_payment_attempt", at + HOUR_S);
        let lines: Vec<_> = drafts.iter().map(|draft| draft.line(call.context, &invoice)).collect();
        self.total(&mut invoice, lines);
        Ok(invoice)
    }

    fn preview_of(
        &mut self,
        call: &mut Call<'_, '_, '_>,
        row: &Value,
    ) -> Result<Vec<Draft>, super::super::errors::StripeError> {
        let before = self.items_of(row.text("id"));
        let wish = call.value("subscription_details").clone();
        let mut after = before.clone();
        for given in wish.list("items") {
            let price =
                if given["price"].is_null() { Value::Null } else { self.price_given(call.context, given, "items")? };
            if let Some(id) = given.maybe("id") {
                after.retain(|item| item.text("id") != id || !given.flag("deleted"));
                after.iter_mut().filter(|item| item.text("id") == id).for_each(|item| {
                    if !price.is_null() {
                        item.set("price", price["id"].clone());
                    }
                    item.set("quantity", given["quantity"].as_i64().unwrap_or_else(|| item.int("quantity")));
                });
            } else {
                after
                    .push(json!({"id": "", "price": price["id"], "quantity": given["quantity"].as_i64().unwrap_or(1)}));
            }
        }
        let mut drafts = match wish.text("proration_behavior") {
            "none" => Vec::new(),
            _ => self.prorations(row, &before, &after, call.now()),
        };
        let (start, id) = (row[HIDDEN].int("period_end"), row.text("id"));
        for item in &after {
            let price = self.books.get(Resource::Price, item.text("price")).cloned().unwrap_or_default();
            let end = Interval::of(&price["recurring"]).next(row.int("billing_cycle_anchor"), start);
            drafts.push(Draft::of_item(item, &price, &self.product_name(&price), id, (start, end)));
        }
        Ok(drafts)
    }
}

/// The period that was is remembered: an invoice is for it.
pub(super) fn begin_period(row: &mut Value, now: i64, end: i64) {
    let before = row[HIDDEN]["period_start"].take();
    row[HIDDEN].set("last_start", before);
    row[HIDDEN].set("period_start", now);
    row[HIDDEN].set("period_end", end);
}
