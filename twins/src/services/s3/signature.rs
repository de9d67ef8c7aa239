//! Signature version 4: what a request claims, and the signature that it should have. Pure; `gate` decides what
//! follows. A request signs its method, path, query, some headers and the hash of its body.

use hmac::{Hmac, KeyInit, Mac};
use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use sha2::{Digest, Sha256};

use super::errors::{failed, signature_does_not_match};
use crate::http::{Reply, Request};

pub(super) const ALGORITHM: &str = "AWS4-HMAC-SHA256";
pub(super) const UNSIGNED: &str = "UNSIGNED-PAYLOAD";
const EXPIRES_MAX_S: i64 = 604_800; // a week, the service's own limit
/// What stays as it is in a canonical path or query.
const RESERVED: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const RESERVED_IN_PATH: AsciiSet = RESERVED.remove(b'/');

/// What a request says about who signed it, and how.
#[derive(Debug)]
pub(super) struct Claim {
    pub(super) access_key_id: String,
    /// Day, region, service and terminator: what the key is derived for.
    scope: String,
    pub(super) at: Timestamp,
    /// As it was written.
    pub(super) at_text: String,
    signed_headers: Vec<String>,
    pub(super) signature: String,
    pub(super) session_token: Option<String>,
    /// The value of `x-amz-content-sha256`.
    pub(super) payload: String,
    /// Of a presigned URL.
    pub(super) expires_s: Option<i64>,
}

impl Claim {
    /// None: the request is not signed.
    pub(super) fn of(request: &Request) -> Result<Option<Self>, Reply> {
        let query = |name: &str| request.query.get(name).and_then(|value| value.as_str());
        match request.header("authorization") {
            Some(header) if header.starts_with(ALGORITHM) => Self::of_header(request, header).map(Some),
            Some(_) => {
                let message = "The authorization mechanism you have provided is not supported. Please use \
                    AWS4-HMAC-SHA256.";
                Err(failed(400, "InvalidRequest", message))
            }
            None if query("X-Amz-Algorithm").is_some() => Self::of_query(query).map(Some),
            None => Ok(None),
        }
    }

    fn of_header(request: &Request, header: &str) -> Result<Self, Reply> {
        let field = |name: &str| {
            let fields = header[ALGORITHM.len()..].split(',');
            let found = fields.filter_map(|field| field.trim().split_once('=')).find(|(known, _)| *known == name);
            found.map(|(_, value)| value).ok_or_else(|| {
                let message = format!("The authorization header is malformed; missing {name}.");
                failed(400, "AuthorizationHeaderMalformed", &message)
            })
        };
        let dated = request.header("x-amz-date").and_then(|text| Some((text, instant(text)?)));
        let (at_text, at) = dated.ok_or_else(|| {
            failed(403, "AccessDenied", "AWS authentication requires a valid Date or x-amz-date header")
        })?;
        let payload = request.header("x-amz-content-sha256").ok_or_else(|| {
            failed(400, "InvalidRequest", "Missing required header for this request: x-amz-content-sha256")
        })?;
        let (access_key_id, scope) = scoped(field("Credential")?, at_text).ok_or_else(|| {
            let message = "The authorization header is malformed; the Credential is mal-formed; expecting \
                \"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\".";
            failed(400, "AuthorizationHeaderMalformed", message)
        })?;
        Ok(Self {
            access_key_id,
            scope,
            at,
            at_text: at_text.to_owned(),
            signed_headers: field("SignedHeaders")?.split(';').map(str::to_owned).collect(),
            signature: field("Signature")?.to_owned(),
            session_token: request.header("x-amz-security-token").map(str::to_owned),
            payload: payload.to_owned(),
            expires_s: None,
        })
    }

