"""Errors are the SDK's own classes; it retries what may be retried, and nothing else."""

import os

import openai
from openai import OpenAI

import admin
from admin import refused

URL = os.environ["TWIN_URL"] + "/v1"
client = OpenAI(api_key="sk-twin", base_url=URL)


def ask(of=client, **more):
    return of.chat.completions.create(**{"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi"}], **more})


wrong = refused(openai.AuthenticationError, lambda: ask(OpenAI(api_key="sk-wrong-wrong-0001", base_url=URL)))
assert wrong.code == "invalid_api_key" and "sk-wrong*******0001" in wrong.message, wrong
unknown = refused(openai.NotFoundError, lambda: ask(model="gpt-0"))
assert unknown.code == "model_not_found" and unknown.request_id.startswith("req_")
hot = refused(openai.BadRequestError, lambda: ask(temperature=3))
assert (hot.param, hot.code) == ("temperature", "decimal_above_max_value")
assert refused(openai.BadRequestError, lambda: ask(messages=[])).code == "empty_array"

operation = "chat.completions.create"
for rule in [{"kind": "rate_limit", "retry_after_s": 0}, {"kind": "status", "status": 500},
             {"kind": "status", "status": 503}, {"kind": "reset"}]:
    admin.fault(operation=operation, first=1, **rule)
    raw = client.chat.completions.with_raw_response.create(model="gpt-4o", messages=[{"role": "user", "content": "Hi"}])
    assert raw.retries_taken == 1 and raw.parse().choices, rule
    admin.clear_faults()

admin.fault(operation=operation, kind="rate_limit", retry_after_s=0)
limited = refused(openai.RateLimitError, lambda: ask(client.with_options(max_retries=0)))
assert limited.code == "rate_limit_exceeded" and limited.response.headers["retry-after"] == "0", limited
admin.clear_faults()

admin.act("exhaust_credit")
poor = refused(openai.RateLimitError, lambda: ask(client.with_options(max_retries=0)))
assert poor.code == "insufficient_quota" and poor.type == "insufficient_quota"
admin.act("restore_credit")

admin.fault(operation=operation, kind="cut_body")
stream = ask(stream=True)
broken = refused(Exception, lambda: list(stream))
assert not isinstance(broken, openai.APIStatusError), broken
admin.clear_faults()
