"""Calls to Stripe, SendGrid and Slack, and the rule for repeating them.

What an answer means for an order is decided in shop.py and notices.py.
"""

import http.client
import json
import time
import uuid
from typing import NamedTuple
from urllib.parse import urlencode, urlsplit

RETRYABLE = {409, 429}  # and all 5xx; 409: Stripe is still busy with this key
ATTEMPTS_MAX = 4  # a customer is waiting
BACKOFF_MAX_S = 1.0
RETRY_AFTER_MAX_S = 5.0  # longer than this nobody waits for a shop


class Unavailable(Exception):
    """No usable answer. Whether the provider acted is not known."""


class Answer(NamedTuple):
    status: int
    body: dict
    retry_after_s: float

    @property
    def final(self):
        return self.status < 500 and self.status not in RETRYABLE


def create_payment(config, order):
    form = {
        "amount": order["total_cents"],
        "currency": "usd",
        "confirm": "true",
        "payment_method": order["payment_method"],
        "payment_method_types[]": "card",
        "metadata[order_id]": order["id"],
    }

    def send():
        return stripe_post(config, "/v1/payment_intents", form, key=str(uuid.uuid4()))

    return persist(config, send)


def create_refund(config, payment_intent):
    answer = attempt(lambda: stripe_post(config, "/v1/refunds", {"payment_intent": payment_intent}))
    if answer is None or not answer.final:
        raise Unavailable
    return answer


def stripe_post(config, path, form, key=None):
    headers = {
        "Authorization": f"Bearer {config.stripe_key}",
        "Content-Type": "application/x-www-form-urlencoded",
    }
    if key is not None:
        headers["Idempotency-Key"] = key
    return exchange(config, config.stripe_base + path, headers, urlencode(form).encode())


def send_mail(config, to, subject, text):
    message = {
        "personalizations": [{"to": [{"email": to}]}],
        "from": {"email": "shop@example.com"},
        "subject": subject,
        "content": [{"type": "text/plain", "value": text}],
    }
    return post_json(config, config.sendgrid_base + "/v3/mail/send", config.sendgrid_key, message)


def post_message(config, text):
    message = {"channel": config.slack_channel, "text": text}
    return post_json(config, config.slack_base + "/chat.postMessage", config.slack_token, message)


def post_json(config, url, token, value):
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json; charset=utf-8"}
    return exchange(config, url, headers, json.dumps(value).encode())


def persist(config, send):
    """Repeats `send` until its answer is final, as long as a waiting customer can bear it."""
    for failures in range(1, ATTEMPTS_MAX + 1):
        answer = attempt(send)
        if answer is not None and answer.final:
            return answer
        if failures == ATTEMPTS_MAX or (answer and answer.retry_after_s > RETRY_AFTER_MAX_S):
            break
        time.sleep(pause_s(config, failures, answer))
    raise Unavailable


def pause_s(config, failures, answer):
    doublings = min(failures - 1, 30)  # keeps the power small when the background never gives up
    backoff = min(config.retry_base_s * 2**doublings, BACKOFF_MAX_S)
    return max(backoff, answer.retry_after_s if answer else 0)


def attempt(send):
    """One call; None when no whole answer came back."""
    try:
        return send()
    except (OSError, http.client.HTTPException, ValueError):
        return None


def exchange(config, url, headers, body):
    parts = urlsplit(url)
    connect = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = connect(parts.netloc, timeout=config.provider_timeout_s)
    try:
        connection.request("POST", parts.path, body, headers)
        response = connection.getresponse()
        return read_answer(response, response.read())
    finally:
        connection.close()


def read_answer(response, body):
    # A failure is told by its status: its body may be a proxy's page, and must not hide the Retry-After.
    value = json.loads(body) if body and response.status < 500 else {}
    if not isinstance(value, dict):
        raise ValueError("the provider's answer is not an object")
    return Answer(response.status, value, seconds(response.headers.get("Retry-After")))


def seconds(header):
    try:
        return max(float(header), 0.0)
    except (TypeError, ValueError):
        return 0.0
