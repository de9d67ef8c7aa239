//! The table of resources: how each kind of object is called, where it starts from, and what its events are named.
//! What fields it has is in `surface`.

use std::{collections::BTreeMap, sync::LazyLock};

use super::surface::blank;
use crate::json::Value;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Resource {
    BalanceTransaction,
    Charge,
    CheckoutSession,
    Coupon,
    Customer,
    CustomerBalanceTransaction,
    Discount,
    Dispute,
    Event,
    Invoice,
    InvoiceItem,
    PaymentIntent,
    PaymentMethod,
    Price,
    Product,
    Refund,
    SetupIntent,
    Subscription,
    SubscriptionItem,
    TestClock,
    Token,
    WebhookEndpoint,
}

/// What a kind of object is called and how it begins.
pub(super) struct Traits {
    pub(super) resource: Resource,
    /// The value of its field `object`.
    pub(super) object: &'static str,
    /// As in `No such customer: 'cus_1'`.
    pub(super) noun: &'static str,
    /// The parameter that such an error names when the id came in the path.
    pub(super) param: &'static str,
    pub(super) prefix: &'static str,
    pub(super) letters: usize,
    /// What stands before `.created` and so on; None: it happens silently.
    pub(super) event: Option<&'static str>,
    /// The key of its rows in the twin's state.
    pub(super) table: &'static str,
    /// Fields that begin with something else than the emptiest value.
    pub(super) begins: &'static str,
}

/// One row: resource, object, noun, param, prefix and letters of ids, event, table, first values.
macro_rules! resources {
    ($($resource:ident $object:literal $noun:literal $param:literal $prefix:literal $letters:literal $event:expr,
        $table:literal $begins:literal;)*) => {
        pub(super) const RESOURCES: &[Traits] = &[$(Traits {
            resource: Resource::$resource, object: $object, noun: $noun, param: $param, prefix: $prefix,
            letters: $letters, event: $event, table: $table, begins: $begins,
        }),*];
    };
}