    fn of_query<'q>(query: impl Fn(&str) -> Option<&'q str>) -> Result<Self, Reply> {
        let bad = |message: &str| failed(400, "AuthorizationQueryParametersError", message);
        let field = |name: &str| {
            query(name).ok_or_else(|| {
                bad("Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, \
                    X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.")
            })
        };
        if field("X-Amz-Algorithm")? != ALGORITHM {
            return Err(bad("X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256\""));
        }
        let at_text = field("X-Amz-Date")?;
        let at = instant(at_text)
            .ok_or_else(|| bad("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\""))?;
        let expires_s: i64 = field("X-Amz-Expires")?.parse().map_err(|_| bad("X-Amz-Expires should be a number"))?;
        if expires_s < 0 {
            return Err(bad("X-Amz-Expires must be non-negative"));
        }
        if expires_s > EXPIRES_MAX_S {
            return Err(bad(
                "X-Amz-Expires must be less than a week (in seconds) that is, the given X-Amz-Expires must \
                be less than 604800 seconds",
            ));
        }
        let (access_key_id, scope) = scoped(field("X-Amz-Credential")?, at_text).ok_or_else(|| {
            bad("Error parsing the X-Amz-Credential parameter; the Credential is mal-formed; expecting \
                \"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\".")
        })?;
        Ok(Self {
            access_key_id,
            scope,
            at,
            at_text: at_text.to_owned(),
            signed_headers: field("X-Amz-SignedHeaders")?.split(';').map(str::to_owned).collect(),
            signature: field("X-Amz-Signature")?.to_owned(),
            session_token: query("X-Amz-Security-Token").map(str::to_owned),
            payload: query("X-Amz-Content-Sha256").unwrap_or(UNSIGNED).to_owned(),
            expires_s: Some(expires_s),
        })
    }

    /// Refuses a request whose signature is not the one that `secret` gives.
    pub(super) fn check(&self, request: &Request, secret: &str) -> Result<(), Reply> {
        let canonical = self.canonical(request);
        let hash = hex::encode(Sha256::digest(&canonical));
        let to_sign = format!("{ALGORITHM}\n{}\n{}\n{hash}", self.at_text, self.scope);
        let wanted = self.signature_of(secret, &to_sign);
        if crate::twin::check_secret(&self.signature, &wanted).is_ok() {
            return Ok(());
        }
        let details = [
            ("AWSAccessKeyId", self.access_key_id.as_str()),
            ("StringToSign", &to_sign),
            ("SignatureProvided", &self.signature),
            ("StringToSignBytes", &spaced_hex(&to_sign)),
            ("CanonicalRequest", &canonical),
            ("CanonicalRequestBytes", &spaced_hex(&canonical)),
        ];
        Err(signature_does_not_match(&details))
    }

    /// The signature of one chunk, or of the trailer, which continues the one before it.
    pub(super) fn chunk_signature(&self, secret: &str, kind: &str, previous: &str, hashes: &str) -> String {
        let to_sign = format!("{ALGORITHM}-{kind}\n{}\n{}\n{previous}\n{hashes}", self.at_text, self.scope);
        self.signature_of(secret, &to_sign)
    }

    fn signature_of(&self, secret: &str, to_sign: &str) -> String {
        let first = format!("AWS4{secret}").into_bytes();
        let key = self.scope.split('/').fold(first, |key, part| keyed(&key, part.as_bytes()));
        hex::encode(keyed(&key, to_sign.as_bytes()))
    }

    fn canonical(&self, request: &Request) -> String {
        let path = format!("{}{}", request.mount, request.path);
        let decoded: Vec<u8> = percent_decode_str(&path).collect();
        let path = percent_encoding::percent_encode(&decoded, &RESERVED_IN_PATH);
        let mut headers = String::new();
        for name in &self.signed_headers {
            let values = request.headers.iter().filter(|(known, _)| known == name).map(|(_, value)| one_spaced(value));
            headers.push_str(&format!("{name}:{}\n", values.collect::<Vec<_>>().join(",")));
        }
        let (query, signed) = (canonical_query(&request.raw_query), self.signed_headers.join(";"));
        format!("{}\n{path}\n{query}\n{headers}\n{signed}\n{}", request.method, self.payload)
    }
}

fn keyed(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}

/// The key id, and the scope, whose day must be the one of the request's time.
fn scoped(credential: &str, at: &str) -> Option<(String, String)> {
    let mut parts = credential.rsplitn(5, '/');
    let (terminator, service, region, day, id) =
        (parts.next()?, parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let is_well = terminator == "aws4_request" && service == "s3" && !region.is_empty() && at.starts_with(day);
    (is_well && day.len() == 8).then(|| (id.to_owned(), format!("{day}/{region}/{service}/{terminator}")))
}

/// `20261120T120000Z`
fn instant(text: &str) -> Option<Timestamp> {
    let time = DateTime::strptime("%Y%m%dT%H%M%SZ", text).ok()?;
    time.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}

fn canonical_query(raw: &str) -> String {
    let pairs = url::form_urlencoded::parse(raw.as_bytes()).filter(|(name, _)| name != "X-Amz-Signature");
    let encode = |text: &str| utf8_percent_encode(text, &RESERVED).to_string();
    let mut pairs: Vec<_> = pairs.map(|(name, value)| (encode(&name), encode(&value))).collect();
    pairs.sort();
    pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

fn one_spaced(value: &str) -> String {
    value.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
}

fn spaced_hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_name_day_region_and_service() {
        let scope = |credential| scoped(credential, "20261120T120000Z").map(|found| found.0);
        assert_eq!(scope("AK/with/slash/20261120/us-east-1/s3/aws4_request").as_deref(), Some("AK/with/slash"));
        for bad in ["AK", "AK/20261121/us-east-1/s3/aws4_request", "AK/20261120/us-east-1/sqs/aws4_request"] {
            assert_eq!(scope(bad), None, "{bad}");
        }
        assert_eq!(instant("20261120T120000Z").map(Timestamp::as_second), Some(1_795_176_000));
        assert_eq!(instant("2026-11-20"), None);
    }

    #[test]
    fn queries_are_sorted_and_encoded_once() {
        assert_eq!(canonical_query("b=2&a=x+y%2F&X-Amz-Signature=z&acl"), "a=x%20y%2F&acl=&b=2");
        assert_eq!(one_spaced("  a   b "), "a b");
    }
}
