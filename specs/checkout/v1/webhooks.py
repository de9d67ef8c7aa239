"""Stripe's webhooks: who sent this, and what does it change."""

import hashlib
import hmac
import time

TOLERANCE_S = 300  # an older signature may have been recorded and replayed by somebody


class BadSignature(Exception):
    pass


def verify(payload, header, secret):
    """Raises BadSignature unless `header` signs `payload` under `secret`, recently."""
    fields = [part.strip().partition("=") for part in (header or "").split(",")]
    timestamp = next((value for name, _, value in fields if name == "t"), "")
    if not timestamp.isdecimal() or abs(time.time() - int(timestamp)) > TOLERANCE_S:
        raise BadSignature("the signature has no recent timestamp")
    expected = hmac.new(secret.encode(), timestamp.encode() + b"." + payload, hashlib.sha256).hexdigest()
    # While a secret is rolled, Stripe signs with the old and the new one: any match will do.
    signatures = [value.encode() for name, _, value in fields if name == "v1"]
    if not any(hmac.compare_digest(expected.encode(), signature) for signature in signatures):
        raise BadSignature("the signature does not match")


def handle(shop, event):
    if event["id"] in shop.seen_events:
        return
    apply(shop, event)
    shop.seen_events.add(event["id"])


def apply(shop, event):
    subject = event["data"]["object"]
    order_id = subject.get("metadata", {}).get("order_id")  # a charge carries its intent's metadata
    if event["type"] == "payment_intent.succeeded":
        shop.settle(order_id, subject["id"])
    elif event["type"] == "charge.refunded" and subject.get("refunded"):
        shop.note_refund(order_id)