// In the order of the enum: a test holds that.
resources! {
    BalanceTransaction "balance_transaction" "balance transaction" "id" "txn_" 24 None,
        "balance_transactions" r#"{"balance_type": "payments"}"#;
    Charge "charge" "charge" "id" "ch_" 24 Some("charge"),
        "charges" r#"{"billing_details": {"address": {"city": null, "country": null, "line1": null, "line2": null,
            "postal_code": null, "state": null}, "email": null, "name": null, "phone": null, "tax_id": null},
            "calculated_statement_descriptor": "TWIN", "fraud_details": {}}"#;
    CheckoutSession "checkout.session" "checkout.session" "id" "cs_test_" 58 Some("checkout.session"),
        "checkout_sessions" r#"{"ui_mode": "hosted_page", "payment_status": "unpaid", "status": "open",
            "payment_method_collection": null, "customer_creation": "if_required"}"#;
    Coupon "coupon" "coupon" "id" "" 8 Some("coupon"),
        "coupons" r#"{"valid": true, "duration": "once"}"#;
    Customer "customer" "customer" "id" "cus_" 14 Some("customer"),
        "customers" r#"{"tax_exempt": "none", "preferred_locales": [], "next_invoice_sequence": 1,
            "delinquent": false, "cash_balance": null}"#;
    CustomerBalanceTransaction "customer_balance_transaction" "customer balance transaction" "id" "cbtxn_" 24 None,
        "customer_balance_transactions" r#"{"type": "adjustment"}"#;
    Discount "discount" "discount" "id" "di_" 24 Some("customer.discount"),
        "discounts" r#"{"source": {"coupon": null, "type": "coupon"}}"#;
    Dispute "dispute" "dispute" "id" "du_" 24 Some("charge.dispute"),
        "disputes" r#"{"status": "needs_response", "reason": "fraudulent", "is_charge_refundable": false}"#;
    Event "event" "event" "id" "evt_" 24 None, "events" "{}";
    Invoice "invoice" "invoice" "invoice" "in_" 24 Some("invoice"),
        "invoices" r#"{"status": "draft", "billing_reason": "manual", "collection_method": "charge_automatically",
            "auto_advance": false, "customer_tax_exempt": "none", "customer_tax_ids": []}"#;
    InvoiceItem "invoiceitem" "invoiceitem" "invoiceitem" "ii_" 24 Some("invoiceitem"),
        "invoice_items" r#"{"discountable": true, "quantity": 1}"#;
    PaymentIntent "payment_intent" "payment_intent" "intent" "pi_" 24 Some("payment_intent"),
        "payment_intents" r#"{"amount_details": {"tip": {}}, "capture_method": "automatic_async",
            "confirmation_method": "automatic", "status": "requires_payment_method",
            "payment_method_types": ["card"],
            "payment_method_options": {"card": {"installments": null, "mandate_options": null, "network": null,
            "request_three_d_secure": "automatic"}}}"#;
    PaymentMethod "payment_method" "PaymentMethod" "payment_method" "pm_" 24 Some("payment_method"),
        "payment_methods" r#"{"allow_redisplay": "unspecified", "type": "card"}"#;
    Price "price" "price" "price" "price_" 24 Some("price"),
        "prices" r#"{"active": true, "billing_scheme": "per_unit", "tax_behavior": "unspecified", "type": "one_time"}"#;
    Product "product" "product" "id" "prod_" 14 Some("product"),
        "products" r#"{"active": true, "type": "service"}"#;
    Refund "refund" "refund" "refund" "re_" 24 Some("refund"),
        "refunds" r#"{"status": "succeeded", "destination_details": {"card": {"reference_status": "pending",
            "reference_type": "acquirer_reference_number", "type": "refund"}, "type": "card"}}"#;
    SetupIntent "setup_intent" "setupintent" "intent" "seti_" 24 Some("setup_intent"),
        "setup_intents" r#"{"usage": "off_session", "status": "requires_payment_method",
            "payment_method_types": ["card"],
            "payment_method_options": {"card": {"mandate_options": null, "network": null,
            "request_three_d_secure": "automatic"}}}"#;
    Subscription "subscription" "subscription" "id" "sub_" 24 Some("customer.subscription"),
        "subscriptions" r#"{"status": "incomplete", "collection_method": "charge_automatically",
            "billing_mode": {"type": "flexible", "flexible": {"proration_discounts": "included"}},
            "payment_settings": {"payment_method_options": null, "payment_method_types": null,
            "save_default_payment_method": "off"},
            "trial_settings": {"end_behavior": {"billing_cycle_anchor": null, "missing_payment_method": "create_invoice"}}}"#;
    SubscriptionItem "subscription_item" "subscription_item" "item" "si_" 14 None,
        "subscription_items" r#"{"quantity": 1}"#;
    TestClock "test_helpers.test_clock" "test clock" "test_clock" "clock_" 24 Some("test_helpers.test_clock"),
        "test_clocks" r#"{"status": "ready"}"#;
    Token "token" "token" "token" "tok_" 24 None, "tokens" r#"{"type": "card"}"#;
    WebhookEndpoint "webhook_endpoint" "webhook endpoint" "id" "we_" 24 None,
        "webhook_endpoints" r#"{"status": "enabled"}"#;
}

impl Resource {
    pub(super) fn traits(self) -> &'static Traits {
        &RESOURCES[self as usize]
    }

    /// By the name that references in the surface give it.
    pub(super) fn of_object(object: &str) -> Option<Self> {
        RESOURCES.iter().find(|traits| traits.object == object).map(|traits| traits.resource)
    }

    /// By the prefix of an id. Coupons have none.
    pub(super) fn of_id(id: &str) -> Option<Self> {
        let named = |traits: &&Traits| !traits.prefix.is_empty() && id.starts_with(traits.prefix);
        RESOURCES.iter().find(named).map(|traits| traits.resource)
    }

    /// An object in which nothing is set yet, without id.
    pub(super) fn blank(self) -> Value {
        static BLANKS: LazyLock<BTreeMap<Resource, Value>> =
            LazyLock::new(|| RESOURCES.iter().map(|traits| (traits.resource, traits.first())).collect());
        BLANKS[&self].clone()
    }
}

impl Traits {
    fn first(&self) -> Value {
        let mut row = blank(self.object);
        let begins: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(self.begins).expect("the table's values are objects of JSON: a test reads them");
        begins.into_iter().for_each(|(name, value)| row[name.as_str()] = value.into());
        row
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_resource_has_its_row_and_begins_whole() {
        for (place, traits) in RESOURCES.iter().enumerate() {
            assert_eq!(traits.resource as usize, place, "{}", traits.object);
            assert_eq!(traits.resource.blank()["object"], traits.object);
        }
    }
}
