//! Stripe's objects: what this twin keeps, and how each is written on the wire.

use serde_json::{Map, Value, json};

use super::{Stripe, cards::Card};

#[derive(Clone)]
pub(super) struct Customer {
    pub(super) id: String,
    pub(super) created: i64,
    pub(super) email: Option<String>,
    pub(super) name: Option<String>,
    pub(super) phone: Option<String>,
    pub(super) description: Option<String>,
    pub(super) metadata: Map<String, Value>,
}

#[derive(Clone)]
pub(super) struct PaymentMethod {
    pub(super) id: String,
    pub(super) created: i64,
    pub(super) card: Card,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    RequiresPaymentMethod,
    RequiresConfirmation,
    RequiresAction,
    RequiresCapture,
    Succeeded,
    Canceled,
}

impl Status {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::RequiresPaymentMethod => "requires_payment_method",
            Self::RequiresConfirmation => "requires_confirmation",
            Self::RequiresAction => "requires_action",
            Self::RequiresCapture => "requires_capture",
            Self::Succeeded => "succeeded",
            Self::Canceled => "canceled",
        }
    }
}

#[derive(Clone)]
pub(super) struct PaymentIntent {
    pub(super) id: String,
    pub(super) created: i64,
    pub(super) amount: i64,
    pub(super) amount_received: i64,
    pub(super) currency: String,
    pub(super) status: Status,
    pub(super) capture_method: String,
    pub(super) payment_method: Option<String>,
    pub(super) latest_charge: Option<String>,
    pub(super) last_payment_error: Value,
    pub(super) customer: Option<String>,
    pub(super) description: Option<String>,
    pub(super) receipt_email: Option<String>,
    pub(super) metadata: Map<String, Value>,
    pub(super) client_secret: String,
    pub(super) canceled_at: Option<i64>,
    pub(super) cancellation_reason: Option<String>,
}

#[derive(Clone)]
pub(super) struct Charge {
    pub(super) id: String,
    pub(super) created: i64,
    pub(super) amount: i64,
    pub(super) amount_captured: i64,
    pub(super) amount_refunded: i64,
    pub(super) currency: String,
    pub(super) captured: bool,
    /// None: it succeeded.
    pub(super) failure: Option<Failure>,
    pub(super) payment_intent: String,
    pub(super) payment_method: String,
    pub(super) card: Card,
    pub(super) customer: Option<String>,
    pub(super) description: Option<String>,
    pub(super) receipt_email: Option<String>,
    pub(super) metadata: Map<String, Value>,
}

#[derive(Clone)]
pub(super) struct Failure {
    pub(super) code: &'static str,
    pub(super) decline_code: Option<&'static str>,
    pub(super) message: &'static str,
}

#[derive(Clone)]
pub(super) struct Refund {
    pub(super) id: String,
    pub(super) created: i64,
    pub(super) amount: i64,
    pub(super) currency: String,
    pub(super) charge: String,
    pub(super) payment_intent: String,
    pub(super) reason: Option<String>,
    pub(super) metadata: Map<String, Value>,
}

impl Customer {
    pub(super) fn json(&self) -> Value {
        json!({
            "id": self.id, "object": "customer", "address": null, "balance": 0, "created": self.created,
            "currency": null, "default_source": null, "delinquent": false, "description": self.description,
            "email": self.email, "invoice_prefix": self.id[4..12].to_uppercase(),
            "invoice_settings": {"custom_fields": null, "default_payment_method": null, "footer": null,
                "rendering_options": null},
            "livemode": false, "metadata": self.metadata, "name": self.name, "next_invoice_sequence": 1,
            "phone": self.phone, "preferred_locales": [], "shipping": null, "tax_exempt": "none",
            "test_clock": null,
        })
    }
}

impl PaymentMethod {
    pub(super) fn json(&self) -> Value {
        json!({
            "id": self.id, "object": "payment_method", "allow_redisplay": "unspecified",
            "billing_details": billing_details(), "card": card_json(self.card), "created": self.created,
            "customer": null, "livemode": false, "metadata": {}, "type": "card",
        })
    }
}

impl PaymentIntent {
    pub(super) fn capturable(&self) -> i64 {
        if self.status == Status::RequiresCapture { self.amount } else { 0 }
    }
}

