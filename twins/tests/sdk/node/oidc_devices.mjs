// A device without a browser, and tokens signed with RS256: openid-client asks again and again, and checks.
import assert from "node:assert/strict";
import * as client from "openid-client";
import { act, advance } from "./admin.mjs";

const insecure = { execute: [client.allowInsecureRequests] };
const config = await client.discovery(new URL(process.env.TWIN_URL), "tv", undefined, client.None(), insecure);
client.enableNonRepudiationChecks(config);
assert.deepEqual(config.serverMetadata().id_token_signing_alg_values_supported, ["RS256"]);

const begin = () => client.initiateDeviceAuthorization(config, { scope: "openid email" });
const asked = (device) => client.pollDeviceAuthorizationGrant(config, { ...device, interval: 0.01 });

// The library waits by the clock on the wall; the twin's is moved along. A person decides after the second question.
let polls = 0;
config[client.customFetch] = async (url, options) => {
  if (url.endsWith("/token")) {
    await advance(6);
    polls += 1;
    if (polls === 3) await act({ approve_device: { user: "ada" } });
  }
  return fetch(url, options);
};
const device = await begin();
assert.match(device.user_code, /^[B-Z]{4}-[B-Z]{4}$/);
const tokens = await asked(device);
assert.deepEqual([tokens.claims().sub, polls], ["ada", 3]);
assert.equal((await client.fetchUserInfo(config, tokens.access_token, "ada")).email, "ada@example.com");

polls = 10;
const denied = await begin();
await act({ deny_device: { user_code: denied.user_code } });
await assert.rejects(asked(denied), { error: "access_denied" });
const late = await begin();
await advance(600);
await assert.rejects(asked(late), { error: "expired_token" });
const complete = await begin();
assert.ok((await fetch(complete.verification_uri_complete)).ok);
assert.ok((await asked(complete)).id_token);
