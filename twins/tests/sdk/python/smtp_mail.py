"""Mail as smtplib sends it: whole messages, refused recipients, signing in, TLS when asked for."""

import os
import smtplib
import ssl
from email.message import EmailMessage

from admin import BASE, clear_faults, fault, refused, send

HOST, PORT = os.environ["TWIN_URL"].removeprefix("smtp://").split(":")
tls = ssl.create_default_context(cafile=os.environ["TWIN_CA_FILE"])


def message(subject="Grüße", to="ann@example.com"):
    mail = EmailMessage()
    mail["Subject"], mail["From"], mail["To"] = subject, "Shop <shop@shop.test>", to
    mail.set_content("Zwölf\n.\n..\nEnde\n")
    mail.add_alternative("<p>Zwölf</p>", subtype="html")
    mail.add_attachment(b"a,b", maintype="text", subtype="csv", filename="zwölf.csv")
    return mail


def latest():
    return send(f"{BASE}/inbox/latest")


def read(path):
    import urllib.request

    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"{BASE}/inbox/{path}") as answer:
        return answer.read()


with smtplib.SMTP(HOST, int(PORT), local_hostname="client.test") as client:
    client.ehlo()
    assert client.has_extn("size") and client.esmtp_features["size"] == "10240000", client.esmtp_features
    assert all(client.has_extn(name) for name in ["pipelining", "8bitmime", "smtputf8", "starttls", "chunking", "dsn"])
    client.starttls(context=tls)
    client.login("ann", "secret")
    assert client.send_message(message()) == {}
    mail = latest()
    assert (mail["subject"], mail["from_name"], mail["to"]) == ("Grüße", "Shop", ["ann@example.com"]), mail
    assert mail["text"].replace("\r", "") == "Zwölf\n.\n..\nEnde\n", mail["text"]
    assert mail["attachments"][0]["filename"] == "zwölf.csv" and read("latest/attachments/0") == b"a,b", mail
    assert (mail["envelope"]["user"], mail["envelope"]["tls"]) == ("ann", "TLSv1.3"), mail["envelope"]

    client.send_message(message("Überall", "jörg@bücher.test"), mail_options=["SMTPUTF8"])
    assert latest()["envelope"]["to"] == ["jörg@bücher.test"]

    fault(operation="rcpt", where={"$.request.json.to": "bob@example.com"}, kind="status", status=550)
    lost = client.send_message(message(to="ann@example.com, bob@example.com"))
    assert list(lost) == ["bob@example.com"] and lost["bob@example.com"][0] == 550, lost
    error = refused(smtplib.SMTPRecipientsRefused, lambda: client.send_message(message(to="bob@example.com")))
    assert error.recipients["bob@example.com"][1].startswith(b"5.1.1"), error.recipients
    clear_faults()

    fault(operation="message", kind="status", status=452, first=1)
    assert refused(smtplib.SMTPDataError, lambda: client.send_message(message())).smtp_code == 452
    assert client.send_message(message()) == {}
    clear_faults()

    big = "x" * 11_000_000
    assert refused(smtplib.SMTPSenderRefused, lambda: client.sendmail("a@b.test", ["c@d.test"], big)).smtp_code == 552
    assert client.verify("ann@example.com") == (252, b"2.0.0 ann@example.com")
    assert client.noop()[0] == client.rset()[0] == 250
    assert client.docmd("HELP")[0] == 502

with smtplib.SMTP(HOST, int(PORT)) as plain:
    plain.starttls(context=tls)
    plain.ehlo()
    refused(smtplib.SMTPAuthenticationError, lambda: plain.login("ann", "wrong"))

with smtplib.SMTP(HOST, int(PORT)) as old:
    assert old.helo("client.test")[0] == 250

fault(operation="connect", kind="status", status=421, first=1)
refused(smtplib.SMTPConnectError, lambda: smtplib.SMTP(HOST, int(PORT)))
fault(operation="message", kind="close", first=1)
with smtplib.SMTP(HOST, int(PORT)) as broken:
    broken.starttls(context=tls)
    broken.login("ann", "secret")
    refused(smtplib.SMTPServerDisconnected, lambda: broken.send_message(message()))
clear_faults()
