//! Signature version 2 in a URL, which Python's SDK still makes in us-east-1 when it is not told otherwise.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use sha1::Sha1;

use super::{
    errors::{failed, signature_does_not_match},
    names::{self, asked},
};
use crate::http::{Reply, Request};

/// Parameters that are a part of the resource.
const SIGNED: [&str; 19] = [
    "acl",
    "delete",
    "location",
    "partNumber",
    "response-cache-control",
    "response-content-disposition",
    "response-content-encoding",
    "response-content-language",
    "response-content-type",
    "response-expires",
    "tagging",
    "torrent",
    "uploadId",
    "uploads",
    "versionId",
    "versioning",
    "versions",
    "policy",
    "website",
];

#[derive(Debug)]
pub(super) struct UrlClaim {
    pub(super) access_key_id: String,
    pub(super) expires_at: Timestamp,
    pub(super) session_token: Option<String>,
    signature: String,
    expires: String,
}

impl UrlClaim {
    pub(super) fn of(request: &Request) -> Result<Option<Self>, Reply> {
        let Some(id) = asked(request, "AWSAccessKeyId") else { return Ok(None) };
        let (signature, expires) = asked(request, "Signature").zip(asked(request, "Expires")).ok_or_else(|| {
            let message = "Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters";
            failed(403, "AccessDenied", message)
        })?;
        let expires_at = expires.parse().ok().and_then(|second| Timestamp::from_second(second).ok());
        let expires_at = expires_at.ok_or_else(|| {
            failed(403, "AccessDenied", &format!("Invalid date (should be seconds since epoch): {expires}"))
        })?;
        Ok(Some(Self {
            access_key_id: id.to_owned(),
            expires_at,
            session_token: asked(request, "x-amz-security-token").map(str::to_owned),
            signature: signature.to_owned(),
            expires: expires.to_owned(),
        }))
    }

    pub(super) fn check(&self, request: &Request, secret: &str) -> Result<(), Reply> {
        let to_sign = self.to_sign(request);
        let mut mac = Hmac::<Sha1>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
        mac.update(to_sign.as_bytes());
        let wanted = BASE64_STANDARD.encode(mac.finalize().into_bytes());
        if crate::twin::check_secret(&self.signature, &wanted).is_ok() {
            return Ok(());
        }
        let details = [
            ("AWSAccessKeyId", self.access_key_id.as_str()),
            ("StringToSign", &to_sign),
            ("SignatureProvided", &self.signature),
        ];
        Err(signature_does_not_match(&details))
    }

    fn to_sign(&self, request: &Request) -> String {
        let header = |name: &str| request.header(name).unwrap_or_default();
        let mut amz: Vec<_> = request.headers.iter().filter(|(name, _)| name.starts_with("x-amz-")).collect();
        amz.extend(self.session_token.as_deref().map(|token| ("x-amz-security-token", token)));
        amz.sort_unstable();
        let amz: String = amz.into_iter().map(|(name, value)| format!("{name}:{}\n", value.trim())).collect();
        let mut parts: Vec<_> = SIGNED.into_iter().filter_map(|name| Some((name, asked(request, name)?))).collect();
        parts.sort_unstable();
        let parts: Vec<_> = parts
            .into_iter()
            .map(|(name, value)| if value.is_empty() { name.to_owned() } else { format!("{name}={value}") })
            .collect();
        let mark = if parts.is_empty() { "" } else { "?" };
        let path = format!("{}{}", request.mount, names::path(request));
        let (method, expires) = (&request.method, &self.expires);
        let (md5, kind) = (header("content-md5"), header("content-type"));
        format!("{method}\n{md5}\n{kind}\n{expires}\n{amz}{path}{mark}{}", parts.join("&"))
    }
}
