"""Payments as the SDK's documentation makes them: cards, declines, 3-D Secure, holds, refunds, disputes, saved cards."""

import os

import stripe
from admin import act, refused
from stripe import StripeClient

client = StripeClient("sk_test_twin", base_addresses={"api": os.environ["TWIN_URL"]}, max_network_retries=0)
v1 = client.v1


def pay(card="pm_card_visa", **more):
    return v1.payment_intents.create({
        "amount": 2400, "currency": "usd", "confirm": True, "payment_method": card,
        "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"}, **more})


# The quickstart: a payment, its charge, what it did to the balance.
paid = pay(metadata={"order": "7"}, expand=["latest_charge.balance_transaction", "payment_method"])
assert paid.status == "succeeded" and paid.amount_received == 2400 and paid.metadata["order"] == "7", paid
assert paid.latest_charge.balance_transaction.fee == 100 and paid.payment_method.card.last4 == "4242", paid
assert v1.payment_intents.retrieve(paid.id).latest_charge == paid.latest_charge.id
assert v1.balance_transactions.retrieve(paid.latest_charge.balance_transaction.id).net == 2300
assert v1.balance_transactions.list({"type": "charge"}).data[0].source == paid.latest_charge.id
assert v1.balance.retrieve().pending[0].amount == 2300
charge = v1.charges.retrieve(paid.latest_charge.id)
assert charge.outcome.type == "authorized" and not charge.refunded
assert v1.charges.update(charge.id, {"description": "a mug"}).description == "a mug"
assert v1.charges.list({"payment_intent": paid.id}).data[0].id == charge.id
assert v1.charges.search({"query": "amount>2000 AND status:'succeeded'"}).data[0].id == charge.id

# A payment is changed before it is confirmed; metadata is merged and emptied key by key.
open_ = v1.payment_intents.create({"amount": 500, "currency": "eur", "metadata": {"a": "1", "b": "2"}})
assert open_.status == "requires_payment_method" and open_.client_secret.startswith(open_.id + "_secret_")
changed = v1.payment_intents.update(open_.id, {"amount": 700, "metadata": {"a": "", "c": "3"}, "description": "x"})
assert changed.amount == 700 and changed.metadata.to_dict() == {"b": "2", "c": "3"}, changed
assert v1.payment_intents.update(open_.id, {"description": ""}).description is None
assert v1.payment_intents.confirm(open_.id, {"payment_method": "pm_card_mastercard"}).status == "succeeded"
assert v1.payment_intents.list({"limit": 1}).data[0].id == open_.id
assert [it.id for it in v1.payment_intents.search({"query": "metadata['c']:'3'"}).data] == [open_.id]

