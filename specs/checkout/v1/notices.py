"""Receipts, refund mails and the channel's messages: their texts, and getting them delivered."""

import logging
import threading
import time
from itertools import count

import providers


def announce(shop, order_id, kind):
    """Delivers in the background: the customer's answer does not wait for it."""
    threading.Thread(target=deliver, args=(shop, order_id, kind), daemon=True).start()


def deliver(shop, order_id, kind):
    """Tries until the provider accepts. Nobody waits for it, so there is no last attempt."""
    order = shop.store.order(order_id)
    send = SENDERS[kind]
    for failures in count(1):
        answer = providers.attempt(lambda: send(shop.config, order))
        if answer is not None and accepted(answer):
            return
        logging.warning("%s of %s is not accepted yet (attempt %d)", kind, order_id, failures)
        time.sleep(providers.pause_s(shop.config, failures, answer))


def accepted(answer):
    # Slack says no with status 200 and `ok: false`; SendGrid's yes has no body at all.
    return 200 <= answer.status < 300 and answer.body.get("ok", True)


def send_receipt(config, order):
    return providers.send_mail(
        config, order["email"], f"Your receipt for order {order['id']}", receipt_text(order)
    )


def send_refund_mail(config, order):
    return providers.send_mail(
        config, order["email"], f"Your refund for order {order['id']}", refund_text(order)
    )


def send_channel_message(config, order):
    return providers.post_message(config, f"Sold: order {order['id']}, {usd(order['total_cents'])}")


SENDERS = {"receipt": send_receipt, "refund": send_refund_mail, "message": send_channel_message}


def receipt_text(order):
    lines = "\n".join(
        f"  {line['quantity']} x {line['name']}: {usd(line['line_total_cents'])}" for line in order["items"]
    )
    return (
        "Hello,\n\n"
        f"thank you for your order {order['id']}.\n\n"
        f"{lines}\n\n"
        f"Total: {usd(order['total_cents'])}\n\n"
        "Questions? Just answer this e-mail.\n"
    )


def refund_text(order):
    return (
        "Hello,\n\n"
        f"we have refunded your order {order['id']}: {usd(order['total_cents'])} are on their way back to your card.\n"
    )


def usd(cents):
    return f"USD {cents // 100}.{cents % 100:02d}"
