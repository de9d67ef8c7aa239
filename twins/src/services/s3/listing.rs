//! Lists of objects, page by page, folded at a delimiter. Both versions of the call read the same page.

use std::ops::Bound;

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::{
    S3, access, errors,
    model::{Bucket, Stored, Version},
    names::{asked, number},
    xml::Xml,
};
use crate::{
    http::{Reply, Request},
    twin::{Answer, Context},
};

pub(super) const PAGE_MAX: usize = 1_000; // the service's own page
const ENCODED: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// What a list is asked for.
pub(super) struct Filter<'r> {
    pub(super) prefix: &'r str,
    /// Empty: nothing is folded.
    pub(super) delimiter: &'r str,
    pub(super) max: usize,
    encodes: bool,
}

/// One line of a list: an object, or all keys that go on alike up to the delimiter.
enum Line<'b> {
    Object(&'b str, &'b Version, &'b Stored),
    Prefix(&'b str),
}

struct Page<'b> {
    lines: Vec<Line<'b>>,
    is_truncated: bool,
}

impl<'r> Filter<'r> {
    pub(super) fn of(request: &'r Request, max_name: &'static str) -> Result<Self, Reply> {
        let encodes = match asked(request, "encoding-type") {
            None | Some("") => false,
            Some("url") => true,
            Some(other) => {
                let message = "Invalid Encoding Method specified in Request";
                return Err(errors::invalid_argument(message, "encoding-type", other));
            }
        };
        Ok(Self {
            prefix: asked(request, "prefix").unwrap_or_default(),
            delimiter: asked(request, "delimiter").unwrap_or_default(),
            max: number(request, max_name, PAGE_MAX, PAGE_MAX)?,
            encodes,
        })
    }

    /// What all keys that are folded with this one have in common.
    pub(super) fn folded<'k>(&self, key: &'k str) -> Option<&'k str> {
        let rest = key.strip_prefix(self.prefix).filter(|_| !self.delimiter.is_empty())?;
        let end = rest.find(self.delimiter)? + self.delimiter.len();
        Some(&key[..self.prefix.len() + end])
    }

    pub(super) fn write(&self, xml: &mut Xml, name: &str, key: &str) {
        if self.encodes {
            xml.text(name, utf8_percent_encode(key, &ENCODED).to_string());
        } else {
            xml.text(name, key);
        }
    }

    /// The parameters, as they come back.
    pub(super) fn echo(&self, xml: &mut Xml, max_name: &str) {
        self.write(xml, "Prefix", self.prefix);
        if !self.delimiter.is_empty() {
            self.write(xml, "Delimiter", self.delimiter);
        }
        xml.number(max_name, self.max);
        if self.encodes {
            xml.text("EncodingType", "url");
        }
    }
}

impl Bucket {
    /// Keys behind `after`, in order, with what is under them.
    pub(super) fn keys_after<'b>(
        &'b self,
        prefix: &'b str,
        after: &'b str,
    ) -> impl Iterator<Item = (&'b str, &'b super::model::History)> {
        let from = if after >= prefix && !after.is_empty() { Bound::Excluded(after) } else { Bound::Included(prefix) };
        let behind = self.objects.range::<str, _>((from, Bound::Unbounded));
        behind.map(|(key, history)| (&**key, history)).take_while(move |(key, _)| key.starts_with(prefix))
    }

    fn page<'b>(&'b self, filter: &Filter<'b>, after: &'b str) -> Page<'b> {
        let mut page = Page { lines: Vec::new(), is_truncated: false };
        for (key, history) in self.keys_after(filter.prefix, after) {
            let Some(version) = history.0.last() else { continue };
            let Some(stored) = &version.stored else { continue };
            let line = match filter.folded(key) {
                // A page that ended with a prefix goes on behind all of its keys.
                Some(prefix) if prefix == after => continue,
                Some(prefix) if page.ends_with(prefix) => continue,
                Some(prefix) => Line::Prefix(prefix),
                None => Line::Object(key, version, stored),
            };
            if page.lines.len() == filter.max {
                page.is_truncated = filter.max > 0;
                break;
            }
            page.lines.push(line);
        }
        page
    }
}

