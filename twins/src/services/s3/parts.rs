//! Parts of an upload: sent, copied, listed.

use super::{
    S3,
    chunked::Payload,
    conditions,
    errors::{detailed, failed, invalid_argument},
    gate,
    listing::iso,
    model::{Part, Upload, md5_of},
    multipart::initiator,
    names::{self, number},
    xml::Xml,
};
use crate::{
    http::{Reply, Request},
    twin::{Answer, Context},
};

pub(super) const PARTS_MAX: u32 = 10_000; // the service's own limit
const PAGE_MAX: usize = 1_000;

impl S3 {
    /// The upload that a request names; its key must be the request's.
    pub(super) fn upload(&self, request: &Request) -> Result<&Upload, Reply> {
        let id = names::asked(request, "uploadId").unwrap_or_default();
        let upload = self.bucket(request)?.uploads.get(id).filter(|upload| upload.key == request.param("key"));
        upload.ok_or_else(|| {
            let message = "The specified upload does not exist. The upload ID may be invalid, or the upload may have \
                been aborted or completed.";
            detailed(404, "NoSuchUpload", message, &[("UploadId", id)])
        })
    }

    fn add_part(&mut self, request: &Request, number: u32, part: Part) -> Result<(), Reply> {
        let id = self.upload(request)?.id.clone();
        if let Some(upload) = self.bucket_mut(request)?.uploads.get_mut(&id) {
            upload.parts.insert(number, part);
        }
        Ok(())
    }

    pub(super) fn put_part(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let number = part_number(request)?;
        self.upload(request)?;
        let payload = Payload::of(request)?;
        let checksum = gate::checksum(request, &payload)?;
        let md5 = md5_of(&payload.bytes);
        let mut reply = Reply::empty(200).header("etag", format!("\"{md5}\""));
        reply.set(checksum.algorithm.header(), checksum.value.as_str());
        reply.set("x-amz-server-side-encryption", "AES256");
        let part = Part { bytes: payload.bytes, md5, checksum: Some(checksum), at: context.now };
        self.add_part(request, number, part)?;
        Ok(reply)
    }

    pub(super) fn copy_part(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let number = part_number(request)?;
        self.upload(request)?;
        let (stored, from_version) = self.source(request)?;
        let from_version = from_version.map(str::to_owned);
        let range = conditions::range(request.header("x-amz-copy-source-range"), stored.bytes.len())?;
        let bytes = range.map_or_else(|| stored.bytes.clone(), |range| stored.bytes.slice(range));
        let (md5, at) = (md5_of(&bytes), context.now);
        self.add_part(request, number, Part { bytes, md5: md5.clone(), checksum: None, at })?;
        let mut reply = Xml::reply("CopyPartResult", |xml| {
            xml.text("LastModified", iso(at));
            xml.text("ETag", format!("\"{md5}\""));
        });
        if let Some(version) = from_version {
            reply.set("x-amz-copy-source-version-id", version);
        }
        Ok(reply)
    }

    pub(super) fn list_parts(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let upload = self.upload(request)?;
        let max = number(request, "max-parts", PAGE_MAX, PAGE_MAX)?;
        let after = number(request, "part-number-marker", 0, PARTS_MAX as usize)?;
        let behind = upload.parts.iter().filter(|(number, _)| **number as usize > after);
        let found: Vec<_> = behind.take(max + 1).collect();
        let (shown, is_truncated) = (&found[..found.len().min(max)], found.len() > max);
        Ok(Xml::reply("ListPartsResult", |xml| {
            xml.text("Bucket", request.param("bucket"));
            xml.text("Key", &upload.key);
            xml.text("UploadId", &upload.id);
            initiator(xml);
            xml.text("StorageClass", "STANDARD");
            xml.number("PartNumberMarker", after);
            if let Some((last, _)) = shown.last() {
                xml.number("NextPartNumberMarker", **last as usize);
            }
            xml.number("MaxParts", max);
            xml.text("IsTruncated", is_truncated.to_string());
            for (number, part) in shown {
                xml.within("Part", |xml| {
                    xml.number("PartNumber", **number as usize);
                    xml.text("LastModified", iso(part.at));
                    xml.text("ETag", format!("\"{}\"", part.md5));
                    xml.number("Size", part.bytes.len());
                    if let Some(checksum) = &part.checksum {
                        checksum.add_elements(xml);
                    }
                });
            }
        }))
    }
}

fn part_number(request: &Request) -> Result<u32, Reply> {
    let text = names::asked(request, "partNumber").unwrap_or_default();
    let number = text.parse().ok().filter(|number| (1..=PARTS_MAX).contains(number));
    number.ok_or_else(|| {
        let message = "Part number must be an integer between 1 and 10000, inclusive";
        invalid_argument(message, "partNumber", text)
    })
}

pub(super) fn invalid_part(number: &str) -> Reply {
    let message = "One or more of the specified parts could not be found.  The part may not have been uploaded, or the \
        specified entity tag may not match the part's entity tag.";
    detailed(400, "InvalidPart", message, &[("PartNumber", number)])
}

pub(super) fn invalid_order() -> Reply {
    let message = "The list of parts was not in ascending order. Parts must be ordered by part number.";
    failed(400, "InvalidPartOrder", message)
}
