// Mail as nodemailer sends it: a pool, attachments, signing in, delivery notices, and errors by code.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import nodemailer from "nodemailer";
import { clearFaults, fault, get } from "./admin.mjs";

const { hostname: host, port } = new URL(process.env.TWIN_URL);
const tls = { ca: readFileSync(process.env.TWIN_CA_FILE) };
const auth = { user: "ann", pass: "secret" };
const open = (more) => nodemailer.createTransport({ host, port: Number(port), tls, auth, name: "client.test", ...more });
const mail = { from: "Shop <shop@shop.test>", to: "ann@example.com", cc: "bob@example.com", bcc: "eve@example.com" };

const transport = open({ requireTLS: true });
assert.equal(await transport.verify(), true);
const info = await transport.sendMail({
  ...mail, subject: "Grüße 🎉", text: ".\nHi", html: "<b>Hi</b>",
  attachments: [{ filename: "a.txt", content: "abc" }, { filename: "dot.png", content: Buffer.from([137, 80]), cid: "dot" }],
  dsn: { id: "7", return: "headers", notify: ["failure"], recipient: "shop@shop.test" },
});
assert.deepEqual(info.accepted, ["ann@example.com", "bob@example.com", "eve@example.com"]);
assert.match(info.response, /^250 2\.0\.0 Ok: queued as \w+$/);
const seen = await get("/inbox/latest");
assert.equal(info.response.split(" ").at(-1), seen.id);
assert.deepEqual([seen.subject, seen.to, seen.cc, seen.bcc], ["Grüße 🎉", ["ann@example.com"], ["bob@example.com"], ["eve@example.com"]]);
assert.deepEqual(seen.attachments.map((one) => [one.filename, one.size_bytes]).sort(), [["a.txt", 3], ["dot.png", 2]]);
assert.equal(seen.text.replaceAll("\r", "").trim(), ".\nHi");

const pool = open({ pool: true, maxConnections: 2, maxMessages: 3 });
await Promise.all([..."abcdefg"].map((subject) => pool.sendMail({ ...mail, subject, text: "Hi" })));
pool.close();
assert.equal((await get("/inbox?query=shop&limit=100")).total, 8);

await assert.rejects(open({ auth: { user: "ann", pass: "wrong" } }).verify(), { code: "EAUTH", responseCode: 535 });
await fault({ operation: "rcpt", where: { "$.request.json.to": "bob@example.com" }, kind: "status", status: 450 });
const partly = await transport.sendMail({ ...mail, subject: "partly", text: "Hi" });
assert.deepEqual(partly.rejected, ["bob@example.com"]);
assert.equal(partly.rejectedErrors[0].responseCode, 450);
await clearFaults();
await fault({ operation: "message", kind: "status", status: 552, first: 1 });
await assert.rejects(transport.sendMail({ ...mail, text: "Hi" }), { code: "EMESSAGE", responseCode: 552 });
await fault({ operation: "data", kind: "cut_body", after_bytes: 20, first: 1 });
await assert.rejects(transport.sendMail({ ...mail, text: "Hi" }));
await fault({ operation: "connect", kind: "garbage", first: 1 });
await assert.rejects(transport.sendMail({ ...mail, text: "Hi" }));
await clearFaults();
await fault({ kind: "tls_expired", first: 1 });
await assert.rejects(transport.sendMail({ ...mail, text: "Hi" }), { code: "ESOCKET", message: /expired/ });
await clearFaults();
await assert.rejects(open().sendMail({ ...mail, text: "x".repeat(11_000_000) }), { responseCode: 552 });
