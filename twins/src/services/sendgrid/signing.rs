//! The signature of the event webhook: ECDSA over P-256 and SHA-256, of the time and then the payload. Each receiver has a
//! key pair that follows from its secret, so that the public half is known before anything runs.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use jiff::Timestamp;
use p256::ecdsa::{Signature, SigningKey, signature::Signer as _};
use sha2::{Digest, Sha256};

/// What stands before the point of every public key of this curve (RFC 5480).
const SPKI_HEAD: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

fn key(secret: &str) -> SigningKey {
    let mut digest = Sha256::digest(secret.as_bytes());
    // One digest in four billion is no key.
    loop {
        match SigningKey::from_slice(&digest) {
            Ok(key) => return key,
            Err(_) => digest = Sha256::digest(digest),
        }
    }
}

/// As the service shows it: DER in base64.
pub(super) fn public_key(secret: &str) -> String {
    let point = key(secret).verifying_key().to_sec1_point(false);
    BASE64_STANDARD.encode([&SPKI_HEAD, point.as_bytes()].concat())
}

pub(super) fn signed(secret: &str, payload: &[u8], at: Timestamp) -> Vec<(&'static str, String)> {
    let at = at.as_second().to_string();
    let signature: Signature = key(secret).sign(&[at.as_bytes(), payload].concat());
    vec![
        ("x-twilio-email-event-webhook-signature", BASE64_STANDARD.encode(der(&signature))),
        ("x-twilio-email-event-webhook-timestamp", at),
    ]
}

/// A sequence of two integers.
fn der(signature: &Signature) -> Vec<u8> {
    let (r, s) = signature.split_bytes();
    let numbers = [integer(&r), integer(&s)].concat();
    [&[0x30, length(&numbers)], numbers.as_slice()].concat()
}

/// Without leading zeros, but for the one that keeps it positive.
fn integer(bytes: &[u8]) -> Vec<u8> {
    let begin = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len() - 1);
    let mut number = bytes[begin..].to_vec();
    if number[0] >= 0x80 {
        number.insert(0, 0);
    }
    [&[0x02, length(&number)], number.as_slice()].concat()
}

fn length(bytes: &[u8]) -> u8 {
    u8::try_from(bytes.len()).expect("two numbers of 33 bytes and their heads are short")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_as_short_as_can_be_and_positive() {
        assert_eq!(integer(&[0, 0, 1]), [2, 1, 1]);
        assert_eq!(integer(&[0, 0x80]), [2, 2, 0, 0x80]);
        assert_eq!(integer(&[0, 0]), [2, 1, 0]);
    }

    #[test]
    fn a_secret_always_has_the_same_keys() {
        assert_eq!(public_key("a"), public_key("a"));
        assert_ne!(public_key("a"), public_key("b"));
        assert!(public_key("a").starts_with("MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE"));
        let at = Timestamp::UNIX_EPOCH;
        assert_eq!(signed("a", b"x", at), signed("a", b"x", at));
    }
}
