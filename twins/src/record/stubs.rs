//! A recording as stubs: each exchange answers the request that it saw, the n-th one of the same request the n-th time
//! and the last of them from then on. What a request says more than the recorded one does not matter; of several that
//! fit the one that says most answers. Placeholders fit anything.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Map, Value, json};

use super::{
    body::Written,
    line::{Asked, Exchange, Recording},
};
use crate::stub::{Stub, StubFile};

const PLACEHOLDER: &str = "redacted-";
const PRIORITY_BASE: usize = 1_000; // the more conditions, the smaller the number and the earlier it is asked

/// # Errors
/// In words: an exchange that cannot be answered again.
pub(crate) fn stubs(recording: &Recording) -> Result<Vec<Stub>, String> {
    let whole = || recording.exchanges.iter().filter(|exchange| !exchange.answer.cut);
    let mut of_same: HashMap<String, usize> = HashMap::new();
    for exchange in whole() {
        *of_same.entry(conditions(&exchange.request).to_string()).or_default() += 1;
    }
    let mut before: HashMap<String, usize> = HashMap::new();
    let mut stubs = Vec::new();
    for exchange in whole() {
        let mut written = conditions(&exchange.request);
        let key = written.to_string();
        let place = before.entry(key.clone()).or_default();
        *place += 1;
        let fields = written.as_object_mut().expect("conditions are fields");
        fields.insert("priority".to_owned(), json!(PRIORITY_BASE.saturating_sub(count(fields)).max(1)));
        fields.insert("answer".to_owned(), answer(exchange, &recording.head.upstream));
        if of_same[&key] > 1 {
            fields.insert("scenario".to_owned(), turn(&key, *place, of_same[&key]));
        }
        let wrong = |why: String| format!("exchange {}: {why}", exchange.number);
        let file: StubFile = serde_json::from_value(written.clone()).map_err(|error| wrong(error.to_string()))?;
        let stub = Stub::compile(&file, format!("recorded-{}", exchange.number), written).map_err(wrong)?;
        stubs.push(stub.named(&exchange.operation));
    }
    Ok(stubs)
}

/// The same request answers in turn, and the last answer stays.
fn turn(key: &str, place: usize, all: usize) -> Value {
    let name = format!("recorded-{}", &blake3::hash(key.as_bytes()).to_hex()[..16]);
    let mut turn = json!({ "name": name });
    turn["state"] = if place == 1 { json!("Started") } else { json!(place.to_string()) };
    if place < all {
        turn["next"] = json!((place + 1).to_string());
    }
    turn
}

/// What tells the request from others.
fn conditions(request: &Asked) -> Value {
    let mut fields = Map::new();
    fields.insert("method".to_owned(), json!(request.method));
    if request.path.contains(PLACEHOLDER) || request.path.contains(['{', '}']) {
        fields.insert("path_matches".to_owned(), json!(pattern(&request.path)));
    } else {
        fields.insert("path".to_owned(), json!(request.path));
    }
    let query = known(&request.query);
    if !query.is_empty() {
        fields.insert("query".to_owned(), json!(query));
    }
    match &request.body {
        Some(Written::Form(pairs)) if !known(pairs).is_empty() => {
            fields.insert("form".to_owned(), json!(known(pairs)));
        }
        Some(Written::Json(value)) => {
            let (known, all) = without_placeholders(value);
            fields.insert("body".to_owned(), json!([{"json": known, "extra_fields": !all}]));
        }
        Some(Written::Text(text)) if !text.contains(PLACEHOLDER) => {
            fields.insert("body".to_owned(), json!([{ "equals": text }]));
        }
        _ => {}
    }
    fields.into()
}

fn count(fields: &Map<String, Value>) -> usize {
    let inside = |name: &str| fields.get(name).and_then(Value::as_object).map_or(0, Map::len);
    let body = fields.get("body").map_or(0, |body| 1 + leaves(&body[0]["json"]));
    inside("query") + inside("form") + body
}

fn leaves(value: &Value) -> usize {
    match value {
        Value::Object(fields) => fields.values().map(leaves).sum(),
        Value::Array(items) => items.iter().map(leaves).sum(),
        _ => 1,
    }
}

fn known(pairs: &[(String, String)]) -> BTreeMap<&str, &str> {
    let plain = pairs.iter().filter(|(name, value)| !name.contains(PLACEHOLDER) && !value.contains(PLACEHOLDER));
    plain.map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

/// The JSON without what was redacted, and whether that is all of it.
fn without_placeholders(value: &Value) -> (Value, bool) {
    let is_clean = |value: &Value| !value.to_string().contains(PLACEHOLDER);
    match value {
        Value::Object(fields) => {
            let mut known = Map::new();
            for (name, value) in fields.iter().filter(|(name, _)| !name.contains(PLACEHOLDER)) {
                if is_clean(value) {
                    known.insert(name.clone(), value.clone());
                } else if value.is_object() {
                    known.insert(name.clone(), without_placeholders(value).0);
                }
            }
            (known.into(), is_clean(value))
        }
        value if is_clean(value) => (value.clone(), true),
        Value::Array(_) => (json!([]), false),
        _ => (json!({}), false),
    }
}

fn pattern(path: &str) -> String {
    let segment = |segment: &str| {
        if segment.contains(PLACEHOLDER) { "[^/]+".to_owned() } else { regex::escape(segment) }
    };
    path.split('/').map(segment).collect::<Vec<_>>().join("/")
}

fn answer(exchange: &Exchange, upstream: &str) -> Value {
    let recorded = &exchange.answer;
    let text = match &recorded.body {
        None => None,
        Some(Written::Json(value)) => Some(value.to_string()),
        Some(Written::Text(text)) => Some(text.clone()),
        Some(Written::Events(frames)) => Some(frames.concat()),
        Some(Written::Form(pairs)) => {
            Some(url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish())
        }
        Some(Written::Parts(_) | Written::Bytes { .. }) => {
            return json!({"status": 501, "literal": true, "text": "of this answer the recording has the hash and the size only\n"});
        }
    };
    let replayed = |(name, value): &&(String, String)| {
        !value.contains(PLACEHOLDER) && !matches!(name.as_str(), "content-encoding" | "date" | "vary")
    };
    let headers: BTreeMap<_, _> = recorded.headers.iter().filter(replayed).map(|(name, value)| (name, value)).collect();
    let mut answer = json!({"status": recorded.status, "headers": headers});
    if let Some(text) = text {
        answer["text"] = json!(text);
    }
    let written = answer.to_string();
    if written.contains(upstream) && !["{{", "{%", "{#"].iter().any(|brace| written.contains(brace)) {
        return pointed_here(&answer, upstream);
    }
    answer["literal"] = json!(true);
    answer
}

/// Links lead to whoever serves the recording.
fn pointed_here(value: &Value, upstream: &str) -> Value {
    match value {
        Value::String(text) => Value::String(text.replace(upstream, "{{ request.origin }}")),
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| (name.clone(), pointed_here(value, upstream))).collect()
        }
        other => other.clone(),
    }
}
