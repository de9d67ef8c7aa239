"""Chat completions: whole, streamed, with tools in parallel, structured, refused, asynchronous."""

import asyncio
import json
import os

from openai import AsyncOpenAI, OpenAI
from pydantic import BaseModel

client = OpenAI(api_key="sk-twin", base_url=os.environ["TWIN_URL"] + "/v1")
TOOLS = [{"type": "function", "function": {"name": "get_weather", "parameters": {
    "type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}}]


def ask(text, **more):
    return client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": text}], **more)


whole = ask("Hi")
assert whole.choices[0].message.content == "Hello from the twin." and whole.choices[0].finish_reason == "stop"
assert whole.model == "gpt-4o-2024-08-06" and whole._request_id.startswith("req_"), whole
assert whole.usage.total_tokens == whole.usage.prompt_tokens + whole.usage.completion_tokens > 0

assert len(ask("Hi", n=3).choices) == 3
assert ask("Count", stop=["four"]).choices[0].message.content == "one two three "
assert ask("an essay").choices[0].finish_reason == "length"
assert ask("forbidden").choices[0].message.refusal == "I cannot help with that."
assert json.loads(ask("Hi, as JSON", response_format={"type": "json_object"}).choices[0].message.content)

chunks = list(ask("Count", stream=True, stream_options={"include_usage": True}))
text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
assert text == "one two three four five six seven eight nine ten eleven twelve", text
assert [chunk.usage is not None for chunk in chunks].count(True) == 1 and chunks[-1].usage and not chunks[-1].choices
assert len(chunks) > 4, "a stream comes in pieces"

# Two calls at once, put together by the SDK's own accumulator, then answered.
question = [{"role": "user", "content": "weather in Oslo and Bergen"}]
with client.chat.completions.stream(model="gpt-4o", messages=question, tools=TOOLS) as stream:
    done = [event for event in stream if event.type == "tool_calls.function.arguments.done"]
    final = stream.get_final_completion()
assert [(event.index, json.loads(event.arguments)["city"]) for event in done] == [(0, "Oslo"), (1, "Bergen")], done
message = final.choices[0].message
assert final.choices[0].finish_reason == "tool_calls" and message.content == "I will look."
results = [{"role": "tool", "tool_call_id": call.id, "content": "18"} for call in message.tool_calls]
called = {"role": "assistant", "content": message.content, "tool_calls": [
    {"id": call.id, "type": "function", "function": {"name": call.function.name, "arguments": call.function.arguments}}
    for call in message.tool_calls]}
answered = client.chat.completions.create(model="gpt-4o", tools=TOOLS, messages=question + [called] + results)
assert answered.choices[0].message.content == "It is 18 degrees in 2 places."


class Place(BaseModel):
    name: str
    degrees: int


parsed = client.chat.completions.parse(
    model="gpt-4o", messages=[{"role": "user", "content": "Where?"}], response_format=Place)
assert parsed.choices[0].message.parsed == Place(name="Hello from the twin.", degrees=0), parsed


async def asynchronous():
    async with AsyncOpenAI(api_key="sk-twin", base_url=os.environ["TWIN_URL"] + "/v1") as other:
        messages = [{"role": "user", "content": "Count"}]
        stream = await other.chat.completions.create(model="gpt-5.2", messages=messages, stream=True)
        return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])


assert asyncio.run(asynchronous()) == text
