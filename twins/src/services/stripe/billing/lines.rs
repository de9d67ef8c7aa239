//! Lines of invoices, and what they add up to.

use super::{
    super::{Stripe, call::Call, call::Made, payments::money, resource::Resource, row::Row, surface::blank},
    catalog::{cost, pricing},
};
use crate::{
    json::{Value, json},
    twin::Context,
};

/// A line before it is on an invoice.
#[derive(Clone)]
pub(super) struct Draft {
    pub(super) amount: i64,
    pub(super) description: String,
    pub(super) period: (i64, i64),
    pub(super) price: Option<Value>,
    pub(super) quantity: i64,
    pub(super) metadata: Value,
    pub(super) discountable: bool,
    pub(super) origin: Origin,
}

/// What a line comes from.
#[derive(Clone)]
pub(super) enum Origin {
    InvoiceItem { id: String, subscription: Option<String>, proration: bool },
    SubscriptionItem { id: String, subscription: String },
}

impl Draft {
    pub(super) fn of_item(item: &Value, price: &Value, name: &str, subscription: &str, period: (i64, i64)) -> Self {
        let quantity = item["quantity"].as_i64().unwrap_or(1);
        let unit = money::shown(cost(price, 1), price.text("currency"));
        let interval = price["recurring"].text("interval");
        let every = match price["recurring"].int("interval_count") {
            0 | 1 => interval.to_owned(),
            count => format!("{count} {interval}s"),
        };
        Self {
            amount: cost(price, quantity),
            description: format!("{quantity} × {name} (at {unit} / {every})"),
            period,
            price: Some(price.clone()),
            quantity,
            metadata: item["metadata"].clone(),
            discountable: true,
            origin: Origin::SubscriptionItem { id: item.text("id").to_owned(), subscription: subscription.to_owned() },
        }
    }

    pub(super) fn line(&self, context: &mut Context<'_>, invoice: &Value) -> Value {
        let mut line = blank("line_item");
        line.set("id", context.id("il_", 24));
        line.set("amount", self.amount);
        line.set("subtotal", self.amount);
        line.set("currency", invoice["currency"].clone());
        line.set("description", self.description.clone());
        line.set("discountable", self.discountable);
        line.set("discount_amounts", json!([]));
        line.set("invoice", invoice["id"].clone());
        line.set("metadata", if self.metadata.is_object() { self.metadata.clone() } else { json!({}) });
        line.set("parent", self.parent());
        line.set("period", json!({"start": self.period.0, "end": self.period.1}));
        line.set("pretax_credit_amounts", json!([]));
        line.set("pricing", self.price.as_ref().map_or(Value::Null, pricing));
        line.set("quantity", self.quantity);
        line.set("quantity_decimal", self.quantity.to_string());
        line.set("taxes", json!([]));
        line
    }

    fn parent(&self) -> Value {
        match &self.origin {
            Origin::InvoiceItem { id, subscription, proration } => json!({
                "invoice_item_details": {"invoice_item": id, "proration": proration,
                    "proration_details": if *proration { json!({"credited_items": null}) } else { Value::Null },
                    "subscription": subscription},
                "subscription_item_details": null, "type": "invoice_item_details"}),
            Origin::SubscriptionItem { id, subscription } => json!({
                "invoice_item_details": null,
                "subscription_item_details": {"invoice_item": null, "proration": false, "proration_details": null,
                    "subscription": subscription, "subscription_item": id},
                "type": "subscription_item_details"}),
        }
    }
}

impl Stripe {
    /// Writes lines and everything that follows from them.
    pub(super) fn total(&self, invoice: &mut Value, lines: Vec<Value>) {
        let subtotal: i64 = lines.iter().map(|line| line.int("amount")).sum();
        let discountable: i64 =
            lines.iter().filter(|line| line.flag("discountable")).map(|line| line.int("amount")).sum();
        let taken = self.taken_off(invoice.list("discounts"), discountable);
        let off: i64 = taken.iter().map(|(_, off)| off).sum();
        let total = subtotal - off;
        let url = format!("/v1/invoices/{}/lines", invoice.text("id"));
        invoice.set(
            "lines",
            json!({"object": "list", "data": lines, "has_more": false, "total_count": lines.len(),
            "url": url}),
        );
        invoice.set("subtotal", subtotal);
        invoice.set("subtotal_excluding_tax", subtotal);
        invoice.set("total", total);
        invoice.set("total_excluding_tax", total);
        invoice.set("total_taxes", json!([]));
        invoice.set("total_pretax_credit_amounts", json!([]));
        let amounts = taken.into_iter().map(|(discount, amount)| json!({"amount": amount, "discount": discount}));
        invoice.set("total_discount_amounts", amounts.collect::<Vec<_>>());
        let due = (total + invoice.int("starting_balance")).max(0);
        invoice.set("amount_due", due);
        invoice.set("amount_remaining", due - invoice.int("amount_paid"));
    }

    pub(in super::super) fn list_invoice_lines(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let lines = self.found(Resource::Invoice, call.id())?["lines"].list("data").to_vec();
        call.page(lines.iter(), Value::clone)
    }
}
