//! The S3 twin: what official SDKs see, and what only exact requests show. The signer here is written from the
//! algorithm's description, apart from the twin's.

mod bodies;
mod refused;
mod replay;
mod sdks;

use std::collections::BTreeMap;

use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use reqwest::{Method, Response};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use twins::{Served, Space};

use crate::support::{client, space};

const SECRET: &str = "twin";

fn config() -> Value {
    json!({
        "access_keys": [
            {"access_key_id": "AKIATWIN", "secret_access_key": SECRET},
            {"access_key_id": "ASIAOLD", "secret_access_key": SECRET, "session_token": "t",
                "expires_at": "2026-11-20T12:00:00Z"},
        ],
        "buckets": [{"name": "photos", "objects": {"a.txt": "hello"}},
            {"name": "site", "acl": "public-read", "objects": {"index.html": "<p>"}}],
        "taken_names": ["py-taken"],
    })
}

struct S3 {
    space: Space,
    served: Served,
}

/// How a request is signed.
struct Signer<'a> {
    access_key_id: &'a str,
    secret: &'a str,
    at: Timestamp,
    headers: BTreeMap<&'a str, String>,
}

fn hash(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

fn keyed(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

impl Signer<'_> {
    fn stamp(&self) -> String {
        self.at.strftime("%Y%m%dT%H%M%SZ").to_string()
    }

    fn scope(&self) -> String {
        format!("{}/us-east-1/s3/aws4_request", &self.stamp()[..8])
    }

    fn sign(&self, kind: &str, rest: &str) -> String {
        let text = format!("{kind}\n{}\n{}\n{rest}", self.stamp(), self.scope());
        let key =
            self.scope().split('/').fold(format!("AWS4{}", self.secret).into_bytes(), |key, part| keyed(&key, part));
        hex::encode(keyed(&key, &text))
    }

    /// The signature of a request whose query is sorted already.
    fn request(&self, method: &str, path: &str, query: &str, payload: &str) -> String {
        let headers: String = self.headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
        let canonical = format!("{method}\n{path}\n{query}\n{headers}\n{}\n{payload}", self.names());
        self.sign("AWS4-HMAC-SHA256", &hash(canonical.as_bytes()))
    }

    fn names(&self) -> String {
        self.headers.keys().copied().collect::<Vec<_>>().join(";")
    }
}

impl S3 {
    fn open() -> Self {
        Self::with(config())
    }

    fn with(config: Value) -> Self {
        let space = space();
        let served = space.serve("s3", config).unwrap();
        Self { space, served }
    }

    fn host(&self) -> String {
        format!("127.0.0.1:{}", self.served.port)
    }

    fn signer<'a>(&self, extra: &[(&'a str, &str)]) -> Signer<'a> {
        let mut headers: BTreeMap<_, _> = extra.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        headers.insert("host", self.host());
        Signer { access_key_id: "AKIATWIN", secret: SECRET, at: self.space.now(), headers }
    }

    /// Signed by `signer`, with the hash of the body unless the headers name another.
    async fn send(&self, method: Method, target: &str, mut signer: Signer<'_>, body: &[u8]) -> Response {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let payload = signer.headers.entry("x-amz-content-sha256").or_insert_with(|| hash(body)).clone();
        signer.headers.insert("x-amz-date", signer.stamp());
        let signature = signer.request(method.as_str(), path, query, &payload);
        let credential = format!("{}/{}", signer.access_key_id, signer.scope());
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={}, Signature={signature}",
            signer.names()
        );
        let mut request = client().request(method, format!("{}{target}", self.served.base_url)).body(body.to_vec());
        for (name, value) in &signer.headers {
            request = request.header(*name, value);
        }
        request.header("authorization", authorization).send().await.unwrap()
    }

    async fn get(&self, target: &str) -> Response {
        self.send(Method::GET, target, self.signer(&[]), b"").await
    }

    async fn put(&self, target: &str, body: &[u8]) -> Response {
        self.send(Method::PUT, target, self.signer(&[]), body).await
    }
}

/// The status, and the code of the error.
async fn failure(response: Response) -> (u16, String) {
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    let code = text.split("<Code>").nth(1).and_then(|rest| rest.split("</Code>").next()).unwrap_or_default();
    (status, code.to_owned())
}
