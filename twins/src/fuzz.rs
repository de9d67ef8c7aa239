//! One target for each parser of this crate: bytes in, no panic and no hang. The tests run them on a corpus and what
//! mutation makes of it, and a fuzzer can call them as they are. Not part of the interface.

use std::path::Path;

use axum::body::Bytes;
use hyper::header::CONTENT_TYPE;
use located::Source;
use serde_json::Value;

use crate::{
    FaultRule, definition,
    drift::python,
    http::{Request, frames, nested, parts},
    import,
    record::{self, Recording},
    script, services,
    shape::{Folder, Shape},
    stub::{Stub, StubFile},
    tape::exchange::Exchange,
};

/// A parser by its name.
pub type Target = (&'static str, fn(&[u8]));

/// Every parser that reads what others write.
pub const TARGETS: [Target; 17] = [
    ("definition", definition),
    ("stub", stub),
    ("openapi", openapi),
    ("wiremock", wiremock),
    ("fault_rule", fault_rule),
    ("space_config", space_config),
    ("recording", recording),
    ("script", script),
    ("form", form),
    ("multipart", multipart),
    ("request", request),
    ("sse", sse),
    ("journal", journal),
    ("shape", shape),
    ("tape", tape),
    ("python_types", python_types),
    ("scim", services::scim::read),
];

fn text(bytes: &[u8]) -> Source {
    Source::new("fuzz", String::from_utf8_lossy(bytes))
}

fn definition(bytes: &[u8]) {
    definition::opened(&text(bytes), Value::Null).ok();
}

fn stub(bytes: &[u8]) {
    if let Ok(file) = serde_json::from_slice::<StubFile>(bytes) {
        Stub::compile(&file, "fuzz".to_owned(), Value::Null).ok();
    }
}

fn openapi(bytes: &[u8]) {
    if let Ok(imported) = import::openapi(&text(bytes)) {
        definition::opened(&Source::new("imported", imported.definition), Value::Null).ok();
    }
}

fn wiremock(bytes: &[u8]) {
    let Ok(mapping) = serde_json::from_slice::<Value>(bytes) else { return };
    let mut one =
        import::wiremock::One { folder: Path::new("/dev/null"), source: &text(bytes), notes: &mut Vec::new() };
    let Some(stub) = one.stub(&mapping, 1) else { return };
    let file: StubFile = serde_json::from_value(stub).expect("what the import writes is a stub");
    Stub::compile(&file, "fuzz".to_owned(), Value::Null).ok();
}

fn fault_rule(bytes: &[u8]) {
    if let Ok(rule) = serde_json::from_slice::<FaultRule>(bytes) {
        crate::check_fault("slack", rule).ok();
    }
}

fn space_config(bytes: &[u8]) {
    let Ok(Value::Object(config)) = serde_json::from_slice(bytes) else { return };
    for twin in crate::catalogue() {
        // A script would be read from wherever it says.
        let mut config = config.clone();
        ["script", "record", "replay"].iter().for_each(|field| drop(config.remove(*field)));
        services::open(twin.name, config.into()).ok();
    }
}

fn recording(bytes: &[u8]) {
    if let Ok(recording) = Recording::parse(&text(bytes)) {
        record::stubs(&recording).ok();
        recording.shapes(None);
    }
}

fn script(bytes: &[u8]) {
    script::Script::parse(&text(bytes), Path::new("nowhere")).ok();
}

fn form(bytes: &[u8]) {
    nested(bytes);
}

fn multipart(bytes: &[u8]) {
    parts("multipart/form-data; boundary=x", &Bytes::copy_from_slice(bytes)).ok();
}

/// Of each content type, as twins see it.
fn request(bytes: &[u8]) {
    for kind in
        ["application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain"]
    {
        let built = hyper::Request::builder().uri("/v1/x?a[b]=c").header(CONTENT_TYPE, kind).body(());
        let parts = built.expect("is a request").into_parts().0;
        let mut request = Request::new(&parts, 0, Some(Bytes::copy_from_slice(bytes)));
        request.fold();
        request.unfolded();
    }
}

fn sse(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    assert_eq!(frames(&text).map(str::len).sum::<usize>(), text.len(), "nothing is lost");
    crate::AnswerShape::of_events(frames(&text));
}

fn journal(bytes: &[u8]) {
    crate::verify_journal(bytes).ok();
}

fn shape(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(value) = serde_json::from_str::<Value>(&text) {
        Shape::of(&value, "");
    }
    Folder::default().fold(&text);
    Folder::new([&*text]).ok();
}

fn tape(bytes: &[u8]) {
    if let Ok(exchange) = Exchange::parse("fuzz", &String::from_utf8_lossy(bytes)) {
        exchange.reply();
    }
}

fn python_types(bytes: &[u8]) {
    python::Module::parse(Path::new("fuzz.py"), &String::from_utf8_lossy(bytes));
}
