// GitHub's SDK with its own address, through the proxy.
import assert from "node:assert/strict";
import { Octokit } from "@octokit/rest";

const octokit = new Octokit({ auth: "ghp_twin" });
const { data: repo } = await octokit.repos.createForAuthenticatedUser({ name: "proxied", auto_init: true });
assert.equal(repo.full_name, "octocat/proxied");
assert.ok(repo.url.startsWith("https://api.github.com/"), repo.url);
