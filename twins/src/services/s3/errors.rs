//! How the service says no: XML with a code, which `sign_off` completes with what only the whole exchange knows.

use super::xml::{Xml, escaped};
use crate::{
    http::{Body, Reply, Request},
    twin::Refusal,
};

const CLOSING: &str = "</Error>";

pub(super) fn failed(status: u16, code: &str, message: &str) -> Reply {
    detailed(status, code, message, &[])
}

/// With elements that name what is wrong.
pub(super) fn detailed(status: u16, code: &str, message: &str, details: &[(&str, &str)]) -> Reply {
    let document = Xml::document("Error", None, |xml| {
        xml.text("Code", code);
        xml.text("Message", message);
        details.iter().for_each(|(name, value)| xml.text(name, value));
    });
    Reply::bytes(status, "application/xml", document)
}

/// Which resource it was about, and the ids of the request.
pub(super) fn sign_off(reply: &mut Reply, request: &Request, request_id: &str, host_id: &str) {
    let Body::Bytes(bytes) = &reply.body else { return };
    let Some(open) = std::str::from_utf8(bytes).ok().and_then(|text| text.strip_suffix(CLOSING)) else { return };
    if reply.status < 400 {
        return;
    }
    let resource = escaped(&request.path);
    let ids = format!("<RequestId>{request_id}</RequestId><HostId>{host_id}</HostId>");
    reply.body = Body::Bytes(format!("{open}<Resource>{resource}</Resource>{ids}{CLOSING}").into());
}

pub(super) fn access_denied() -> Reply {
    failed(403, "AccessDenied", "Access Denied")
}

/// With what was signed, for whoever looks for the difference.
pub(super) fn signature_does_not_match(details: &[(&str, &str)]) -> Reply {
    let message = "The request signature we calculated does not match the signature you provided. Check your key \
        and signing method.";
    detailed(403, "SignatureDoesNotMatch", message, details)
}

pub(super) fn no_such_bucket(name: &str) -> Reply {
    detailed(404, "NoSuchBucket", "The specified bucket does not exist", &[("BucketName", name)])
}

pub(super) fn no_such_key(key: &str) -> Reply {
    detailed(404, "NoSuchKey", "The specified key does not exist.", &[("Key", key)])
}

pub(super) fn no_such_version(key: &str, version: &str) -> Reply {
    let details = [("Key", key), ("VersionId", version)];
    detailed(404, "NoSuchVersion", "The specified version does not exist.", &details)
}

pub(super) fn malformed_xml() -> Reply {
    let message = "The XML you provided was not well-formed or did not validate against our published schema";
    failed(400, "MalformedXML", message)
}

pub(super) fn invalid_argument(message: &str, name: &str, value: &str) -> Reply {
    let details = [("ArgumentName", name), ("ArgumentValue", value)];
    detailed(400, "InvalidArgument", message, &details)
}

pub(super) fn invalid_request(message: &str) -> Reply {
    failed(400, "InvalidRequest", message)
}

pub(super) fn precondition_failed(condition: &str) -> Reply {
    let message = "At least one of the pre-conditions you specified did not hold";
    detailed(412, "PreconditionFailed", message, &[("Condition", condition)])
}

/// On a delete marker.
pub(super) fn method_not_allowed(method: &str) -> Reply {
    let message = "The specified method is not allowed against this resource.";
    let details = [("Method", method), ("ResourceType", "DeleteMarker")];
    detailed(405, "MethodNotAllowed", message, &details)
}

pub(super) fn refusal(refusal: &Refusal) -> Reply {
    match refusal {
        Refusal::CredentialsMissing => access_denied(),
        Refusal::CredentialsWrong => {
            let message = "The AWS Access Key Id you provided does not exist in our records.";
            failed(403, "InvalidAccessKeyId", message)
        }
        Refusal::CredentialsExpired => expired_token(),
        Refusal::Unimplemented { method, path } => {
            failed(501, "NotImplemented", &format!("the s3 twin does not implement {method} {path}"))
        }
        Refusal::BodyTooLarge { bytes_max } => {
            let message = "Your proposed upload exceeds the maximum allowed size";
            detailed(400, "EntityTooLarge", message, &[("MaxSizeAllowed", &bytes_max.to_string())])
        }
        Refusal::BodyMalformed { .. } => malformed_xml(),
        Refusal::RateLimited { retry_after_s } => slow_down().header("retry-after", retry_after_s.to_string()),
        Refusal::Status(503) => slow_down(),
        Refusal::Status(403) => access_denied(),
        Refusal::Status(404) => failed(404, "NoSuchKey", "The specified key does not exist."),
        Refusal::Status(status) => {
            let message = "We encountered an internal error. Please try again.";
            failed(*status, "InternalError", message)
        }
        Refusal::IdempotencyMismatch { .. } | Refusal::IdempotencyInUse { .. } | Refusal::IdempotencyKeyTooLong => {
            invalid_request("Invalid Request")
        }
    }
}

fn slow_down() -> Reply {
    failed(503, "SlowDown", "Please reduce your request rate.")
}

pub(super) fn expired_token() -> Reply {
    failed(400, "ExpiredToken", "The provided token has expired.")
}
