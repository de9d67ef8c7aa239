//! Mappings and request patterns of `WireMock` as stubs.

use std::path::Path;

use located::Source;
use serde_json::{Value as Json, json};

use super::refused;
use crate::{
    http::Reply,
    import::wiremock::One,
    stub::{Stub, StubFile},
};

/// The stub of a mapping, as a definition writes it.
pub(super) fn stub_of(mapping: &Json) -> Result<StubFile, Reply> {
    let source = Source::new("mapping", mapping.to_string());
    let mut notes = Vec::new();
    // No mapping reaches files of this machine.
    let stub = One { folder: Path::new("/dev/null"), source: &source, notes: &mut notes }.stub(mapping, 1);
    let said = notes.iter().map(|note| note.trim_start_matches("mapping:1: ")).collect::<Vec<_>>().join("; ");
    let stub = stub.ok_or_else(|| {
        refused(422, if said.is_empty() { "a mapping has a `request` and a `response`" } else { &said })
    })?;
    let mut stub: StubFile = serde_json::from_value(stub).map_err(|error| refused(422, &error.to_string()))?;
    stub.stub = None;
    Ok(stub)
}

/// What tells which requests are meant.
pub(super) fn pattern_of(request: &Json) -> Result<Stub, Reply> {
    let file = stub_of(&json!({"request": request, "response": {}}))?;
    Stub::compile(&file, String::new(), Json::Null).map_err(|why| refused(422, &why))
}
