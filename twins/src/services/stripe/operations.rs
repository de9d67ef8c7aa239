//! The table of operations. Most are what their resource makes of them; some have a rule of their own.

use super::{
    Stripe,
    call::Action::{self, Delete, List, Retrieve, Rule, Search, Update},
    resource::Resource::{
        BalanceTransaction, Charge, CheckoutSession, Coupon, Customer, Dispute, Event, Invoice, InvoiceItem,
        PaymentIntent, PaymentMethod, Price, Product, Refund, SetupIntent, Subscription, TestClock, Token,
        WebhookEndpoint,
    },
};
use crate::twin::Operation;

/// `"name" "METHOD" "/path" action;`
macro_rules! table {
    ($($name:literal $method:literal $path:literal $action:expr;)*) => {
        &[$(Operation {
            name: $name,
            method: $method,
            path: $path,
            run: |stripe, context, request| {
                const ACTION: Action = $action;
                stripe.serve(context, request, $name, &ACTION)
            },
            when: None,
        }),*]
    };
}

pub(super) const OPERATIONS: &[Operation<Stripe>] = table! {
    "customers.create" "POST" "/v1/customers" Rule(Stripe::create_customer);
    "customers.list" "GET" "/v1/customers" List(Customer);
    "customers.search" "GET" "/v1/customers/search" Search(Customer);
    "customers.retrieve" "GET" "/v1/customers/{id}" Rule(Stripe::retrieve_customer);
    "customers.update" "POST" "/v1/customers/{id}" Rule(Stripe::update_customer);
    "customers.delete" "DELETE" "/v1/customers/{id}" Rule(Stripe::delete_customer);
    "customers.create_balance_transaction" "POST" "/v1/customers/{id}/balance_transactions"
        Rule(Stripe::create_customer_balance_transaction);
    "customers.list_balance_transactions" "GET" "/v1/customers/{id}/balance_transactions"
        Rule(Stripe::list_customer_balance_transactions);
    "customers.retrieve_balance_transaction" "GET" "/v1/customers/{id}/balance_transactions/{part}"
        Rule(Stripe::retrieve_customer_balance_transaction);
    "customers.update_balance_transaction" "POST" "/v1/customers/{id}/balance_transactions/{part}"
        Rule(Stripe::update_customer_balance_transaction);
    "customers.list_payment_methods" "GET" "/v1/customers/{id}/payment_methods"
        Rule(Stripe::list_customer_payment_methods);
    "customers.retrieve_payment_method" "GET" "/v1/customers/{id}/payment_methods/{part}"
        Rule(Stripe::retrieve_customer_payment_method);
    "payment_methods.create" "POST" "/v1/payment_methods" Rule(Stripe::create_payment_method);
    "payment_methods.list" "GET" "/v1/payment_methods" Rule(Stripe::list_payment_methods);
    "payment_methods.retrieve" "GET" "/v1/payment_methods/{id}" Retrieve(PaymentMethod);
    "payment_methods.update" "POST" "/v1/payment_methods/{id}" Rule(Stripe::update_payment_method);
    "payment_methods.attach" "POST" "/v1/payment_methods/{id}/attach" Rule(Stripe::attach_payment_method);
    "payment_methods.detach" "POST" "/v1/payment_methods/{id}/detach" Rule(Stripe::detach_payment_method);
    "payment_intents.create" "POST" "/v1/payment_intents" Rule(Stripe::create_payment_intent);
    "payment_intents.list" "GET" "/v1/payment_intents" List(PaymentIntent);
    "payment_intents.search" "GET" "/v1/payment_intents/search" Search(PaymentIntent);
    "payment_intents.retrieve" "GET" "/v1/payment_intents/{id}" Rule(Stripe::retrieve_payment_intent);
    "payment_intents.update" "POST" "/v1/payment_intents/{id}" Rule(Stripe::update_payment_intent);
    "payment_intents.confirm" "POST" "/v1/payment_intents/{id}/confirm" Rule(Stripe::confirm_payment_intent);
    "payment_intents.capture" "POST" "/v1/payment_intents/{id}/capture" Rule(Stripe::capture_payment_intent);
    "payment_intents.cancel" "POST" "/v1/payment_intents/{id}/cancel" Rule(Stripe::cancel_payment_intent);
    "payment_intents.increment_authorization" "POST" "/v1/payment_intents/{id}/increment_authorization"
        Rule(Stripe::increment_authorization);
    "setup_intents.create" "POST" "/v1/setup_intents" Rule(Stripe::create_setup_intent);
    "setup_intents.list" "GET" "/v1/setup_intents" List(SetupIntent);
    "setup_intents.retrieve" "GET" "/v1/setup_intents/{id}" Retrieve(SetupIntent);
    "setup_intents.update" "POST" "/v1/setup_intents/{id}" Rule(Stripe::update_setup_intent);
    "setup_intents.confirm" "POST" "/v1/setup_intents/{id}/confirm" Rule(Stripe::confirm_setup_intent);
    "setup_intents.cancel" "POST" "/v1/setup_intents/{id}/cancel" Rule(Stripe::cancel_setup_intent);
    "charges.list" "GET" "/v1/charges" List(Charge);
    "charges.search" "GET" "/v1/charges/search" Search(Charge);
    "charges.retrieve" "GET" "/v1/charges/{id}" Retrieve(Charge);
    "charges.update" "POST" "/v1/charges/{id}" Update(Charge);
    "charges.capture" "POST" "/v1/charges/{id}/capture" Rule(Stripe::capture_charge);
    "refunds.create" "POST" "/v1/refunds" Rule(Stripe::create_refund);
    "refunds.list" "GET" "/v1/refunds" List(Refund);
    "refunds.retrieve" "GET" "/v1/refunds/{id}" Retrieve(Refund);
    "refunds.update" "POST" "/v1/refunds/{id}" Update(Refund);
    "refunds.cancel" "POST" "/v1/refunds/{id}/cancel" Rule(Stripe::cancel_refund);
    "disputes.list" "GET" "/v1/disputes" List(Dispute);
    "disputes.retrieve" "GET" "/v1/disputes/{id}" Retrieve(Dispute);
    "disputes.update" "POST" "/v1/disputes/{id}" Rule(Stripe::update_dispute);
    "disputes.close" "POST" "/v1/disputes/{id}/close" Rule(Stripe::close_dispute);
    "tokens.create" "POST" "/v1/tokens" Rule(Stripe::create_token);
    "tokens.retrieve" "GET" "/v1/tokens/{id}" Retrieve(Token);
    "balance.retrieve" "GET" "/v1/balance" Rule(Stripe::retrieve_balance);
    "balance_transactions.list" "GET" "/v1/balance_transactions" List(BalanceTransaction);
    "balance_transactions.retrieve" "GET" "/v1/balance_transactions/{id}" Retrieve(BalanceTransaction);
    "products.create" "POST" "/v1/products" Rule(Stripe::create_product);
    "products.list" "GET" "/v1/products" List(Product);
    "products.search" "GET" "/v1/products/search" Search(Product);
    "products.retrieve" "GET" "/v1/products/{id}" Retrieve(Product);
    "products.update" "POST" "/v1/products/{id}" Rule(Stripe::update_product);
    "products.delete" "DELETE" "/v1/products/{id}" Rule(Stripe::delete_product);
    "prices.create" "POST" "/v1/prices" Rule(Stripe::create_price);
    "prices.list" "GET" "/v1/prices" Rule(Stripe::list_prices);
    "prices.search" "GET" "/v1/prices/search" Search(Price);
    "prices.retrieve" "GET" "/v1/prices/{id}" Retrieve(Price);
    "prices.update" "POST" "/v1/prices/{id}" Rule(Stripe::update_price);
    "coupons.create" "POST" "/v1/coupons" Rule(Stripe::create_coupon);
    "coupons.list" "GET" "/v1/coupons" List(Coupon);
    "coupons.retrieve" "GET" "/v1/coupons/{id}" Retrieve(Coupon);
    "coupons.update" "POST" "/v1/coupons/{id}" Update(Coupon);
    "coupons.delete" "DELETE" "/v1/coupons/{id}" Delete(Coupon);
    "checkout.sessions.create" "POST" "/v1/checkout/sessions" Rule(Stripe::create_session);
    "checkout.sessions.list" "GET" "/v1/checkout/sessions" Rule(Stripe::list_sessions);
    "checkout.sessions.retrieve" "GET" "/v1/checkout/sessions/{id}" Retrieve(CheckoutSession);
    "checkout.sessions.update" "POST" "/v1/checkout/sessions/{id}" Update(CheckoutSession);
    "checkout.sessions.expire" "POST" "/v1/checkout/sessions/{id}/expire" Rule(Stripe::expire_session);
    "checkout.sessions.list_line_items" "GET" "/v1/checkout/sessions/{id}/line_items" Rule(Stripe::list_session_lines);
    "subscriptions.create" "POST" "/v1/subscriptions" Rule(Stripe::create_subscription);
    "subscriptions.list" "GET" "/v1/subscriptions" Rule(Stripe::list_subscriptions);
    "subscriptions.search" "GET" "/v1/subscriptions/search" Search(Subscription);
    "subscriptions.retrieve" "GET" "/v1/subscriptions/{id}" Retrieve(Subscription);
    "subscriptions.update" "POST" "/v1/subscriptions/{id}" Rule(Stripe::update_subscription);
    "subscriptions.cancel" "DELETE" "/v1/subscriptions/{id}" Rule(Stripe::cancel_subscription);
    "subscription_items.create" "POST" "/v1/subscription_items" Rule(Stripe::create_subscription_item);
    "subscription_items.list" "GET" "/v1/subscription_items" Rule(Stripe::list_subscription_items);
    "subscription_items.retrieve" "GET" "/v1/subscription_items/{id}" Rule(Stripe::retrieve_subscription_item);
    "subscription_items.update" "POST" "/v1/subscription_items/{id}" Rule(Stripe::update_subscription_item);
    "subscription_items.delete" "DELETE" "/v1/subscription_items/{id}" Rule(Stripe::delete_subscription_item);
    "invoices.create" "POST" "/v1/invoices" Rule(Stripe::create_invoice);
    "invoices.create_preview" "POST" "/v1/invoices/create_preview" Rule(Stripe::preview_invoice);
    "invoices.list" "GET" "/v1/invoices" Rule(Stripe::list_invoices);
    "invoices.search" "GET" "/v1/invoices/search" Search(Invoice);
    "invoices.retrieve" "GET" "/v1/invoices/{id}" Retrieve(Invoice);
    "invoices.update" "POST" "/v1/invoices/{id}" Rule(Stripe::update_invoice);
    "invoices.delete" "DELETE" "/v1/invoices/{id}" Rule(Stripe::delete_invoice);
    "invoices.finalize" "POST" "/v1/invoices/{id}/finalize" Rule(Stripe::finalize_invoice);
    "invoices.pay" "POST" "/v1/invoices/{id}/pay" Rule(Stripe::pay_invoice);
    "invoices.send" "POST" "/v1/invoices/{id}/send" Rule(Stripe::send_invoice);
    "invoices.void" "POST" "/v1/invoices/{id}/void" Rule(Stripe::void_invoice);
    "invoices.mark_uncollectible" "POST" "/v1/invoices/{id}/mark_uncollectible" Rule(Stripe::give_up_invoice);
    "invoices.list_lines" "GET" "/v1/invoices/{id}/lines" Rule(Stripe::list_invoice_lines);
    "invoice_items.create" "POST" "/v1/invoiceitems" Rule(Stripe::create_invoice_item);
    "invoice_items.list" "GET" "/v1/invoiceitems" Rule(Stripe::list_invoice_items);
    "invoice_items.retrieve" "GET" "/v1/invoiceitems/{id}" Retrieve(InvoiceItem);
    "invoice_items.update" "POST" "/v1/invoiceitems/{id}" Rule(Stripe::update_invoice_item);
    "invoice_items.delete" "DELETE" "/v1/invoiceitems/{id}" Rule(Stripe::delete_invoice_item);
    "events.list" "GET" "/v1/events" Rule(Stripe::list_events);
    "events.retrieve" "GET" "/v1/events/{id}" Retrieve(Event);
    "webhook_endpoints.create" "POST" "/v1/webhook_endpoints" Rule(Stripe::create_webhook_endpoint);
    "webhook_endpoints.list" "GET" "/v1/webhook_endpoints" List(WebhookEndpoint);
    "webhook_endpoints.retrieve" "GET" "/v1/webhook_endpoints/{id}" Retrieve(WebhookEndpoint);
    "webhook_endpoints.update" "POST" "/v1/webhook_endpoints/{id}" Rule(Stripe::update_webhook_endpoint);
    "webhook_endpoints.delete" "DELETE" "/v1/webhook_endpoints/{id}" Rule(Stripe::delete_webhook_endpoint);
    "test_clocks.create" "POST" "/v1/test_helpers/test_clocks" Rule(Stripe::create_test_clock);
    "test_clocks.list" "GET" "/v1/test_helpers/test_clocks" List(TestClock);
    "test_clocks.retrieve" "GET" "/v1/test_helpers/test_clocks/{id}" Retrieve(TestClock);
    "test_clocks.advance" "POST" "/v1/test_helpers/test_clocks/{id}/advance" Rule(Stripe::advance_test_clock);
    "test_clocks.delete" "DELETE" "/v1/test_helpers/test_clocks/{id}" Rule(Stripe::delete_test_clock);
};
