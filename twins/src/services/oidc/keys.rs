//! Signing keys on P-256: they follow from the seed, and so do the signatures (RFC 6979 has no randomness).

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use p256::ecdsa::{Signature, SigningKey, signature::Signer};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::twin::Context;

/// All keys that were ever used; the last signs. Invariant: not empty once `ensure` has run.
#[derive(Clone, Default)]
pub(super) struct Keys(Vec<Key>);

#[derive(Clone)]
struct Key {
    kid: String,
    signing: SigningKey,
}

impl Keys {
    pub(super) fn ensure(&mut self, context: &mut Context<'_>) {
        if self.0.is_empty() {
            self.rotate(context);
        }
    }

    /// A new key signs from now on; the old ones still prove what they signed.
    pub(super) fn rotate(&mut self, context: &mut Context<'_>) -> String {
        // A draw that is no scalar of the curve happens once in 2^32; the next one is taken.
        let signing = loop {
            let secret = Sha256::digest(context.id("signing_key_", 43));
            if let Ok(key) = SigningKey::from_slice(&secret) {
                break key;
            }
        };
        let kid = context.id("key_", 12);
        self.0.push(Key { kid: kid.clone(), signing });
        kid
    }

    /// The public halves, as RFC 7517 writes them.
    pub(super) fn json(&self) -> Value {
        let keys = self.0.iter().map(|key| {
            let point = key.signing.verifying_key().to_sec1_point(false);
            let bytes = point.as_bytes(); // a mark, then x and y of 32 bytes each
            json!({"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": key.kid,
                "x": BASE64_URL_SAFE_NO_PAD.encode(&bytes[1..33]), "y": BASE64_URL_SAFE_NO_PAD.encode(&bytes[33..])})
        });
        json!({"keys": keys.collect::<Vec<_>>()})
    }

    /// A signed token; `kind` is its `typ`.
    pub(super) fn sign(&self, kind: &str, claims: &Value) -> String {
        let key = self.0.last().expect("`ensure` runs before every operation");
        let encode = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        key.signed(&format!("{}.{}", encode(&json!({"alg": "ES256", "typ": kind, "kid": key.kid})), encode(claims)))
    }

    /// The claims of a token that one of the keys signed. Signing again gives the same signature.
    pub(super) fn claims(&self, token: &str) -> Option<Value> {
        let (text, _) = token.rsplit_once('.')?;
        self.0.iter().find(|key| key.signed(text) == token)?;
        serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(text.split('.').nth(1)?).ok()?).ok()
    }
}

impl Key {
    fn signed(&self, text: &str) -> String {
        let signature: Signature = self.signing.sign(text.as_bytes());
        format!("{text}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature.to_bytes()))
    }
}
