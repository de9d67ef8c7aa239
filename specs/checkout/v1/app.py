"""The checkout service. Start reading here: routes, then shop.py for the rules.

Run with `python3 app.py`; every setting comes from the environment (config.py).
"""

import json
import logging
import os
import re
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import catalogue
import config
import webhooks
from shop import Refusal, Shop
from store import KeyReused, Store

BODY_BYTES_MAX = 64 * 1024


def health(request):
    return 200, {"status": "ok"}


def list_products(request):
    return 200, {"products": catalogue.PRODUCTS}


def place_order(request):
    try:
        body = parse_object(request.body)
        order, request.replayed = request.shop.place_order(body, request.headers.get("Idempotency-Key"))
    except KeyReused:
        raise Refusal(409, "idempotency_key_reused", "this key belongs to another order") from None
    return 201, public(order)


def show_order(request, order_id):
    return 200, public(request.shop.order(order_id))


def refund_order(request, order_id):
    return 200, public(request.shop.refund(order_id))


def receive_webhook(request):
    try:
        webhooks.verify(request.body, request.headers.get("Stripe-Signature"), request.shop.config.webhook_secret)
    except webhooks.BadSignature as error:
        raise Refusal(400, "bad_signature", str(error)) from None
    webhooks.handle(request.shop, parse_object(request.body))
    return 200, {"received": True}


ROUTES = [
    ("GET", re.compile("/health"), health),
    ("GET", re.compile("/products"), list_products),
    ("POST", re.compile("/orders"), place_order),
    ("GET", re.compile("/orders/([^/]+)"), show_order),
    ("POST", re.compile("/orders/([^/]+)/refund"), refund_order),
    ("POST", re.compile("/webhooks/stripe"), receive_webhook),
]


def public(order):
    """What customers may see of an order."""
    shown = ("id", "status", "email", "items", "total_cents", "payment_intent")
    return {name: order[name] for name in shown} | {"currency": "usd"}


def parse_object(payload):
    try:
        value = json.loads(payload)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise Refusal(400, "malformed_body", "the body must be a JSON object")
    return value


class Request(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body leave in two writes; the second must not wait for an ACK
    shop = None  # set once, before the server starts

    def do_GET(self):
        self._serve()

    def do_POST(self):
        self._serve()

    def _serve(self):
        self.replayed = False
        try:
            # Read it even where nobody wants it: what is left would be taken for the next request.
            self.body = self._read_body()
            status, value = self._route()
        except Refusal as refusal:
            self.replayed = refusal.replayed
            status, value = refusal.status, {"error": refusal.error}
        except Exception:
            logging.exception("%s %s", self.command, self.path)
            status, value = 500, {"error": {"code": "internal", "message": "this is our fault"}}
        self._answer(status, value)

    def _read_body(self):
        length = self.headers.get("Content-Length", "0")
        if length.isdecimal() and int(length) <= BODY_BYTES_MAX:
            return self.rfile.read(int(length))
        self.close_connection = True  # the body stays unread, so nothing can follow it
        if length.isdecimal():
            raise Refusal(413, "body_too_large", f"a body has at most {BODY_BYTES_MAX} bytes")
        raise Refusal(400, "malformed_body", "Content-Length must be a number")

    def _route(self):
        path = self.path.partition("?")[0]
        for method, pattern, serve in ROUTES:
            match = pattern.fullmatch(path)
            if match and method == self.command:
                return serve(self, *match.groups())
        raise Refusal(404, "not_found", f"nothing at {path}")

    def _answer(self, status, value):
        payload = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(payload)))
        if self.replayed:
            self.send_header("Idempotent-Replayed", "true")
        self.end_headers()
        self.wfile.write(payload)

    def log_message(self, format, *arguments):
        """Requests are not logged: addresses of customers do not belong in a log."""


def main():
    settings = config.from_environment()
    shop = Shop(settings, Store(os.path.join(settings.data_dir, "shop.sqlite")))
    Request.shop = shop
    ThreadingHTTPServer(("127.0.0.1", settings.port), Request).serve_forever()


if __name__ == "__main__":
    main()
