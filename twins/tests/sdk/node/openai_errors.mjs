// Errors are the SDK's own classes; it retries what may be retried.
import assert from "node:assert/strict";
import OpenAI from "openai";
import { clearFaults, fault } from "./admin.mjs";

const baseURL = `${process.env.TWIN_URL}/v1`;
const client = new OpenAI({ apiKey: "sk-twin", baseURL });
const ask = (of, more) => of.chat.completions.create({ model: "gpt-4o", messages: [{ role: "user", content: "Hi" }], ...more });

await assert.rejects(ask(new OpenAI({ apiKey: "sk-junk", baseURL })), OpenAI.AuthenticationError);
await assert.rejects(ask(client, { top_p: 2 }), (error) => {
  assert.ok(error instanceof OpenAI.BadRequestError);
  assert.equal(error.param, "top_p");
  return true;
});

const operation = "chat.completions.create";
for (const rule of [{ kind: "rate_limit", retry_after_s: 0 }, { kind: "status", status: 500 }]) {
  await fault({ operation, first: 1, ...rule });
  assert.equal((await ask(client)).choices.length, 1);
  await clearFaults();
}
await fault({ operation, kind: "rate_limit", retry_after_s: 0 });
const hasty = new OpenAI({ apiKey: "sk-twin", baseURL, maxRetries: 0 });
await assert.rejects(ask(hasty), OpenAI.RateLimitError);
await clearFaults();
