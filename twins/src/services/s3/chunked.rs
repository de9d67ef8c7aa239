//! Bodies in chunks of the service's own framing (`aws-chunked`): each chunk and the trailer may carry a signature that
//! continues the one before it, and checksums may come behind the last chunk.

use std::borrow::Cow;

use axum::body::Bytes;
use sha2::{Digest, Sha256};

use super::{
    errors::{failed, signature_does_not_match},
    signature::Claim,
};
use crate::http::{Reply, Request};

const LINE_BYTES_MAX: usize = 4 * 1024; // a size with a signature, or a trailing header
const TRAILERS_MAX: usize = 16;

/// A body without its framing.
#[derive(Debug, Default)]
pub(super) struct Payload {
    pub(super) bytes: Bytes,
    trailers: Vec<(String, String)>,
}

/// One chunk as it came; the last has no data.
struct Chunk<'a> {
    data: &'a [u8],
    signature: Option<&'a str>,
}

impl Payload {
    pub(super) fn of(request: &Request) -> Result<Self, Reply> {
        if !is_chunked(request) {
            return Ok(Self { bytes: request.body.clone(), trailers: Vec::new() });
        }
        let (chunks, trailers) = framed(&request.body).ok_or_else(incomplete)?;
        let bytes: Vec<u8> = chunks.iter().flat_map(|chunk| chunk.data).copied().collect();
        let said = request.header("x-amz-decoded-content-length").and_then(|length| length.parse::<usize>().ok());
        match said {
            None => Err(failed(411, "MissingContentLength", "You must provide the Content-Length HTTP header.")),
            Some(length) if length != bytes.len() => Err(incomplete()),
            Some(_) => {
                let trailers = trailers.into_iter().filter(|(name, _)| name != "x-amz-trailer-signature").collect();
                Ok(Self { bytes: bytes.into(), trailers })
            }
        }
    }

    /// A header of the request, or one that came behind the body.
    pub(super) fn header<'r>(&'r self, request: &'r Request, name: &str) -> Option<&'r str> {
        let trailing = self.trailers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        request.header(name).or(trailing)
    }
}

/// Whether the body has the framing; the hash in its place says so.
pub(super) fn is_chunked(request: &Request) -> bool {
    request.header("x-amz-content-sha256").is_some_and(|value| value.starts_with("STREAMING-"))
}

/// Refuses a body of which a chunk, or the trailer, is signed wrongly.
pub(super) fn check_signatures(request: &Request, claim: &Claim, secret: &str) -> Result<(), Reply> {
    if !claim.payload.starts_with("STREAMING-AWS4-HMAC-SHA256-PAYLOAD") {
        return Ok(());
    }
    let (chunks, trailers) = framed(&request.body).ok_or_else(incomplete)?;
    let mut previous = Cow::Borrowed(claim.signature.as_str());
    let empty = hex::encode(Sha256::digest(b""));
    for chunk in &chunks {
        let hashes = format!("{empty}\n{}", hex::encode(Sha256::digest(chunk.data)));
        let wanted = claim.chunk_signature(secret, "PAYLOAD", &previous, &hashes);
        if chunk.signature != Some(wanted.as_str()) {
            return Err(signature_does_not_match(&[]));
        }
        previous = Cow::Owned(wanted);
    }
    if claim.payload.ends_with("-TRAILER") {
        let (signatures, signed): (Vec<_>, Vec<_>) =
            trailers.iter().partition(|(name, _)| name == "x-amz-trailer-signature");
        let text: String = signed.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
        let wanted = claim.chunk_signature(secret, "TRAILER", &previous, &hex::encode(Sha256::digest(text.as_bytes())));
        if signatures.first().map(|(_, value)| value.as_str()) != Some(wanted.as_str()) {
            return Err(signature_does_not_match(&[]));
        }
    }
    Ok(())
}

/// The chunks, the empty last one among them, and the headers behind them.
#[expect(clippy::type_complexity, reason = "the two halves of a body")]
fn framed(mut rest: &[u8]) -> Option<(Vec<Chunk<'_>>, Vec<(String, String)>)> {
    let mut chunks = Vec::new();
    loop {
        let head = line(&mut rest)?;
        let (size, extension) = head.split_once(';').unwrap_or((head, ""));
        let size = usize::from_str_radix(size.trim(), 16).ok()?;
        let signature = extension.strip_prefix("chunk-signature=");
        let data = rest.get(..size)?;
        chunks.push(Chunk { data, signature });
        if size == 0 {
            break;
        }
        rest = rest[size..].strip_prefix(b"\r\n")?;
    }
    let mut trailers = Vec::new();
    while !rest.is_empty() && trailers.len() < TRAILERS_MAX {
        let text = line(&mut rest)?;
        if text.is_empty() {
            break;
        }
        let (name, value) = text.split_once(':')?;
        trailers.push((name.trim().to_lowercase(), value.trim().to_owned()));
    }
    Some((chunks, trailers))
}

/// Takes a line; some clients end those of the trailer with a line feed alone.
fn line<'a>(rest: &mut &'a [u8]) -> Option<&'a str> {
    let end = rest.iter().take(LINE_BYTES_MAX).position(|byte| *byte == b'\n')?;
    let text = std::str::from_utf8(&rest[..end]).ok()?;
    *rest = &rest[end + 1..];
    Some(text.trim_end_matches('\r'))
}

fn incomplete() -> Reply {
    let message = "You did not provide the number of bytes specified by the Content-Length HTTP header";
    failed(400, "IncompleteBody", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(body: &[u8]) -> Option<(Vec<u8>, usize)> {
        framed(body)
            .map(|(chunks, trailers)| (chunks.iter().flat_map(|chunk| chunk.data).copied().collect(), trailers.len()))
    }

    #[test]
    fn chunks_are_put_together() {
        assert_eq!(bytes(b"3;chunk-signature=ab\r\nabc\r\n0;chunk-signature=c\r\n\r\n"), Some((b"abc".to_vec(), 0)));
        assert_eq!(bytes(b"1\r\na\r\n0\r\nx-amz-checksum-crc32:AA==\r\n\r\n"), Some((b"a".to_vec(), 1)));
        assert_eq!(bytes(b"0\r\n\r\n"), Some((Vec::new(), 0)));
    }

    #[test]
    fn broken_framing_is_refused() {
        for body in [
            "",
            "x\r\n",
            "5\r\nabc\r\n0\r\n\r\n",
            "3\r\nabcd\r\n0\r\n\r\n",
            "3\r\nabc\r\n",
            "0\r\nno header\r\n",
            "ffffffffffffffffff\r\n",
        ] {
            assert_eq!(bytes(body.as_bytes()), None, "{body:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(body in "[0-9a-f;:\r\nx]{0,60}") {
            framed(body.as_bytes());
        }
    }
}
