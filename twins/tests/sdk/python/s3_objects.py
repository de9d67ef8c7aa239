"""Buckets and objects with boto3: paginators, waiters, conditions, presigned URLs, managed transfers, versions."""

import io
import os

import boto3
import requests
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError

URL, ADMIN = os.environ["TWIN_URL"], os.environ["TWIN_ADMIN_URL"]
KEYS = {"aws_access_key_id": "AKIATWIN", "aws_secret_access_key": "twin"}


def client(region="us-east-1", config=None, **keys):
    return boto3.client("s3", endpoint_url=URL, region_name=region, config=config, **{**KEYS, **keys})


def refused(code, call, *args, **kwargs):
    try:
        call(*args, **kwargs)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error.response
        return error.response
    raise SystemExit(f"{call} was not refused with {code}")


s3 = client()
s3.create_bucket(Bucket="py-photos")
s3.create_bucket(Bucket="py-photos")
s3.get_waiter("bucket_exists").wait(Bucket="py-photos")
assert "py-photos" in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
assert s3.get_bucket_location(Bucket="py-photos")["LocationConstraint"] is None
europe = client("eu-central-1")
where = {"LocationConstraint": "eu-central-1"}
europe.create_bucket(Bucket="py-europe", CreateBucketConfiguration=where)
assert europe.get_bucket_location(Bucket="py-europe")["LocationConstraint"] == "eu-central-1"
assert europe.head_bucket(Bucket="py-europe")["BucketRegion"] == "eu-central-1"
refused("BucketAlreadyOwnedByYou", europe.create_bucket, Bucket="py-europe", CreateBucketConfiguration=where)
refused("BucketAlreadyExists", s3.create_bucket, Bucket="py-taken")
refused("InvalidBucketName", s3.create_bucket, Bucket="10.0.0.1")
refused("404", s3.head_bucket, Bucket="py-nowhere")
refused("NoSuchBucket", s3.list_objects_v2, Bucket="py-nowhere")

# Objects: bytes, metadata, type, tags, checksums that the SDK makes and verifies by itself.
put = s3.put_object(Bucket="py-photos", Key="a b/ü+&.txt", Body=b"hello", ContentType="text/plain", Tagging="a=1&b=2",
                    Metadata={"Colour": "red"}, CacheControl="max-age=60", ContentEncoding="identity")
assert put["ETag"] == '"5d41402abc4b2a76b9719d911017c592"' and put["ChecksumCRC32"]
got = s3.get_object(Bucket="py-photos", Key="a b/ü+&.txt", ChecksumMode="ENABLED")
assert got["Body"].read() == b"hello" and got["ContentType"] == "text/plain" and got["Metadata"] == {"colour": "red"}
assert got["CacheControl"] == "max-age=60" and got["ContentEncoding"] == "identity" and got["TagCount"] == 2
assert got["ChecksumCRC32"] == put["ChecksumCRC32"]
head = s3.head_object(Bucket="py-photos", Key="a b/ü+&.txt")
assert head["ContentLength"] == 5 and head["ETag"] == put["ETag"]
for algorithm in ["CRC32", "SHA1", "SHA256"]:  # the others need a library of Amazon's
    s3.put_object(Bucket="py-photos", Key="sums", Body=b"x" * 100, ChecksumAlgorithm=algorithm)
    assert s3.head_object(Bucket="py-photos", Key="sums", ChecksumMode="ENABLED")[f"Checksum{algorithm}"]
s3.upload_fileobj(io.BytesIO(b"{not json"), "py-photos", "odd.json", ExtraArgs={"ContentType": "application/json"})
assert s3.get_object(Bucket="py-photos", Key="odd.json")["Body"].read() == b"{not json"
s3.put_object(Bucket="py-photos", Key="empty")
assert s3.get_object(Bucket="py-photos", Key="empty")["Body"].read() == b""
refused("NoSuchKey", s3.get_object, Bucket="py-photos", Key="nothing")
refused("404", s3.head_object, Bucket="py-photos", Key="nothing")
refused("KeyTooLongError", s3.put_object, Bucket="py-photos", Key="k" * 1_025)
refused("MetadataTooLarge", s3.put_object, Bucket="py-photos", Key="k", Metadata={"m": "x" * 3_000})
refused("BadDigest", s3.put_object, Bucket="py-photos", Key="k", Body=b"x", ContentMD5="AAAAAAAAAAAAAAAAAAAAAA==")
refused("BadDigest", s3.put_object, Bucket="py-photos", Key="k", Body=b"x", ChecksumCRC32="AAAAAA==")

