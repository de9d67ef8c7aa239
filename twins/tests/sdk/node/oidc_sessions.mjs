// Signing in with openid-client: every check that it makes is on.
import assert from "node:assert/strict";
import * as client from "openid-client";

const back = "http://localhost:9/callback";
const insecure = { execute: [client.allowInsecureRequests] };
const config = await client.discovery(new URL(process.env.TWIN_URL), "web", "web-secret", undefined, insecure);
client.enableNonRepudiationChecks(config);

const signIn = async (config, more = {}) => {
  const pkceCodeVerifier = client.randomPKCECodeVerifier();
  const checks = { pkceCodeVerifier, expectedState: client.randomState(), expectedNonce: client.randomNonce(), idTokenExpected: true };
  const url = client.buildAuthorizationUrl(config, {
    redirect_uri: back, scope: "openid email offline_access", state: checks.expectedState, nonce: checks.expectedNonce,
    code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier), code_challenge_method: "S256", ...more,
  });
  const answer = await fetch(url, { redirect: "manual" });
  return [new URL(answer.headers.get("location")), checks];
};

const tokens = await client.authorizationCodeGrant(config, ...(await signIn(config)));
assert.equal(tokens.claims().sub, "ada-1");
assert.equal((await client.fetchUserInfo(config, tokens.access_token, "ada-1")).email, "ada@example.com");
const refreshed = await client.refreshTokenGrant(config, tokens.refresh_token);
await assert.rejects(client.refreshTokenGrant(config, tokens.refresh_token), { error: "invalid_grant" });
assert.equal((await client.tokenIntrospection(config, refreshed.access_token)).active, false);

const other = await client.authorizationCodeGrant(config, ...(await signIn(config, { login_hint: "bob" })));
assert.equal((await client.tokenIntrospection(config, other.access_token)).sub, "bob");
await client.tokenRevocation(config, other.refresh_token);
await assert.rejects(client.fetchUserInfo(config, other.access_token, "bob"), (error) => error.status === 401 || error.cause);

// What goes wrong comes back as typed errors.
const [refusedUrl, checks] = await signIn(config, { prompt: "none", login_hint: "nobody" });
await assert.rejects(client.authorizationCodeGrant(config, refusedUrl, checks), { error: "login_required" });
const [url, { pkceCodeVerifier, ...rest }] = await signIn(config);
await assert.rejects(
  client.authorizationCodeGrant(config, url, { ...rest, pkceCodeVerifier: client.randomPKCECodeVerifier() }), { error: "invalid_grant" });

const open = await client.discovery(new URL(process.env.TWIN_URL), "spa", undefined, client.None(), insecure);
assert.ok((await client.authorizationCodeGrant(open, ...(await signIn(open)))).id_token);
assert.ok((await client.clientCredentialsGrant(config, { scope: "reports" })).access_token);

// Signing out leads back with the state.
const end = client.buildEndSessionUrl(config, { post_logout_redirect_uri: back, id_token_hint: tokens.id_token, state: "s" });
assert.equal((await fetch(end, { redirect: "manual" })).headers.get("location"), `${back}?state=s`);