impl<'b> Page<'b> {
    fn ends_with(&self, prefix: &str) -> bool {
        matches!(self.lines.last(), Some(Line::Prefix(last)) if *last == prefix)
    }

    /// What the next page begins behind.
    fn next(&self) -> Option<&'b str> {
        let last = self.lines.last().filter(|_| self.is_truncated)?;
        Some(match last {
            Line::Object(key, ..) => key,
            Line::Prefix(prefix) => prefix,
        })
    }

    fn write(&self, xml: &mut Xml, filter: &Filter<'_>, with_owner: bool) {
        for line in &self.lines {
            if let Line::Object(key, version, stored) = line {
                xml.within("Contents", |xml| {
                    filter.write(xml, "Key", key);
                    describe(xml, version.at, stored);
                    if with_owner {
                        xml.within("Owner", access::owner);
                    }
                });
            }
        }
        for line in &self.lines {
            if let Line::Prefix(prefix) = line {
                xml.within("CommonPrefixes", |xml| filter.write(xml, "Prefix", prefix));
            }
        }
    }
}

/// What lists say of an object.
pub(super) fn describe(xml: &mut Xml, at: Timestamp, stored: &Stored) {
    xml.text("LastModified", iso(at));
    xml.text("ETag", &stored.etag);
    if let Some(checksum) = &stored.checksum {
        xml.text("ChecksumAlgorithm", checksum.algorithm.name());
        xml.text("ChecksumType", checksum.kind_name());
    }
    xml.number("Size", stored.bytes.len());
    let class = &stored.head.storage_class;
    xml.text("StorageClass", if class.is_empty() { "STANDARD" } else { class });
}

pub(super) fn iso(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.000Z").to_string()
}

impl S3 {
    pub(super) fn list_objects(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let filter = Filter::of(request, "max-keys")?;
        let marker = asked(request, "marker").unwrap_or_default();
        let page = self.bucket(request)?.page(&filter, marker);
        Ok(Xml::reply("ListBucketResult", |xml| {
            xml.text("Name", request.param("bucket"));
            filter.write(xml, "Marker", marker);
            filter.echo(xml, "MaxKeys");
            xml.text("IsTruncated", page.is_truncated.to_string());
            // Without a delimiter the last key is the next marker.
            if let Some(next) = page.next().filter(|_| !filter.delimiter.is_empty()) {
                filter.write(xml, "NextMarker", next);
            }
            page.write(xml, &filter, true);
        }))
    }

    pub(super) fn list_objects_v2(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let filter = Filter::of(request, "max-keys")?;
        let start_after = asked(request, "start-after").unwrap_or_default();
        let token = asked(request, "continuation-token");
        let after = match token {
            None => start_after.to_owned(),
            Some(token) => read_token(token).ok_or_else(|| {
                let message = "The continuation token provided is incorrect";
                errors::invalid_argument(message, "continuation-token", token)
            })?,
        };
        let page = self.bucket(request)?.page(&filter, &after);
        let with_owner = asked(request, "fetch-owner") == Some("true");
        Ok(Xml::reply("ListBucketResult", |xml| {
            xml.text("Name", request.param("bucket"));
            filter.echo(xml, "MaxKeys");
            xml.number("KeyCount", page.lines.len());
            xml.text("IsTruncated", page.is_truncated.to_string());
            if let Some(token) = token {
                xml.text("ContinuationToken", token);
            }
            if let Some(next) = page.next() {
                xml.text("NextContinuationToken", BASE64_URL_SAFE_NO_PAD.encode(next));
            }
            if !start_after.is_empty() {
                filter.write(xml, "StartAfter", start_after);
            }
            page.write(xml, &filter, with_owner);
        }))
    }
}

/// Clients must not read it, so it is written unreadably.
fn read_token(token: &str) -> Option<String> {
    String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(token).ok()?).ok()
}