# Ranges and conditions.
assert s3.get_object(Bucket="py-photos", Key="a b/ü+&.txt", Range="bytes=1-3")["Body"].read() == b"ell"
assert s3.get_object(Bucket="py-photos", Key="a b/ü+&.txt", Range="bytes=-2")["ContentRange"] == "bytes 3-4/5"
refused("InvalidRange", s3.get_object, Bucket="py-photos", Key="a b/ü+&.txt", Range="bytes=9-")
refused("304", s3.get_object, Bucket="py-photos", Key="a b/ü+&.txt", IfNoneMatch=put["ETag"])
refused("PreconditionFailed", s3.get_object, Bucket="py-photos", Key="a b/ü+&.txt", IfMatch='"other"')
refused("304", s3.get_object, Bucket="py-photos", Key="a b/ü+&.txt", IfModifiedSince=got["LastModified"])
refused("PreconditionFailed", s3.put_object, Bucket="py-photos", Key="sums", Body=b"y", IfNoneMatch="*")
s3.put_object(Bucket="py-photos", Key="sums", Body=b"y", IfMatch=s3.head_object(Bucket="py-photos", Key="sums")["ETag"])

# Copies, tags, access.
s3.copy_object(Bucket="py-europe", Key="copy", CopySource={"Bucket": "py-photos", "Key": "a b/ü+&.txt"})
assert s3.head_object(Bucket="py-europe", Key="copy")["Metadata"] == {"colour": "red"}
s3.copy_object(Bucket="py-europe", Key="copy", CopySource="py-europe/copy", MetadataDirective="REPLACE",
               Metadata={"n": "1"})
assert s3.head_object(Bucket="py-europe", Key="copy")["Metadata"] == {"n": "1"}
refused("InvalidRequest", s3.copy_object, Bucket="py-europe", Key="copy", CopySource="py-europe/copy")
tags = [{"Key": "kind", "Value": "a & b"}]
s3.put_object_tagging(Bucket="py-europe", Key="copy", Tagging={"TagSet": tags})
assert s3.get_object_tagging(Bucket="py-europe", Key="copy")["TagSet"] == tags
s3.delete_object_tagging(Bucket="py-europe", Key="copy")
assert s3.get_object_tagging(Bucket="py-europe", Key="copy")["TagSet"] == []
refused("InvalidTag", s3.put_object_tagging, Bucket="py-europe", Key="copy", Tagging={"TagSet": tags + tags})
refused("NoSuchTagSet", s3.get_bucket_tagging, Bucket="py-europe")
s3.put_bucket_tagging(Bucket="py-europe", Tagging={"TagSet": tags})
assert s3.get_bucket_tagging(Bucket="py-europe")["TagSet"] == tags
s3.delete_bucket_tagging(Bucket="py-europe")
assert requests.get(f"{URL}/py-europe/copy").status_code == 403
s3.put_object_acl(Bucket="py-europe", Key="copy", ACL="public-read")
assert requests.get(f"{URL}/py-europe/copy").text == "hello"
assert len(s3.get_object_acl(Bucket="py-europe", Key="copy")["Grants"]) == 2
s3.put_bucket_acl(Bucket="py-europe", ACL="private")
assert [grant["Permission"] for grant in s3.get_bucket_acl(Bucket="py-europe")["Grants"]] == ["FULL_CONTROL"]

