"""Mail with everything on it, mail that waits, who gets none, and the SDK's own errors."""

import base64
import os

from python_http_client.exceptions import BadRequestsError, ForbiddenError, TooManyRequestsError, UnauthorizedError
from sendgrid import SendGridAPIClient
from sendgrid.helpers.mail import (
    Attachment,
    BatchId,
    Bcc,
    Category,
    Cc,
    CustomArg,
    FileContent,
    FileName,
    FileType,
    Mail,
    MailSettings,
    Personalization,
    ReplyTo,
    SandBoxMode,
    SendAt,
    To,
)

from admin import act, clear_faults, fault, refused

client = SendGridAPIClient("SG.twin", host=os.environ["TWIN_URL"])


def mail(**more):
    return Mail(from_email="shop@shop.test", to_emails="ann@example.com", subject="Hello", html_content="<p>Hi</p>", **more)


response = client.send(mail(plain_text_content="Hi"))
assert (response.status_code, bool(response.headers["X-Message-Id"])) == (202, True), response.headers

whole = Mail(from_email=("shop@shop.test", "Shop"))
whole.template_id = "d-1"
whole.reply_to = ReplyTo("desk@shop.test")
personal = Personalization()
personal.add_to(To("ann@example.com", "Ann"))
personal.add_cc(Cc("bob@example.com"))
personal.add_bcc(Bcc("eve@example.com"))
personal.dynamic_template_data = {"total": 7}
personal.add_custom_arg(CustomArg("order", "o1"))
whole.add_personalization(personal)
whole.category = [Category("receipt")]
whole.attachment = Attachment(FileContent(base64.b64encode(b"abc").decode()), FileName("a.txt"), FileType("text/plain"))
assert client.send(whole).status_code == 202

sandbox = mail()
sandbox.mail_settings = MailSettings(sandbox_mode=SandBoxMode(True))
assert client.send(sandbox).status_code == 200

batch = client.client.mail.batch.post().to_dict["batch_id"]
assert client.client.mail.batch._(batch).get().to_dict["batch_id"] == batch
later = mail()
later.batch_id = BatchId(batch)
later.send_at = SendAt(1_795_176_000 + 3_600)
assert client.send(later).status_code == 202
held = client.client.user.scheduled_sends
assert held.post(request_body={"batch_id": batch, "status": "pause"}).status_code == 201
assert held.get().to_dict == [{"batch_id": batch, "status": "pause"}]
assert held._(batch).patch(request_body={"status": "cancel"}).status_code == 204
assert held._(batch).get().to_dict[0]["status"] == "cancel"
assert held._(batch).delete().status_code == 204
refused(BadRequestsError, lambda: held.post(request_body={"batch_id": "made-up", "status": "pause"}))

everywhere = client.client.asm.suppressions._("global")
assert everywhere.post(request_body={"recipient_emails": ["eve@example.com"]}).status_code == 201
assert everywhere._("eve@example.com").get().to_dict == {"recipient_email": "eve@example.com"}
suppression = client.client.suppression
act({"bounce": {"email": "known@example.com"}})
assert [row["email"] for row in suppression.unsubscribes.get().to_dict] == ["eve@example.com"]
assert everywhere._("eve@example.com").delete().status_code == 204
assert suppression.bounces._("ann@example.com").get().to_dict == []
assert suppression.bounces._("known@example.com").get().to_dict[0]["email"] == "known@example.com"
assert suppression.bounces._("known@example.com").delete().status_code == 204

error = refused(BadRequestsError, lambda: client.send(Mail(from_email="nobody")))
assert "personalizations" in error.body.decode(), error.body
refused(UnauthorizedError, lambda: SendGridAPIClient("SG.wrong", host=os.environ["TWIN_URL"]).send(mail()))
fault(kind="rate_limit", operation="mail.send", retry_after_s=5, first=1)
assert refused(TooManyRequestsError, lambda: client.send(mail())).headers["Retry-After"] == "5"
clear_faults()
fault(kind="status", status=403, operation="mail.send", first=1)
refused(ForbiddenError, lambda: client.send(mail()))
