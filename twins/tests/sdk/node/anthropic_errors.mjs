// Errors are the SDK's own classes; it retries what may be retried.
import assert from "node:assert/strict";
import Anthropic from "@anthropic-ai/sdk";
import { clearFaults, fault } from "./admin.mjs";

const baseURL = process.env.TWIN_URL;
const client = new Anthropic({ apiKey: "sk-ant-twin", baseURL });
const params = { model: "claude-sonnet-4-6", max_tokens: 64, messages: [{ role: "user", content: "Hi" }] };

await assert.rejects(new Anthropic({ apiKey: "junk", baseURL }).messages.create(params), Anthropic.AuthenticationError);
await assert.rejects(client.messages.create({ ...params, messages: [] }), Anthropic.BadRequestError);

const operation = "messages.create";
for (const rule of [{ kind: "rate_limit", retry_after_s: 0 }, { kind: "status", status: 529 }]) {
  await fault({ operation, first: 1, ...rule });
  assert.equal((await client.messages.create(params)).content.length, 1);
  await clearFaults();
}
await fault({ operation, kind: "status", status: 529 });
const hasty = new Anthropic({ apiKey: "sk-ant-twin", baseURL, maxRetries: 0 });
await assert.rejects(hasty.messages.create(params), (error) => error.status === 529);
await clearFaults();
