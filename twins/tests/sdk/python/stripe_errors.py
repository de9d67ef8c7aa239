"""What goes wrong, by the SDK's classes; retries with one idempotency key; pages; expansions."""

import os

import stripe
from admin import clear_faults, fault, refused
from stripe import StripeClient

URL = os.environ["TWIN_URL"]
client = StripeClient("sk_test_twin", base_addresses={"api": URL}, max_network_retries=3)
once = StripeClient("sk_test_twin", base_addresses={"api": URL}, max_network_retries=0)
PAYMENT = {"amount": 1999, "currency": "usd", "confirm": True, "payment_method": "pm_card_visa"}

# The wrong key, no such object, wrong parameters.
stranger = StripeClient("sk_test_wrong", base_addresses={"api": URL})
assert refused(stripe.AuthenticationError, stranger.v1.customers.list).http_status == 401
error = refused(stripe.InvalidRequestError, lambda: once.v1.payment_intents.retrieve("pi_none"))
assert (error.http_status, error.code, error.param) == (404, "resource_missing", "intent"), error
assert error.user_message == "No such payment_intent: 'pi_none'" and error.request_id.startswith("req_")
assert error.error.doc_url.endswith("/resource-missing") and "/test/logs/req_" in error.error.request_log_url
for wrong, code, param in [
    ({"amount": 1999}, "parameter_missing", "currency"),
    ({**PAYMENT, "amount": 10}, "amount_too_small", "amount"),
    ({**PAYMENT, "colour": "red"}, "parameter_unknown", "colour"),
    ({**PAYMENT, "shipping": {"name": "A", "address": {"town": "B"}}}, "parameter_unknown", "shipping[address][town]"),
    ({**PAYMENT, "capture_method": "later"}, None, "capture_method"),
    ({**PAYMENT, "customer": "cus_none"}, "resource_missing", "customer"),
]:
    error = refused(stripe.InvalidRequestError, lambda: once.v1.payment_intents.create(wrong))
    assert (error.http_status, error.code, error.param) == (400, code, param), error
connected = {"stripe_account": "nobody"}
assert refused(stripe.PermissionError, lambda: once.v1.customers.list(options=connected)).error.code == "account_invalid"
assert once.v1.customers.list(options={"stripe_account": "acct_1"}).data == []
old = {"stripe_version": "then"}
assert "Invalid Stripe API version: then" in str(refused(stripe.InvalidRequestError, lambda: once.v1.customers.list(options=old)))

# Failures of the service, in its dialect; the SDK tries again with the same key, and one payment is made.
for rule, kind in [
    ({"kind": "status", "status": 500}, stripe.APIError),
    ({"kind": "status", "status": 409}, stripe.APIError),
    ({"kind": "rate_limit"}, stripe.RateLimitError),
    ({"kind": "reset"}, stripe.APIConnectionError),
]:
    clear_faults()
    fault(operation="payment_intents.create", first=1, **rule)
    assert refused(kind, lambda: once.v1.payment_intents.create(PAYMENT)), rule
clear_faults()
before = len(once.v1.payment_intents.list({"limit": 100}).data)
for rule in [{"kind": "status", "status": 500}, {"kind": "status", "status": 409}, {"kind": "refuse_after_commit"}]:
    fault(operation="payment_intents.create", first=1, **rule)
    made = client.v1.payment_intents.create(PAYMENT)
    assert made.status == "succeeded", made
    before += 1
    assert len(once.v1.payment_intents.list({"limit": 100}).data) == before, rule
    clear_faults()

# One key, one answer; other parameters are another request.
key = {"idempotency_key": "order-7"}
first = once.v1.payment_intents.create(PAYMENT, key)
again = once.v1.payment_intents.create(PAYMENT, key)
assert again.id == first.id and again.last_response.headers["idempotent-replayed"] == "true"
assert refused(stripe.IdempotencyError, lambda: once.v1.payment_intents.create({**PAYMENT, "amount": 2000}, key))

# 250 customers, page by page, in both directions.
made = [once.v1.customers.create({"name": f"c{number}"}).id for number in range(250)]
assert [it.id for it in once.v1.customers.list({"limit": 100}).auto_paging_iter()] == made[::-1]
oldest = once.v1.customers.list({"limit": 100, "ending_before": made[0]})
assert [it.id for it in oldest.auto_paging_iter()] == made[1:]
page = once.v1.customers.search({"query": "name~'c'", "limit": 100})
assert len(list(page.auto_paging_iter())) == 250 and page.next_page
assert refused(stripe.InvalidRequestError, lambda: once.v1.customers.search({"query": "shoe:'7'"})).param == "query"
assert refused(stripe.InvalidRequestError, lambda: once.v1.customers.list({"limit": 101})).param == "limit"
since = once.v1.customers.retrieve(made[0]).created
assert len(once.v1.customers.list({"created": {"gte": since, "lt": since + 3600}, "limit": 100}).data) == 100
assert once.v1.customers.list({"created": {"lt": since}}).data == []

# Expansions, nested and in lists.
bought = once.v1.payment_intents.create({**PAYMENT, "customer": made[0]})
whole = once.v1.payment_intents.retrieve(bought.id, {"expand": ["latest_charge.customer"]})
assert whole.latest_charge.customer.name == "c0"
listed = once.v1.charges.list({"limit": 3, "expand": ["data.customer", "data.payment_intent.payment_method"]})
assert listed.data[0].customer.name == "c0" and listed.data[0].payment_intent.payment_method.card.last4 == "4242"
error = refused(stripe.InvalidRequestError, lambda: once.v1.charges.list({"expand": ["customer"]}))
assert "This property cannot be expanded (customer). You may want to try expanding 'data.customer'" in str(error), error

# Events remember what happened, and how things were before.
once.v1.customers.update(made[0], {"name": "new"})
event = once.v1.events.list({"type": "customer.updated", "limit": 1}).data[0]
assert event.data.previous_attributes.to_dict() == {"name": "c0"} and event.data.object.name == "new"
assert once.v1.events.retrieve(event.id).request.id.startswith("req_")
kinds = {it.type for it in once.v1.events.list({"types": ["charge.succeeded", "payment_intent.succeeded"]}).data}
assert kinds == {"charge.succeeded", "payment_intent.succeeded"}
assert {it.type for it in once.v1.events.list({"type": "payment_intent.*", "limit": 100}).data} >= {"payment_intent.created"}
