// Models, embeddings, files: what is listed, computed and kept.
import assert from "node:assert/strict";
import OpenAI, { toFile } from "openai";

const client = new OpenAI({ apiKey: "sk-twin", baseURL: `${process.env.TWIN_URL}/v1` });

const names = [];
for await (const model of client.models.list()) names.push(model.id);
assert.ok(names.includes("gpt-4o"));
assert.equal((await client.models.retrieve("gpt-4o")).object, "model");

const { data } = await client.embeddings.create({ model: "text-embedding-3-large", input: ["one", "one"], dimensions: 16 });
assert.equal(data[0].embedding.length, 16);
assert.deepEqual(data[0].embedding, data[1].embedding);

const made = [];
for (const name of ["a.txt", "b.txt", "c.txt"]) {
  made.push(await client.files.create({ file: await toFile(Buffer.from(name), name), purpose: "batch" }));
}
const listed = [];
for await (const file of client.files.list({ limit: 2, order: "asc" })) listed.push(file.filename);
assert.deepEqual(listed, ["a.txt", "b.txt", "c.txt"]);
assert.equal(await (await client.files.content(made[1].id)).text(), "b.txt");
assert.equal((await client.files.retrieve(made[1].id)).purpose, "batch");
for (const file of made) assert.equal((await client.files.delete(file.id)).deleted, true);
