//! Invoice items: what waits for the next invoice of a customer, or was added to a draft.

use super::{
    super::{
        Stripe,
        call::{Call, Made},
        errors::StripeError,
        payments::money,
        resource::Resource,
        row::Row,
    },
    catalog::{cost, pricing},
    lines::{Draft, Origin},
};
use crate::{
    json::{Value, json},
    twin::Context,
};

impl Stripe {
    pub(in super::super) fn create_invoice_item(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let customer = self.customer_given(call)?;
        self.check_named(call, "subscription", Resource::Subscription)?;
        if let Some(invoice) = call.text("invoice") {
            self.draft(self.named_by(Resource::Invoice, invoice, "invoice")?)?;
        }
        let mut row = self.begun(call, Resource::InvoiceItem);
        row.set("customer", customer["id"].clone());
        row.set("test_clock", customer["test_clock"].clone());
        row.set("date", call.now());
        if row["period"].int("end") == 0 {
            row.set("period", json!({"start": call.now(), "end": call.now()}));
        }
        if let Some(subscription) = call.text("subscription") {
            row.set(
                "parent",
                json!({"type": "subscription_details", "subscription_details": {"subscription": subscription}}),
            );
        }
        let row = self.priced(call, row)?;
        self.added(call.context, row)
    }

    /// With its amount: given as such, or by a price.
    fn priced(&mut self, call: &mut Call<'_, '_, '_>, mut row: Value) -> Made {
        let quantity = row["quantity"].as_i64().unwrap_or(1);
        row.set("quantity", quantity);
        row.set("quantity_decimal", quantity.to_string());
        if call.has("pricing") || call.has("price_data") {
            let given = call.all();
            let price = self.price_given(call.context, &given, "pricing")?;
            row.set("amount", cost(&price, quantity));
            row.set("currency", price["currency"].clone());
            row.set("pricing", pricing(&price));
            if row["description"].is_null() {
                row.set("description", self.product_name(&price));
            }
        } else if call.has("amount") {
            row.set("currency", money::currency(row.text("currency"))?);
        } else if row.int("amount") == 0 {
            return Err(StripeError::missing("amount"));
        }
        row.set("net_amount", row["amount"].clone());
        Ok(row)
    }

    /// Keeps an item; where it names a draft, that gets a line.
    fn added(&mut self, context: &mut Context<'_>, row: Value) -> Made {
        let invoice = row.maybe("invoice").map(str::to_owned);
        let shown = self.keep(context, Resource::InvoiceItem, row, "created");
        if let Some(id) = invoice {
            self.relined(context, &id);
        }
        Ok(shown)
    }

    /// An item of the twin's own: a proration.
    pub(super) fn pend(&mut self, context: &mut Context<'_>, subscription: &Value, draft: &Draft) {
        let mut row = self.fresh(context, Resource::InvoiceItem);
        for name in ["customer", "currency", "test_clock"] {
            row.set(name, subscription[name].clone());
        }
        row.set("amount", draft.amount);
        row.set("net_amount", draft.amount);
        row.set("date", context.unix());
        row.set("description", draft.description.clone());
        row.set("discountable", false);
        row.set("period", json!({"start": draft.period.0, "end": draft.period.1}));
        row.set("pricing", draft.price.as_ref().map_or(Value::Null, pricing));
        row.set("proration", true);
        row.set("quantity", draft.quantity);
        row.set("quantity_decimal", draft.quantity.to_string());
        row.set(
            "parent",
            json!({"type": "subscription_details",
            "subscription_details": {"subscription": subscription["id"]}}),
        );
        self.keep(context, Resource::InvoiceItem, row, "created");
    }

    /// What waits for a customer's next invoice, oldest first: without a subscription only what belongs to none.
    pub(super) fn pending_items(&self, customer: &str, subscription: Option<&str>) -> Vec<Value> {
        let waits = |row: &&Value| {
            let of = row["parent"]["subscription_details"].maybe("subscription");
            row.text("customer") == customer && row["invoice"].is_null() && (of.is_none() || of == subscription)
        };
        self.books.oldest_first(Resource::InvoiceItem).filter(waits).cloned().collect()
    }

    pub(super) fn item_draft(&self, row: &Value) -> Draft {
        let price = row["pricing"]["price_details"].maybe("price");
        Draft {
            amount: row.int("amount"),
            description: row.text("description").to_owned(),
            period: (row["period"].int("start"), row["period"].int("end")),
            price: price.and_then(|id| self.books.get(Resource::Price, id)).cloned(),
            quantity: row.int("quantity"),
            metadata: row["metadata"].clone(),
            discountable: row.flag("discountable"),
            origin: Origin::InvoiceItem {
                id: row.text("id").to_owned(),
                subscription: row["parent"]["subscription_details"].maybe("subscription").map(str::to_owned),
                proration: row.flag("proration"),
            },
        }
    }

    pub(in super::super) fn list_invoice_items(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let pending = call.value("pending").as_bool();
        call.set_aside("pending");
        let rows = self.books.newest_first(Resource::InvoiceItem);
        let rows = rows.filter(|row| pending.is_none_or(|pending| row["invoice"].is_null() == pending));
        call.page(rows, |row| self.shown(Resource::InvoiceItem, row))
    }

    pub(in super::super) fn update_invoice_item(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let row = self.changeable_item(call.id())?;
        let row = self.changed(call, Resource::InvoiceItem, row);
        let row = self.priced(call, row)?;
        let invoice = row.maybe("invoice").map(str::to_owned);
        let shown = self.kept(Resource::InvoiceItem, row);
        if let Some(id) = invoice {
            self.relined(call.context, &id);
        }
        Ok(shown)
    }

    pub(in super::super) fn delete_invoice_item(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let row = self.changeable_item(call.id())?;
        let answer = self.delete(call, Resource::InvoiceItem)?;
        if let Some(id) = row.maybe("invoice") {
            self.relined(call.context, id);
        }
        Ok(answer)
    }

    fn changeable_item(&self, id: &str) -> Made {
        let row = self.found(Resource::InvoiceItem, id)?.clone();
        if let Some(invoice) = row.maybe("invoice") {
            self.draft(self.found(Resource::Invoice, invoice)?)?;
        }
        Ok(row)
    }
}
