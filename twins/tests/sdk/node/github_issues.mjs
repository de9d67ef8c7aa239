// 120 issues through all pages, and hooks whose signatures the SDK verifies.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { once } from "node:events";
import { Octokit } from "@octokit/rest";
import { verify } from "@octokit/webhooks-methods";

const octokit = new Octokit({ auth: "ghp_octocat", baseUrl: process.env.TWIN_URL });
const secret = "a shared secret";
const deliveries = [];
let arrived;
const receiver = createServer(async (request, response) => {
  let body = "";
  for await (const chunk of request) body += chunk;
  deliveries.push({ event: request.headers["x-github-event"], signature: request.headers["x-hub-signature-256"], body });
  response.end();
  arrived?.();
}).listen(0, "127.0.0.1");
await once(receiver, "listening");
const until = async (count) => {
  while (deliveries.length < count) await new Promise((resolve) => { arrived = resolve; });
};

const { data: repo } = await octokit.repos.createInOrg({ org: "acme", name: "inbox" });
const here = { owner: "acme", repo: repo.name };
for (let number = 1; number <= 120; number++) await octokit.issues.create({ ...here, title: `Issue ${number}` });
const all = await octokit.paginate(octokit.issues.listForRepo, { ...here, per_page: 50 });
assert.deepEqual(all.map((issue) => issue.number), Array.from({ length: 120 }, (_, index) => 120 - index));
let pages = 0;
for await (const page of octokit.paginate.iterator(octokit.issues.listForRepo, { ...here, per_page: 50 })) {
  pages += 1;
  assert.ok(page.data.length <= 50);
}
assert.equal(pages, 3);

const { data: hook } = await octokit.repos.createWebhook({
  ...here, events: ["issues", "issue_comment"],
  config: { url: `http://127.0.0.1:${receiver.address().port}/`, content_type: "json", secret },
});
await until(1);
await octokit.repos.pingWebhook({ ...here, hook_id: hook.id });
await until(2);
await octokit.issues.createComment({ ...here, issue_number: 7, body: "a comment" });
await octokit.issues.update({ ...here, issue_number: 7, state: "closed" });
await until(4);
assert.deepEqual(deliveries.map((delivery) => delivery.event), ["ping", "ping", "issue_comment", "issues"]);
for (const { body, signature } of deliveries) {
  assert.equal(await verify(secret, body, signature), true);
  assert.equal(await verify("another secret", body, signature), false);
}
assert.equal(JSON.parse(deliveries[3].body).action, "closed");
assert.deepEqual((await octokit.repos.listWebhooks(here)).data.map((each) => each.id), [hook.id]);
assert.equal((await octokit.repos.getWebhook({ ...here, hook_id: hook.id })).data.active, true);
await octokit.repos.updateWebhook({ ...here, hook_id: hook.id, active: false });
await octokit.repos.deleteWebhook({ ...here, hook_id: hook.id });

await octokit.issues.addLabels({ ...here, issue_number: 8, labels: ["bug", "new one"] });
await octokit.issues.removeLabel({ ...here, issue_number: 8, name: "new one" });
assert.deepEqual((await octokit.issues.listLabelsOnIssue({ ...here, issue_number: 8 })).data.map((it) => it.name), ["bug"]);
await octokit.issues.addAssignees({ ...here, issue_number: 8, assignees: ["octocat", "nobody"] });
const { data: mine } = await octokit.issues.list();
assert.deepEqual(mine.map((issue) => [issue.number, issue.repository.full_name]), [[8, "acme/inbox"]]);
const found = await octokit.paginate("GET /search/issues", { q: "repo:acme/inbox is:open -label:bug", per_page: 100 });
assert.equal(found.length, 118);
receiver.close();
