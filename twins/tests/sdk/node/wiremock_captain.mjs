// wiremock-captain: stubs with features, the request journal, scenarios, metadata.
import assert from "node:assert/strict";
import { WireMock } from "wiremock-captain";

const url = process.env.TWIN_URL;
const mock = new WireMock(url);
const text = async (path, options) => (await fetch(url + path, options)).text();
const status = async (path) => (await fetch(url + path)).status;

const made = await mock.register(
  { method: "POST", endpoint: "/orders", body: { sku: "mug" }, metadata: { owner: "shop" } },
  { status: 201, body: { id: 7 }, headers: { "x-made": "yes" } },
);
const order = { method: "POST", body: '{"sku":"mug"}', headers: { "content-type": "application/json" } };
const answer = await fetch(`${url}/orders`, order);
assert.deepEqual([answer.status, answer.headers.get("x-made"), await answer.json()], [201, "yes", { id: 7 }]);
assert.equal((await mock.getMapping(made.id)).id, made.id);
assert.equal((await mock.getAllMappings()).length, 2);
assert.equal((await mock.getRequestsForAPI("POST", "/orders")).length, 1);
assert.equal(await status("/nothing"), 501);
assert.deepEqual((await mock.getUnmatchedRequests()).map((request) => request.url), ["/nothing"]);
assert.equal((await mock.getAllRequests()).length, 2);

await mock.register(
  { method: "GET", endpoint: "/door" }, { status: 200, body: "open" },
  { scenario: { scenarioName: "door", requiredScenarioState: "Started", newScenarioState: "shut" }, stubPriority: 1 },
);
assert.deepEqual([await status("/door"), await status("/door")], [200, 501]);
assert.equal((await mock.getAllScenarios())[0].state, "shut");
await mock.resetAllScenarios();
assert.equal(await status("/door"), 200);

const found = await mock.findMappingByMetadata({ expression: "$.owner", equalTo: "shop" }, "matchesJsonPath");
assert.deepEqual(found.map((mapping) => mapping.id), [made.id]);
await mock.removeMappingByMetadata({ owner: "shop" }, "equalToJson");
assert.equal((await mock.getAllMappings()).length, 2);
await mock.deleteMapping((await mock.getAllMappings())[0].id);
await mock.clearAll();
assert.equal(await status("/first"), 501);
await mock.clearAllExceptDefault();
assert.equal(await text("/first"), "of the file");
