//! S3: buckets, objects and their versions, multipart uploads, over the REST API with signed requests.
//!
//! `gate` is what happens before an operation: whose signature it is (`signature`, `signature_v2`, `chunked`), or what is
//! open to everyone (`access`), and whether the body arrived as it was sent. `model` is the state, `names` where a
//! request says what it is about; the other modules are operations. Start at `operations`.

mod access;
mod buckets;
mod checksums;
mod chunked;
mod conditions;
mod config;
mod errors;
mod gate;
mod listing;
mod model;
mod multipart;
mod names;
mod objects;
mod operations;
mod parts;
mod reads;
mod signature;
mod signature_v2;
mod state;
mod tagging;
mod versions;
mod xml;

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use axum::body::Bytes;
use serde_json::Value;

use self::{chunked::Payload, config::AccessKey, model::Bucket};
use crate::{
    http::{Body, Reply, Request},
    twin::{Bodies, Context, Manifest, Operation, Refusal, Twin},
};

const BODY_BYTES_MAX: usize = 64 * 1024 * 1024; // one upload or part; the service takes 5 GiB

#[derive(Clone)]
pub(super) struct S3 {
    keys: BTreeMap<String, AccessKey>,
    region: String,
    buckets: BTreeMap<String, Bucket>,
    taken_names: BTreeSet<String>,
    max_clock_skew_s: Option<u32>,
}

/// The body of a request without its framing.
fn body(request: &Request) -> Result<Bytes, Reply> {
    Ok(Payload::of(request)?.bytes)
}

impl S3 {
    fn bucket(&self, request: &Request) -> Result<&Bucket, Reply> {
        self.named(request.param("bucket"))
    }

    fn named(&self, name: &str) -> Result<&Bucket, Reply> {
        match self.buckets.get(name) {
            Some(bucket) => Ok(bucket),
            None if self.taken_names.contains(name) => Err(errors::access_denied()),
            None => Err(errors::no_such_bucket(name)),
        }
    }

    fn bucket_mut(&mut self, request: &Request) -> Result<&mut Bucket, Reply> {
        self.bucket(request)?;
        let name = request.param("bucket");
        self.buckets.get_mut(name).ok_or_else(|| errors::no_such_bucket(name))
    }
}

impl Twin for S3 {
    const MANIFEST: Manifest = Manifest {
        name: "s3",
        api_version: "2006-03-01",
        body_bytes_max: BODY_BYTES_MAX,
        actions: &["put_object", "delete_object"],
    };
    const OPERATIONS: &'static [Operation<Self>] = operations::OPERATIONS;
    const BODIES: Bodies = Bodies::Opaque;

    fn path<'r>(&self, request: &'r Request) -> Cow<'r, str> {
        names::path(request)
    }

    /// A signature counts for a while only, and here is no clock: see `admit`.
    fn authenticate(&self, _: &Request, _: &str) -> Result<(), Refusal> {
        Ok(())
    }

    fn admit(&self, context: &Context<'_>, request: &Request, operation: &str) -> Result<(), Reply> {
        self.let_in(context, request, operation)
    }

    fn refuse(&self, _context: &Context<'_>, refusal: &Refusal) -> Reply {
        errors::refusal(refusal)
    }

    fn decorate(&self, context: &Context<'_>, request: &Request, reply: &mut Reply) {
        let (request_id, host_id) = ids(&context.request_token);
        errors::sign_off(reply, request, &request_id, &host_id);
        if request.method == "HEAD" {
            reply.set_new("content-length", reply.body.len().to_string());
            reply.body = Body::Empty;
        }
        reply.set("x-amz-request-id", request_id);
        reply.set("x-amz-id-2", host_id);
        reply.set("server", "AmazonS3");
    }

    fn state(&self) -> Value {
        self.shown()
    }

    fn act(&mut self, context: &mut Context<'_>, action: &str, argument: &Value) -> Result<Value, String> {
        match action {
            "put_object" => self.act_put(context, argument),
            "delete_object" => self.act_delete(context, argument),
            _ => Err(format!("unknown action `{action}`")),
        }
    }
}

/// The two ids of a request, as the service writes them.
fn ids(token: &str) -> (String, String) {
    use base64::{Engine as _, prelude::BASE64_STANDARD};
    use sha2::{Digest, Sha512};
    let digest = Sha512::digest(token);
    (hex::encode_upper(&digest[..8]), BASE64_STANDARD.encode(&digest[8..62]))
}
