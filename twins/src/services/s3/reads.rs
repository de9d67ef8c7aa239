//! Reading an object: whole, in part, on conditions, or its head alone.

use jiff::Timestamp;

use super::{
    S3,
    conditions::{Conditions, Unmet, range},
    errors::{self, precondition_failed},
    model::{Bucket, Stored, Version, Versioning},
    names::{asked, number},
};
use crate::{
    http::{Reply, Request},
    twin::{Answer, Context},
};

/// Parameters of the query that replace headers of the answer.
const OVERRIDES: [(&str, &str); 6] = [
    ("response-content-type", "content-type"),
    ("response-content-language", "content-language"),
    ("response-expires", "expires"),
    ("response-cache-control", "cache-control"),
    ("response-content-disposition", "content-disposition"),
    ("response-content-encoding", "content-encoding"),
];
const PARTS_MAX: usize = 10_000; // of one upload, the service's own limit

impl S3 {
    /// The object that a request names, in the version that it names.
    pub(super) fn stored(&self, request: &Request) -> Result<(&Version, &Stored), Reply> {
        find(self.bucket(request)?, request.param("key"), asked(request, "versionId"), &request.method)
    }

    /// Changes what is said of an object; the id of its version where versions are kept.
    pub(super) fn change(&mut self, request: &Request, change: impl FnOnce(&mut Stored)) -> Result<String, Reply> {
        let (version, stored) = self.stored(request)?;
        let (id, at, mut stored) = (version.id.clone(), version.at, stored.clone());
        change(&mut stored);
        let changed = Version { id: id.clone(), at, stored: Some(stored) };
        self.bucket_mut(request)?.replace(request.param("key"), changed);
        Ok(id)
    }

    pub(super) fn get_object(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let versioning = self.bucket(request)?.versioning;
        let (version, stored) = self.stored(request)?;
        match Conditions::of(request).check(stored, version.at) {
            Err(Unmet::Failed(name)) => return Err(precondition_failed(name)),
            Err(Unmet::NotModified) => {
                return Ok(Reply::empty(304)
                    .header("etag", &stored.etag)
                    .header("last-modified", http_date(version.at)));
            }
            Ok(()) => {}
        }
        let part = match asked(request, "partNumber") {
            Some(_) => Some(part_range(stored, number(request, "partNumber", 0, PARTS_MAX)?)?),
            None => None,
        };
        let length = stored.bytes.len();
        let wanted = match part.clone() {
            Some(part) if length > 0 => Some(part),
            _ => range(request.header("range"), length)?,
        };
        let status = if wanted.is_some() { 206 } else { 200 };
        let bytes = stored.bytes.slice(wanted.clone().unwrap_or(0..length));
        let mut reply = Reply::bytes(status, "binary/octet-stream", bytes);
        describe(&mut reply, version, stored, versioning);
        if let Some(range) = &wanted {
            reply.set("content-range", format!("bytes {}-{}/{length}", range.start, range.end - 1));
        }
        if part.is_some() && !stored.part_ends.is_empty() {
            reply.set("x-amz-mp-parts-count", stored.part_ends.len().to_string());
        }
        let wants_checksum = request.header("x-amz-checksum-mode").is_some_and(|mode| mode == "ENABLED");
        if let Some(checksum) = stored.checksum.as_ref().filter(|_| wants_checksum && wanted.is_none()) {
            checksum.add_headers(&mut reply);
        }
        replace_headers(&mut reply, request)?;
        Ok(reply)
    }
}

/// The version that is meant, or the service's word for why there is none.
pub(super) fn find<'b>(
    bucket: &'b Bucket,
    key: &str,
    id: Option<&str>,
    method: &str,
) -> Result<(&'b Version, &'b Stored), Reply> {
    let marker = |reply: Reply, version: &Version| {
        reply.header("x-amz-delete-marker", "true").header("x-amz-version-id", &version.id)
    };
    match id {
        None => {
            let version = bucket.newest(key).ok_or_else(|| errors::no_such_key(key))?;
            let stored = version.stored.as_ref();
            Ok((version, stored.ok_or_else(|| marker(errors::no_such_key(key), version))?))
        }
        Some(id) => {
            let version = bucket.version(key, id).ok_or_else(|| errors::no_such_version(key, id))?;
            let stored = version.stored.as_ref();
            Ok((version, stored.ok_or_else(|| marker(errors::method_not_allowed(method), version))?))
        }
    }
}

/// The bytes of a part; an object that was stored at once has one.
fn part_range(stored: &Stored, number: usize) -> Result<std::ops::Range<usize>, Reply> {
    let whole = [stored.bytes.len()];
    let ends = if stored.part_ends.is_empty() { &whole[..] } else { &stored.part_ends };
    let end = number.checked_sub(1).and_then(|index| ends.get(index));
    let end =
        *end.ok_or_else(|| errors::failed(416, "InvalidPartNumber", "The requested partnumber is not satisfiable"))?;
    let start = if number > 1 { ends[number - 2] } else { 0 };
    Ok(start..end)
}

fn describe(reply: &mut Reply, version: &Version, stored: &Stored, versioning: Versioning) {
    let Stored { etag, head, .. } = stored;
    reply.set("last-modified", http_date(version.at));
    reply.set("etag", etag.as_str());
    reply.set("accept-ranges", "bytes");
    reply.set("x-amz-server-side-encryption", "AES256");
    for (name, value) in &head.headers {
        reply.set(*name, value.as_str());
    }
    for (name, value) in &head.metadata {
        reply.set(format!("x-amz-meta-{name}"), value.as_str());
    }
    if versioning != Versioning::Off {
        reply.set("x-amz-version-id", version.id.as_str());
    }
    if !head.tags.0.is_empty() {
        reply.set("x-amz-tagging-count", head.tags.0.len().to_string());
    }
    if !head.storage_class.is_empty() {
        reply.set("x-amz-storage-class", head.storage_class.as_str());
    }
}

/// What the query says instead of the stored headers; a header has one line.
fn replace_headers(reply: &mut Reply, request: &Request) -> Result<(), Reply> {
    for (parameter, header) in OVERRIDES {
        let Some(value) = asked(request, parameter) else { continue };
        if value.chars().any(|letter| letter.is_control()) {
            return Err(errors::invalid_argument("Header value cannot be represented", parameter, value));
        }
        reply.set(header, value);
    }
    Ok(())
}

pub(super) fn http_date(at: Timestamp) -> String {
    at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}
