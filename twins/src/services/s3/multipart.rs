//! Uploads in parts: begun, completed to one object, given up, listed.

use std::collections::BTreeMap;

use md5::{Digest, Md5};

use super::{
    S3, access,
    checksums::{Algorithm, Checksum},
    conditions::has_tag,
    errors::{self, detailed, malformed_xml},
    listing::{Filter, iso},
    model::{Head, Part, Stored, Upload},
    names::{self, asked},
    parts::{invalid_order, invalid_part},
    xml::{Node, Xml},
};
use crate::{
    http::{Reply, Request},
    twin::{Answer, Context},
};

const PART_BYTES_MIN: usize = 5 * 1024 * 1024; // of all but the last, the service's own limit

impl S3 {
    pub(super) fn create_upload(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let key = request.param("key");
        names::check_key(key)?;
        self.bucket(request)?;
        let algorithm = request.header("x-amz-checksum-algorithm").and_then(Algorithm::named);
        let whole_checksum = request.header("x-amz-checksum-type").is_some_and(|kind| kind == "FULL_OBJECT");
        let upload = Upload {
            id: context.id("2~", 60),
            key: key.to_owned(),
            at: context.now,
            head: Head::of(request)?,
            algorithm,
            whole_checksum: whole_checksum || matches!(algorithm, None | Some(Algorithm::Crc64Nvme)),
            parts: BTreeMap::new(),
        };
        let mut reply = Xml::reply("InitiateMultipartUploadResult", |xml| {
            xml.text("Bucket", request.param("bucket"));
            xml.text("Key", key);
            xml.text("UploadId", &upload.id);
        });
        if let Some(algorithm) = algorithm {
            reply.set("x-amz-checksum-algorithm", algorithm.name());
            reply.set("x-amz-checksum-type", if upload.whole_checksum { "FULL_OBJECT" } else { "COMPOSITE" });
        }
        reply.set("x-amz-server-side-encryption", "AES256");
        self.bucket_mut(request)?.uploads.insert(&upload.id.clone(), upload);
        Ok(reply)
    }

    pub(super) fn complete_upload(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let upload = self.upload(request)?;
        self.check_write(request)?;
        let document = Node::read(&super::body(request)?, "CompleteMultipartUpload")?;
        let parts = chosen(upload, &document)?;
        let stored = joined(upload, &parts);
        let differs = |algorithm, said: &str| {
            stored.checksum.as_ref().is_none_or(|real| real.algorithm != algorithm || real.value != said)
        };
        if let Some((algorithm, said)) = said_of_whole(request)
            && differs(algorithm, said)
        {
            let message = format!("The {} you specified did not match the calculated checksum.", algorithm.name());
            return Err(errors::failed(400, "BadDigest", &message));
        }
        let (id, etag, checksum) = (upload.id.clone(), stored.etag.clone(), stored.checksum.clone());
        let key = request.param("key");
        let bucket = self.bucket_mut(request)?;
        bucket.uploads.remove(&id);
        let version = bucket.store(context, key, Some(stored));
        let name = request.param("bucket");
        let mut reply = Xml::reply("CompleteMultipartUploadResult", |xml| {
            xml.text("Location", format!("{}/{name}/{key}", request.origin()));
            xml.text("Bucket", name);
            xml.text("Key", key);
            xml.text("ETag", etag);
            if let Some(checksum) = checksum {
                checksum.add_elements(xml);
            }
        });
        self.bucket(request)?.tell_version(&mut reply, &version);
        reply.set("x-amz-server-side-encryption", "AES256");
        Ok(reply)
    }

    pub(super) fn abort_upload(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let id = self.upload(request)?.id.clone();
        self.bucket_mut(request)?.uploads.remove(&id);
        Ok(Reply::empty(204))
    }

