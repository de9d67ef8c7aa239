"""Responses: whole, streamed, continued, with function calls and reasoning, kept and deleted."""

import json
import os

import openai
from openai import OpenAI
from pydantic import BaseModel

from admin import refused

client = OpenAI(api_key="sk-twin", base_url=os.environ["TWIN_URL"] + "/v1")
TOOL = {"type": "function", "name": "get_weather", "strict": True, "parameters": {
    "type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": False}}

first = client.responses.create(model="gpt-4o", input="I am Ann", instructions="Be brief.")
assert first.output_text == "Hello from the twin." and first.status == "completed" and first.instructions == "Be brief."
second = client.responses.create(model="gpt-4o", input="What is my name?", previous_response_id=first.id)
assert second.output_text == "You are Ann." and second.previous_response_id == first.id, second

with client.responses.stream(model="gpt-4o", input="Count") as stream:
    events = list(stream)
    final = stream.get_final_response()
numbers = [event.sequence_number for event in events if hasattr(event, "sequence_number")]
assert numbers == sorted(numbers) and events[0].type == "response.created", events[0]
assert final.output_text == "one two three four five six seven eight nine ten eleven twelve"

thought = client.responses.create(model="gpt-5.2", input="Think hard", reasoning={"summary": "auto", "effort": "high"})
assert [item.type for item in thought.output] == ["reasoning", "message"], thought.output
assert thought.output[0].summary[0].text.startswith("Forty-two") and thought.reasoning.effort == "high"
assert thought.usage.output_tokens_details.reasoning_tokens > 0

called = client.responses.create(model="gpt-4o", input="weather in Oslo and Bergen", tools=[TOOL])
calls = [item for item in called.output if item.type == "function_call"]
assert [json.loads(call.arguments)["city"] for call in calls] == ["Oslo", "Bergen"]
outputs = [{"type": "function_call_output", "call_id": call.call_id, "output": "18"} for call in calls]
answered = client.responses.create(model="gpt-4o", input=outputs, previous_response_id=called.id, tools=[TOOL])
assert answered.output_text == "It is 18 degrees in 2 places."
open_call = refused(openai.BadRequestError, lambda: client.responses.create(
    model="gpt-4o", input="never mind", previous_response_id=called.id, tools=[TOOL]))
assert "No tool output found" in open_call.message, open_call


class Place(BaseModel):
    name: str
    degrees: int


parsed = client.responses.parse(model="gpt-4o", input="Where?", text_format=Place)
assert parsed.output_parsed == Place(name="Hello from the twin.", degrees=0)

cut = client.responses.create(model="gpt-4o", input="an essay", max_output_tokens=16)
assert cut.status == "incomplete" and cut.incomplete_details.reason == "max_output_tokens"

assert client.responses.retrieve(first.id).output_text == first.output_text
items = client.responses.input_items.list(first.id, order="asc")
assert [item.content[0].text for item in items] == ["I am Ann"]
client.responses.delete(first.id)
assert refused(openai.NotFoundError, lambda: client.responses.retrieve(first.id)).status_code == 404
gone = refused(openai.BadRequestError,
               lambda: client.responses.create(model="gpt-4o", input="x", previous_response_id=first.id))
assert gone.code == "previous_response_not_found" and gone.param == "previous_response_id"
