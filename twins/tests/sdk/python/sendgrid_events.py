"""The event webhook: set over the API, verified with the official helper, event by event."""

import http.server
import json
import os
import queue
import threading

from sendgrid import SendGridAPIClient
from sendgrid.helpers.eventwebhook import EventWebhook, EventWebhookHeader
from sendgrid.helpers.mail import Category, CustomArg, Mail

from admin import act, clear_faults, fault

WITHIN = 60  # seconds, on a busy machine


class App(http.server.BaseHTTPRequestHandler):
    got, key = queue.Queue(), ""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        signature, at = self.headers[EventWebhookHeader.SIGNATURE], self.headers[EventWebhookHeader.TIMESTAMP]
        signed = bool(signature) and EventWebhook(App.key).verify_signature(body, signature, at)
        if signed:
            App.got.put(json.loads(body)[0])
        self.send_response(200 if signed else 400)
        self.end_headers()

    def log_message(self, *_):
        pass


app = http.server.HTTPServer(("127.0.0.1", 0), App)
threading.Thread(target=app.serve_forever, daemon=True).start()

client = SendGridAPIClient("SG.twin", host=os.environ["TWIN_URL"])
settings = client.client.user.webhooks.event.settings
assert settings.get().to_dict["enabled"] is False
wanted = ["processed", "delivered", "bounce", "dropped", "open", "click", "spam_report"]
url = f"http://127.0.0.1:{app.server_port}/events"
made = settings.patch(request_body={"enabled": True, "url": url, **dict.fromkeys(wanted, True)}).to_dict
assert (made["url"], made["bounce"], made["deferred"]) == (url, True, False), made
assert settings.signed.get().to_dict == {"public_key": ""}
App.key = settings.signed.patch(request_body={"enabled": True}).to_dict["public_key"]
assert settings.signed.get().to_dict["public_key"] == App.key


def take(kind):
    event = App.got.get(timeout=WITHIN)
    assert event["event"] == kind, event
    return event


def mail():
    mail = Mail(from_email="shop@shop.test", to_emails="ann@example.com", subject="Hello", html_content="<p>Hi</p>")
    mail.category, mail.custom_arg = [Category("receipt")], [CustomArg("order", "o1")]
    return client.send(mail).headers["X-Message-Id"]


sent = mail()
processed, delivered = take("processed"), take("delivered")
assert (processed["email"], processed["order"], processed["category"]) == ("ann@example.com", "o1", ["receipt"]), processed
assert processed["sg_message_id"].startswith(f"{sent}."), processed
assert processed["sg_event_id"] != delivered["sg_event_id"] and delivered["response"].startswith("250"), delivered
act({"open": {"email": "ann@example.com"}})
assert take("open")["useragent"]
act({"click": {"email": "ann@example.com", "url": "https://shop.test/o1"}})
assert take("click")["url"] == "https://shop.test/o1"
act({"defer": {"email": "ann@example.com"}})  # nobody wants these
act({"bounce": {"email": "ann@example.com"}})
bounced = take("bounce")
assert (bounced["type"], bounced["status"]) == ("bounce", "5.1.1"), bounced
mail()
assert take("dropped")["reason"] == "Bounced Address"

fault(kind="webhook_wrongly_signed", event="open", first=1)
act({"open": {"email": "ann@example.com"}})
take("open")  # refused at first, then signed well
clear_faults()
