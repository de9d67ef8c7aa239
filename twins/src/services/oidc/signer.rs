//! One signing key: on P-256 and drawn from the seed, or one of two RSA keys that are written here.
//!
//! Both algorithms give the same signature for the same text: RFC 6979 has no randomness, and neither has PKCS#1 v1.5.

use std::sync::LazyLock;

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use p256::ecdsa::{Signature, SigningKey, signature::Signer as _};
use ring::{
    rand::SystemRandom,
    rsa::{KeyPair, PublicKeyComponents},
    signature::RSA_PKCS1_SHA256,
};
use rustls::pki_types::{PrivatePkcs8KeyDer, pem::PemObject};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::twin::Context;

/// What tokens are signed with.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
pub(in crate::services) enum Algorithm {
    #[default]
    #[serde(rename = "ES256")]
    Es256,
    #[serde(rename = "RS256")]
    Rs256,
}

#[derive(Clone)]
pub(super) enum Signer {
    Curve(Box<SigningKey>),
    Rsa(&'static KeyPair),
}

/// RSA keys cannot be drawn from a seed without a generator of primes, so these are fixed; a rotation takes the other one.
static RSA_KEYS_FOR_TESTS_ONLY: LazyLock<[KeyPair; 2]> = LazyLock::new(|| {
    [include_bytes!("rs256_for_tests_only_1.pem"), include_bytes!("rs256_for_tests_only_2.pem")].map(|pem| {
        let der = PrivatePkcs8KeyDer::from_pem_slice(pem).expect("the file beside this one is PEM");
        KeyPair::from_pkcs8(der.secret_pkcs8_der()).expect("the file beside this one is an RSA key of 2,048 bits")
    })
});

impl Algorithm {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::Rs256 => "RS256",
        }
    }

    /// The `number`-th key of a provider, from zero.
    pub(super) fn key(self, number: usize, context: &mut Context<'_>) -> Signer {
        match self {
            Self::Es256 => Signer::Curve(Box::new(drawn(context))),
            Self::Rs256 => Signer::Rsa(&RSA_KEYS_FOR_TESTS_ONLY[number % RSA_KEYS_FOR_TESTS_ONLY.len()]),
        }
    }
}

/// A draw that is no scalar of the curve happens once in 2^32; the next one is taken.
fn drawn(context: &mut Context<'_>) -> SigningKey {
    loop {
        let secret = Sha256::digest(context.id("signing_key_", 43));
        if let Ok(key) = SigningKey::from_slice(&secret) {
            return key;
        }
    }
}

impl Signer {
    /// The public half, as RFC 7517 writes it.
    pub(super) fn jwk(&self, kid: &str) -> Value {
        let encode = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
        match self {
            Self::Curve(key) => {
                let point = key.verifying_key().to_sec1_point(false);
                let bytes = point.as_bytes(); // a mark, then x and y of 32 bytes each
                json!({"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": kid,
                    "x": encode(&bytes[1..33]), "y": encode(&bytes[33..])})
            }
            Self::Rsa(pair) => {
                let PublicKeyComponents { n, e } = PublicKeyComponents::<Vec<u8>>::from(pair.public());
                json!({"kty": "RSA", "alg": "RS256", "use": "sig", "kid": kid, "n": encode(&n), "e": encode(&e)})
            }
        }
    }

    /// `text` with its signature behind a dot.
    pub(super) fn signed(&self, text: &str) -> String {
        let signature = match self {
            Self::Curve(key) => {
                let signature: Signature = key.sign(text.as_bytes());
                signature.to_bytes().to_vec()
            }
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                // What is random here blinds the computation and is not in its result.
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature)
                    .expect("the signature has the length of the modulus");
                signature
            }
        };
        format!("{text}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
    }
}
