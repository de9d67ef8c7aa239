// Messages: whole, streamed with the SDK's accumulator, tools in parallel, thinking, counted; models by pages.
import assert from "node:assert/strict";
import Anthropic from "@anthropic-ai/sdk";

const client = new Anthropic({ apiKey: "sk-ant-twin", baseURL: process.env.TWIN_URL });
const model = "claude-sonnet-4-6";
const params = (content, more) => ({ model, max_tokens: 2048, messages: [{ role: "user", content }], ...more });

const whole = await client.messages.create(params("Hi"));
assert.equal(whole.content[0].text, "Hello from the twin.");
const counted = await client.messages.countTokens({ model, messages: [{ role: "user", content: "Hi" }] });
assert.equal(counted.input_tokens, whole.usage.input_tokens);

let text = "";
const counting = client.messages.stream(params("Count")).on("text", (piece) => (text += piece));
await counting.finalMessage();
assert.equal(text, "one two three four five six seven eight nine ten eleven twelve");

const tools = [{ name: "get_weather", input_schema: { type: "object", properties: { city: { type: "string" } } } }];
const message = await client.messages.stream(params("weather in Oslo and Bergen", { tools })).finalMessage();
const calls = message.content.filter((block) => block.type === "tool_use");
assert.deepEqual(calls.map((call) => call.input.city), ["Oslo", "Bergen"]);
assert.equal(message.stop_reason, "tool_use");

const thinking = { type: "enabled", budget_tokens: 1024 };
const thought = await client.messages.stream(params("Think", { thinking })).finalMessage();
assert.deepEqual(thought.content.map((block) => block.type), ["thinking", "text"]);
assert.equal(thought.content[0].signature.length, 64);

const names = [];
for await (const known of client.models.list({ limit: 2 })) names.push(known.id);
assert.ok(names.includes(model) && names.length > 4);
assert.equal((await client.models.retrieve(model)).id, model);