# Declines are errors of the card, each with its code; the intent can be paid otherwise.
for card, code, decline_code in [
    ("pm_card_chargeDeclined", "card_declined", "generic_decline"),
    ("pm_card_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
    ("pm_card_chargeDeclinedLostCard", "card_declined", "lost_card"),
    ("pm_card_chargeDeclinedExpiredCard", "expired_card", None),
    ("pm_card_chargeDeclinedIncorrectCvc", "incorrect_cvc", None),
    ("pm_card_chargeDeclinedProcessingError", "processing_error", None),
]:
    error = refused(stripe.CardError, lambda: pay(card))
    assert (error.http_status, error.code) == (402, code), error
    assert getattr(error.error, "decline_code", None) == decline_code, error.error
    assert error.error.payment_intent.status == "requires_payment_method"
again = v1.payment_intents.confirm(error.error.payment_intent.id, {"payment_method": "pm_card_visa"})
assert again.status == "succeeded" and again.last_payment_error is None
error = refused(stripe.InvalidRequestError, lambda: v1.payment_intents.confirm(again.id))
assert error.code == "payment_intent_unexpected_state", error
number = {"type": "card", "card": {"number": "4000 0000 0000 0000", "exp_month": 1, "exp_year": 2031, "cvc": "123"}}
assert refused(stripe.CardError, lambda: v1.payment_methods.create(number)).code == "incorrect_number"

# 3-D Secure: the holder proves who they are, or fails to.
asked = pay("pm_card_threeDSecure2Required", automatic_payment_methods={"enabled": True},
            return_url="https://example.com/back")
assert asked.status == "requires_action" and asked.next_action.redirect_to_url.return_url == "https://example.com/back"
act({"authenticate_payment": {"payment_intent": asked.id}})
assert v1.payment_intents.retrieve(asked.id).status == "succeeded"
asked = pay("pm_card_authenticationRequired")
act({"authenticate_payment": {"payment_intent": asked.id, "outcome": "failed"}})
failed = v1.payment_intents.retrieve(asked.id)
assert failed.last_payment_error.code == "payment_intent_authentication_failure", failed
error = refused(stripe.CardError, lambda: pay("pm_card_authenticationRequired", off_session=True))
assert error.code == "authentication_required", error
assert refused(stripe.CardError, lambda: pay("pm_card_authenticationRequired", error_on_requires_action=True))

# Money is held, raised, taken in part; or let go.
held = pay(capture_method="manual")
assert held.status == "requires_capture" and held.amount_capturable == 2400
assert v1.payment_intents.increment_authorization(held.id, {"amount": 3000}).amount_capturable == 3000
assert v1.payment_intents.capture(held.id, {"amount_to_capture": 1000}).amount_received == 1000
other = pay(capture_method="manual")
assert v1.charges.capture(other.latest_charge, {"amount": 2400}).captured
third = pay(capture_method="manual")
cancelled = v1.payment_intents.cancel(third.id, {"cancellation_reason": "requested_by_customer"})
assert cancelled.status == "canceled" and cancelled.cancellation_reason == "requested_by_customer"
assert refused(stripe.InvalidRequestError, lambda: v1.payment_intents.capture(third.id))

# Refunds go up to what was paid.
refund = v1.refunds.create({"payment_intent": paid.id, "amount": 400, "reason": "requested_by_customer"})
assert refund.status == "succeeded" and refund.charge == charge.id
assert v1.refunds.update(refund.id, {"metadata": {"why": "broken"}}).metadata["why"] == "broken"
assert v1.refunds.retrieve(refund.id).amount == 400
error = refused(stripe.InvalidRequestError, lambda: v1.refunds.create({"charge": charge.id, "amount": 2001}))
assert "greater than unrefunded amount on charge ($20.00)" in error.user_message, error
v1.refunds.create({"charge": charge.id})
assert refused(stripe.InvalidRequestError, lambda: v1.refunds.create({"charge": charge.id})).code == "charge_already_refunded"
assert [it.amount for it in v1.refunds.list({"charge": charge.id}).auto_paging_iter()] == [2000, 400]
assert refused(stripe.InvalidRequestError, lambda: v1.refunds.cancel(refund.id))

# Disputes take the money; evidence brings it back, or nothing does.
disputed = pay("pm_card_createDispute")
dispute = v1.disputes.list({"payment_intent": disputed.id}).data[0]
assert dispute.status == "needs_response" and dispute.reason == "fraudulent" and dispute.balance_transactions[0].net == -3900
assert v1.disputes.retrieve(dispute.id, {"expand": ["charge"]}).charge.disputed
assert v1.disputes.update(dispute.id, {"evidence": {"uncategorized_text": "draft"}, "submit": False}).status == "needs_response"
assert v1.disputes.update(dispute.id, {"evidence": {"uncategorized_text": "winning_evidence"}}).status == "won"
pay("pm_card_createDisputeProductNotReceived")
lost = v1.disputes.list({"limit": 1}).data[0]
assert lost.reason == "product_not_received" and v1.disputes.close(lost.id).status == "lost"

# Customers, their saved cards, what they have in credit.
customer = v1.customers.create({"email": "ann@example.com", "name": "Ann", "address": {"city": "Bonn", "country": "DE"}})
assert customer.address.city == "Bonn" and customer.address.line1 is None
assert v1.customers.update(customer.id, {"phone": "1", "address": {"line1": "Way 1"}}).address.city == "Bonn"
method = v1.payment_methods.create({"type": "card", "card": {"token": "tok_visa"}, "billing_details": {"name": "Ann"}})
assert v1.payment_methods.attach(method.id, {"customer": customer.id}).customer == customer.id
assert v1.payment_methods.retrieve(method.id).billing_details.name == "Ann"
assert v1.payment_methods.update(method.id, {"card": {"exp_month": 5, "exp_year": 2033}}).card.exp_month == 5
v1.customers.update(customer.id, {"invoice_settings": {"default_payment_method": method.id}})
saved = pay(method.id, customer=customer.id, off_session=True)
assert saved.customer == customer.id
assert [it.id for it in v1.payment_methods.list({"customer": customer.id, "type": "card"}).data] == [method.id]
assert v1.customers.payment_methods.list(customer.id).data[0].id == method.id
assert v1.customers.payment_methods.retrieve(customer.id, method.id).id == method.id
assert v1.payment_methods.detach(method.id).customer is None
error = refused(stripe.InvalidRequestError, lambda: pay(method.id))
assert error.code == "payment_method_unexpected_state", error
assert refused(stripe.CardError, lambda: v1.payment_methods.attach("pm_card_chargeDeclined", {"customer": customer.id}))
credit = v1.customers.balance_transactions.create(customer.id, {"amount": -500, "currency": "usd"})
assert credit.ending_balance == -500 and v1.customers.retrieve(customer.id).balance == -500
assert v1.customers.balance_transactions.list(customer.id).data[0].id == credit.id
assert v1.customers.balance_transactions.update(customer.id, credit.id, {"description": "sorry"}).description == "sorry"
assert v1.customers.balance_transactions.retrieve(customer.id, credit.id).amount == -500
assert [it.id for it in v1.customers.search({"query": "email:'ann@example.com'"}).data] == [customer.id]
assert [it.id for it in v1.customers.list({"email": "ann@example.com"}).data] == [customer.id]
assert v1.customers.delete(customer.id).deleted and v1.customers.retrieve(customer.id).deleted
assert refused(stripe.InvalidRequestError, lambda: v1.customers.retrieve("cus_none")).http_status == 404

# A card is saved without being charged.
ben = v1.customers.create({"name": "Ben", "payment_method": "pm_card_visa"})
setup = v1.setup_intents.create({"customer": ben.id, "payment_method": "pm_card_amex", "confirm": True, "usage": "off_session",
                                 "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"}})
