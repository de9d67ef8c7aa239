//! Lists of all versions: by key, the newest of each first.

use super::{
    S3, access,
    listing::{Filter, describe, iso},
    model::{Bucket, Version},
    names::asked,
    xml::Xml,
};
use crate::{
    http::Request,
    twin::{Answer, Context},
};

enum Line<'b> {
    Version(&'b str, &'b Version, Newest),
    Prefix(&'b str),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Newest {
    Yes,
    No,
}

impl Bucket {
    /// All lines behind a key, or behind one of its versions.
    fn lines<'b>(&'b self, filter: &Filter<'b>, key_marker: &'b str, version_marker: Option<&str>) -> Vec<Line<'b>> {
        let mut lines = Vec::new();
        if let Some((key, history)) = self.objects.get_key_value(key_marker).filter(|_| version_marker.is_some()) {
            let newest_first = history.0.iter().rev();
            let rest = newest_first.skip_while(|version| Some(version.id.as_str()) != version_marker).skip(1);
            lines.extend(rest.map(|version| Line::Version(key, version, Newest::No)));
        }
        for (key, history) in self.keys_after(filter.prefix, key_marker) {
            match filter.folded(key) {
                Some(prefix) if prefix == key_marker => {}
                Some(prefix) => {
                    if !matches!(lines.last(), Some(Line::Prefix(last)) if *last == prefix) {
                        lines.push(Line::Prefix(prefix));
                    }
                }
                None => lines.extend(history.0.iter().rev().enumerate().map(|(place, version)| {
                    Line::Version(key, version, if place == 0 { Newest::Yes } else { Newest::No })
                })),
            }
            if lines.len() > filter.max {
                break;
            }
        }
        lines
    }
}

impl S3 {
    pub(super) fn list_versions(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let filter = Filter::of(request, "max-keys")?;
        let key_marker = asked(request, "key-marker").unwrap_or_default();
        let version_marker = asked(request, "version-id-marker").filter(|id| !id.is_empty());
        let mut lines = self.bucket(request)?.lines(&filter, key_marker, version_marker);
        let is_truncated = filter.max > 0 && lines.len() > filter.max;
        lines.truncate(filter.max);
        Ok(Xml::reply("ListVersionsResult", |xml| {
            xml.text("Name", request.param("bucket"));
            filter.write(xml, "KeyMarker", key_marker);
            xml.text("VersionIdMarker", version_marker.unwrap_or_default());
            filter.echo(xml, "MaxKeys");
            xml.text("IsTruncated", is_truncated.to_string());
            match lines.last().filter(|_| is_truncated) {
                Some(Line::Version(key, version, _)) => {
                    filter.write(xml, "NextKeyMarker", key);
                    xml.text("NextVersionIdMarker", &version.id);
                }
                Some(Line::Prefix(prefix)) => filter.write(xml, "NextKeyMarker", prefix),
                None => {}
            }
            for line in &lines {
                if let Line::Version(key, version, newest) = line {
                    write_version(xml, &filter, key, version, *newest);
                }
            }
            for line in &lines {
                if let Line::Prefix(prefix) = line {
                    xml.within("CommonPrefixes", |xml| filter.write(xml, "Prefix", prefix));
                }
            }
        }))
    }
}

fn write_version(xml: &mut Xml, filter: &Filter<'_>, key: &str, version: &Version, newest: Newest) {
    let name = if version.stored.is_some() { "Version" } else { "DeleteMarker" };
    xml.within(name, |xml| {
        filter.write(xml, "Key", key);
        xml.text("VersionId", &version.id);
        xml.text("IsLatest", (newest == Newest::Yes).to_string());
        match &version.stored {
            Some(stored) => describe(xml, version.at, stored),
            None => xml.text("LastModified", iso(version.at)),
        }
        xml.within("Owner", access::owner);
    });
}
