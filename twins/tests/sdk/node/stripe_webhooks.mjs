// An endpoint made over the API gets signed events, which the SDK's own check takes; forged and old ones it refuses.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { once } from "node:events";
import Stripe from "stripe";
import { act } from "./admin.mjs";

const { hostname, port } = new URL(process.env.TWIN_URL);
const stripe = new Stripe("sk_test_twin", { host: hostname, port, protocol: "http" });
const received = [];
const waiting = [];
const server = createServer(async (request, response) => {
  const parts = [];
  for await (const part of request) parts.push(part);
  received.push({ body: Buffer.concat(parts), signature: request.headers["stripe-signature"] });
  response.writeHead(200).end();
  waiting.shift()?.();
});
server.listen(0, "127.0.0.1");
await once(server, "listening");
const url = `http://127.0.0.1:${server.address().port}/hooks`;

async function next() {
  while (received.length === 0) await new Promise((resolve) => waiting.push(resolve));
  return received.shift();
}

const endpoint = await stripe.webhookEndpoints.create({ url, enabled_events: ["customer.created", "charge.refunded"] });
assert.match(endpoint.secret, /^whsec_/);
assert.equal((await stripe.webhookEndpoints.retrieve(endpoint.id)).secret, undefined);
assert.equal((await stripe.webhookEndpoints.list()).data.length, 1);
await assert.rejects(stripe.webhookEndpoints.create({ url: "example.com", enabled_events: ["*"] }), { code: "url_invalid" });

// The clock of the twin signs; whoever checks must know what time it is there.
const at = ({ signature }) => Number(/t=(\d+)/.exec(signature)[1]);
const customer = await stripe.customers.create({ name: "Ann" });
const honest = await next();
const event = stripe.webhooks.constructEvent(honest.body, honest.signature, endpoint.secret, 300, undefined, at(honest) * 1000);
assert.equal(event.type, "customer.created");
assert.equal(event.data.object.id, customer.id);

const check = (hook, now = at(hook)) =>
  stripe.webhooks.constructEvent(hook.body, hook.signature, endpoint.secret, 300, undefined, now * 1000);
const refused = Stripe.errors.StripeSignatureVerificationError;
assert.throws(() => check({ ...honest, body: Buffer.from(honest.body.toString().replace("Ann", "Eve")) }), refused);
assert.throws(() => stripe.webhooks.constructEvent(honest.body, honest.signature, "whsec_other"), refused);
assert.throws(() => check(honest, at(honest) + 301), /outside the tolerance zone/);
await act({ send_webhook_with_wrong_signature: { type: "customer.created" } });
const forged = await next();
assert.throws(() => check(forged), refused);
await act({ send_stale_webhook: { type: "customer.created" } });
const stale = await next();
assert.throws(() => check(stale, at(stale) + 3600), /tolerance/);
await act({ redeliver_webhook: { type: "customer.created" } });
assert.equal(check(await next()).id, event.id);

// Disabled, it hears nothing; changed, it hears what it asked for; deleted, it is gone.
await stripe.webhookEndpoints.update(endpoint.id, { disabled: true });
await stripe.customers.create({ name: "unheard" });
await stripe.webhookEndpoints.update(endpoint.id, { disabled: false, enabled_events: ["product.created"] });
await stripe.products.create({ name: "Mug" });
assert.equal(check(await next()).type, "product.created");
assert.equal((await stripe.webhookEndpoints.del(endpoint.id)).deleted, true);
server.close();
