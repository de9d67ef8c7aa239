// Buckets and objects with the AWS SDK: streams, paginators, waiters, typed errors, checksums in trailers.
import assert from "node:assert/strict";
import { Readable } from "node:stream";
import {
  AbortMultipartUploadCommand, CompleteMultipartUploadCommand, CopyObjectCommand, CreateBucketCommand,
  CreateMultipartUploadCommand, DeleteBucketCommand, DeleteObjectCommand, DeleteObjectsCommand, GetObjectCommand,
  GetObjectTaggingCommand, HeadBucketCommand, HeadObjectCommand, ListBucketsCommand, ListPartsCommand, NoSuchBucket,
  NoSuchKey, PutBucketVersioningCommand, PutObjectCommand, S3Client, UploadPartCommand, paginateListObjectsV2,
  waitUntilObjectExists,
} from "@aws-sdk/client-s3";

const options = {
  endpoint: process.env.TWIN_URL, region: "us-east-1", forcePathStyle: true,
  credentials: { accessKeyId: "AKIATWIN", secretAccessKey: "twin" },
};
const s3 = new S3Client(options);
const Bucket = "js-photos";
await s3.send(new CreateBucketCommand({ Bucket }));
await s3.send(new HeadBucketCommand({ Bucket }));
assert.ok((await s3.send(new ListBucketsCommand({}))).Buckets.some((bucket) => bucket.Name === Bucket));

const put = await s3.send(new PutObjectCommand({ Bucket, Key: "a b/ü+(1)'*.txt", Body: "hello", Metadata: { colour: "red" } }));
assert.equal(put.ETag, '"5d41402abc4b2a76b9719d911017c592"');
const got = await s3.send(new GetObjectCommand({ Bucket, Key: "a b/ü+(1)'*.txt" }));
assert.equal(await got.Body.transformToString(), "hello");
assert.deepEqual([got.Metadata, got.ContentLength], [{ colour: "red" }, 5]);

// A stream has no checksum beforehand: it comes in a trailer, in the service's own framing.
const stream = Readable.from([Buffer.alloc(70_000, "a"), Buffer.alloc(70_000, "b")]);
await s3.send(new PutObjectCommand({ Bucket, Key: "stream", Body: stream, ContentLength: 140_000, ContentType: "application/json" }));
const back = await s3.send(new GetObjectCommand({ Bucket, Key: "stream" }));
const bytes = await back.Body.transformToByteArray();
assert.deepEqual([bytes.length, bytes[0], bytes[139_999], back.ContentEncoding], [140_000, 97, 98, undefined]);
for (const ChecksumAlgorithm of ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"]) {
  await s3.send(new PutObjectCommand({ Bucket, Key: ChecksumAlgorithm, Body: "x", ChecksumAlgorithm }));
  const read = await s3.send(new GetObjectCommand({ Bucket, Key: ChecksumAlgorithm, ChecksumMode: "ENABLED" }));
  assert.equal(await read.Body.transformToString(), "x");
  assert.ok(read[`Checksum${ChecksumAlgorithm}`]);
}
await waitUntilObjectExists({ client: s3, maxWaitTime: 30 }, { Bucket, Key: "stream" });

await assert.rejects(s3.send(new GetObjectCommand({ Bucket, Key: "nothing" })), (error) => error instanceof NoSuchKey);
await assert.rejects(
  s3.send(new GetObjectCommand({ Bucket: "js-nowhere", Key: "k" })), (error) => error instanceof NoSuchBucket || error.name === "NoSuchBucket");
await assert.rejects(s3.send(new HeadObjectCommand({ Bucket, Key: "nothing" })), { name: "NotFound" });
await assert.rejects(s3.send(new PutObjectCommand({ Bucket, Key: "stream", Body: "y", IfNoneMatch: "*" })), { name: "PreconditionFailed" });
const stranger = new S3Client({ ...options, credentials: { accessKeyId: "AKIATWIN", secretAccessKey: "wrong" } });
await assert.rejects(stranger.send(new ListBucketsCommand({})), { name: "SignatureDoesNotMatch" });

await s3.send(new CopyObjectCommand({ Bucket, Key: "copy", CopySource: `${Bucket}/stream` }));
for (let number = 0; number < 12; number++) await s3.send(new PutObjectCommand({ Bucket, Key: `list/${number}`, Body: "x" }));
const keys = [];
for await (const page of paginateListObjectsV2({ client: s3, pageSize: 5 }, { Bucket, Prefix: "list/" })) {
  keys.push(...page.Contents.map((each) => each.Key));
}
assert.equal(keys.length, 12);

const target = { Bucket, Key: "parts" };
const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ ...target, ChecksumAlgorithm: "CRC32" }));
const Parts = [];
for (const [index, size] of [5 * 1024 * 1024, 100].entries()) {
  const PartNumber = index + 1;
  const sent = await s3.send(new UploadPartCommand({ ...target, UploadId, PartNumber, Body: Buffer.alloc(size, index) }));
  Parts.push({ PartNumber, ETag: sent.ETag, ChecksumCRC32: sent.ChecksumCRC32 });
}
assert.equal((await s3.send(new ListPartsCommand({ ...target, UploadId }))).Parts.length, 2);
const done = await s3.send(new CompleteMultipartUploadCommand({ ...target, UploadId, MultipartUpload: { Parts } }));
assert.match(done.ChecksumCRC32, /-2$/);
const other = await s3.send(new CreateMultipartUploadCommand(target));
await s3.send(new AbortMultipartUploadCommand({ ...target, UploadId: other.UploadId }));

await s3.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: "Suspended" } }));
await s3.send(new DeleteObjectCommand({ Bucket, Key: "copy" }));
await assert.rejects(s3.send(new GetObjectCommand({ Bucket, Key: "copy" })), (error) => error instanceof NoSuchKey);
await s3.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects: keys.map((Key) => ({ Key })), Quiet: true } }));
await assert.rejects(s3.send(new DeleteBucketCommand({ Bucket })), { name: "BucketNotEmpty" });
