// The pace that the service asks for: the SDK waits, and its second try is let in.
import assert from "node:assert/strict";
import { GetObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { fault } from "./admin.mjs";

const s3 = new S3Client({
  endpoint: process.env.TWIN_URL, region: "us-east-1", forcePathStyle: true, maxAttempts: 3,
  credentials: { accessKeyId: "AKIATWIN", secretAccessKey: "twin" },
});
await fault({ operation: "GetObject", kind: "rate_limit", first: 1 });
const got = await s3.send(new GetObjectCommand({ Bucket: "photos", Key: "a.txt" }));
assert.equal(await got.Body.transformToString(), "hello");
assert.equal(got.$metadata.attempts, 2);
