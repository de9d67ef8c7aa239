//! Invoices: drafts are changed and deleted, finalized ones are paid, voided or given up.

use super::{
    super::{
        Stripe,
        books::HIDDEN,
        call::{Call, Made},
        errors::StripeError,
        payments::money,
        resource::Resource,
        row::Row,
    },
    lines::Draft,
};
use crate::{
    json::{Value, json},
    twin::Context,
};

const DAY_S: i64 = 24 * 3_600;
const HOUR_S: i64 = 3_600; // a draft that finalizes by itself waits so long for changes

/// Where an invoice comes from.
pub(super) struct Bill<'a> {
    pub(super) customer: &'a Value,
    pub(super) currency: String,
    pub(super) reason: &'static str,
    pub(super) subscription: Option<&'a Value>,
    pub(super) period: (i64, i64),
}

impl Stripe {
    pub(super) fn customer_given(&self, call: &Call<'_, '_, '_>) -> Result<Value, StripeError> {
        match call.text("customer") {
            Some(id) => self.named_by(Resource::Customer, id, "customer").cloned(),
            None => Err(StripeError::missing("customer")),
        }
    }

    pub(in super::super) fn create_invoice(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let customer = self.customer_given(call)?;
        let subscription = match call.text("subscription") {
            Some(id) => Some(self.named_by(Resource::Subscription, id, "subscription")?.clone()),
            None => None,
        };
        let of = subscription.as_ref().map(|row| row.text("id"));
        let items = match call.text("pending_invoice_items_behavior") {
            Some("include") => self.pending_items(customer.text("id"), of),
            _ if of.is_some() => self.pending_items(customer.text("id"), of),
            _ => Vec::new(),
        };
        if call.text("collection_method") == Some("send_invoice")
            && !call.has("days_until_due")
            && !call.has("due_date")
        {
            let text = "If invoice.collection_method is 'send_invoice' then days_until_due or due_date must be set.";
            return Err(StripeError::invalid(text).param("days_until_due"));
        }
        let currency = match call.text("currency") {
            Some(currency) => money::currency(currency)?,
            None => items
                .first()
                .or(subscription.as_ref())
                .map_or_else(|| "usd".to_owned(), |row| row.text("currency").to_owned()),
        };
        let now = call.now();
        let bill = Bill {
            customer: &customer,
            currency,
            reason: "manual",
            subscription: subscription.as_ref(),
            period: (now, now),
        };
        let invoice = self.bill(call.context, &bill);
        let mut invoice = self.changed(call, Resource::Invoice, invoice);
        if let Some(days) = call.int("days_until_due") {
            invoice.set("due_date", now + days * DAY_S);
        }
        let discounts = call.value("discounts").clone();
        invoice.set("discounts", self.discounts_given(call.context, &discounts, ("invoice", &invoice))?);
        if invoice.flag("auto_advance") && invoice["automatically_finalizes_at"].is_null() {
            invoice.set("automatically_finalizes_at", now + HOUR_S);
        }
        Ok(self.issue(call.context, invoice, &[], &items))
    }

    /// An empty draft, not kept yet.
    pub(super) fn bill(&mut self, context: &mut Context<'_>, bill: &Bill<'_>) -> Value {
        let mut invoice = self.fresh(context, Resource::Invoice);
        for (name, from) in [
            ("customer_email", "email"),
            ("customer_name", "name"),
            ("customer_phone", "phone"),
            ("customer_address", "address"),
            ("customer_shipping", "shipping"),
            ("customer", "id"),
            ("test_clock", "test_clock"),
        ] {
            invoice.set(name, bill.customer[from].clone());
        }
        invoice.set("account_country", "US");
        invoice.set("account_name", "Twin");
        invoice.set("issuer", json!({"type": "self"}));
        invoice.set("currency", bill.currency.clone());
        invoice.set("billing_reason", bill.reason);
        invoice.set("period_start", bill.period.0);
        invoice.set("period_end", bill.period.1);
        if let Some(subscription) = bill.subscription {
            for name in ["collection_method", "discounts"] {
                invoice.set(name, subscription[name].clone());
            }
            invoice.set("auto_advance", true);
            invoice.set(
                "parent",
                json!({"quote_details": null, "type": "subscription_details",
                "subscription_details": {"metadata": subscription["metadata"], "subscription": subscription["id"]}}),
            );
            if let Some(days) = subscription["days_until_due"].as_i64() {
                invoice.set("due_date", context.unix() + days * DAY_S);
            }
        }
        invoice
    }

    /// Keeps a draft with its lines; the items it takes in wait no longer.
    pub(super) fn issue(
        &mut self,
        context: &mut Context<'_>,
        mut invoice: Value,
        drafts: &[Draft],
        items: &[Value],
    ) -> Value {
        let mut lines: Vec<_> = items.iter().map(|row| self.item_draft(row).line(context, &invoice)).collect();
        lines.extend(drafts.iter().map(|draft| draft.line(context, &invoice)));
        for row in items {
            let mut row = row.clone();
            row.set("invoice", invoice["id"].clone());
            self.kept(Resource::InvoiceItem, row);
        }
        self.total(&mut invoice, lines);
        self.keep(context, Resource::Invoice, invoice, "created")
    }

