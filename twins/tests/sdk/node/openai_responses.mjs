// Responses: streamed with the SDK's accumulator, continued after a function call, kept and deleted.
import assert from "node:assert/strict";
import OpenAI from "openai";

const client = new OpenAI({ apiKey: "sk-twin", baseURL: `${process.env.TWIN_URL}/v1` });
const model = "gpt-4o";
const tools = [{ type: "function", name: "get_weather", strict: true, parameters: { type: "object", properties: {} } }];

const stream = client.responses.stream({ model, input: "weather in Oslo and Bergen", tools });
const kinds = new Set();
for await (const event of stream) kinds.add(event.type);
for (const kind of ["response.output_item.added", "response.function_call_arguments.done", "response.output_text.delta"]) {
  assert.ok(kinds.has(kind), `${kind} is missing`);
}
const first = await stream.finalResponse();
const calls = first.output.filter((item) => item.type === "function_call");
assert.deepEqual(calls.map((call) => JSON.parse(call.arguments).city), ["Oslo", "Bergen"]);

const input = calls.map((call) => ({ type: "function_call_output", call_id: call.call_id, output: "18" }));
const second = await client.responses.create({ model, input, tools, previous_response_id: first.id });
assert.equal(second.output_text, "It is 18 degrees in 2 places.");

const listed = [];
for await (const item of client.responses.inputItems.list(second.id, { limit: 1 })) listed.push(item.call_id);
assert.deepEqual(listed.sort(), calls.map((call) => call.call_id).sort());

assert.equal((await client.responses.retrieve(second.id)).output_text, second.output_text);
await client.responses.delete(second.id);
await assert.rejects(client.responses.retrieve(second.id), OpenAI.NotFoundError);
