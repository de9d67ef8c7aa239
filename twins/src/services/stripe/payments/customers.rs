//! Customers: who pays, with which saved cards, and what they have in credit.

use super::super::{
    Stripe,
    call::{Call, Made},
    errors::StripeError,
    resource::Resource,
    row::Row,
};
use crate::json::{Value, json};

impl Stripe {
    pub(in super::super) fn create_customer(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        self.check_named(call, "test_clock", Resource::TestClock)?;
        let mut row = self.begun(call, Resource::Customer);
        let id = row.text("id").to_owned();
        if row.maybe("invoice_prefix").is_none() {
            row.set("invoice_prefix", id[4..12].to_uppercase());
        }
        if let Some(method) = call.owned("payment_method") {
            let method = self.method_named(call.context, &method)?;
            self.attach(call.context, &method, &id)?;
        }
        self.check_default_method(call, &id)?;
        Ok(self.keep(call.context, Resource::Customer, row, "created"))
    }

    /// One that was deleted is still known as such.
    pub(in super::super) fn retrieve_customer(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        match self.found(Resource::Customer, call.id()) {
            Ok(row) => Ok(self.shown(Resource::Customer, row)),
            Err(_) if self.deleted_customers.contains(call.id()) => Ok(deleted(call.id())),
            Err(error) => Err(error),
        }
    }

    pub(in super::super) fn update_customer(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        self.check_default_method(call, call.id())?;
        self.update(call, Resource::Customer)
    }

    /// Its subscriptions end at once.
    pub(in super::super) fn delete_customer(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let id = call.id();
        self.found(Resource::Customer, id)?;
        self.end_subscriptions_of(call.context, id);
        self.delete(call, Resource::Customer)?;
        self.deleted_customers.insert(id, ());
        Ok(deleted(id))
    }

    fn check_default_method(&self, call: &Call<'_, '_, '_>, customer: &str) -> Result<(), StripeError> {
        let Some(id) = call.value("invoice_settings").maybe("default_payment_method") else { return Ok(()) };
        let param = "invoice_settings[default_payment_method]";
        let method = self.named_by(Resource::PaymentMethod, id, param)?;
        if method.text("customer") == customer {
            return Ok(());
        }
        let text = format!(
            "The customer does not have a payment method with the ID {id}. The payment method must be attached to the customer."
        );
        Err(StripeError::invalid(text).code("resource_missing").param(param))
    }

    pub(in super::super) fn list_customer_payment_methods(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        self.found(Resource::Customer, call.id())?;
        let customer = call.id();
        let rows = self.books.newest_first(Resource::PaymentMethod).filter(|row| row.text("customer") == customer);
        call.page(rows, |row| self.shown(Resource::PaymentMethod, row))
    }

    pub(in super::super) fn retrieve_customer_payment_method(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let id = call.request.param("part");
        let row = self.found(Resource::PaymentMethod, id)?;
        if row.text("customer") != call.id() {
            return Err(StripeError::no_such(404, "PaymentMethod", id, "payment_method"));
        }
        Ok(self.shown(Resource::PaymentMethod, row))
    }

    pub(in super::super) fn create_customer_balance_transaction(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let customer = self.found(Resource::Customer, call.id())?.clone();
        let currency = super::money::currency(call.text("currency").unwrap_or_default())?;
        let mut row = self.begun(call, Resource::CustomerBalanceTransaction);
        row.set("currency", currency);
        let amount = row.int("amount");
        Ok(self.move_customer_balance(call.context, customer, row, amount))
    }

    /// Books `amount` on the customer's balance; what is below zero is in the customer's favour.
    pub(in super::super) fn move_customer_balance(
        &mut self,
        context: &mut crate::twin::Context<'_>,
        mut customer: Value,
        mut row: Value,
        amount: i64,
    ) -> Value {
        let balance = customer.int("balance") + amount;
        row.set("amount", amount);
        row.set("customer", customer["id"].clone());
        row.set("ending_balance", balance);
        customer.set("balance", balance);
        customer.set("currency", row["currency"].clone());
        self.keep(context, Resource::Customer, customer, "updated");
        self.kept(Resource::CustomerBalanceTransaction, row)
    }

    pub(in super::super) fn list_customer_balance_transactions(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        self.found(Resource::Customer, call.id())?;
        let customer = call.id();
        let rows = self.books.newest_first(Resource::CustomerBalanceTransaction);
        call.page(rows.filter(|row| row.text("customer") == customer), Value::clone)
    }

    pub(in super::super) fn retrieve_customer_balance_transaction(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        Ok(self.found(Resource::CustomerBalanceTransaction, call.request.param("part"))?.clone())
    }

    pub(in super::super) fn update_customer_balance_transaction(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let row = self.found(Resource::CustomerBalanceTransaction, call.request.param("part"))?.clone();
        let row = self.changed(call, Resource::CustomerBalanceTransaction, row);
        Ok(self.kept(Resource::CustomerBalanceTransaction, row))
    }
}

fn deleted(id: &str) -> Value {
    json!({"id": id, "object": "customer", "deleted": true})
}
