//! An invoice is finalized, its payment asked for, and what comes of that told to its subscription.

use super::super::{
    Stripe,
    books::HIDDEN,
    call::{Call, Made},
    errors::StripeError,
    payments::{Order, Terms},
    resource::Resource,
    row::Row,
};
use crate::{
    json::{Value, json},
    twin::Context,
};

const DAY_S: i64 = 24 * 3_600;
/// When a failed renewal is tried again, after the attempt before; after the last the subscription ends.
const RETRIES_AFTER_S: [i64; 3] = [3 * DAY_S, 5 * DAY_S, 7 * DAY_S];

impl Stripe {
    /// The invoice gets its number, uses what the customer has in credit, and is open; one of nothing is paid.
    pub(super) fn finalize(&mut self, context: &mut Context<'_>, id: &str, advances: bool) {
        let mut invoice = self.books.get(Resource::Invoice, id).expect("the caller found it").clone();
        let mut customer = self.books.get(Resource::Customer, invoice.text("customer")).cloned().unwrap_or_default();
        let (now, number) = (context.unix(), customer["next_invoice_sequence"].as_i64().unwrap_or(1));
        if invoice["number"].is_null() {
            invoice.set("number", format!("{}-{number:04}", customer.text("invoice_prefix")));
            customer.set("next_invoice_sequence", number + 1);
            if customer.get("id").is_some() {
                self.kept(Resource::Customer, customer.clone());
            }
        }
        self.use_credit(context, &mut invoice, customer);
        invoice.set("status", "open");
        invoice.set("auto_advance", advances);
        invoice.set("effective_at", now);
        invoice.set("automatically_finalizes_at", Value::Null);
        invoice["status_transitions"].set("finalized_at", now);
        invoice.set("hosted_invoice_url", format!("https://invoice.stripe.com/i/acct_twin/test_{id}"));
        invoice.set("invoice_pdf", format!("https://pay.stripe.com/invoice/acct_twin/test_{id}/pdf"));
        let due = invoice.int("amount_due");
        if due > 0 {
            let intent = self.order(context, order(&invoice, due), None);
            invoice[HIDDEN].set("intent", intent);
            invoice[HIDDEN].set("payment", context.id("inpay_", 24));
        }
        let shown = self.keep(context, Resource::Invoice, invoice, "finalized");
        if due == 0 {
            self.mark_paid(context, shown.text("id"), false);
        }
    }

    /// What is below zero on the customer's balance pays first; an invoice below zero adds to it.
    fn use_credit(&mut self, context: &mut Context<'_>, invoice: &mut Value, customer: Value) {
        let (total, starting) = (invoice.int("total"), customer.int("balance"));
        let due = (total + starting).max(0);
        let ending = (total + starting).min(0);
        invoice.set("starting_balance", starting);
        invoice.set("ending_balance", ending);
        invoice.set("amount_due", due);
        invoice.set("amount_remaining", due);
        if ending == starting || customer.get("id").is_none() {
            return;
        }
        let mut row = self.fresh(context, Resource::CustomerBalanceTransaction);
        row.set("type", "applied_to_invoice");
        row.set("currency", invoice["currency"].clone());
        row.set("invoice", invoice["id"].clone());
        self.move_customer_balance(context, customer, row, ending - starting);
    }

    pub(in super::super) fn pay_invoice(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let id = call.id();
        match self.found(Resource::Invoice, id)?.text("status") {
            "draft" => self.finalize(call.context, id, false),
            "open" | "uncollectible" => {}
            status => {
                let text = if status == "paid" {
                    "Invoice is already paid".to_owned()
                } else {
                    format!("This invoice can't be paid because it has a status of {status}.")
                };
                return Err(StripeError::invalid(text).code("invoice_not_editable"));
            }
        }
        if self.found(Resource::Invoice, id)?.text("status") != "paid" {
            if call.flag("paid_out_of_band") {
                self.mark_paid(call.context, id, true);
            } else {
                let method = match call.owned("payment_method") {
                    Some(method) => Some(self.method_named(call.context, &method)?),
                    None => None,
                };
                let off_session = call.value("off_session").as_bool().unwrap_or(true);
                self.collect(call.context, id, method, off_session)?;
            }
        }
        self.retrieve(call, Resource::Invoice)
    }

