// Mail at once, later and in a batch; errors as values; a signature that the SDK verifies.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { Resend } from "resend";

const resend = new Resend("re_twin", { baseUrl: process.env.TWIN_URL });
const mail = { from: "shop@shop.test", to: "ann@example.com", subject: "Hello", text: "Hi", replyTo: "desk@shop.test" };

const sent = await resend.emails.send(mail);
assert.equal(sent.error, null);
const kept = await resend.emails.get(sent.data.id);
assert.deepEqual([kept.data.reply_to, kept.data.last_event], [["desk@shop.test"], "delivered"]);
const wrong = await resend.emails.send({ ...mail, from: "nobody" });
assert.deepEqual([wrong.error.statusCode, wrong.error.name], [422, "validation_error"]);

const once = await resend.emails.send(mail, { idempotencyKey: "k" });
assert.equal((await resend.emails.send(mail, { idempotencyKey: "k" })).data.id, once.data.id);

const at = new Date(Date.now() + 3_600_000).toISOString();
const later = await resend.emails.send({ ...mail, scheduledAt: at });
assert.equal((await resend.emails.update({ id: later.data.id, scheduledAt: at })).error, null);
assert.equal((await resend.emails.cancel(later.data.id)).data.id, later.data.id);
assert.equal((await resend.emails.get(later.data.id)).data.last_event, "canceled");

const batch = await resend.batch.send([mail, mail]);
assert.equal(batch.data.data.length, 2);
const page = await resend.emails.list({ limit: 1 });
assert.deepEqual([page.data.has_more, page.data.data.length], [true, 1]);

const domain = await resend.domains.create({ name: "node.test" });
assert.equal((await resend.domains.verify(domain.data.id)).error, null);
assert.equal((await resend.domains.get(domain.data.id)).data.status, "verified");
assert.equal((await resend.domains.list()).data.data.length, 1);
assert.equal((await resend.domains.remove(domain.data.id)).data.deleted, true);
const key = await resend.apiKeys.create({ name: "full" });
assert.equal((await resend.apiKeys.list()).data.data[0].id, key.data.id);
assert.equal((await resend.apiKeys.remove(key.data.id)).error, null);

const got = [];
let webhookSecret;
const app = createServer((request, response) => {
  let payload = "";
  request.on("data", (piece) => (payload += piece));
  request.on("end", () => {
    const [id, timestamp, signature] = ["id", "timestamp", "signature"].map((name) => request.headers[`svix-${name}`]);
    got.push(resend.webhooks.verify({ payload, headers: { id, timestamp, signature }, webhookSecret }));
    response.end();
    if (got.length === 2) arrived();
  });
});
let arrived;
const both = new Promise((resolve) => (arrived = resolve));
await new Promise((listening) => app.listen(0, "127.0.0.1", listening));
const endpoint = `http://127.0.0.1:${app.address().port}/`;
const hook = await resend.webhooks.create({ endpoint, events: ["email.sent", "email.complained"] });
webhookSecret = hook.data.signing_secret;
const complained = await resend.emails.send({ ...mail, to: "complained@resend.dev" });
await both;
assert.deepEqual(got.map((event) => event.type), ["email.sent", "email.complained"]);
assert.equal(got[0].data.email_id, complained.data.id);
assert.equal((await resend.webhooks.remove(hook.data.id)).data.deleted, true);
app.close();