    pub(super) fn list_uploads(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let filter = Filter::of(request, "max-uploads")?;
        let key_marker = asked(request, "key-marker").unwrap_or_default();
        let id_marker = asked(request, "upload-id-marker").unwrap_or_default();
        let mut uploads: Vec<_> = self.bucket(request)?.uploads.oldest_first().collect();
        uploads.sort_by(|one, other| (&one.key, &one.id).cmp(&(&other.key, &other.id)));
        let is_behind = |upload: &Upload| {
            let key = upload.key.as_str();
            key > key_marker || (key == key_marker && !id_marker.is_empty() && upload.id.as_str() > id_marker)
        };
        uploads.retain(|upload| upload.key.starts_with(filter.prefix) && is_behind(upload));
        let is_truncated = uploads.len() > filter.max;
        uploads.truncate(filter.max);
        Ok(Xml::reply("ListMultipartUploadsResult", |xml| {
            xml.text("Bucket", request.param("bucket"));
            filter.write(xml, "KeyMarker", key_marker);
            xml.text("UploadIdMarker", id_marker);
            filter.echo(xml, "MaxUploads");
            xml.text("IsTruncated", is_truncated.to_string());
            if let Some(last) = uploads.last().filter(|_| is_truncated) {
                filter.write(xml, "NextKeyMarker", &last.key);
                xml.text("NextUploadIdMarker", &last.id);
            }
            for upload in &uploads {
                xml.within("Upload", |xml| {
                    filter.write(xml, "Key", &upload.key);
                    xml.text("UploadId", &upload.id);
                    initiator(xml);
                    xml.text("StorageClass", "STANDARD");
                    xml.text("Initiated", iso(upload.at));
                });
            }
        }))
    }
}

pub(super) fn initiator(xml: &mut Xml) {
    xml.within("Initiator", access::owner);
    xml.within("Owner", access::owner);
}

/// The parts that a client puts together, each by its number and tag.
fn chosen<'u>(upload: &'u Upload, document: &Node) -> Result<Vec<&'u Part>, Reply> {
    let mut parts: Vec<&Part> = Vec::new();
    let mut last = 0;
    for wish in document.all("Part") {
        let text = wish.get("PartNumber").ok_or_else(malformed_xml)?;
        let (number, tag) = (text.trim().parse::<u32>().map_err(|_| malformed_xml())?, wish.get("ETag"));
        let tag = tag.ok_or_else(malformed_xml)?;
        if number <= last {
            return Err(invalid_order());
        }
        last = number;
        let found = upload.parts.get(&number).filter(|part| has_tag(tag, &part.md5));
        parts.push(found.ok_or_else(|| invalid_part(text))?);
    }
    let too_small = parts.split_last().and_then(|(_, all)| all.iter().find(|part| part.bytes.len() < PART_BYTES_MIN));
    if let Some(part) = too_small {
        let message = "Your proposed upload is smaller than the minimum allowed size";
        let (size, min) = (part.bytes.len().to_string(), PART_BYTES_MIN.to_string());
        let details = [("ProposedSize", size.as_str()), ("MinSizeAllowed", &min), ("ETag", &part.md5)];
        return Err(detailed(400, "EntityTooSmall", message, &details));
    }
    if parts.is_empty() { Err(malformed_xml()) } else { Ok(parts) }
}

/// One object. Its tag is made of the tags of its parts.
fn joined(upload: &Upload, parts: &[&Part]) -> Stored {
    let mut bytes = Vec::with_capacity(parts.iter().map(|part| part.bytes.len()).sum());
    let (mut tags, mut part_ends) = (Md5::new(), Vec::new());
    for part in parts {
        bytes.extend_from_slice(&part.bytes);
        part_ends.push(bytes.len());
        tags.update(Md5::digest(&part.bytes));
    }
    let etag = format!("\"{}-{}\"", hex::encode(tags.finalize()), parts.len());
    let algorithm = upload.algorithm.unwrap_or(Algorithm::Crc64Nvme);
    let checksum = if upload.whole_checksum {
        Checksum::of(algorithm, &bytes)
    } else {
        Checksum::of_parts(algorithm, parts.iter().map(|part| &*part.bytes))
    };
    Stored { bytes: bytes.into(), etag, head: upload.head.clone(), checksum: Some(checksum), part_ends }
}

fn said_of_whole(request: &Request) -> Option<(Algorithm, &str)> {
    Algorithm::ALL.into_iter().find_map(|algorithm| Some((algorithm, request.header(algorithm.header())?)))
}
