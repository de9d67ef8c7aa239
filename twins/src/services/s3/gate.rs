//! What happens before every operation: who asks, since when, and whether the body arrived as it was sent.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use jiff::{SignedDuration, Timestamp};
use md5::{Digest, Md5};
use sha2::Sha256;

use super::{
    S3,
    checksums::{Algorithm, Checksum},
    chunked::{self, Payload},
    config::AccessKey,
    errors::{self, detailed, failed},
    signature::{Claim, UNSIGNED},
    signature_v2::UrlClaim,
};
use crate::{
    http::{Reply, Request},
    twin::Context,
};

impl S3 {
    pub(super) fn let_in(&self, context: &Context<'_>, request: &Request, operation: &str) -> Result<(), Reply> {
        if let Some(claim) = Claim::of(request)? {
            self.admit_signed(context.now, request, &claim)?;
        } else if let Some(claim) = UrlClaim::of(request)? {
            let key = self.key(&claim.access_key_id, claim.session_token.as_deref(), context.now)?;
            check_expiry(claim.expires_at, context.now, &[])?;
            claim.check(request, &key.secret_access_key)?;
        } else if !self.is_public(request, operation) {
            return Err(errors::access_denied());
        }
        check_body(request)
    }

    fn admit_signed(&self, now: Timestamp, request: &Request, claim: &Claim) -> Result<(), Reply> {
        let key = self.key(&claim.access_key_id, claim.session_token.as_deref(), now)?;
        match claim.expires_s {
            Some(expires_s) => {
                let until = claim.at.saturating_add(SignedDuration::from_secs(expires_s));
                let details = [("X-Amz-Expires", expires_s.to_string())];
                check_expiry(until.expect("a signed duration saturates"), now, &details)?;
            }
            None => self.check_skew(claim, now)?,
        }
        claim.check(request, &key.secret_access_key)?;
        chunked::check_signatures(request, claim, &key.secret_access_key)?;
        check_hash(request, &claim.payload)
    }

    fn key(&self, id: &str, token: Option<&str>, now: Timestamp) -> Result<&AccessKey, Reply> {
        let key = self.keys.get(id).ok_or_else(|| {
            let message = "The AWS Access Key Id you provided does not exist in our records.";
            detailed(403, "InvalidAccessKeyId", message, &[("AWSAccessKeyId", id)])
        })?;
        if key.session_token.as_deref() != token {
            let message = "The provided token is malformed or otherwise invalid.";
            return Err(failed(400, "InvalidToken", message));
        }
        if key.expires_at.is_some_and(|end| end <= now) {
            return Err(errors::expired_token());
        }
        Ok(key)
    }

    /// Clients sign by the clock on the wall, and the virtual clock stands still between requests: so the two are
    /// compared only where the configuration asks for it.
    fn check_skew(&self, claim: &Claim, now: Timestamp) -> Result<(), Reply> {
        let Some(max_s) = self.max_clock_skew_s else { return Ok(()) };
        if claim.at.duration_since(now).unsigned_abs().as_secs() <= u64::from(max_s) {
            return Ok(());
        }
        let message = "The difference between the request time and the current time is too large.";
        let details = [
            ("RequestTime", claim.at_text.as_str()),
            ("ServerTime", &now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()),
            ("MaxAllowedSkewMilliseconds", &(u64::from(max_s) * 1_000).to_string()),
        ];
        Err(detailed(403, "RequestTimeTooSkewed", message, &details))
    }
}

fn check_expiry(until: Timestamp, now: Timestamp, more: &[(&str, String)]) -> Result<(), Reply> {
    if now <= until {
        return Ok(());
    }
    let written = |at: Timestamp| at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let (expires, server) = (written(until), written(now));
    let mut details: Vec<_> = more.iter().map(|(name, value)| (*name, value.as_str())).collect();
    details.extend([("Expires", expires.as_str()), ("ServerTime", &server)]);
    Err(detailed(403, "AccessDenied", "Request has expired", &details))
}

/// The hash that was signed is the body's.
fn check_hash(request: &Request, said: &str) -> Result<(), Reply> {
    if said == UNSIGNED || chunked::is_chunked(request) {
        return Ok(());
    }
    let real = hex::encode(Sha256::digest(&request.body));
    if said == real {
        return Ok(());
    }
    let message = "The provided 'x-amz-content-sha256' header does not match what was computed.";
    let details = [("ClientComputedContentSHA256", said), ("S3ComputedContentSHA256", real.as_str())];
    Err(detailed(400, "XAmzContentSHA256Mismatch", message, &details))
}

/// What the client says of the body's integrity is so.
fn check_body(request: &Request) -> Result<(), Reply> {
    let payload = Payload::of(request)?;
    if let Some(said) = request.header("content-md5") {
        let real = BASE64_STANDARD.encode(Md5::digest(&payload.bytes));
        if BASE64_STANDARD.decode(said).map_or(0, |bytes| bytes.len()) != 16 {
            return Err(failed(400, "InvalidDigest", "The Content-MD5 you specified was invalid."));
        }
        if said != real {
            let message = "The Content-MD5 you specified did not match what we received.";
            let details = [("ExpectedDigest", said), ("CalculatedDigest", real.as_str())];
            return Err(detailed(400, "BadDigest", message, &details));
        }
    }
    // The checksum in the request that completes an upload is the object's, and so are those of a copy.
    if request.method == "PUT" { checksum(request, &payload).map(drop) } else { Ok(()) }
}

/// The checksum that came with the body; where there is none, the one that the service makes by itself.
pub(super) fn checksum(request: &Request, payload: &Payload) -> Result<Checksum, Reply> {
    let said = |algorithm: &Algorithm| Some((*algorithm, payload.header(request, algorithm.header())?));
    match Algorithm::ALL.iter().find_map(said) {
        Some((algorithm, said)) => Checksum::checked(algorithm, said, &payload.bytes),
        None => {
            let named = request.header("x-amz-sdk-checksum-algorithm").and_then(Algorithm::named);
            Ok(Checksum::of(named.unwrap_or(Algorithm::Crc64Nvme), &payload.bytes))
        }
    }
}
