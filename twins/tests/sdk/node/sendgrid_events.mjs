// The event webhook, verified with the official helper.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import client from "@sendgrid/client";
import webhook from "@sendgrid/eventwebhook";
import mail from "@sendgrid/mail";
import { act } from "./admin.mjs";

for (const one of [client, mail.client]) {
  one.setApiKey("SG.twin");
  one.setDefaultRequest("baseUrl", process.env.TWIN_URL);
}
mail.setApiKey("SG.twin");
mail.client.setDefaultRequest("baseUrl", process.env.TWIN_URL);
const { EventWebhook, EventWebhookHeader } = webhook;
const got = [];
let key, arrived;
const all = new Promise((resolve) => (arrived = resolve));
const app = createServer((request, response) => {
  let payload = "";
  request.on("data", (piece) => (payload += piece));
  request.on("end", () => {
    const [signature, at] = [EventWebhookHeader.SIGNATURE(), EventWebhookHeader.TIMESTAMP()].map((name) => request.headers[name.toLowerCase()]);
    const verifier = new EventWebhook();
    const signed = verifier.verifySignature(verifier.convertPublicKeyToECDSA(key), payload, signature, at);
    response.writeHead(signed ? 200 : 400).end();
    if (signed) got.push(...JSON.parse(payload));
    if (got.length === 3) arrived();
  });
});
await new Promise((listening) => app.listen(0, "127.0.0.1", listening));
const url = "/v3/user/webhooks/event/settings";
const body = { enabled: true, url: `http://127.0.0.1:${app.address().port}/`, processed: true, delivered: true, unsubscribe: true };
await client.request({ method: "PATCH", url, body });
const [signed] = await client.request({ method: "PATCH", url: `${url}/signed`, body: { enabled: true } });
key = signed.body.public_key;
await mail.send({ to: "ann@example.com", from: "shop@shop.test", subject: "Hello", text: "Hi", customArgs: { order: "o1" } });
await act({ unsubscribe: { email: "ann@example.com" } });
await all;
assert.deepEqual(got.map((event) => [event.event, event.order]), [["processed", "o1"], ["delivered", "o1"], ["unsubscribe", "o1"]]);
app.close();
app.closeAllConnections();
