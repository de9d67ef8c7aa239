"""The rules of the shop: placing an order, settling it, refunding it."""

import json
import secrets
import threading
from contextlib import nullcontext

import catalogue
import notices
import providers

KEY_LENGTH_MAX = 255
KEY_LOCKS = 64  # enough that two customers seldom share one


class Refusal(Exception):
    """A request that gets an error answer."""

    replayed = False  # true when an earlier request got the same answer

    def __init__(self, status, code, message, **details):
        super().__init__(message)
        self.status = status
        self.error = {"code": code, "message": message, **details}


class Shop:
    def __init__(self, config, store):
        self.config = config
        self.store = store
        self.seen_events = set()
        self._key_locks = [threading.Lock() for _ in range(KEY_LOCKS)]

    def place_order(self, body, key):
        """The order, and whether this is the answer to a repetition."""
        refuse_invalid(body, key)
        with self._one_at_a_time(key):
            order = self.store.open_order(draft(body), key, fingerprint(body))
            replayed = order["status"] != "pending"
            if not replayed:
                order = self._charge(order)
            refuse_unpaid(order, replayed)
            return order, replayed

    def _one_at_a_time(self, key):
        return nullcontext() if key is None else self._key_locks[hash(key) % KEY_LOCKS]

    def _charge(self, order):
        """Asks Stripe for the money, and gives back the order as it stands then."""
        try:
            answer = providers.create_payment(self.config, order)
        except providers.Unavailable:
            # Not the last word: a webhook may have settled the order in the meantime.
            return self.store.order(order["id"])
        declined = decline_code(answer)
        if declined:
            self.store.change_status(order["id"], "declined", decline_code=declined)
        elif answer.status == 200:
            self.settle(order["id"], answer.body["id"])
        else:
            raise Refusal(502, "payment_refused", "the payment provider refused the charge", order_id=order["id"])
        return self.store.order(order["id"])

    def settle(self, order_id, payment_intent):
        """The money is there: by Stripe's answer or by its webhook, whichever comes first."""
        if self.store.change_status(order_id, "paid", payment_intent=payment_intent):
            notices.announce(self, order_id, "receipt")
            notices.announce(self, order_id, "message")

    def refund(self, order_id):
        order = self.order(order_id)
        if order["status"] == "paid":
            self._refund_at_stripe(order)
        elif order["status"] != "refunded":
            raise Refusal(409, "not_refundable", f"order {order_id} is {order['status']}")
        return self.store.order(order_id)

    def _refund_at_stripe(self, order):
        try:
            answer = providers.create_refund(self.config, order["payment_intent"])
        except providers.Unavailable:
            raise unavailable(order) from None
        # Refunded in Stripe's dashboard, and the webhook is still under way: the customer has the money.
        already = answer.body.get("error", {}).get("code") == "charge_already_refunded"
        if answer.status != 200 and not already:
            raise Refusal(502, "payment_refused", "the payment provider refused the refund", order_id=order["id"])
        self.note_refund(order["id"])

    def note_refund(self, order_id):
        if self.store.change_status(order_id, "refunded"):
            notices.announce(self, order_id, "refund")

    def order(self, order_id):
        order = self.store.order(order_id)
        if order is None:
            raise Refusal(404, "not_found", f"no order {order_id}")
        return order


def draft(body):
    lines = catalogue.priced(body["items"])
    return {
        "id": f"ord_{secrets.token_hex(12)}",
        "status": "pending",
        "email": body["email"],
        "payment_method": body["payment_method"],
        "items": lines,
        "total_cents": sum(line["line_total_cents"] for line in lines),
    }


def fingerprint(body):
    """Equal for equal JSON values, however they were written."""
    return str(hash(json.dumps(body, sort_keys=True)))


def decline_code(answer):
    if answer.status == 402:
        error = answer.body.get("error", {})
        return error.get("decline_code") or error.get("code") or "card_declined"
    if answer.status == 200 and answer.body["status"] != "succeeded":
        return "authentication_required"
    return None


def refuse_invalid(body, key):
    fields = catalogue.problems(body)
    if key is not None and not 1 <= len(key) <= KEY_LENGTH_MAX:
        fields["Idempotency-Key"] = f"must have 1 to {KEY_LENGTH_MAX} characters"
    if fields:
        raise Refusal(422, "invalid_order", "the order has wrong fields: " + ", ".join(fields), fields=fields)


def refuse_unpaid(order, replayed):
    if order["status"] == "pending":
        raise unavailable(order)
    if order["status"] == "declined":
        refusal = Refusal(
            402,
            "card_declined",
            "the card was declined",
            decline_code=order["decline_code"],
            order_id=order["id"],
        )
        refusal.replayed = replayed
        raise refusal


def unavailable(order):
    return Refusal(
        503,
        "payment_unavailable",
        "the payment provider does not answer; repeat the request with the same Idempotency-Key",
        order_id=order["id"],
    )