    /// An item of a draft came, changed or went: the lines of items are written anew.
    pub(super) fn relined(&mut self, context: &mut Context<'_>, id: &str) {
        let mut invoice = self.books.get(Resource::Invoice, id).expect("the caller has seen the draft").clone();
        let own = |line: &&Value| line["parent"].text("type") != "invoice_item_details";
        let mut lines: Vec<_> = invoice["lines"].list("data").iter().filter(own).cloned().collect();
        let items: Vec<_> =
            self.books.oldest_first(Resource::InvoiceItem).filter(|row| row.text("invoice") == id).cloned().collect();
        lines.extend(items.iter().map(|row| self.item_draft(row).line(context, &invoice)));
        self.total(&mut invoice, lines);
        self.keep(context, Resource::Invoice, invoice, "updated");
    }

    /// Only a draft can be changed.
    pub(super) fn draft(&self, invoice: &Value) -> Result<(), StripeError> {
        if invoice.text("status") == "draft" {
            return Ok(());
        }
        let text = "This invoice is no longer editable";
        Err(StripeError::invalid(text).code("invoice_not_editable").param("invoice"))
    }

    pub(in super::super) fn list_invoices(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let of = call.owned("subscription");
        call.set_aside("subscription");
        let rows = self.books.newest_first(Resource::Invoice);
        let rows = rows
            .filter(|row| of.is_none() || row["parent"]["subscription_details"].maybe("subscription") == of.as_deref());
        call.page(rows, |row| self.shown(Resource::Invoice, row))
    }

    pub(in super::super) fn update_invoice(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let row = self.found(Resource::Invoice, call.id())?.clone();
        let always = ["metadata", "description", "auto_advance", "footer"];
        if call.names().any(|name| !always.contains(&name)) {
            self.draft(&row)?;
        }
        let mut row = self.changed(call, Resource::Invoice, row);
        if let Some(days) = call.int("days_until_due") {
            row.set("due_date", call.now() + days * DAY_S);
        }
        if call.sent("discounts").is_some() {
            let given = call.value("discounts").clone();
            row.set("discounts", self.discounts_given(call.context, &given, ("invoice", &row))?);
            let lines = row["lines"].list("data").to_vec();
            self.total(&mut row, lines);
        }
        Ok(self.keep(call.context, Resource::Invoice, row, "updated"))
    }

    pub(in super::super) fn delete_invoice(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let row = self.found(Resource::Invoice, call.id())?;
        if row.text("status") != "draft" || !row["parent"].is_null() {
            let text = "You can only delete draft invoices that are not part of a subscription.";
            return Err(StripeError::invalid(text).code("invoice_not_editable"));
        }
        let items: Vec<_> = self
            .books
            .oldest_first(Resource::InvoiceItem)
            .filter(|row| row.text("invoice") == call.id())
            .cloned()
            .collect();
        for mut item in items {
            item.set("invoice", Value::Null);
            self.kept(Resource::InvoiceItem, item);
        }
        self.delete(call, Resource::Invoice)
    }

    pub(in super::super) fn finalize_invoice(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let row = self.found(Resource::Invoice, call.id())?;
        if row.text("status") != "draft" {
            let text = "This invoice is already finalized, you can't re-finalize a non-draft invoice.";
            return Err(StripeError::invalid(text).code("invoice_not_editable"));
        }
        let advances = call.value("auto_advance").as_bool().unwrap_or_else(|| row.flag("auto_advance"));
        self.finalize(call.context, call.id(), advances);
        self.retrieve(call, Resource::Invoice)
    }

    pub(in super::super) fn send_invoice(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let row = self.found(Resource::Invoice, call.id())?;
        if row.text("collection_method") != "send_invoice" {
            let text = "You can only manually send an invoice if its collection method is 'send_invoice'.";
            return Err(StripeError::invalid(text));
        }
        if row.text("status") == "draft" {
            self.finalize(call.context, call.id(), false);
        }
        let row = self.found(Resource::Invoice, call.id())?.clone();
        Ok(self.keep(call.context, Resource::Invoice, row, "sent"))
    }

    pub(in super::super) fn void_invoice(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let row = self.ended_from(call.id(), &["open", "uncollectible"])?;
        Ok(self.end_invoice(call.context, row, "void", "voided_at", "voided"))
    }

    pub(in super::super) fn give_up_invoice(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let row = self.ended_from(call.id(), &["open"])?;
        Ok(self.end_invoice(call.context, row, "uncollectible", "marked_uncollectible_at", "marked_uncollectible"))
    }

    fn ended_from(&self, id: &str, statuses: &[&str]) -> Made {
        let row = self.found(Resource::Invoice, id)?.clone();
        if statuses.contains(&row.text("status")) {
            return Ok(row);
        }
        let text = format!(
            "You can only pass in open invoices. This invoice isn't open: it has a status of {}.",
            row.text("status")
        );
        Err(StripeError::invalid(text).code("invoice_not_editable"))
    }

    /// Nobody pays it any more.
    pub(super) fn end_invoice(
        &mut self,
        context: &mut Context<'_>,
        mut row: Value,
        status: &'static str,
        at: &'static str,
        event: &str,
    ) -> Value {
        row.set("status", status);
        row["status_transitions"].set(at, context.unix());
        row.set("auto_advance", false);
        row.set("next_payment_attempt", Value::Null);
        let intent = self.books.get(Resource::PaymentIntent, row[HIDDEN].text("intent")).cloned();
        if let Some(intent) = intent.filter(|intent| !matches!(intent.text("status"), "succeeded" | "canceled")) {
            self.cancel_intent(context, intent, json!("void_invoice"));
        }
        self.keep(context, Resource::Invoice, row, event)
    }
}