    /// Asks the customer's card for an open invoice. An error tells why it is not paid; what follows has happened then.
    pub(super) fn collect(
        &mut self,
        context: &mut Context<'_>,
        id: &str,
        method: Option<String>,
        off_session: bool,
    ) -> Result<(), StripeError> {
        let mut invoice = self.found(Resource::Invoice, id)?.clone();
        let method = method.or_else(|| self.method_for(&invoice)).ok_or_else(no_method)?;
        let intent_id = invoice[HIDDEN].text("intent").to_owned();
        let mut intent = self.found(Resource::PaymentIntent, &intent_id)?.clone();
        intent.set("payment_method", method);
        intent.set("status", "requires_confirmation");
        self.kept(Resource::PaymentIntent, intent);
        invoice.set("attempted", true);
        invoice.set("attempt_count", invoice.int("attempt_count") + 1);
        invoice.set("next_payment_attempt", Value::Null);
        self.kept(Resource::Invoice, invoice);
        let terms = Terms { off_session, waits: true, ..Terms::default() };
        let outcome = self.confirm_intent(context, &intent_id, &terms);
        self.payment_ended(context, id, &intent_id);
        match self.found(Resource::PaymentIntent, &intent_id)?.text("status") {
            "requires_action" => Err(needs_action()),
            _ => outcome,
        }
    }

    /// The invoice's own method, its subscription's, its customer's.
    pub(super) fn method_for(&self, invoice: &Value) -> Option<String> {
        let subscription = invoice["parent"]["subscription_details"].maybe("subscription");
        let subscription = subscription.and_then(|id| self.books.get(Resource::Subscription, id));
        let customer = self.books.get(Resource::Customer, invoice.text("customer"));
        let own = invoice.maybe("default_payment_method");
        let of_subscription = || subscription.and_then(|row| row.maybe("default_payment_method"));
        let of_customer = || customer.and_then(|row| row["invoice_settings"].maybe("default_payment_method"));
        own.or_else(of_subscription).or_else(of_customer).map(str::to_owned)
    }

    /// The payment of an invoice came to an end or waits for its customer.
    pub(in super::super) fn payment_ended(&mut self, context: &mut Context<'_>, invoice: &str, intent: &str) {
        let status = self.books.get(Resource::PaymentIntent, intent).map(|row| row.text("status").to_owned());
        match status.as_deref() {
            Some("succeeded") => self.mark_paid(context, invoice, false),
            Some("requires_action") => {
                let row = self.books.get(Resource::Invoice, invoice).expect("payments name their invoice").clone();
                self.keep(context, Resource::Invoice, row, "payment_action_required");
                self.subscription_unpaid(context, invoice);
            }
            _ => self.payment_failed(context, invoice),
        }
    }

    fn payment_failed(&mut self, context: &mut Context<'_>, id: &str) {
        let mut row = self.books.get(Resource::Invoice, id).expect("payments name their invoice").clone();
        let attempts = usize::try_from(row.int("attempt_count")).unwrap_or(usize::MAX);
        let again = RETRIES_AFTER_S
            .get(attempts.saturating_sub(1))
            .filter(|_| row.text("billing_reason") == "subscription_cycle");
        row.set("next_payment_attempt", again.map(|wait| context.unix() + wait));
        self.keep(context, Resource::Invoice, row, "payment_failed");
        self.subscription_unpaid(context, id);
    }

    /// After the last attempt a renewed subscription ends.
    pub(super) fn tries_are_over(&self, invoice: &Value) -> bool {
        invoice.text("billing_reason") == "subscription_cycle"
            && invoice.flag("attempted")
            && invoice["next_payment_attempt"].is_null()
            && invoice.int("attempt_count") > RETRIES_AFTER_S.len().try_into().unwrap_or(i64::MAX)
    }

