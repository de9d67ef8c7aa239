// Payments, pages, errors and billing, as the Node SDK's documentation makes them.
import assert from "node:assert/strict";
import Stripe from "stripe";
import { act, clearFaults, fault } from "./admin.mjs";

const { hostname, port } = new URL(process.env.TWIN_URL);
const options = { host: hostname, port, protocol: "http" };
const stripe = new Stripe("sk_test_twin", { ...options, maxNetworkRetries: 2 });
const pay = (card, more) =>
  stripe.paymentIntents.create({ amount: 2400, currency: "usd", confirm: true, payment_method: card, ...more });

// The quickstart, with what it leaves behind.
const customer = await stripe.customers.create({ email: "ann@example.com", metadata: { plan: "gold" } });
const paid = await pay("pm_card_visa", { customer: customer.id, expand: ["customer", "latest_charge.balance_transaction"] });
assert.equal(paid.status, "succeeded");
assert.equal(paid.customer.email, "ann@example.com");
assert.equal(paid.latest_charge.balance_transaction.net, 2300);
assert.equal(paid.lastResponse.apiVersion, "2026-10-28.endive");

// Declines by class and code.
for (const [card, code, decline] of [
  ["pm_card_chargeDeclined", "card_declined", "generic_decline"],
  ["pm_card_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"],
  ["pm_card_chargeDeclinedExpiredCard", "expired_card", ""],
]) {
  await assert.rejects(pay(card), (error) => {
    assert.ok(error instanceof Stripe.errors.StripeCardError);
    assert.deepEqual([error.statusCode, error.code, error.decline_code], [402, code, decline]);
    return error.payment_intent.status === "requires_payment_method";
  });
}
await assert.rejects(stripe.customers.retrieve("cus_none"), Stripe.errors.StripeInvalidRequestError);
await assert.rejects(new Stripe("sk_test_wrong", options).customers.list(), Stripe.errors.StripeAuthenticationError);

// The SDK tries again under one key; one payment is made.
for (const rule of [{ kind: "status", status: 500 }, { kind: "status", status: 409 }, { kind: "reset" }, { kind: "refuse_after_commit" }]) {
  const before = (await stripe.paymentIntents.list({ limit: 100 })).data.length;
  await fault({ operation: "payment_intents.create", first: 1, ...rule });
  assert.equal((await pay("pm_card_visa")).status, "succeeded");
  assert.equal((await stripe.paymentIntents.list({ limit: 100 })).data.length, before + 1);
  await clearFaults();
}
await fault({ operation: "customers.list", first: 1, kind: "rate_limit" });
const once = new Stripe("sk_test_twin", { ...options, maxNetworkRetries: 0 });
await assert.rejects(once.customers.list(), Stripe.errors.StripeRateLimitError);
await clearFaults();

// A hold, a part of it taken, a part of that given back.
const held = await pay("pm_card_visa", { capture_method: "manual" });
const taken = await stripe.paymentIntents.capture(held.id, { amount_to_capture: 1500 });
const refund = await stripe.refunds.create({ payment_intent: taken.id, amount: 500 });
assert.deepEqual([taken.amount_received, refund.amount, refund.status], [1500, 500, "succeeded"]);

// 3-D Secure.
const asked = await pay("pm_card_authenticationRequired");
assert.equal(asked.next_action.type, "use_stripe_sdk");
await act({ authenticate_payment: { payment_intent: asked.id } });
assert.equal((await stripe.paymentIntents.retrieve(asked.id)).status, "succeeded");

// Pages follow each other by themselves.
const made = [];
for (let number = 0; number < 250; number += 1) made.push((await stripe.products.create({ name: `p${number}` })).id);
const seen = [];
for await (const product of stripe.products.list({ limit: 100 })) seen.push(product.id);
assert.deepEqual(seen, made.reverse());
const found = await stripe.products.search({ query: "name~'p24'" }).autoPagingToArray({ limit: 50 });
assert.equal(found.length, 11);
assert.equal((await stripe.customers.search({ query: "metadata['plan']:'gold'" })).data[0].id, customer.id);

// A subscription and an invoice under a test clock.
const clock = await stripe.testHelpers.testClocks.create({ frozen_time: 1_790_000_000 });
const bob = await stripe.customers.create({ test_clock: clock.id, payment_method: "pm_card_visa" });
const { data: [method] } = await stripe.customers.listPaymentMethods(bob.id);
await stripe.customers.update(bob.id, { invoice_settings: { default_payment_method: method.id } });
const price = await stripe.prices.create({ product: made[0], currency: "usd", unit_amount: 1500, recurring: { interval: "month" } });
const subscription = await stripe.subscriptions.create({ customer: bob.id, items: [{ price: price.id, quantity: 2 }], expand: ["latest_invoice"] });
assert.deepEqual([subscription.status, subscription.latest_invoice.total, subscription.latest_invoice.status], ["active", 3000, "paid"]);
await stripe.testHelpers.testClocks.advance(clock.id, { frozen_time: 1_790_000_000 + 32 * 86_400 });
let ready = await stripe.testHelpers.testClocks.retrieve(clock.id);
while (ready.status !== "ready") ready = await stripe.testHelpers.testClocks.retrieve(clock.id);
const invoices = await stripe.invoices.list({ subscription: subscription.id });
assert.deepEqual(invoices.data.map((invoice) => [invoice.billing_reason, invoice.status]), [["subscription_cycle", "paid"], ["subscription_create", "paid"]]);
assert.equal((await stripe.subscriptions.cancel(subscription.id)).status, "canceled");

// Checkout.
const session = await stripe.checkout.sessions.create({ mode: "payment", success_url: "https://example.com/ok",
  line_items: [{ quantity: 3, price_data: { currency: "eur", unit_amount: 500, product_data: { name: "Tea" } } }] });
await act({ complete_checkout: { session: session.id } });
const done = await stripe.checkout.sessions.retrieve(session.id, { expand: ["payment_intent"] });
assert.deepEqual([done.status, done.amount_total, done.payment_intent.amount], ["complete", 1500, 1500]);
