//! The state machine of a payment: create, confirm, capture, cancel; and the charges that it leaves behind.

use serde_json::{Value, json};

use super::{
    Stripe,
    cards::{self, Fate},
    errors::StripeError,
    expand, lists,
    objects::{Charge, Failure, PaymentIntent, PaymentMethod, Status},
    params::Params,
};
use crate::{
    http::Request,
    twin::{Answer, Context},
};

const MINIMUM: i64 = 50; // the service's smallest charge, in cents
const CREATE: &[&str] = &[
    "amount",
    "currency",
    "automatic_payment_methods",
    "capture_method",
    "confirm",
    "confirmation_method",
    "customer",
    "description",
    "error_on_requires_action",
    "metadata",
    "off_session",
    "payment_method",
    "payment_method_data",
    "payment_method_options",
    "payment_method_types",
    "receipt_email",
    "return_url",
    "setup_future_usage",
    "shipping",
    "statement_descriptor",
    "statement_descriptor_suffix",
    "transfer_group",
    "use_stripe_sdk",
];
const CONFIRM: &[&str] = &[
    "capture_method",
    "client_secret",
    "error_on_requires_action",
    "off_session",
    "payment_method",
    "payment_method_data",
    "payment_method_options",
    "payment_method_types",
    "receipt_email",
    "return_url",
    "setup_future_usage",
    "shipping",
    "use_stripe_sdk",
];
const CAPTURE: &[&str] =
    &["amount_to_capture", "final_capture", "metadata", "statement_descriptor", "statement_descriptor_suffix"];

impl Stripe {
    pub(super) fn create_payment_intent(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let made = self.new_intent(context, request.fields());
        let (intent, confirm) = made.map_err(|error| error.reply(context))?;
        let id = intent.id.clone();
        let created = self.intent_json(&intent);
        self.payment_intents.insert(&id, intent);
        self.happened(context, "payment_intent.created", created);
        if confirm {
            self.charge(context, &id).map_err(|error| error.reply(context))?;
        }
        self.show_intent(context, request, &id)
    }

    fn new_intent(&mut self, context: &mut Context<'_>, fields: &Value) -> Result<(PaymentIntent, bool), StripeError> {
        let params = Params::new(fields, CREATE)?;
        let amount = params.amount("amount")?.ok_or_else(|| StripeError::missing("amount"))?;
        let currency = params.text("currency").ok_or_else(|| StripeError::missing("currency"))?.to_lowercase();
        check_money(amount, &currency)?;
        let customer = self.known_customer(params)?;
        let confirm = params.flag("confirm")?;
        let payment_method = self.payment_method(context, params)?;
        if confirm && payment_method.is_none() {
            return Err(unattached());
        }
        let id = context.id("pi_", 24);
        let intent = PaymentIntent {
            client_secret: format!("{id}_secret_{}", context.id("", 25)),
            id,
            created: context.unix(),
            amount,
            amount_received: 0,
            currency,
            status: if payment_method.is_some() { Status::RequiresConfirmation } else { Status::RequiresPaymentMethod },
            capture_method: capture_method(params)?,
            payment_method,
            latest_charge: None,
            last_payment_error: Value::Null,
            customer,
            description: params.owned("description"),
            receipt_email: params.owned("receipt_email"),
            metadata: params.metadata(),
            canceled_at: None,
            cancellation_reason: None,
        };
        Ok((intent, confirm))
    }

    fn known_customer(&self, params: Params<'_>) -> Result<Option<String>, StripeError> {
        match params.text("customer") {
            Some(id) if !self.customers.contains(id) => Err(StripeError::no_such(400, "customer", id, "customer")),
            id => Ok(id.map(str::to_owned)),
        }
    }

