//! Twins that a file declares: what their users see.

mod definition;
mod guide;
mod mistakes;
mod openapi;
mod stubs;
mod wiremock;
mod wiremock_admin;
mod wiremock_clients;

use reqwest::RequestBuilder;
use serde_json::{Value, json};
use twins::{Served, Space};

use crate::support::{client, space};

const KEY: &str = "key_full";

fn fixture(name: &str) -> String {
    format!("{}/tests/own/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn parcels() -> (Space, Served) {
    let space = space();
    let served = space.serve(&fixture("parcels.twin.yaml"), Value::Null).unwrap();
    (space, served)
}

/// Serves a definition that the test writes itself.
fn declared(text: &str) -> (Space, Served) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("it.twin.yaml");
    std::fs::write(&path, text).unwrap();
    let space = space();
    let served = space.serve(path.to_str().unwrap(), Value::Null).unwrap_or_else(|error| panic!("{error}"));
    (space, served)
}

fn get(served: &Served, path: &str) -> RequestBuilder {
    client().get(format!("{}{path}", served.base_url)).bearer_auth(KEY)
}

fn post(served: &Served, path: &str, body: &Value) -> RequestBuilder {
    client().post(format!("{}{path}", served.base_url)).bearer_auth(KEY).json(body)
}

fn parcel(weight: u32) -> Value {
    json!({"to": {"city": "Graz", "zip": "12345"}, "weight": weight})
}
