"""Messages: whole, streamed, with tools in parallel, thinking, stop sequences, structured, counted, asynchronous."""

import asyncio
import os

from anthropic import Anthropic, AsyncAnthropic
from pydantic import BaseModel

client = Anthropic(api_key="sk-ant-twin", base_url=os.environ["TWIN_URL"])
MODEL = "claude-sonnet-4-6"
TOOLS = [{"name": "get_weather", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}]


def ask(text, **more):
    return client.messages.create(model=MODEL, max_tokens=2048, messages=[{"role": "user", "content": text}], **more)


whole = ask("Hi")
assert whole.content[0].text == "Hello from the twin." and whole.stop_reason == "end_turn", whole
assert whole._request_id.startswith("req_")
counted = client.messages.count_tokens(model=MODEL, messages=[{"role": "user", "content": "Hi"}])
assert counted.input_tokens == whole.usage.input_tokens > 0

cut = ask("Count", stop_sequences=["nine", "four"])
assert (cut.content[0].text, cut.stop_reason, cut.stop_sequence) == ("one two three ", "stop_sequence", "four"), cut
assert ask("an essay").stop_reason == "max_tokens" and ask("forbidden").stop_reason == "refusal"

with client.messages.stream(model=MODEL, max_tokens=64, messages=[{"role": "user", "content": "Count"}]) as stream:
    text = "".join(stream.text_stream)
    assert stream.get_final_message().usage.output_tokens > 1
assert text == "one two three four five six seven eight nine ten eleven twelve"

question = [{"role": "user", "content": "weather in Oslo and Bergen"}]
with client.messages.stream(model=MODEL, max_tokens=64, messages=question, tools=TOOLS) as stream:
    message = stream.get_final_message()
calls = [block for block in message.content if block.type == "tool_use"]
assert [call.input["city"] for call in calls] == ["Oslo", "Bergen"] and message.stop_reason == "tool_use"
results = [{"type": "tool_result", "tool_use_id": call.id, "content": "18"} for call in calls]
answered = client.messages.create(model=MODEL, max_tokens=64, tools=TOOLS, messages=question + [
    {"role": "assistant", "content": message.content}, {"role": "user", "content": results}])
assert answered.content[0].text == "It is 18 degrees in 2 places."

thought = ask("Think", thinking={"type": "enabled", "budget_tokens": 1024})
assert [block.type for block in thought.content] == ["thinking", "text"] and thought.content[0].signature
assert thought.usage.output_tokens_details.thinking_tokens > 0
with client.messages.stream(model=MODEL, max_tokens=2048, messages=[{"role": "user", "content": "Think"}],
                            thinking={"type": "enabled", "budget_tokens": 1024}) as stream:
    kinds = {event.type for event in stream}
    assert stream.get_final_message().content[0].thinking == thought.content[0].thinking
assert {"thinking", "signature", "text"} <= kinds, kinds


class Place(BaseModel):
    name: str
    degrees: int


parsed = client.messages.parse(
    model=MODEL, max_tokens=64, messages=[{"role": "user", "content": "Where?"}], output_format=Place)
assert parsed.parsed_output == Place(name="Hello from the twin.", degrees=0), parsed

names = [model.id for model in client.models.list(limit=2)]
assert len(names) == len(set(names)) >= 5 and MODEL in names and "scripted-model" in names, names
assert client.models.retrieve(MODEL).display_name == "Claude Sonnet 4.6"


async def asynchronous():
    async with AsyncAnthropic(auth_token="sk-ant-twin", base_url=os.environ["TWIN_URL"]) as other:
        messages = [{"role": "user", "content": "Count"}]
        async with other.messages.stream(model=MODEL, max_tokens=64, messages=messages) as stream:
            return "".join([piece async for piece in stream.text_stream])


assert asyncio.run(asynchronous()) == text
