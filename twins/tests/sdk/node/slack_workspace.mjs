// Pages, files, views from a person's click, typed errors and the wait that a rate limit asks for.
import assert from "node:assert/strict";
import { ErrorCode, WebClient } from "@slack/web-api";

const client = new WebClient("xoxb-twin", { slackApiUrl: `${process.env.TWIN_URL}/api/` });
const refused = (code, promise) =>
  assert.rejects(promise, (error) => {
    assert.equal(error.code, ErrorCode.PlatformError);
    assert.equal(error.data.error, code);
    return true;
  });
const act = async (action) => {
  const answer = await fetch(`${process.env.TWIN_ADMIN_URL}/act`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(action),
  });
  assert.equal(answer.status, 200, await answer.clone().text());
  return answer.json();
};

for (const name of ["page-a", "page-b", "page-c"]) await client.conversations.create({ name });
const names = [];
for await (const page of client.paginate("conversations.list", { limit: 2 })) {
  names.push(...page.channels.map((channel) => channel.name));
}
for (const name of ["general", "page-a", "page-b", "page-c"]) assert.ok(names.includes(name), names);

const { channels } = await client.conversations.list();
const general = channels.find((channel) => channel.name === "general").id;
const button = { type: "button", action_id: "approve", text: { type: "plain_text", text: "Approve" }, value: "42" };
const posted = await client.chat.postMessage({
  channel: general,
  text: "approve?",
  blocks: [{ type: "actions", block_id: "b", elements: [button] }],
});
assert.equal(posted.message.blocks[0].elements[0].value, "42");

const upload = await client.files.uploadV2({ channel_id: general, content: "a,b", filename: "table.csv" });
assert.equal(upload.files[0].files[0].mimetype, "text/csv");

const modal = (title) => ({
  type: "modal",
  callback_id: "form",
  title: { type: "plain_text", text: title },
  submit: { type: "plain_text", text: "Send" },
  blocks: [
    {
      type: "input",
      block_id: "why",
      label: { type: "plain_text", text: "Why" },
      element: { type: "plain_text_input", action_id: "text" },
    },
  ],
});
const click = () => act({ click_button: { user: "ann", channel: general, ts: posted.ts, action_id: "approve" } });
const { trigger_id } = await click();
const { view } = await client.views.open({ trigger_id, view: modal("First") });
await refused("exchanged_trigger_id", client.views.open({ trigger_id, view: modal("Again") }));
await refused("invalid_trigger_id", client.views.open({ trigger_id: "1.2.3", view: modal("Lost") }));
const updated = await client.views.update({ view_id: view.id, hash: view.hash, view: modal("Second") });
assert.equal(updated.view.title.text, "Second");
await refused("hash_conflict", client.views.update({ view_id: view.id, hash: view.hash, view: modal("Third") }));
const submitted = await act({ submit_view: { user: "ann", view: "form", values: { why: { text: { value: "because" } } } } });
const pushed = await client.views.push({ trigger_id: submitted.trigger_id, view: modal("On top") });
assert.equal(pushed.view.previous_view_id, view.id);
const long = modal("A title that is far too long for a modal");
await refused("invalid_arguments", client.views.open({ trigger_id: (await click()).trigger_id, view: long }));
