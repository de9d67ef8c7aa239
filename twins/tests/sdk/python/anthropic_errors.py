"""Errors are the SDK's own classes; it retries what may be retried, and nothing else."""

import os

import anthropic
from anthropic import Anthropic

import admin
from admin import refused

URL = os.environ["TWIN_URL"]
client = Anthropic(api_key="sk-ant-twin", base_url=URL)


def ask(of=client, **more):
    return of.messages.create(**{"model": "claude-sonnet-4-6", "max_tokens": 64,
                                 "messages": [{"role": "user", "content": "Hi"}], **more})


assert refused(anthropic.AuthenticationError, lambda: ask(Anthropic(api_key="junk", base_url=URL))).status_code == 401
unknown = refused(anthropic.NotFoundError, lambda: ask(model="claude-0"))
assert unknown.body["error"] == {"type": "not_found_error", "message": "model: claude-0"}, unknown.body
low = refused(anthropic.BadRequestError, lambda: ask(thinking={"type": "enabled", "budget_tokens": 10}))
assert "1024" in low.message, low
assert refused(anthropic.NotFoundError, lambda: client.models.retrieve("claude-0")).status_code == 404

operation = "messages.create"
for rule in [{"kind": "rate_limit", "retry_after_s": 0}, {"kind": "status", "status": 529},
             {"kind": "status", "status": 500}, {"kind": "reset"}]:
    admin.fault(operation=operation, first=1, **rule)
    raw = client.messages.with_raw_response.create(
        model="claude-sonnet-4-6", max_tokens=64, messages=[{"role": "user", "content": "Hi"}])
    assert raw.retries_taken == 1 and raw.parse().content, rule
    admin.clear_faults()

hasty = client.with_options(max_retries=0)
admin.fault(operation=operation, kind="status", status=529)
overloaded = refused(anthropic.APIStatusError, lambda: ask(hasty))
assert overloaded.status_code == 529 and overloaded.body["error"]["type"] == "overloaded_error"
admin.clear_faults()
admin.fault(operation=operation, kind="rate_limit", retry_after_s=0)
limited = refused(anthropic.RateLimitError, lambda: ask(hasty))
assert limited.response.headers["retry-after"] == "0"
admin.clear_faults()

admin.act("exhaust_credit")
assert "credit balance is too low" in refused(anthropic.BadRequestError, lambda: ask()).message
admin.act("restore_credit")

admin.fault(operation=operation, kind="cut_body")
stream = ask(stream=True)
assert not isinstance(refused(Exception, lambda: list(stream)), anthropic.APIStatusError)
admin.clear_faults()
