// A message is posted, and a wrong channel raises the SDK's own error.
import assert from "node:assert/strict";
import { ErrorCode, WebClient } from "@slack/web-api";

const client = new WebClient("xoxb-twin", { slackApiUrl: `${process.env.TWIN_URL}/api/` });
assert.equal((await client.auth.test()).ok, true);
const sent = await client.chat.postMessage({ channel: "#general", text: "hello" });
assert.equal(sent.message.text, "hello");
await assert.rejects(client.chat.postMessage({ channel: "#nowhere", text: "lost" }), (error) => {
  assert.equal(error.code, ErrorCode.PlatformError);
  assert.equal(error.data.error, "channel_not_found");
  return true;
});
