"""Batches: made, waited for by the virtual clock, read as results, listed by pages, cancelled, deleted."""

import os

import anthropic
from anthropic import Anthropic

from admin import advance, refused

client = Anthropic(api_key="sk-ant-twin", base_url=os.environ["TWIN_URL"])
batches = client.messages.batches


def wanted(name, text, model="claude-sonnet-4-6"):
    return {"custom_id": name, "params": {
        "model": model, "max_tokens": 64, "messages": [{"role": "user", "content": text}]}}


batch = batches.create(requests=[wanted("one", "Hi"), wanted("two", "Count"), wanted("bad", "Hi", model="claude-0")])
assert batch.processing_status == "in_progress" and batch.request_counts.processing == 3 and not batch.results_url
advance(61)
ended = batches.retrieve(batch.id)
assert ended.processing_status == "ended" and ended.results_url.startswith(os.environ["TWIN_URL"]), ended
assert (ended.request_counts.succeeded, ended.request_counts.errored) == (2, 1)
results = {entry.custom_id: entry.result for entry in batches.results(batch.id)}
assert results["one"].message.content[0].text == "Hello from the twin."
assert results["bad"].type == "errored" and results["bad"].error.error.type == "not_found_error"

second = batches.create(requests=[wanted("one", "Hi")])
assert batches.cancel(second.id).processing_status == "canceling"
assert refused(anthropic.BadRequestError, lambda: batches.delete(second.id)).status_code == 400
advance(2)
assert batches.retrieve(second.id).request_counts.canceled == 1
assert [entry.result.type for entry in batches.results(second.id)] == ["canceled"]
assert refused(anthropic.BadRequestError, lambda: batches.cancel(second.id)).status_code == 400

listed = [known.id for known in batches.list(limit=1)]
assert listed[:2] == [second.id, batch.id], listed
assert batches.delete(second.id).type == "message_batch_deleted"
assert refused(anthropic.NotFoundError, lambda: batches.retrieve(second.id)).status_code == 404
twice = refused(anthropic.BadRequestError, lambda: batches.create(requests=[wanted("one", "a"), wanted("one", "b")]))
assert "unique" in twice.message