    /// The id of the payment method that the request names or describes; test cards become a fresh one, as in the
    /// real service.
    fn payment_method(&mut self, context: &mut Context<'_>, params: Params<'_>) -> Result<Option<String>, StripeError> {
        let card = match params.text("payment_method") {
            Some(id) if self.payment_methods.contains(id) => return Ok(Some(id.to_owned())),
            Some(id) => cards::by_payment_method(id)
                .ok_or_else(|| StripeError::no_such(400, "PaymentMethod", id, "payment_method"))?,
            None if params.raw("payment_method_data").is_null() => return Ok(None),
            None => cards::by_data(params.raw("payment_method_data")).ok_or_else(|| {
                StripeError::new(402, "card_error", "Your card number is incorrect.").code("incorrect_number")
            })?,
        };
        let method = PaymentMethod { id: context.id("pm_", 24), created: context.unix(), card };
        let id = method.id.clone();
        self.payment_methods.insert(&id, method);
        Ok(Some(id))
    }

    pub(super) fn confirm_payment_intent(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let id = request.param("id");
        self.confirm(context, id, request.fields()).map_err(|error| error.reply(context))?;
        self.show_intent(context, request, id)
    }

    fn confirm(&mut self, context: &mut Context<'_>, id: &str, fields: &Value) -> Result<(), StripeError> {
        let params = Params::new(fields, CONFIRM)?;
        let status = self.intent(id)?.status;
        if matches!(status, Status::Succeeded | Status::RequiresCapture | Status::Canceled) {
            let why = match status {
                Status::Canceled => "it has a status of canceled",
                _ => "it has already succeeded after being previously confirmed",
            };
            return Err(self.unexpected(id, &format!("You cannot confirm this PaymentIntent because {why}.")));
        }
        let method = self.payment_method(context, params)?;
        let intent = self.payment_intents.get_mut(id).expect("was found above");
        intent.payment_method = method.or_else(|| intent.payment_method.take());
        intent.receipt_email = params.owned("receipt_email").or_else(|| intent.receipt_email.take());
        if intent.payment_method.is_none() {
            return Err(unattached());
        }
        self.charge(context, id)
    }

    /// Asks the card. A decline is kept as a failed charge and becomes an error that carries the intent.
    fn charge(&mut self, context: &mut Context<'_>, id: &str) -> Result<(), StripeError> {
        let intent = self.payment_intents.get(id).expect("the caller has it").clone();
        let method = intent.payment_method.clone().expect("the caller checked that one is attached");
        let method = self.payment_methods.get(&method).expect("attached ones are kept").clone();
        match method.card.fate {
            Fate::Paid => self.paid(context, intent, &method),
            Fate::NeedsAction => self.needs_action(context, intent),
            Fate::Declined(code, decline_code, message) => {
                return Err(self.declined(context, intent, &method, Failure { code, decline_code, message }));
            }
        }
        Ok(())
    }

    fn paid(&mut self, context: &mut Context<'_>, mut intent: PaymentIntent, method: &PaymentMethod) {
        let captured = intent.capture_method != "manual";
        let mut charge = new_charge(context, &intent, method, None);
        charge.captured = captured;
        charge.amount_captured = if captured { intent.amount } else { 0 };
        intent.amount_received = charge.amount_captured;
        intent.status = if captured { Status::Succeeded } else { Status::RequiresCapture };
        intent.latest_charge = Some(charge.id.clone());
        intent.last_payment_error = Value::Null;
        let outcome = if captured { "payment_intent.succeeded" } else { "payment_intent.amount_capturable_updated" };
        self.keep_charge(context, "charge.succeeded", charge);
        self.keep_intent(context, outcome, intent);
    }

    fn needs_action(&mut self, context: &mut Context<'_>, mut intent: PaymentIntent) {
        intent.status = Status::RequiresAction;
        self.keep_intent(context, "payment_intent.requires_action", intent);
    }

