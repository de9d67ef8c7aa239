//! Storing, copying and deleting objects.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;

use super::{
    S3,
    access::Acl,
    chunked::Payload,
    conditions::{Conditions, Unmet},
    errors::{self, failed, invalid_request, precondition_failed},
    gate,
    listing::iso,
    model::{Bucket, Head, NULL, Stored, Tags, Version, Versioning},
    names,
    reads::find,
    xml::{Node, Xml},
};
use crate::{
    http::{Reply, Request},
    twin::{Answer, Context},
};

const METADATA_BYTES_MAX: usize = 2 * 1024; // the service's own limit
const DELETED_MAX: usize = 1_000; // keys of one request, the service's own limit
/// Headers that come back as they were.
const KEPT: [&str; 6] =
    ["cache-control", "content-disposition", "content-encoding", "content-language", "content-type", "expires"];

impl Head {
    pub(super) fn of(request: &Request) -> Result<Self, Reply> {
        let mut headers = BTreeMap::new();
        for name in KEPT {
            let value = request.header(name).map(|value| without_framing(name, value));
            headers.extend(value.filter(|value| !value.is_empty()).map(|value| (name, value)));
        }
        let pair = |(name, value): (&str, &str)| Some((name.strip_prefix("x-amz-meta-")?.to_owned(), value.to_owned()));
        let metadata: BTreeMap<_, _> = request.headers.iter().filter_map(pair).collect();
        let size: usize = metadata.iter().map(|(name, value)| name.len() + value.len()).sum();
        if size > METADATA_BYTES_MAX {
            let message = "Your metadata headers exceed the maximum allowed metadata size";
            return Err(failed(400, "MetadataTooLarge", message));
        }
        let storage_class = request.header("x-amz-storage-class").filter(|class| *class != "STANDARD");
        Ok(Self {
            headers,
            metadata,
            tags: Tags::of_header(request)?,
            acl: Acl::asked(request)?,
            storage_class: storage_class.unwrap_or_default().to_owned(),
        })
    }
}

/// The framing of the body is no encoding of the object.
fn without_framing(name: &str, value: &str) -> String {
    let parts = value.split(',').map(str::trim).filter(|part| name != "content-encoding" || *part != "aws-chunked");
    parts.collect::<Vec<_>>().join(if name == "content-encoding" { "," } else { ", " })
}

impl Bucket {
    /// Stores a version under the id that the bucket's versioning asks for.
    pub(super) fn store(&mut self, context: &mut Context<'_>, key: &str, stored: Option<Stored>) -> String {
        let id = match self.versioning {
            Versioning::Enabled => context.id("", 32),
            Versioning::Off | Versioning::Suspended => NULL.to_owned(),
        };
        self.put(key, Version { id: id.clone(), at: context.now, stored });
        id
    }

    /// Says which version it is, where versions are kept.
    pub(super) fn tell_version(&self, reply: &mut Reply, id: &str) {
        if self.versioning != Versioning::Off {
            reply.set("x-amz-version-id", id);
        }
    }

    /// Without an id: a delete marker, or the end where versions are not kept.
    pub(super) fn delete(&mut self, context: &mut Context<'_>, key: &str, id: Option<&str>) -> Deleted {
        match (id, self.versioning) {
            (Some(id), _) => {
                let gone = self.remove(key, id);
                let was_marker = gone.is_some_and(|version| version.stored.is_none());
                Deleted { id: Some(id.to_owned()), marker: was_marker }
            }
            (None, Versioning::Off) => {
                self.remove(key, NULL);
                Deleted { id: None, marker: false }
            }
            (None, Versioning::Enabled | Versioning::Suspended) => {
                let id = self.store(context, key, None);
                Deleted { id: Some(id), marker: true }
            }
        }
    }
}

/// What a deletion left or took away.
pub(super) struct Deleted {
    id: Option<String>,
    marker: bool,
}

/// Where a copy comes from.
pub(super) struct Source {
    bucket: String,
    key: String,
    version: Option<String>,
}

impl Source {
    pub(super) fn of(request: &Request) -> Result<Self, Reply> {
        let header = request.header("x-amz-copy-source").unwrap_or_default();
        let (path, version) = match header.split_once("?versionId=") {
            Some((path, version)) => (path, Some(version.to_owned())),
            None => (header, None),
        };
        let path = percent_decode_str(path).decode_utf8_lossy().into_owned();
        match path.trim_start_matches('/').split_once('/') {
            Some((bucket, key)) if !key.is_empty() => {
                Ok(Self { bucket: bucket.to_owned(), key: key.to_owned(), version })
            }
            _ => {
                let message = "Copy Source must mention the source bucket and key: sourcebucket/sourcekey";
                Err(errors::invalid_argument(message, "x-amz-copy-source", header))
            }
        }
    }
}

impl S3 {
    /// What a copy shall copy, with the version's id where versions are kept.
    pub(super) fn source(&self, request: &Request) -> Result<(&Stored, Option<&str>), Reply> {
        let source = Source::of(request)?;
        let bucket = self.named(&source.bucket)?;
        let (version, stored) = find(bucket, &source.key, source.version.as_deref(), &request.method)?;
        match Conditions::of_copy(request).check(stored, version.at) {
            Err(Unmet::Failed(name)) => Err(precondition_failed(name)),
            Err(Unmet::NotModified) => Err(precondition_failed("x-amz-copy-source-If-None-Match")),
            Ok(()) => Ok((stored, (bucket.versioning != Versioning::Off).then_some(version.id.as_str()))),
        }
    }