# Presigned URLs, of both versions of the signature.
for version in ["s3", "s3v4"]:
    signer = client(config=Config(signature_version=version))
    where = {"Bucket": "py-photos", "Key": "signed ü"}
    assert requests.put(signer.generate_presigned_url("put_object", Params=where), data=b"by url").ok
    override = {**where, "ResponseContentType": "text/css"}
    answer = requests.get(signer.generate_presigned_url("get_object", Params=override))
    assert (answer.text, answer.headers["content-type"]) == ("by url", "text/css"), answer.text
    answer = requests.get(signer.generate_presigned_url("get_object", Params=where).replace("%20", "%20x"))
    assert answer.status_code == 403 and "SignatureDoesNotMatch" in answer.text

# Lists: 25 keys through pages of 10, and folded at the delimiter.
for number in range(25):
    s3.put_object(Bucket="py-europe", Key=f"list/{number % 5}/{number:02}", Body=b"x")
for call in ["list_objects_v2", "list_objects"]:
    pages = list(s3.get_paginator(call).paginate(Bucket="py-europe", Prefix="list/", PaginationConfig={"PageSize": 10}))
    keys = [each["Key"] for page in pages for each in page["Contents"]]
    assert len(pages) == 3 and len(keys) == 25 and keys == sorted(keys)
    pages = s3.get_paginator(call).paginate(Bucket="py-europe", Prefix="list/", Delimiter="/",
                                            PaginationConfig={"PageSize": 2})
    folded = [each["Prefix"] for page in pages for each in page.get("CommonPrefixes", [])]
    assert folded == [f"list/{number}/" for number in range(5)], folded
assert s3.list_objects_v2(Bucket="py-europe", Prefix="list/", StartAfter="list/4/19")["KeyCount"] == 1
assert s3.list_objects_v2(Bucket="py-photos", Prefix="a b/")["Contents"][0]["Key"] == "a b/ü+&.txt"
refused("InvalidArgument", s3.list_objects_v2, Bucket="py-europe", ContinuationToken="?")
gone = s3.delete_objects(Bucket="py-europe", Delete={"Objects": [{"Key": key} for key in keys]})
assert len(gone["Deleted"]) == 25
refused("BucketNotEmpty", s3.delete_bucket, Bucket="py-europe")
s3.delete_object(Bucket="py-europe", Key="copy")
s3.delete_bucket(Bucket="py-europe")
refused("NoSuchBucket", s3.delete_object, Bucket="py-europe", Key="copy")

# Versions.
s3.create_bucket(Bucket="py-versions")
assert "Status" not in s3.get_bucket_versioning(Bucket="py-versions")
s3.put_object(Bucket="py-versions", Key="k", Body=b"0")
s3.put_bucket_versioning(Bucket="py-versions", VersioningConfiguration={"Status": "Enabled"})
assert s3.get_bucket_versioning(Bucket="py-versions")["Status"] == "Enabled"
one = s3.put_object(Bucket="py-versions", Key="k", Body=b"1")["VersionId"]
two = s3.put_object(Bucket="py-versions", Key="k", Body=b"2")["VersionId"]
assert s3.get_object(Bucket="py-versions", Key="k", VersionId=one)["Body"].read() == b"1"
assert s3.get_object(Bucket="py-versions", Key="k", VersionId="null")["Body"].read() == b"0"
marker = s3.delete_object(Bucket="py-versions", Key="k")
assert marker["DeleteMarker"] is True
response = refused("NoSuchKey", s3.get_object, Bucket="py-versions", Key="k")
assert response["ResponseMetadata"]["HTTPHeaders"]["x-amz-delete-marker"] == "true"
refused("MethodNotAllowed", s3.get_object, Bucket="py-versions", Key="k", VersionId=marker["VersionId"])
refused("NoSuchVersion", s3.get_object, Bucket="py-versions", Key="k", VersionId="other")
pages = list(s3.get_paginator("list_object_versions").paginate(Bucket="py-versions", PaginationConfig={"PageSize": 2}))
assert [each["VersionId"] for page in pages for each in page.get("Versions", [])] == [two, one, "null"]
assert sum(len(page.get("DeleteMarkers", [])) for page in pages) == 1
s3.delete_object(Bucket="py-versions", Key="k", VersionId=marker["VersionId"])
assert s3.get_object(Bucket="py-versions", Key="k")["VersionId"] == two
bucket = boto3.resource("s3", endpoint_url=URL, region_name="us-east-1", **KEYS).Bucket("py-versions")
bucket.object_versions.delete()
bucket.delete()

