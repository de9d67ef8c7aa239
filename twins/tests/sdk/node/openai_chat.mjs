// Chat completions: whole, streamed, with tools in parallel and run by the SDK, refused.
import assert from "node:assert/strict";
import OpenAI from "openai";

const client = new OpenAI({ apiKey: "sk-twin", baseURL: `${process.env.TWIN_URL}/v1` });
const model = "gpt-4o";
const ask = (content, more) => client.chat.completions.create({ model, messages: [{ role: "user", content }], ...more });

const whole = await ask("Hi");
assert.equal(whole.choices[0].message.content, "Hello from the twin.");
assert.match(whole._request_id, /^req_[0-9a-f]{32}$/);
assert.equal((await ask("forbidden")).choices[0].message.refusal, "I cannot help with that.");

let text = "";
let usage;
for await (const chunk of await ask("Count", { stream: true, stream_options: { include_usage: true } })) {
  text += chunk.choices[0]?.delta.content ?? "";
  usage = chunk.usage ?? usage;
}
assert.equal(text, "one two three four five six seven eight nine ten eleven twelve");
assert.ok(usage.completion_tokens > 0);

const tool = (run) => ({
  type: "function",
  function: {
    name: "get_weather",
    parameters: { type: "object", properties: { city: { type: "string" } } },
    parse: JSON.parse,
    function: run,
  },
});
const asked = [];
const runner = client.chat.completions.runTools({
  model,
  stream: true,
  messages: [{ role: "user", content: "weather in Oslo and Bergen" }],
  tools: [tool(({ city }) => (asked.push(city), "18"))],
});
assert.equal(await runner.finalContent(), "It is 18 degrees in 2 places.");
assert.deepEqual(asked, ["Oslo", "Bergen"]);