    pub(super) fn mark_paid(&mut self, context: &mut Context<'_>, id: &str, out_of_band: bool) {
        let mut row = self.books.get(Resource::Invoice, id).expect("the caller found it").clone();
        let due = row.int("amount_due");
        row.set("status", "paid");
        row.set("attempted", true);
        row.set("auto_advance", false);
        row.set("amount_paid", due);
        if out_of_band {
            row.set("amount_paid_off_stripe", due);
        }
        row.set("amount_remaining", 0);
        row.set("next_payment_attempt", Value::Null);
        row["status_transitions"].set("paid_at", context.unix());
        let intent = self.books.get(Resource::PaymentIntent, row[HIDDEN].text("intent")).cloned();
        if let Some(intent) = intent.filter(|intent| !matches!(intent.text("status"), "succeeded" | "canceled")) {
            self.cancel_intent(context, intent, Value::Null);
        }
        self.keep(context, Resource::Invoice, row.clone(), "paid");
        self.keep(context, Resource::Invoice, row, "payment_succeeded");
        self.subscription_paid(context, id);
    }

    /// The page of payments of an invoice: there is one, of its intent.
    pub(in super::super) fn invoice_payments(&self, id: &str) -> Value {
        let invoice = self.books.get(Resource::Invoice, id);
        let payment = invoice.filter(|row| row[HIDDEN].maybe("intent").is_some()).map(|row| {
            let paid = row.text("status") == "paid";
            json!({"id": row[HIDDEN]["payment"], "object": "invoice_payment",
                "amount_paid": if paid { row["amount_paid"].clone() } else { Value::Null },
                "amount_requested": row["amount_due"], "created": row["status_transitions"]["finalized_at"],
                "currency": row["currency"], "invoice": id, "is_default": true, "livemode": false,
                "payment": {"payment_intent": row[HIDDEN]["intent"], "type": "payment_intent"},
                "status": if paid { "paid" } else { "open" },
                "status_transitions": {"canceled_at": null, "paid_at": row["status_transitions"]["paid_at"]}})
        });
        json!({"object": "list", "data": payment.into_iter().collect::<Vec<_>>(), "has_more": false,
            "url": format!("/v1/invoice_payments?invoice={id}")})
    }

    /// What the browser needs to finish the payment.
    pub(in super::super) fn confirmation_secret(&self, id: &str) -> Value {
        let intent = self.books.get(Resource::Invoice, id);
        let intent = intent.and_then(|row| self.books.get(Resource::PaymentIntent, row[HIDDEN].text("intent")));
        intent.map_or(Value::Null, |intent| json!({"client_secret": intent["client_secret"], "type": "payment_intent"}))
    }
}

fn order(invoice: &Value, amount: i64) -> Order {
    let description = match invoice.text("billing_reason") {
        "subscription_create" => Some("Subscription creation".to_owned()),
        "subscription_cycle" | "subscription_update" => Some("Subscription update".to_owned()),
        _ => invoice.maybe("description").map(str::to_owned),
    };
    Order {
        amount,
        currency: invoice.text("currency").to_owned(),
        customer: invoice.maybe("customer").map(str::to_owned),
        description,
        receipt_email: None,
        metadata: json!({}),
        setup_future_usage: invoice["parent"].is_object().then(|| "off_session".to_owned()),
        invoice: Some(invoice.text("id").to_owned()),
    }
}

fn needs_action() -> StripeError {
    let text = "This payment requires additional user action before it can be completed successfully. Payment can be completed using the PaymentIntent associated with the invoice.";
    StripeError::new(402, "card_error", text).code("invoice_payment_intent_requires_action")
}

pub(super) fn no_method() -> StripeError {
    StripeError::invalid("This customer has no attached payment source or default payment method. Please consider adding a default payment method. For more information, visit https://stripe.com/docs/billing/subscriptions/payment-methods-setting#payment-method-priority.")
        .code("resource_missing")
}