    fn declined(
        &mut self,
        context: &mut Context<'_>,
        mut intent: PaymentIntent,
        method: &PaymentMethod,
        failure: Failure,
    ) -> StripeError {
        let error = StripeError::new(402, "card_error", failure.message).code(failure.code);
        let mut body = json!({"charge": null, "code": failure.code, "decline_code": failure.decline_code,
            "doc_url": format!("https://stripe.com/docs/error-codes/{}", failure.code.replace('_', "-")),
            "message": failure.message, "payment_method": method.json(), "type": "card_error"});
        let charge = new_charge(context, &intent, method, Some(failure.clone()));
        body["charge"] = json!(charge.id);
        intent.status = Status::RequiresPaymentMethod;
        intent.payment_method = None;
        intent.latest_charge = Some(charge.id.clone());
        intent.last_payment_error = body;
        let (id, charge_id) = (intent.id.clone(), charge.id.clone());
        self.keep_charge(context, "charge.failed", charge);
        self.keep_intent(context, "payment_intent.payment_failed", intent);
        let intent = self.intent_json(self.payment_intents.get(&id).expect("was kept above"));
        let error = error.with("charge", json!(charge_id)).with("payment_intent", intent);
        match failure.decline_code {
            Some(code) => error.with("decline_code", json!(code)),
            None => error,
        }
        .with("payment_method", method.json())
    }

    pub(super) fn capture_payment_intent(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let id = request.param("id");
        self.capture(context, id, request.fields()).map_err(|error| error.reply(context))?;
        self.show_intent(context, request, id)
    }

    fn capture(&mut self, context: &mut Context<'_>, id: &str, fields: &Value) -> Result<(), StripeError> {
        let params = Params::new(fields, CAPTURE)?;
        let mut intent = self.intent(id)?.clone();
        if intent.status != Status::RequiresCapture {
            let status = intent.status.name();
            return Err(self.unexpected(id, &format!("This PaymentIntent could not be captured because it has a status of {status}. Only a PaymentIntent with one of the following statuses may be captured: requires_capture.")));
        }
        let amount = params.amount("amount_to_capture")?.unwrap_or(intent.amount);
        if amount > intent.amount {
            return Err(StripeError::invalid("The amount to capture is greater than the amount that can be captured.")
                .code("amount_too_large")
                .param("amount_to_capture"));
        }
        let charge = intent.latest_charge.as_ref().and_then(|charge| self.charges.get_mut(charge));
        let charge = charge.expect("an authorized intent has a charge");
        charge.captured = true;
        charge.amount_captured = amount;
        let captured = charge.json();
        intent.amount_received = amount;
        intent.status = Status::Succeeded;
        self.happened(context, "charge.captured", captured);
        self.keep_intent(context, "payment_intent.succeeded", intent);
        Ok(())
    }

    pub(super) fn cancel_payment_intent(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let id = request.param("id");
        self.cancel(context, id, request.fields()).map_err(|error| error.reply(context))?;
        self.show_intent(context, request, id)
    }

    fn cancel(&mut self, context: &mut Context<'_>, id: &str, fields: &Value) -> Result<(), StripeError> {
        let params = Params::new(fields, &["cancellation_reason"])?;
        let mut intent = self.intent(id)?.clone();
        if matches!(intent.status, Status::Succeeded | Status::Canceled) {
            let status = intent.status.name();
            return Err(self.unexpected(id, &format!("You cannot cancel this PaymentIntent because it has a status of {status}. Only a PaymentIntent with one of the following statuses may be canceled: requires_payment_method, requires_capture, requires_confirmation, requires_action, processing.")));
        }
        intent.status = Status::Canceled;
        intent.canceled_at = Some(context.unix());
        intent.cancellation_reason = params.owned("cancellation_reason");
        self.keep_intent(context, "payment_intent.canceled", intent);
        Ok(())
    }

    pub(super) fn retrieve_payment_intent(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        self.show_intent(context, request, request.param("id"))
    }

    pub(super) fn list_payment_intents(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let wanted = request.query["customer"].as_str();
        let fits = |intent: &&PaymentIntent| wanted.is_none_or(|id| intent.customer.as_deref() == Some(id));
        let rows = self.payment_intents.newest_first().filter(fits).map(|intent| self.intent_json(intent)).collect();
        let rows = self.expanded_rows(context, request, rows)?;
        lists::page(context, request, rows)
    }

