//! A client that proves itself with a signed token instead of a secret (RFC 7523, `private_key_jwt`).

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use jiff::Timestamp;
use ring::signature::{ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey};
use serde_json::Value;

const LIFE_S_MAX: i64 = 3_600; // what Okta takes

fn decoded(text: &str) -> Option<Vec<u8>> {
    BASE64_URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok()
}

fn part(text: &str) -> Option<Value> {
    serde_json::from_slice(&decoded(text)?).ok()
}

/// Whose assertion it is said to be; nothing is proven yet.
pub(super) fn client_of(assertion: &str) -> Option<String> {
    Some(part(assertion.split('.').nth(1)?)?["sub"].as_str()?.to_owned())
}

/// Why an assertion does not count. `keys` are the client's public keys, `audiences` what the server may be called.
pub(super) fn check(
    assertion: &str,
    client_id: &str,
    keys: &[Value],
    audiences: &[String],
    now: Timestamp,
) -> Result<(), &'static str> {
    let (signed, signature) = assertion.rsplit_once('.').ok_or("The client_assertion is not a token.")?;
    let (head, claims) = signed.split_once('.').ok_or("The client_assertion is not a token.")?;
    let (head, claims) = part(head).zip(part(claims)).ok_or("The client_assertion is not a token.")?;
    let signature = decoded(signature).ok_or("The client_assertion is not a token.")?;
    let is_named = |key: &&Value| head["kid"].is_null() || key["kid"].is_null() || head["kid"] == key["kid"];
    if !keys.iter().filter(is_named).any(|key| proves(key, &head["alg"], signed.as_bytes(), &signature)) {
        return Err("The client_assertion signature is invalid.");
    }
    if claims["iss"] != claims["sub"] || claims["sub"] != client_id {
        return Err("The client_assertion's `iss` and `sub` must both be the client's id.");
    }
    let named = claims["aud"].as_array().cloned().unwrap_or_else(|| vec![claims["aud"].clone()]);
    if !named.iter().any(|named| audiences.iter().any(|audience| named == audience)) {
        return Err("The audience claim for client_assertion must be the endpoint invoked for the request.");
    }
    let ends = claims["exp"].as_i64().ok_or("The client_assertion has no `exp`.")?;
    if ends <= now.as_second() {
        return Err("The client_assertion token is expired.");
    }
    if ends > now.as_second() + LIFE_S_MAX {
        return Err("The client_assertion token has an expiration too far into the future.");
    }
    Ok(())
}

fn proves(key: &Value, algorithm: &Value, text: &[u8], signature: &[u8]) -> bool {
    let number = |name: &str| key[name].as_str().and_then(decoded);
    match (key["kty"].as_str(), algorithm.as_str()) {
        (Some("RSA"), Some("RS256")) => number("n").zip(number("e")).is_some_and(|(n, e)| {
            RsaPublicKeyComponents { n, e }.verify(&RSA_PKCS1_2048_8192_SHA256, text, signature).is_ok()
        }),
        (Some("EC"), Some("ES256")) => number("x").zip(number("y")).is_some_and(|(x, y)| {
            let point = [&[4], x.as_slice(), &y].concat(); // 4 marks a point that is written whole
            UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(text, signature).is_ok()
        }),
        _ => false,
    }
}
