//! Where a request says which bucket and key it means, and what may be a name.

use std::borrow::Cow;

use super::errors::{detailed, failed};
use crate::http::{Reply, Request};

const KEY_BYTES_MAX: usize = 1_024; // the service's own limit

/// `/bucket/key`, also where the bucket is a part of the host.
pub(super) fn path(request: &Request) -> Cow<'_, str> {
    let bucket = request.header("host").and_then(bucket_of_host);
    match bucket {
        Some(bucket) if request.path == "/" => Cow::Owned(format!("/{bucket}")),
        Some(bucket) => Cow::Owned(format!("/{bucket}{}", request.path)),
        None => Cow::Borrowed(bare(&request.path)),
    }
}

/// `/bucket/` is the bucket, `/bucket//` an object whose key is a slash.
fn bare(path: &str) -> &str {
    match path.strip_suffix('/') {
        Some(bucket) if bucket.len() > 1 && !bucket[1..].contains('/') => bucket,
        _ => path,
    }
}

/// `photos.s3.amazonaws.com`, `photos.s3.eu-west-1.amazonaws.com`, `photos.s3.localhost:4010`, `photos.localhost`.
fn bucket_of_host(host: &str) -> Option<&str> {
    let name = host.split(':').next().unwrap_or_default();
    let bucket = if let Some(name) = name.strip_suffix(".localhost") {
        name.strip_suffix(".s3").unwrap_or(name)
    } else {
        let name = name.strip_suffix(".amazonaws.com")?;
        &name[..name.rfind(".s3.").or_else(|| name.rfind(".s3-")).or_else(|| name.strip_suffix(".s3").map(str::len))?]
    };
    (bucket != "s3").then_some(bucket)
}

pub(super) fn is_bucket_name(name: &str) -> bool {
    let fits = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || matches!(letter, '.' | '-');
    let edge = |letter: Option<char>| letter.is_some_and(|letter| letter.is_ascii_alphanumeric());
    (3..=63).contains(&name.len())
        && name.chars().all(fits)
        && edge(name.chars().next())
        && edge(name.chars().last())
        && !name.contains("..")
        && name.parse::<std::net::Ipv4Addr>().is_err()
}

pub(super) fn invalid_bucket_name(name: &str) -> Reply {
    detailed(400, "InvalidBucketName", "The specified bucket is not valid.", &[("BucketName", name)])
}

pub(super) fn check_key(key: &str) -> Result<(), Reply> {
    if key.len() <= KEY_BYTES_MAX {
        return Ok(());
    }
    let (size, max) = (key.len().to_string(), KEY_BYTES_MAX.to_string());
    let details = [("Size", size.as_str()), ("MaxSizeAllowed", &max)];
    Err(detailed(400, "KeyTooLongError", "Your key is too long", &details))
}

/// What asks for something of a bucket or object that this twin does not have; such a request must not be taken for
/// one without the question.
const ABSENT: [&str; 24] = [
    "accelerate",
    "analytics",
    "attributes",
    "cors",
    "encryption",
    "intelligent-tiering",
    "inventory",
    "legal-hold",
    "lifecycle",
    "logging",
    "metadataTable",
    "metrics",
    "notification",
    "object-lock",
    "ownershipControls",
    "policy",
    "policyStatus",
    "publicAccessBlock",
    "replication",
    "requestPayment",
    "restore",
    "retention",
    "select",
    "website",
];

/// A request for the bucket or object itself.
pub(super) fn is_plain(request: &Request) -> bool {
    request.query.as_object().is_none_or(|query| query.keys().all(|name| !ABSENT.contains(&name.as_str())))
}

/// A parameter of the query.
pub(super) fn asked<'r>(request: &'r Request, name: &str) -> Option<&'r str> {
    request.query.get(name)?.as_str()
}

/// A number of the query; what is none is refused.
pub(super) fn number(request: &Request, name: &str, default: usize, max: usize) -> Result<usize, Reply> {
    match asked(request, name).filter(|text| !text.is_empty()) {
        None => Ok(default),
        Some(text) => match text.parse::<usize>() {
            Ok(number) => Ok(number.min(max)),
            Err(_) => {
                let message = format!("Provided {name} not an integer or within integer range");
                Err(super::errors::invalid_argument(&message, name, text))
            }
        },
    }
}

/// `BucketAlreadyExists`: another account has it.
pub(super) fn taken(name: &str) -> Reply {
    let message = "The requested bucket name is not available. The bucket namespace is shared by all users of the \
        system. Please select a different name and try again.";
    detailed(409, "BucketAlreadyExists", message, &[("BucketName", name)])
}

pub(super) fn not_empty(name: &str) -> Reply {
    let message = "The bucket you tried to delete is not empty";
    detailed(409, "BucketNotEmpty", message, &[("BucketName", name)])
}

pub(super) fn no_such_tag_set(name: &str) -> Reply {
    detailed(404, "NoSuchTagSet", "The TagSet does not exist", &[("BucketName", name)])
}

pub(super) fn illegal_version() -> Reply {
    failed(400, "IllegalVersioningConfigurationException", "The Versioning element must be specified")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bucket_is_found_in_the_path_or_the_host() {
        for (host, bucket) in [
            ("photos.s3.amazonaws.com", Some("photos")),
            ("a.b.s3.eu-west-1.amazonaws.com:443", Some("a.b")),
            ("photos.s3-eu-west-1.amazonaws.com", Some("photos")),
            ("photos.s3.localhost:4010", Some("photos")),
            ("photos.localhost", Some("photos")),
            ("s3.localhost", None),
            ("s3.amazonaws.com", None),
            ("127.0.0.1:4010", None),
        ] {
            assert_eq!(bucket_of_host(host), bucket, "{host}");
        }
        assert_eq!(
            (bare("/b/"), bare("/b"), bare("/"), bare("/b//"), bare("/b/k/")),
            ("/b", "/b", "/", "/b//", "/b/k/")
        );
    }

    #[test]
    fn bucket_names_follow_the_rules() {
        for name in ["abc", "a.b-c.9", &"a".repeat(63)] {
            assert!(is_bucket_name(name), "{name}");
        }
        for name in ["ab", "Abc", "a_bc", "-abc", "abc-", "a..b", "10.0.0.1", &"a".repeat(64)] {
            assert!(!is_bucket_name(name), "{name}");
        }
    }
}
