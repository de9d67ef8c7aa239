"""The catalogue, invoices, subscriptions under a test clock, checkout."""

import os

import stripe
from admin import act, advance, refused
from stripe import StripeClient

v1 = StripeClient("sk_test_twin", base_addresses={"api": os.environ["TWIN_URL"]}, max_network_retries=0).v1
DAY = 24 * 3600

# Products and prices; a lookup key names one price.
mug = v1.products.create({"name": "Mug", "default_price_data": {"currency": "usd", "unit_amount": 1200}})
mug_price = v1.prices.retrieve(mug.default_price, {"expand": ["product"]})
assert mug_price.product.name == "Mug" and mug_price.type == "one_time" and int(mug_price.unit_amount_decimal) == 1200
assert v1.products.update(mug.id, {"description": "holds tea", "active": True}).description == "holds tea"
assert v1.products.retrieve(mug.id).updated >= mug.updated
plan = v1.products.create({"id": "plan", "name": "Plan"})
monthly = v1.prices.create({"product": plan.id, "currency": "usd", "unit_amount": 1000, "recurring": {"interval": "month"},
                            "lookup_key": "monthly"})
dearer = v1.prices.create({"product": plan.id, "currency": "usd", "unit_amount": 3000, "recurring": {"interval": "month"}})
yearly = v1.prices.create({"currency": "usd", "unit_amount": 9000, "recurring": {"interval": "year"},
                           "product_data": {"name": "Yearly"}})
assert [it.id for it in v1.prices.list({"lookup_keys": ["monthly"]}).data] == [monthly.id]
assert {it.id for it in v1.prices.list({"product": "plan", "recurring": {"interval": "month"}}).data} == {monthly.id, dearer.id}
assert v1.prices.update(dearer.id, {"lookup_key": "monthly", "transfer_lookup_key": True}).lookup_key == "monthly"
assert v1.prices.retrieve(monthly.id).lookup_key is None
assert [it.id for it in v1.products.search({"query": "name~'mu'"}).data] == [mug.id]
assert [it.id for it in v1.prices.search({"query": "product:'plan' AND lookup_key:'monthly'"}).data] == [dearer.id]
assert len(v1.products.list({"active": True, "limit": 3}).data) == 3
gone = v1.products.create({"name": "Gone"})
assert v1.products.delete(gone.id).deleted
assert refused(stripe.InvalidRequestError, lambda: v1.products.delete("plan"))

# Coupons.
half = v1.coupons.create({"id": "HALF", "percent_off": 50, "duration": "once"})
assert half.valid and v1.coupons.retrieve("HALF").percent_off == 50
assert v1.coupons.update("HALF", {"name": "Half"}).name == "Half"
five = v1.coupons.create({"amount_off": 500, "currency": "usd", "duration": "forever"})
assert len(v1.coupons.list().data) == 2 and v1.coupons.delete(five.id).deleted
assert refused(stripe.InvalidRequestError, lambda: v1.coupons.create({"duration": "once"}))

# An invoice by hand: items, a draft, finalized, paid; another voided, another given up, another deleted.
ann = v1.customers.create({"email": "ann@example.com", "payment_method": "pm_card_visa"})
card = v1.payment_methods.list({"customer": ann.id}).data[0]
v1.customers.update(ann.id, {"invoice_settings": {"default_payment_method": card.id}})
item = v1.invoice_items.create({"customer": ann.id, "pricing": {"price": mug_price.id}, "quantity": 2})
assert item.amount == 2400 and item.description == "Mug"
draft = v1.invoices.create({"customer": ann.id, "pending_invoice_items_behavior": "include", "discounts": [{"coupon": "HALF"}]})
assert (draft.status, draft.subtotal, draft.total) == ("draft", 2400, 1200) and draft.lines.data[0].quantity == 2
extra = v1.invoice_items.create({"customer": ann.id, "invoice": draft.id, "amount": 600, "currency": "usd", "description": "Post"})
assert v1.invoices.retrieve(draft.id).total == 1500
assert v1.invoice_items.update(extra.id, {"amount": 800}).amount == 800 and v1.invoice_items.retrieve(extra.id).invoice == draft.id
assert v1.invoice_items.delete(extra.id).deleted and v1.invoices.retrieve(draft.id).total == 1200
assert [it.id for it in v1.invoice_items.list({"customer": ann.id}).data] == [item.id]
assert v1.invoices.update(draft.id, {"description": "thanks"}).description == "thanks"
final = v1.invoices.finalize_invoice(draft.id, {"expand": ["payments.data.payment.payment_intent", "confirmation_secret"]})
assert final.status == "open" and final.number.endswith("-0001") and final.hosted_invoice_url
assert final.payments.data[0].payment.payment_intent.amount == 1200 and final.confirmation_secret.type == "payment_intent"
paid = v1.invoices.pay(draft.id)
assert paid.status == "paid" and paid.amount_paid == 1200 and paid.status_transitions.paid_at
assert refused(stripe.InvalidRequestError, lambda: v1.invoices.pay(draft.id)).user_message == "Invoice is already paid"
assert v1.invoices.line_items.list(draft.id).data[0].pricing.price_details.price == mug_price.id