assert setup.status == "succeeded" and len(v1.payment_methods.list({"customer": ben.id}).data) == 2
setup = v1.setup_intents.create({"customer": ben.id})
assert v1.setup_intents.update(setup.id, {"description": "later"}).description == "later"
asked = v1.setup_intents.confirm(setup.id, {"payment_method": "pm_card_authenticationRequiredOnSetup"})
assert asked.status == "requires_action"
act({"authenticate_payment": {"setup_intent": setup.id}})
proven = v1.setup_intents.retrieve(setup.id)
assert proven.status == "succeeded" and pay(proven.payment_method, customer=ben.id, off_session=True).status == "succeeded"
assert v1.setup_intents.cancel(v1.setup_intents.create().id).status == "canceled"
assert len(v1.setup_intents.list({"customer": ben.id}).data) == 2
error = refused(stripe.CardError, lambda: v1.setup_intents.create({"confirm": True, "payment_method": "pm_card_chargeDeclined"}))
assert error.error.setup_intent.last_setup_error.code == "card_declined"

# Tokens, as old integrations use them.
token = v1.tokens.create({"card": {"number": "4242424242424242", "exp_month": "7", "exp_year": "2030", "cvc": "314"}})
assert token.card.brand == "Visa" and v1.tokens.retrieve(token.id).type == "card"
assert v1.payment_methods.create({"type": "card", "card": {"token": token.id}}).card.exp_month == 12
