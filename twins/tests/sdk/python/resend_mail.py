"""Mail at once, later, in a batch and only once; typed errors; domains and keys; webhooks that verify."""

import http.server
import os
import threading
import time

import resend
from admin import fault
from resend.exceptions import MissingRequiredFieldsError, RateLimitError, ResendError

resend.api_key = "re_twin"
resend.api_url = os.environ["TWIN_URL"]


def refused(status, call, *arguments):
    try:
        call(*arguments)
    except ResendError as error:
        assert int(error.code) == status, (error.code, error.message)
        return error
    raise SystemExit(f"{call} was not refused with {status}")


class App(http.server.BaseHTTPRequestHandler):
    got, secret = [], ""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        headers = {name: self.headers["svix-" + name] for name in ["id", "timestamp", "signature"]}
        App.got.append(resend.Webhooks.verify({"payload": body, "headers": headers, "webhook_secret": App.secret}))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


app = http.server.HTTPServer(("127.0.0.1", 0), App)
threading.Thread(target=app.serve_forever, daemon=True).start()

mail = {"from": "Shop <shop@shop.test>", "to": ["ann@example.com"], "subject": "Hello", "html": "<p>Hi</p>"}
sent = resend.Emails.send({**mail, "attachments": [{"filename": "a.txt", "content": list(b"abc")}]})
kept = resend.Emails.get(sent["id"])
assert (kept["subject"], kept["last_event"], kept["to"]) == ("Hello", "delivered", ["ann@example.com"]), kept

first = resend.Emails.send(mail, {"idempotency_key": "order-7"})
assert resend.Emails.send(mail, {"idempotency_key": "order-7"})["id"] == first["id"]
error = refused(409, resend.Emails.send, {**mail, "subject": "Other"}, {"idempotency_key": "order-7"})
assert error.error_type == "invalid_idempotent_request", error.error_type

error = refused(422, resend.Emails.send, {**mail, "subject": ""})
assert isinstance(error, MissingRequiredFieldsError) and error.message == "Missing `subject` field.", error
refused(422, resend.Emails.send, {**mail, "to": ["nobody"]})
refused(404, resend.Emails.get, "made-up")

later = resend.Emails.send({**mail, "scheduled_at": "in 1 hour"})["id"]
assert resend.Emails.get(later)["last_event"] == "scheduled"
assert resend.Emails.update({"id": later, "scheduled_at": "in 2 days"})["id"] == later
assert resend.Emails.cancel(later)["id"] == later
refused(422, resend.Emails.cancel, later)

batch = resend.Batch.send([mail, {**mail, "subject": "Second"}])
assert len(batch["data"]) == 2, batch
refused(422, resend.Batch.send, [mail, {**mail, "to": []}])
some = resend.Batch.send([mail, {**mail, "to": []}], {"batch_validation": "permissive"})
assert (len(some["data"]), some["errors"][0]["index"]) == (1, 1), some

page = resend.Emails.list({"limit": 2})
assert page["has_more"] and len(page["data"]) == 2, page
rest = resend.Emails.list({"limit": 100, "after": page["data"][1]["id"]})
assert not rest["has_more"] and rest["data"][-1]["id"] == sent["id"], rest

domain = resend.Domains.create({"name": "new.test"})
assert domain["status"] == "not_started" and domain["records"], domain
assert resend.Domains.verify(domain["id"])["id"] == domain["id"]
assert resend.Domains.get(domain["id"])["status"] == "verified"
assert resend.Domains.update({"id": domain["id"], "open_tracking": True})["id"] == domain["id"]
assert [one["name"] for one in resend.Domains.list()["data"]] == ["new.test"]
assert resend.Domains.remove(domain["id"])["deleted"]

key = resend.ApiKeys.create({"name": "sender", "permission": "sending_access"})
assert [one["name"] for one in resend.ApiKeys.list()["data"]] == ["sender"]
resend.api_key = key["token"]
resend.Emails.send(mail)
assert refused(401, resend.Emails.get, sent["id"]).error_type == "restricted_api_key"
resend.api_key = "re_twin"
resend.ApiKeys.remove(key["id"])
resend.api_key = key["token"]
assert refused(403, resend.Emails.send, mail).error_type == "invalid_api_key"
resend.api_key = "re_twin"

fault(kind="rate_limit", operation="emails.send", retry_after_s=3, first=1)
error = refused(429, resend.Emails.send, mail)
assert isinstance(error, RateLimitError) and error.headers["retry-after"] == "3", error.headers

hook = resend.Webhooks.create({"endpoint": f"http://127.0.0.1:{app.server_port}/", "events": ["email.sent", "email.bounced"]})
App.secret = hook["signing_secret"]
assert resend.Webhooks.get(hook["id"])["status"] == "enabled"
bounced = resend.Emails.send({**mail, "to": ["bounced@resend.dev"]})["id"]
end = time.monotonic() + 30
while len(App.got) < 2 and time.monotonic() < end:
    time.sleep(0.02)
events = [event["type"] for event in App.got if event["data"]["email_id"] == bounced]
assert events == ["email.sent", "email.bounced"], App.got
assert resend.Webhooks.update({"webhook_id": hook["id"], "status": "disabled"})["id"] == hook["id"]
assert [one["status"] for one in resend.Webhooks.list()["data"]] == ["disabled"]
assert resend.Webhooks.remove(hook["id"])["deleted"]
