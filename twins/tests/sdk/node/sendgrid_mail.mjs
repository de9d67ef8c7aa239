// Mail to one, to many at once, and the errors of the SDK.
import assert from "node:assert/strict";
import mail from "@sendgrid/mail";
import client from "@sendgrid/client";

for (const one of [client, mail.client]) {
  one.setApiKey("SG.twin");
  one.setDefaultRequest("baseUrl", process.env.TWIN_URL);
}
mail.setApiKey("SG.twin");
mail.client.setDefaultRequest("baseUrl", process.env.TWIN_URL);
const message = { to: "ann@example.com", from: "shop@shop.test", subject: "Hello", text: "Hi", categories: ["a"] };

const [response] = await mail.send(message);
assert.equal(response.statusCode, 202);
assert.ok(response.headers["x-message-id"]);
await mail.sendMultiple({ ...message, to: ["a@example.com", "b@example.com"] });
await mail.send({ ...message, templateId: "d-1", dynamicTemplateData: { name: "Ann" } });
await assert.rejects(mail.send({ ...message, from: "nobody" }), (error) => {
  assert.equal(error.code, 400);
  assert.equal(error.response.body.errors[0].field, "from.email");
  return true;
});
const [batch] = await client.request({ method: "POST", url: "/v3/mail/batch" });
assert.equal(batch.statusCode, 201);
const [bounces] = await client.request({ method: "GET", url: "/v3/suppression/bounces" });
assert.deepEqual(bounces.body, []);