    pub(super) fn retrieve_charge(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let id = request.param("id");
        match self.charges.get(id) {
            Some(charge) => expand::reply(self, context, request, charge.json()),
            None => Err(StripeError::no_such(404, "charge", id, "id").reply(context)),
        }
    }

    pub(super) fn list_charges(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let intent = request.query["payment_intent"].as_str();
        let customer = request.query["customer"].as_str();
        let fits = |charge: &&Charge| {
            intent.is_none_or(|id| charge.payment_intent == id)
                && customer.is_none_or(|id| charge.customer.as_deref() == Some(id))
        };
        let rows = self.charges.newest_first().filter(fits).map(Charge::json).collect();
        let rows = self.expanded_rows(context, request, rows)?;
        lists::page(context, request, rows)
    }

    fn show_intent(&self, context: &Context<'_>, request: &Request, id: &str) -> Answer {
        let intent = self.intent(id).map_err(|error| error.reply(context))?;
        expand::reply(self, context, request, self.intent_json(intent))
    }

    pub(super) fn intent(&self, id: &str) -> Result<&PaymentIntent, StripeError> {
        let found = self.payment_intents.get(id);
        found.ok_or_else(|| StripeError::no_such(404, "payment_intent", id, "intent"))
    }

    fn keep_intent(&mut self, context: &mut Context<'_>, event: &str, intent: PaymentIntent) {
        let shown = self.intent_json(&intent);
        let id = intent.id.clone();
        self.payment_intents.insert(&id, intent);
        self.happened(context, event, shown);
    }

    fn keep_charge(&mut self, context: &mut Context<'_>, event: &str, charge: Charge) {
        let shown = charge.json();
        let id = charge.id.clone();
        self.charges.insert(&id, charge);
        self.happened(context, event, shown);
    }

    fn unexpected(&self, id: &str, message: &str) -> StripeError {
        let intent = self.intent_json(self.payment_intents.get(id).expect("the caller has it"));
        StripeError::invalid(message).code("payment_intent_unexpected_state").with("payment_intent", intent)
    }
}

fn new_charge(
    context: &mut Context<'_>,
    intent: &PaymentIntent,
    method: &PaymentMethod,
    failure: Option<Failure>,
) -> Charge {
    Charge {
        id: context.id("ch_", 24),
        created: context.unix(),
        amount: intent.amount,
        amount_captured: 0,
        amount_refunded: 0,
        currency: intent.currency.clone(),
        captured: false,
        failure,
        payment_intent: intent.id.clone(),
        payment_method: method.id.clone(),
        card: method.card,
        customer: intent.customer.clone(),
        description: intent.description.clone(),
        receipt_email: intent.receipt_email.clone(),
        metadata: intent.metadata.clone(),
    }
}

fn check_money(amount: i64, currency: &str) -> Result<(), StripeError> {
    if currency.len() != 3 || !currency.bytes().all(|byte| byte.is_ascii_lowercase()) {
        return Err(StripeError::invalid(format!("Invalid currency: {currency}.")).param("currency"));
    }
    if amount < MINIMUM && matches!(currency, "usd" | "eur") {
        return Err(StripeError::invalid(format!("Amount must be at least 50 cents {currency}."))
            .code("amount_too_small")
            .param("amount"));
    }
    Ok(())
}

fn capture_method(params: Params<'_>) -> Result<String, StripeError> {
    match params.text("capture_method") {
        None => Ok("automatic_async".to_owned()),
        Some(method @ ("automatic" | "automatic_async" | "manual")) => Ok(method.to_owned()),
        Some(other) => Err(StripeError::invalid(format!(
            "Invalid capture_method: must be one of automatic, automatic_async, or manual (got {other})"
        ))
        .param("capture_method")),
    }
}

fn unattached() -> StripeError {
    StripeError::invalid("You cannot confirm this PaymentIntent because it's missing a payment method. You can either update the PaymentIntent with a payment method and then confirm it again, or confirm it again directly with a payment method or ConfirmationToken.")
        .code("payment_intent_unexpected_state")
}