def bill(**more):
    made = v1.invoices.create({"customer": ann.id, **more})
    v1.invoice_items.create({"customer": ann.id, "invoice": made.id, "amount": 5000, "currency": "usd"})
    return made.id


assert v1.invoices.void_invoice(v1.invoices.finalize_invoice(bill()).id).status == "void"
assert v1.invoices.mark_uncollectible(v1.invoices.finalize_invoice(bill()).id).status == "uncollectible"
sent = v1.invoices.send_invoice(bill(collection_method="send_invoice", days_until_due=7))
assert sent.status == "open" and v1.invoices.pay(sent.id, {"paid_out_of_band": True}).status == "paid"
assert v1.invoices.delete(bill()).deleted
assert {it.status for it in v1.invoices.list({"customer": ann.id}).data} == {"paid", "void", "uncollectible"}
assert [it.id for it in v1.invoices.search({"query": "total:1200"}).data] == [draft.id]

# A subscription under a test clock: a trial, renewals, a card that fails, the end.
clock = v1.test_helpers.test_clocks.create({"frozen_time": 1_790_000_000, "name": "subscription"})
bob = v1.customers.create({"test_clock": clock.id, "payment_method": "pm_card_visa", "invoice_settings": {}})
good = v1.payment_methods.list({"customer": bob.id}).data[0].id
sub = v1.subscriptions.create({"customer": bob.id, "items": [{"price": monthly.id}], "trial_period_days": 7,
                               "default_payment_method": good, "expand": ["latest_invoice"]})
assert sub.status == "trialing" and sub.latest_invoice.total == 0 and sub.created == 1_790_000_000
assert sub["items"].data[0].current_period_end == sub.trial_end == 1_790_000_000 + 7 * DAY


def go(days):
    target = v1.test_helpers.test_clocks.retrieve(clock.id).frozen_time + int(days * DAY)
    assert v1.test_helpers.test_clocks.advance(clock.id, {"frozen_time": target}).status == "advancing"
    assert v1.test_helpers.test_clocks.retrieve(clock.id).status == "ready"


go(5)
assert v1.events.list({"type": "customer.subscription.trial_will_end"}).data[0].data.object.id == sub.id
go(2.1)
sub = v1.subscriptions.retrieve(sub.id, {"expand": ["latest_invoice"]})
assert sub.status == "active" and (sub.latest_invoice.status, sub.latest_invoice.total) == ("paid", 1000), sub.latest_invoice
go(31)
assert len(v1.invoices.list({"subscription": sub.id}).data) == 3

# In the middle of a period it changes: the rest of the old price comes back, the rest of the new one is due.
go(14)
item_id = sub["items"].data[0].id
look = v1.invoices.create_preview({"customer": bob.id, "subscription": sub.id,
                                   "subscription_details": {"items": [{"id": item_id, "price": dearer.id}]}})
assert [line.parent.type for line in look.lines.data][:2] == ["invoice_item_details"] * 2 and look.lines.data[0].amount < 0
sub = v1.subscriptions.update(sub.id, {"items": [{"id": item_id, "price": dearer.id}], "proration_behavior": "always_invoice"})
change = v1.invoices.retrieve(sub.latest_invoice)
assert change.billing_reason == "subscription_update" and change.status == "paid" and 500 < change.total < 1500, change.total
second = v1.subscription_items.create({"subscription": sub.id, "price": monthly.id, "proration_behavior": "none"})
assert v1.subscription_items.update(second.id, {"quantity": 3, "proration_behavior": "none"}).quantity == 3
assert v1.subscription_items.retrieve(second.id).price.id == monthly.id
assert len(v1.subscription_items.list({"subscription": sub.id}).data) == 2
assert v1.subscription_items.delete(second.id, {"proration_behavior": "none"}).deleted

# The card fails at the next renewal: past due, tried again, cancelled.
bad = v1.payment_methods.attach("pm_card_chargeCustomerFail", {"customer": bob.id})
v1.subscriptions.update(sub.id, {"default_payment_method": bad.id})
go(17)
assert v1.subscriptions.retrieve(sub.id).status == "past_due"
failed = v1.invoices.retrieve(v1.subscriptions.retrieve(sub.id).latest_invoice)
assert failed.status == "open" and failed.attempt_count >= 1 and failed.next_payment_attempt
v1.subscriptions.update(sub.id, {"default_payment_method": good})
go(8)
assert v1.subscriptions.retrieve(sub.id).status == "active"
v1.subscriptions.update(sub.id, {"cancel_at_period_end": True, "metadata": {"why": "moved"}})
go(31)
ended = v1.subscriptions.retrieve(sub.id)
assert ended.status == "canceled" and ended.cancellation_details.reason == "cancellation_requested"
assert v1.test_helpers.test_clocks.list().data[0].id == clock.id
assert v1.test_helpers.test_clocks.delete(clock.id).deleted

