//! The keys of a provider, and what they sign.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::signer::{Algorithm, Signer};
use crate::twin::Context;

/// All keys that were ever used; the last signs. Invariant: there is one once `ensure` has run.
#[derive(Clone)]
pub(super) struct Keys {
    algorithm: Algorithm,
    all: Vec<Key>,
}

#[derive(Clone)]
struct Key {
    kid: String,
    signer: Signer,
}

impl Keys {
    pub(super) fn new(algorithm: Algorithm) -> Self {
        Self { algorithm, all: Vec::new() }
    }

    pub(super) fn algorithm(&self) -> &'static str {
        self.algorithm.name()
    }

    pub(super) fn ensure(&mut self, context: &mut Context<'_>) {
        if self.all.is_empty() {
            self.rotate(context);
        }
    }

    /// A new key signs from now on; the old ones still prove what they signed.
    pub(super) fn rotate(&mut self, context: &mut Context<'_>) -> String {
        let signer = self.algorithm.key(self.all.len(), context);
        let kid = context.id("key_", 12);
        self.all.push(Key { kid: kid.clone(), signer });
        kid
    }

    /// The public halves, as RFC 7517 writes them.
    pub(super) fn json(&self) -> Value {
        json!({"keys": self.all.iter().map(|key| key.signer.jwk(&key.kid)).collect::<Vec<_>>()})
    }

    /// A signed token; `kind` is its `typ`.
    pub(super) fn sign(&self, kind: &str, claims: &Value) -> String {
        let key = self.all.last().expect("`ensure` runs before every operation");
        let encode = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let head = json!({"alg": self.algorithm(), "typ": kind, "kid": key.kid});
        key.signer.signed(&format!("{}.{}", encode(&head), encode(claims)))
    }

    /// The claims of a token that one of the keys signed. Signing again gives the same signature.
    pub(super) fn claims(&self, token: &str) -> Option<Value> {
        let (text, _) = token.rsplit_once('.')?;
        self.all.iter().find(|key| key.signer.signed(text) == token)?;
        serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(text.split('.').nth(1)?).ok()?).ok()
    }
}
