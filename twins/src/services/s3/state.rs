//! The tables for assertions, and what happens without a request.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    S3,
    model::{Bucket, Head, Stored, Version},
};
use crate::twin::Context;

const TEXT_BYTES_MAX: usize = 64 * 1024; // larger objects are shown by size and tag only

/// Somebody else stores or deletes an object.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Elsewhere {
    bucket: String,
    key: String,
    #[serde(default)]
    text: String,
    content_type: Option<String>,
}

impl S3 {
    pub(super) fn shown(&self) -> Value {
        let buckets = self.buckets.iter().map(|(name, bucket)| {
            let objects: Vec<_> = bucket
                .objects
                .iter()
                .filter_map(|(key, history)| {
                    let newest = history.0.last()?;
                    Some(shown(key, newest, newest.stored.as_ref()?, history.0.len()))
                })
                .collect();
            let uploads = bucket.uploads.oldest_first();
            let uploads =
                uploads.map(|upload| json!({"id": upload.id, "key": upload.key, "parts": upload.parts.len()}));
            json!({"name": name, "region": bucket.region, "created_at": bucket.created_at, "acl": bucket.acl.name(),
                "objects": objects, "uploads": uploads.collect::<Vec<_>>()})
        });
        json!({"buckets": buckets.collect::<Vec<_>>()})
    }

    pub(super) fn act_put(&mut self, context: &mut Context<'_>, argument: &Value) -> Result<Value, String> {
        let Elsewhere { bucket, key, text, content_type } = elsewhere(argument)?;
        let mut head = Head::default();
        head.headers.extend(content_type.map(|kind| ("content-type", kind)));
        let stored = Stored::new(text.into(), head);
        let etag = stored.etag.clone();
        self.other(&bucket)?.store(context, &key, Some(stored));
        Ok(json!({"bucket": bucket, "key": key, "etag": etag}))
    }

    pub(super) fn act_delete(&mut self, context: &mut Context<'_>, argument: &Value) -> Result<Value, String> {
        let Elsewhere { bucket, key, .. } = elsewhere(argument)?;
        let found = self.other(&bucket)?;
        if found.newest(&key).is_none() {
            return Err(format!("there is no object `{key}` in `{bucket}`"));
        }
        found.delete(context, &key, None);
        Ok(json!({"bucket": bucket, "key": key}))
    }

    fn other(&mut self, bucket: &str) -> Result<&mut Bucket, String> {
        self.buckets.get_mut(bucket).ok_or_else(|| format!("there is no bucket `{bucket}`"))
    }
}

fn elsewhere(argument: &Value) -> Result<Elsewhere, String> {
    let read: Elsewhere = serde_json::from_value(argument.clone()).map_err(|error| error.to_string())?;
    if read.content_type.as_deref().is_some_and(|kind| kind.chars().any(char::is_control)) {
        return Err("`content_type` must be one line".to_owned());
    }
    Ok(read)
}

fn shown(key: &str, version: &Version, stored: &Stored, versions: usize) -> Value {
    let text = std::str::from_utf8(&stored.bytes).ok().filter(|text| text.len() <= TEXT_BYTES_MAX);
    let tags: serde_json::Map<_, _> =
        stored.head.tags.0.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    json!({"key": key, "size_bytes": stored.bytes.len(), "etag": stored.etag.trim_matches('"'), "text": text,
        "content_type": stored.head.headers.get("content-type"), "metadata": stored.head.metadata, "tags": tags,
        "acl": stored.head.acl.name(), "modified_at": version.at, "version_id": version.id, "versions": versions})
}
