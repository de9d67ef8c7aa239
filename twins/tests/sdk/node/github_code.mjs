// The way of a change with Octokit: files, branch, pull request, review, merge; and the errors on the way.
import assert from "node:assert/strict";
import { Octokit } from "@octokit/rest";

const baseUrl = process.env.TWIN_URL;
const log = { debug() {}, info() {}, warn() {}, error() {} };
const octokit = new Octokit({ auth: "ghp_octocat", baseUrl, log });
const hubot = new Octokit({ auth: "ghp_hubot", baseUrl: `${baseUrl}/api/v3`, log });
const base64 = (text) => Buffer.from(text).toString("base64");

assert.equal((await octokit.users.getAuthenticated()).data.login, "octocat");
const { data: repo } = await octokit.repos.createForAuthenticatedUser({ name: "site", auto_init: true });
const here = { owner: repo.owner.login, repo: repo.name };
const put = await octokit.repos.createOrUpdateFileContents({
  ...here, path: "pages/index.html", message: "Add the page", content: base64("<h1>Hi</h1>\n"),
});
assert.equal(put.status, 201);
const raw = await octokit.repos.getContent({ ...here, path: "pages/index.html", mediaType: { format: "raw" } });
assert.equal(raw.data, "<h1>Hi</h1>\n");
assert.equal((await octokit.repos.getContent({ ...here, path: "" })).data.length, 2);

const { data: main } = await octokit.git.getRef({ ...here, ref: "heads/main" });
await octokit.git.createRef({ ...here, ref: "refs/heads/style/loud", sha: main.object.sha });
await octokit.repos.createOrUpdateFileContents({
  ...here, path: "pages/index.html", branch: "style/loud", message: "Shout", content: base64("<h1>HI</h1>\n"),
  sha: put.data.content.sha,
});
assert.equal((await octokit.repos.getBranch({ ...here, branch: "style/loud" })).data.name, "style/loud");
const { data: pull } = await octokit.pulls.create({ ...here, title: "Loud", head: "style/loud", base: "main" });
assert.equal(pull.mergeable_state, "clean");
const diff = await octokit.pulls.get({ ...here, pull_number: pull.number, mediaType: { format: "diff" } });
assert.match(diff.data, /^diff --git a\/pages\/index.html b\/pages\/index.html\n.*\n--- a.*\n\+\+\+ b.*\n@@ -1 \+1 @@\n-<h1>Hi<\/h1>\n\+<h1>HI<\/h1>\n$/);
const files = await octokit.paginate(octokit.pulls.listFiles, { ...here, pull_number: pull.number });
assert.deepEqual(files.map((file) => [file.filename, file.status]), [["pages/index.html", "modified"]]);

const pending = await hubot.pulls.createReview({ ...here, pull_number: pull.number });
assert.equal(pending.data.state, "PENDING");
const review = await hubot.pulls.submitReview({
  ...here, pull_number: pull.number, review_id: pending.data.id, event: "APPROVE", body: "Loud enough",
});
assert.equal(review.data.state, "APPROVED");
await assert.rejects(hubot.pulls.merge({ ...here, pull_number: pull.number }), { status: 403, name: "HttpError" });
const merged = await octokit.pulls.merge({ ...here, pull_number: pull.number, merge_method: "rebase" });
assert.equal(merged.data.merged, true);
assert.equal((await octokit.pulls.checkIfMerged({ ...here, pull_number: pull.number })).status, 204);
const { data: log1 } = await octokit.repos.listCommits({ ...here, path: "pages/index.html" });
assert.deepEqual(log1.map((commit) => commit.commit.message), ["Shout", "Add the page"]);
const { data: compared } = await octokit.repos.compareCommitsWithBasehead({ ...here, basehead: `${main.object.sha}...main` });
assert.deepEqual([compared.status, compared.ahead_by], ["ahead", 1]);

await octokit.repos.createCommitStatus({ ...here, sha: merged.data.sha, state: "success", context: "ci" });
assert.equal((await octokit.repos.getCombinedStatusForRef({ ...here, ref: "main" })).data.state, "success");
const check = await octokit.checks.create({ ...here, name: "lint", head_sha: merged.data.sha, status: "queued" });
await octokit.checks.update({ ...here, check_run_id: check.data.id, conclusion: "failure" });
assert.equal((await octokit.checks.listForRef({ ...here, ref: "main" })).data.check_runs[0].conclusion, "failure");

// Errors are the SDK's own, with what the service said.
await assert.rejects(octokit.repos.get({ owner: "acme", repo: "nothing" }), (error) => {
  assert.deepEqual([error.status, error.response.data.message], [404, "Not Found"]);
  return true;
});
await assert.rejects(octokit.repos.createForAuthenticatedUser({ name: "site" }), (error) => {
  assert.equal(error.response.data.errors[0].message, "name already exists on this account");
  return true;
});
const { headers } = await octokit.repos.get(here);
await assert.rejects(octokit.repos.get({ ...here, headers: { "if-none-match": headers.etag } }), { status: 304 });
// An app proves itself with a JSON web token and acts with a token of its installation.
const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
const jwt = `${part({ alg: "RS256", typ: "JWT" })}.${part({ iss: "octocat", iat: 1, exp: 2 })}.${base64("signature")}`;
const app = new Octokit({ auth: jwt, baseUrl, log });
const { data: installation } = await app.apps.createInstallationAccessToken({ installation_id: 1 });
assert.match(installation.token, /^ghs_\w{36}$/);
const installed = new Octokit({ auth: installation.token, baseUrl, log });
assert.equal((await installed.repos.get(here)).data.permissions.admin, true);
assert.match((await octokit.meta.root()).data.rate_limit_url, /\/rate_limit$/);
assert.equal((await octokit.rateLimit.get()).data.rate.limit, 5000);
await octokit.repos.delete(here);