# First payments that do not come through.
eve = v1.customers.create({"payment_method": "pm_card_authenticationRequired"})
proof = v1.payment_methods.list({"customer": eve.id}).data[0].id
waits = v1.subscriptions.create({"customer": eve.id, "items": [{"price": monthly.id}], "default_payment_method": proof,
                                 "expand": ["latest_invoice.payments.data.payment.payment_intent"]})
intent = waits.latest_invoice.payments.data[0].payment.payment_intent
assert waits.status == "incomplete" and intent.status == "requires_action"
act({"authenticate_payment": {"payment_intent": intent.id}})
assert v1.subscriptions.retrieve(waits.id).status == "active"
order = {"customer": ann.id, "items": [{"price": yearly.id}], "payment_behavior": "default_incomplete"}
begun = v1.subscriptions.create({**order, "expand": ["latest_invoice.payments"]})
assert begun.status == "incomplete"
v1.payment_intents.confirm(begun.latest_invoice.payments.data[0].payment.payment_intent, {"payment_method": card.id})
assert v1.subscriptions.retrieve(begun.id).status == "active"
late = v1.subscriptions.create(order)
advance(24 * 3600)
assert v1.subscriptions.retrieve(late.id).status == "incomplete_expired"
assert refused(stripe.InvalidRequestError, lambda: v1.subscriptions.create({"customer": eve.id, "items": [{"price": monthly.id}]}))
assert refused(stripe.InvalidRequestError, lambda: v1.subscriptions.create({"customer": ann.id, "items": [{"price": mug_price.id}]}))
assert v1.subscriptions.cancel(begun.id, {"prorate": True, "invoice_now": True}).status == "canceled"
assert refused(stripe.InvalidRequestError, lambda: v1.subscriptions.cancel(begun.id)).http_status == 404
assert {it.id for it in v1.subscriptions.list({"customer": ann.id, "status": "all"}).data} == {begun.id, late.id}
assert v1.subscriptions.search({"query": "status:'active'"}).data[0].id == waits.id

# On the twin's own clock a month passes as well.
before = v1.subscriptions.retrieve(waits.id)["items"].data[0].current_period_end
advance(32 * DAY)
assert v1.subscriptions.retrieve(waits.id)["items"].data[0].current_period_end > before

# Checkout: the customer pays on the page, subscribes, or lets it expire.
page = v1.checkout.sessions.create({"mode": "payment", "success_url": "https://example.com/ok", "customer_email": "c@example.com",
                                    "line_items": [{"price": mug_price.id, "quantity": 2}],
                                    "payment_intent_data": {"metadata": {"order": "9"}}, "metadata": {"cart": "1"}})
assert page.url.startswith("https://checkout.stripe.com/") and (page.amount_total, page.payment_status) == (2400, "unpaid")
assert v1.checkout.sessions.update(page.id, {"metadata": {"cart": "2"}}).metadata["cart"] == "2"
assert v1.checkout.sessions.line_items.list(page.id).data[0].description == "Mug"
act({"complete_checkout": {"session": page.id}})
done = v1.checkout.sessions.retrieve(page.id, {"expand": ["payment_intent", "line_items"]})
assert (done.status, done.payment_status, done.payment_intent.metadata["order"]) == ("complete", "paid", "9"), done
assert done.customer_details.email == "c@example.com" and done.line_items.data[0].quantity == 2
club = v1.checkout.sessions.create({"mode": "subscription", "success_url": "https://example.com/ok",
                                    "line_items": [{"price": monthly.id, "quantity": 1}]})
act({"complete_checkout": {"session": club.id, "email": "d@example.com"}})
club = v1.checkout.sessions.retrieve(club.id, {"expand": ["subscription", "customer"]})
assert club.subscription.status == "active" and club.customer.email == "d@example.com"
saved = v1.checkout.sessions.create({"mode": "setup", "success_url": "https://example.com/ok", "currency": "usd"})
act({"complete_checkout": {"session": saved.id}})
assert v1.checkout.sessions.retrieve(saved.id, {"expand": ["setup_intent"]}).setup_intent.status == "succeeded"
late = v1.checkout.sessions.create({"mode": "payment", "success_url": "https://example.com/ok",
                                    "line_items": [{"quantity": 1, "price_data": {"currency": "usd", "unit_amount": 700, "product_data": {"name": "Tea"}}}]})
assert v1.checkout.sessions.expire(late.id).status == "expired"
assert refused(stripe.InvalidRequestError, lambda: v1.checkout.sessions.expire(late.id))
assert len(v1.checkout.sessions.list({"status": "complete"}).data) == 3