impl Stripe {
    pub(super) fn intent_json(&self, intent: &PaymentIntent) -> Value {
        json!({
            "id": intent.id, "object": "payment_intent", "amount": intent.amount,
            "amount_capturable": intent.capturable(), "amount_details": {"tip": {}},
            "amount_received": intent.amount_received, "application": null, "application_fee_amount": null,
            "automatic_payment_methods": null, "canceled_at": intent.canceled_at,
            "cancellation_reason": intent.cancellation_reason, "capture_method": intent.capture_method,
            "client_secret": intent.client_secret, "confirmation_method": "automatic", "created": intent.created,
            "currency": intent.currency, "customer": intent.customer, "description": intent.description,
            "last_payment_error": intent.last_payment_error, "latest_charge": intent.latest_charge,
            "livemode": false, "metadata": intent.metadata, "next_action": next_action(intent),
            "on_behalf_of": null, "payment_method": intent.payment_method,
            "payment_method_options": {"card": {"installments": null, "mandate_options": null, "network": null,
                "request_three_d_secure": "automatic"}},
            "payment_method_types": ["card"], "processing": null, "receipt_email": intent.receipt_email,
            "review": null, "setup_future_usage": null, "shipping": null, "source": null,
            "statement_descriptor": null, "statement_descriptor_suffix": null, "status": intent.status.name(),
            "transfer_data": null, "transfer_group": null,
        })
    }
}

impl Charge {
    pub(super) fn refundable(&self) -> i64 {
        self.amount_captured - self.amount_refunded
    }

    pub(super) fn json(&self) -> Value {
        let failure = self.failure.as_ref();
        json!({
            "id": self.id, "object": "charge", "amount": self.amount, "amount_captured": self.amount_captured,
            "amount_refunded": self.amount_refunded, "application": null, "application_fee": null,
            "application_fee_amount": null, "balance_transaction": null, "billing_details": billing_details(),
            "calculated_statement_descriptor": "TWIN", "captured": self.captured, "created": self.created,
            "currency": self.currency, "customer": self.customer, "description": self.description,
            "disputed": false, "failure_balance_transaction": null,
            "failure_code": failure.map(|failure| failure.code),
            "failure_message": failure.map(|failure| failure.message), "fraud_details": {}, "livemode": false,
            "metadata": self.metadata, "on_behalf_of": null, "outcome": outcome(failure),
            "paid": failure.is_none(), "payment_intent": self.payment_intent,
            "payment_method": self.payment_method,
            "payment_method_details": {"card": card_json(self.card), "type": "card"},
            "receipt_email": self.receipt_email, "receipt_number": null,
            "receipt_url": format!("https://pay.stripe.com/receipts/payment/{}", self.id),
            "refunded": self.amount_captured > 0 && self.refundable() == 0, "review": null, "shipping": null,
            "source": null, "source_transfer": null, "statement_descriptor": null,
            "statement_descriptor_suffix": null,
            "status": if failure.is_none() { "succeeded" } else { "failed" }, "transfer_data": null,
            "transfer_group": null,
        })
    }
}

impl Refund {
    pub(super) fn json(&self) -> Value {
        json!({
            "id": self.id, "object": "refund", "amount": self.amount, "balance_transaction": null,
            "charge": self.charge, "created": self.created, "currency": self.currency,
            "destination_details": {"card": {"reference_status": "pending", "reference_type":
                "acquirer_reference_number", "type": "refund"}, "type": "card"},
            "metadata": self.metadata, "payment_intent": self.payment_intent, "reason": self.reason,
            "receipt_number": null, "source_transfer_reversal": null, "status": "succeeded",
            "transfer_reversal": null,
        })
    }
}

fn next_action(intent: &PaymentIntent) -> Value {
    if intent.status != Status::RequiresAction {
        return Value::Null;
    }
    json!({"type": "use_stripe_sdk", "use_stripe_sdk": {"type": "three_d_secure_redirect",
        "stripe_js": format!("https://hooks.stripe.com/redirect/authenticate/{}", intent.id)}})
}

fn outcome(failure: Option<&Failure>) -> Value {
    match failure {
        None => json!({"advice_code": null, "network_status": "approved_by_network", "reason": null,
            "risk_level": "normal", "risk_score": 20, "seller_message": "Payment complete.", "type": "authorized"}),
        Some(failure) => json!({"advice_code": null, "network_status": "declined_by_network",
            "reason": failure.decline_code.unwrap_or(failure.code), "risk_level": "normal", "risk_score": 20,
            "seller_message": "The bank did not return any further details with this decline.",
            "type": "issuer_declined"}),
    }
}

fn billing_details() -> Value {
    json!({"address": {"city": null, "country": null, "line1": null, "line2": null, "postal_code": null,
        "state": null}, "email": null, "name": null, "phone": null, "tax_id": null})
}

fn card_json(card: Card) -> Value {
    json!({"brand": card.brand, "checks": {"address_line1_check": null, "address_postal_code_check": null,
        "cvc_check": "pass"}, "country": "US", "exp_month": 12, "exp_year": 2034, "funding": "credit",
        "last4": card.last4, "network": card.brand, "three_d_secure": null, "wallet": null})
}
