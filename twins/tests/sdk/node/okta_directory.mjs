// Users, groups and applications of an organization, as Okta's SDK for Node handles them.
import assert from "node:assert/strict";
import okta from "@okta/okta-sdk-nodejs";
import { act, clearFaults, fault } from "./admin.mjs";

const orgUrl = process.env.TWIN_URL;
const make = (more = {}) => new okta.Client({ orgUrl, token: "00twin", testing: { disableHttpsCheck: true }, cacheMiddleware: null, ...more });
const { userApi, groupApi, applicationApi, sessionApi } = make();
const refused = (call, status, code, cause = "") =>
  assert.rejects(call, (error) => {
    assert.deepEqual([error.status, error.errorCode, error.errorCauses.some((known) => known.errorSummary.includes(cause)) || !cause], [status, code, true]);
    return true;
  });
const all = async (collection) => {
  const rows = [];
  await (await collection).each((row) => { rows.push(row); });
  return rows;
};

const profile = (login) => ({ login, email: login, firstName: "Alan", lastName: "Turing" });
const alan = await userApi.createUser({ body: { profile: profile("alan@example.com"), credentials: { password: { value: "Passw0rd!" } } } });
assert.deepEqual([alan.status, alan.profile.lastName], ["ACTIVE", "Turing"]);
await refused(userApi.createUser({ body: { profile: profile("alan@example.com") } }), 400, "E0000001", "already exists");
await refused(userApi.createUser({ body: { profile: { login: "x@example.com" } } }), 400, "E0000001", "firstName: The field cannot be left blank");
await refused(userApi.getUser({ userId: "nobody" }), 404, "E0000007");
for (const number of [1, 2, 3]) await userApi.createUser({ body: { profile: profile(`node${number}@example.com`) }, activate: false });
const staged = await all(userApi.listUsers({ search: 'profile.login sw "node" and status eq "STAGED"', limit: 2 }));
assert.deepEqual(staged.map((user) => user.profile.login[4]), ["1", "2", "3"]);
assert.equal((await all(userApi.listUsers({ filter: 'profile.login eq "alan@example.com"' })))[0].id, alan.id);
const updated = await userApi.updateUser({ userId: alan.id, user: { profile: { nickName: "Prof" } } });
assert.equal(updated.profile.nickName, "Prof");
const replaced = await userApi.replaceUser({ userId: alan.id, user: { profile: profile("alan@example.com") } });
assert.equal(replaced.profile.nickName, undefined);

const token = await userApi.activateUser({ userId: staged[0].id, sendEmail: false });
assert.ok(token.activationUrl.startsWith(orgUrl));
await userApi.suspendUser({ userId: alan.id });
await refused(userApi.suspendUser({ userId: alan.id }), 400, "E0000001", "not active");
await userApi.unsuspendUser({ userId: alan.id });
await act({ lock_user: { user: "alan" } });
await userApi.unlockUser({ userId: alan.id });
await userApi.changePassword({ userId: alan.id, changePasswordRequest: { oldPassword: { value: "Passw0rd!" }, newPassword: { value: "An0ther-one" } } });
assert.equal((await userApi.expirePassword({ userId: alan.id })).status, "PASSWORD_EXPIRED");
await userApi.deactivateUser({ userId: staged[0].id });
await userApi.deleteUser({ userId: staged[0].id });
await refused(userApi.getUser({ userId: staged[0].id }), 404, "E0000007");

const group = await groupApi.createGroup({ group: { profile: { name: "Mathematicians", description: "Who prove" } } });
await groupApi.assignUserToGroup({ groupId: group.id, userId: alan.id });
await groupApi.assignUserToGroup({ groupId: group.id, userId: staged[1].id });
assert.equal((await all(groupApi.listGroupUsers({ groupId: group.id, limit: 1 }))).length, 2);
assert.deepEqual((await all(userApi.listUserGroups({ userId: alan.id }))).map((known) => known.profile.name), ["Everyone", "Mathematicians"]);
assert.equal((await all(groupApi.listGroups({ q: "Math" })))[0].id, group.id);
assert.equal((await groupApi.replaceGroup({ groupId: group.id, group: { profile: { name: "Logicians" } } })).profile.name, "Logicians");
await groupApi.unassignUserFromGroup({ groupId: group.id, userId: staged[1].id });
assert.equal((await groupApi.getGroup({ groupId: group.id })).type, "OKTA_GROUP");

const app = await applicationApi.createApplication({
  application: { name: "bookmark", label: "Notes", signOnMode: "BOOKMARK", settings: { app: { url: "https://example.com", requestIntegration: false } } } });
await applicationApi.assignUserToApplication({ appId: app.id, appUser: { id: alan.id, scope: "USER", credentials: { userName: "at" } } });
await applicationApi.assignGroupToApplication({ appId: app.id, groupId: group.id });
assert.deepEqual((await all(applicationApi.listApplicationUsers({ appId: app.id }))).map((user) => user.scope), ["USER"]);
assert.equal((await all(applicationApi.listApplicationGroupAssignments({ appId: app.id })))[0].id, group.id);
assert.equal((await all(applicationApi.listApplications({ filter: 'status eq "ACTIVE"', limit: 1 }))).at(-1).label, "Notes");
const renamed = await applicationApi.updateApplicationUser({ appId: app.id, userId: alan.id, appUser: { credentials: { userName: "turing" } } });
assert.equal(renamed.credentials.userName, "turing");
await applicationApi.unassignUserFromApplication({ appId: app.id, userId: alan.id });
await applicationApi.deactivateApplication({ appId: app.id });
await applicationApi.deleteApplication({ appId: app.id });
await groupApi.deleteGroup({ groupId: group.id });

const authn = await fetch(`${orgUrl}/api/v1/authn`, {
  method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ username: "ada@example.com", password: "Passw0rd!" }) });
const session = await sessionApi.createSession({ createSessionRequest: { sessionToken: (await authn.json()).sessionToken } });
assert.equal((await sessionApi.getSession({ sessionId: session.id })).login, "ada@example.com");
await userApi.revokeUserSessions({ userId: session.userId });
await refused(sessionApi.getSession({ sessionId: session.id }), 404, "E0000007");

// The SDK waits until the limit is over, as the headers say, and asks again.
await fault({ operation: "users.get", kind: "rate_limit", first: 1, retry_after_s: 0 });
assert.equal((await userApi.getUser({ userId: alan.id })).id, alan.id);
await clearFaults();
await refused(make({ token: "00nobody" }).userApi.getUser({ userId: "me" }), 401, "E0000011");
