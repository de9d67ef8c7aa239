//! What a test may set up: who may sign requests, and the buckets that are there from the start.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Deserialize;

use super::{
    S3,
    access::Acl,
    model::{Bucket, Head, Stored, Version, Versioning},
    names,
};
use crate::TwinError;

/// When everything of the configuration was made.
const BORN: Timestamp = Timestamp::constant(1_767_225_600, 0); // 2026-01-01

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in super::super) struct Config {
    access_keys: Vec<AccessKey>,
    /// Of buckets that are made without a location constraint.
    region: String,
    buckets: Vec<BucketConfig>,
    /// Names of buckets that other accounts have.
    taken_names: BTreeSet<String>,
    /// How far a request's time may be from the virtual clock; none: it is not compared.
    max_clock_skew_s: Option<u32>,
}

/// Who may sign.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AccessKey {
    pub(super) access_key_id: String,
    pub(super) secret_access_key: String,
    /// Of temporary credentials, which must send it.
    pub(super) session_token: Option<String>,
    pub(super) expires_at: Option<Timestamp>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BucketConfig {
    name: String,
    #[serde(default)]
    versioning: bool,
    /// Its objects' too.
    #[serde(default)]
    acl: Acl,
    /// Text by key.
    #[serde(default)]
    objects: BTreeMap<String, String>,
}

impl Default for Config {
    fn default() -> Self {
        let key = AccessKey {
            access_key_id: "AKIATWIN".to_owned(),
            secret_access_key: "twin".to_owned(),
            session_token: None,
            expires_at: None,
        };
        let (buckets, taken_names) = Default::default();
        let region = "us-east-1".to_owned();
        Self { access_keys: vec![key], region, buckets, taken_names, max_clock_skew_s: None }
    }
}

impl S3 {
    pub(in super::super) fn open(config: Config) -> Result<Self, TwinError> {
        let Config { access_keys, region, buckets, taken_names, max_clock_skew_s } = config;
        let keys = access_keys.into_iter().map(|key| (key.access_key_id.clone(), key)).collect();
        let mut s3 = Self { keys, region, buckets: BTreeMap::new(), taken_names, max_clock_skew_s };
        for bucket in buckets {
            if !names::is_bucket_name(&bucket.name) {
                let why = format!("`{}` is no name for a bucket: 3 to 63 of a-z, 0-9, `.` and `-`", bucket.name);
                return Err(TwinError::Config { twin: "s3".to_owned(), why });
            }
            let (name, bucket) = s3.configured(bucket);
            s3.buckets.insert(name, bucket);
        }
        Ok(s3)
    }

    fn configured(&self, config: BucketConfig) -> (String, Bucket) {
        let mut bucket = Bucket::new(&self.region, BORN);
        bucket.acl = config.acl;
        if config.versioning {
            bucket.versioning = Versioning::Enabled;
        }
        for (key, text) in config.objects {
            let head = Head { acl: config.acl, ..Head::default() };
            let stored = Stored::new(text.into(), head);
            bucket.put(&key, Version::null(BORN, Some(stored)));
        }
        (config.name, bucket)
    }
}