    /// Whether the conditions of a request allow to write its key.
    pub(super) fn check_write(&self, request: &Request) -> Result<(), Reply> {
        let key = request.param("key");
        names::check_key(key)?;
        let current = self.bucket(request)?.newest(key).and_then(|version| version.stored.as_ref());
        Conditions::of(request).check_write(current)
    }

    pub(super) fn put_object(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        self.check_write(request)?;
        let is_unmeasured = request.header("transfer-encoding").is_some_and(|coding| coding.contains("chunked"));
        if is_unmeasured && request.header("x-amz-decoded-content-length").is_none() {
            return Err(failed(411, "MissingContentLength", "You must provide the Content-Length HTTP header."));
        }
        let payload = Payload::of(request)?;
        let checksum = gate::checksum(request, &payload)?;
        let mut stored = Stored::new(payload.bytes, Head::of(request)?);
        let mut reply = Reply::empty(200).header("etag", &stored.etag).header("x-amz-server-side-encryption", "AES256");
        checksum.add_headers(&mut reply);
        stored.checksum = Some(checksum);
        let bucket = self.bucket_mut(request)?;
        let id = bucket.store(context, request.param("key"), Some(stored));
        bucket.tell_version(&mut reply, &id);
        Ok(reply)
    }

    pub(super) fn copy_object(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        self.check_write(request)?;
        let (from, from_version) = self.source(request)?;
        let mut stored = from.clone();
        let replaces = |name| request.header(name).is_some_and(|directive| directive == "REPLACE");
        let new = Head::of(request)?;
        if replaces("x-amz-metadata-directive") {
            (stored.head.headers, stored.head.metadata) = (new.headers, new.metadata);
        } else if is_itself(request)? && new.storage_class == stored.head.storage_class {
            return Err(invalid_request(
                "This copy request is illegal because it is trying to copy an object to itself without changing the \
                 object's metadata, storage class, website redirect location or encryption attributes.",
            ));
        }
        if replaces("x-amz-tagging-directive") {
            stored.head.tags = new.tags;
        }
        (stored.head.acl, stored.head.storage_class) = (new.acl, new.storage_class);
        // A copy is one object, however many parts its source had.
        let (etag, parts) = (Stored::new(stored.bytes.clone(), Head::default()).etag, Vec::new());
        (stored.etag, stored.part_ends) = (etag.clone(), parts);
        let from_version = from_version.map(str::to_owned);
        let at = context.now;
        let checksum = stored.checksum.clone();
        let bucket = self.bucket_mut(request)?;
        let id = bucket.store(context, request.param("key"), Some(stored));
        let mut reply = Xml::reply("CopyObjectResult", |xml| {
            xml.text("LastModified", iso(at));
            xml.text("ETag", etag);
            if let Some(checksum) = checksum {
                checksum.add_elements(xml);
            }
        });
        self.bucket(request)?.tell_version(&mut reply, &id);
        if let Some(version) = from_version {
            reply.set("x-amz-copy-source-version-id", version);
        }
        reply.set("x-amz-server-side-encryption", "AES256");
        Ok(reply)
    }

    pub(super) fn delete_object(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let id = names::asked(request, "versionId");
        let deleted = self.bucket_mut(request)?.delete(context, request.param("key"), id);
        let mut reply = Reply::empty(204);
        if let Some(id) = deleted.id {
            reply.set("x-amz-version-id", id);
        }
        if deleted.marker {
            reply.set("x-amz-delete-marker", "true");
        }
        Ok(reply)
    }

    pub(super) fn delete_objects(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let wish = Node::read(&super::body(request)?, "Delete")?;
        let objects: Vec<_> = wish.all("Object").collect();
        if objects.is_empty() || objects.len() > DELETED_MAX || objects.iter().any(|object| object.get("Key").is_none())
        {
            return Err(errors::malformed_xml());
        }
        let is_quiet = wish.get("Quiet") == Some("true");
        let bucket = self.bucket_mut(request)?;
        let mut done = Vec::new();
        for object in objects {
            let (key, id) = (object.get("Key").unwrap_or_default(), object.get("VersionId"));
            done.push((key, id, bucket.delete(context, key, id)));
        }
        Ok(Xml::reply("DeleteResult", |xml| {
            for (key, id, deleted) in done.iter().filter(|_| !is_quiet) {
                xml.within("Deleted", |xml| show_deleted(xml, key, *id, deleted));
            }
        }))
    }
}

fn show_deleted(xml: &mut Xml, key: &str, id: Option<&str>, deleted: &Deleted) {
    xml.text("Key", key);
    if let Some(id) = id {
        xml.text("VersionId", id);
    }
    if deleted.marker {
        xml.text("DeleteMarker", "true");
        xml.text("DeleteMarkerVersionId", deleted.id.as_deref().unwrap_or(NULL));
    }
}

/// Whether a copy has its source as its target.
fn is_itself(request: &Request) -> Result<bool, Reply> {
    let source = Source::of(request)?;
    let is_same = source.bucket == request.param("bucket") && source.key == request.param("key");
    Ok(is_same && source.version.is_none())
}
