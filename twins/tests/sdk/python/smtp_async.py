"""Mail as aiosmtplib sends it: one call, one connection for several, errors by kind."""

import asyncio
import os
import ssl
from email.message import EmailMessage

import aiosmtplib

from admin import BASE, clear_faults, fault, send

HOST, PORT = os.environ["TWIN_URL"].removeprefix("smtp://").split(":")
tls = ssl.create_default_context(cafile=os.environ["TWIN_CA_FILE"])
where = {"hostname": HOST, "port": int(PORT), "tls_context": tls}


def message(subject):
    mail = EmailMessage()
    mail["Subject"], mail["From"], mail["To"] = subject, "shop@shop.test", "ann@example.com"
    mail.set_content("Hi\n")
    return mail


async def refused(kind, call):
    try:
        await call
    except kind as error:
        return error
    raise SystemExit(f"{kind.__name__} was not raised")


async def main():
    errors, answer = await aiosmtplib.send(message("one"), username="ann", password="secret", **where)
    assert errors == {} and answer.startswith("2.0.0 Ok: queued as "), answer
    async with aiosmtplib.SMTP(username="ann", password="secret", **where) as client:
        assert client.is_ehlo_or_helo_needed is False and client.supports_extension("smtputf8")
        await client.send_message(message("two"))
        await client.send_message(message("three"))
        assert (await client.vrfy("ann@example.com")).code == 252
        await client.noop()
        await client.rset()
        fault(operation="message", kind="status", status=554, first=1)
        assert (await refused(aiosmtplib.SMTPDataError, client.send_message(message("spam")))).code == 554
        fault(operation="rcpt", kind="status", status=450, first=1)
        error = await refused(aiosmtplib.SMTPRecipientsRefused, client.send_message(message("early")))
        assert error.recipients[0].code == 450, error
        clear_faults()
    wrong = aiosmtplib.send(message("no"), username="ann", password="wrong", **where)
    assert (await refused(aiosmtplib.SMTPAuthenticationError, wrong)).code == 535
    fault(operation="ehlo", kind="hang", first=1)
    await refused(aiosmtplib.SMTPTimeoutError, aiosmtplib.send(message("late"), timeout=1, **where))
    clear_faults()
    inbox = send(f"{BASE}/inbox?from=shop@shop.test&limit=3")
    assert [mail["subject"] for mail in inbox["messages"]] == ["three", "two", "one"], inbox


asyncio.run(main())