# Managed transfers: 12 MiB in three parts, back in ranges.
big = os.urandom(12 * 1024 * 1024)
config = TransferConfig(multipart_threshold=5 * 1024 * 1024, multipart_chunksize=5 * 1024 * 1024)
s3.upload_fileobj(io.BytesIO(big), "py-photos", "big", Config=config, ExtraArgs={"Metadata": {"a": "b"}})
head = s3.head_object(Bucket="py-photos", Key="big")
assert head["ETag"].endswith('-3"') and head["Metadata"] == {"a": "b"}
back = io.BytesIO()
s3.download_fileobj("py-photos", "big", back, Config=config)
assert back.getvalue() == big
part = s3.get_object(Bucket="py-photos", Key="big", PartNumber=3)
assert part["PartsCount"] == 3 and part["ContentLength"] == 2 * 1024 * 1024

# The same by hand.
upload = s3.create_multipart_upload(Bucket="py-photos", Key="parts")["UploadId"]
where = {"Bucket": "py-photos", "Key": "parts", "UploadId": upload}
assert [each["UploadId"] for each in s3.list_multipart_uploads(Bucket="py-photos")["Uploads"]] == [upload]
first = s3.upload_part(**where, PartNumber=1, Body=big[: 5 * 1024 * 1024])["ETag"]
second = s3.upload_part_copy(**where, PartNumber=2, CopySource="py-photos/big", CopySourceRange="bytes=0-9")
parts = [{"PartNumber": 1, "ETag": first}, {"PartNumber": 2, "ETag": second["CopyPartResult"]["ETag"]}]
assert [part["Size"] for part in s3.list_parts(**where)["Parts"]] == [5 * 1024 * 1024, 10]
refused("InvalidPartOrder", s3.complete_multipart_upload, **where, MultipartUpload={"Parts": parts[::-1]})
wrong = [{"PartNumber": 1, "ETag": '"x"'}]
refused("InvalidPart", s3.complete_multipart_upload, **where, MultipartUpload={"Parts": wrong})
s3.complete_multipart_upload(**where, MultipartUpload={"Parts": parts})
assert s3.head_object(Bucket="py-photos", Key="parts")["ContentLength"] == 5 * 1024 * 1024 + 10
refused("NoSuchUpload", s3.list_parts, **where)
upload = s3.create_multipart_upload(Bucket="py-photos", Key="small")["UploadId"]
where = {"Bucket": "py-photos", "Key": "small", "UploadId": upload}
parts = [{"PartNumber": n, "ETag": s3.upload_part(**where, PartNumber=n, Body=b"x")["ETag"]} for n in (1, 2)]
refused("EntityTooSmall", s3.complete_multipart_upload, **where, MultipartUpload={"Parts": parts})
s3.abort_multipart_upload(**where)
refused("NoSuchUpload", s3.abort_multipart_upload, **where)

# Who may: wrong keys, wrong secrets; and the service's own pace, which the SDK waits for.
refused("InvalidAccessKeyId", client(aws_access_key_id="AKIAOTHER").list_buckets)
refused("SignatureDoesNotMatch", client(aws_secret_access_key="other").list_buckets)
refused("InvalidToken", client(aws_session_token="junk").list_buckets)
rule = {"operation": "GetObject", "kind": "status", "status": 503, "first": 2}
assert requests.post(f"{ADMIN}/faults", json=rule).ok
patient = client(config=Config(retries={"mode": "standard", "max_attempts": 4}))
answer = patient.get_object(Bucket="py-photos", Key="sums")
assert answer["ResponseMetadata"]["RetryAttempts"] == 2
impatient = client(config=Config(retries={"total_max_attempts": 1}))
assert requests.post(f"{ADMIN}/faults", json={**rule, "first": 1}).ok
refused("SlowDown", impatient.get_object, Bucket="py-photos", Key="sums")
bucket = boto3.resource("s3", endpoint_url=URL, region_name="us-east-1", **KEYS).Bucket("py-photos")
bucket.objects.all().delete()
bucket.delete()
