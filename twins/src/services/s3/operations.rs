//! Every operation, named as the API names it. One path serves many: the query tells them apart.

use super::{
    S3,
    names::{asked, is_plain},
};
use crate::{
    http::Request,
    twin::{Operation, operations},
};

/// Conditions: the query has the parameter.
macro_rules! queries {
    ($($condition:ident $parameter:literal;)*) => {
        $(fn $condition(request: &Request) -> bool {
            asked(request, $parameter).is_some()
        })*
    };
}

queries! {
    acl "acl";
    delete "delete";
    location "location";
    part "partNumber";
    tagging "tagging";
    upload "uploadId";
    uploads "uploads";
    versioning "versioning";
    versions "versions";
}

fn second_list(request: &Request) -> bool {
    asked(request, "list-type") == Some("2") && is_plain(request)
}

fn copy(request: &Request) -> bool {
    request.header("x-amz-copy-source").is_some() && is_plain(request)
}

fn copied_part(request: &Request) -> bool {
    part(request) && copy(request)
}

fn uploaded_part(request: &Request) -> bool {
    part(request) && upload(request)
}

pub(super) const OPERATIONS: &[Operation<S3>] = operations! {
    "ListBuckets" "GET" "/" S3::list_buckets;

    "GetBucketLocation" "GET" "/{bucket}" S3::get_location, if location;
    "GetBucketVersioning" "GET" "/{bucket}" S3::get_versioning, if versioning;
    "GetBucketAcl" "GET" "/{bucket}" S3::get_bucket_acl, if acl;
    "GetBucketTagging" "GET" "/{bucket}" S3::get_bucket_tags, if tagging;
    "ListObjectVersions" "GET" "/{bucket}" S3::list_versions, if versions;
    "ListMultipartUploads" "GET" "/{bucket}" S3::list_uploads, if uploads;
    "ListObjectsV2" "GET" "/{bucket}" S3::list_objects_v2, if second_list;
    "ListObjects" "GET" "/{bucket}" S3::list_objects, if is_plain;
    "PutBucketVersioning" "PUT" "/{bucket}" S3::put_versioning, if versioning;
    "PutBucketAcl" "PUT" "/{bucket}" S3::put_bucket_acl, if acl;
    "PutBucketTagging" "PUT" "/{bucket}" S3::put_bucket_tags, if tagging;
    "CreateBucket" "PUT" "/{bucket}" S3::create_bucket, if is_plain;
    "HeadBucket" "HEAD" "/{bucket}" S3::head_bucket;
    "DeleteBucketTagging" "DELETE" "/{bucket}" S3::delete_bucket_tags, if tagging;
    "DeleteBucket" "DELETE" "/{bucket}" S3::delete_bucket, if is_plain;
    "DeleteObjects" "POST" "/{bucket}" S3::delete_objects, if delete;

    "GetObjectAcl" "GET" "/{bucket}/{*key}" S3::get_object_acl, if acl;
    "GetObjectTagging" "GET" "/{bucket}/{*key}" S3::get_object_tags, if tagging;
    "ListParts" "GET" "/{bucket}/{*key}" S3::list_parts, if upload;
    "GetObject" "GET" "/{bucket}/{*key}" S3::get_object, if is_plain;
    "HeadObject" "HEAD" "/{bucket}/{*key}" S3::get_object;
    "PutObjectAcl" "PUT" "/{bucket}/{*key}" S3::put_object_acl, if acl;
    "PutObjectTagging" "PUT" "/{bucket}/{*key}" S3::put_object_tags, if tagging;
    "UploadPartCopy" "PUT" "/{bucket}/{*key}" S3::copy_part, if copied_part;
    "UploadPart" "PUT" "/{bucket}/{*key}" S3::put_part, if uploaded_part;
    "CopyObject" "PUT" "/{bucket}/{*key}" S3::copy_object, if copy;
    "PutObject" "PUT" "/{bucket}/{*key}" S3::put_object, if is_plain;
    "DeleteObjectTagging" "DELETE" "/{bucket}/{*key}" S3::delete_object_tags, if tagging;
    "AbortMultipartUpload" "DELETE" "/{bucket}/{*key}" S3::abort_upload, if upload;
    "DeleteObject" "DELETE" "/{bucket}/{*key}" S3::delete_object, if is_plain;
    "CreateMultipartUpload" "POST" "/{bucket}/{*key}" S3::create_upload, if uploads;
    "CompleteMultipartUpload" "POST" "/{bucket}/{*key}" S3::complete_upload, if upload;
};
