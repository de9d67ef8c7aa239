// Batches: made, waited for by the virtual clock, read as results, listed by pages, cancelled, deleted.
import assert from "node:assert/strict";
import Anthropic from "@anthropic-ai/sdk";
import { advance } from "./admin.mjs";

const client = new Anthropic({ apiKey: "sk-ant-twin", baseURL: process.env.TWIN_URL });
const { batches } = client.messages;
const wanted = (custom_id, content) => ({
  custom_id,
  params: { model: "claude-sonnet-4-6", max_tokens: 64, messages: [{ role: "user", content }] },
});

const batch = await batches.create({ requests: [wanted("one", "Hi"), wanted("two", "Count")] });
await assert.rejects(batches.results(batch.id), /results_url/);
await advance(61);
assert.equal((await batches.retrieve(batch.id)).processing_status, "ended");
const texts = {};
for await (const { custom_id, result } of await batches.results(batch.id)) texts[custom_id] = result.message.content[0].text;
assert.equal(texts.one, "Hello from the twin.");
assert.ok(texts.two.startsWith("one two"));

const second = await batches.create({ requests: [wanted("one", "Hi")] });
assert.equal((await batches.cancel(second.id)).processing_status, "canceling");
await advance(2);
const listed = [];
for await (const known of batches.list({ limit: 1 })) listed.push(known.id);
assert.deepEqual(listed.slice(0, 2), [second.id, batch.id]);
assert.equal((await batches.delete(second.id)).type, "message_batch_deleted");
