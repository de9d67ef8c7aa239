//! An answer, taken apart: its fields, for a stream by kind of event and with their order.

use std::collections::BTreeMap;

use serde_json::Value;

use super::shape::{self, Shape};

pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Body,
}

pub(super) enum Body {
    Whole(Value),
    /// Kind and data of each event.
    Stream(Vec<(String, Value)>),
}

impl Answer {
    pub(super) fn new(provider: &str, status: u16, text: &str) -> Self {
        let whole = serde_json::from_str(text).map(Body::Whole);
        Self { status, body: whole.unwrap_or_else(|_| Body::Stream(events(provider, text))) }
    }

    pub(super) fn differences(&self, twin: &Self) -> Vec<String> {
        if self.status != twin.status {
            let why = if self.status == 200 { twin.said() } else { self.said() };
            return vec![format!("status {} recorded, {} in the twin: {why}", self.status, twin.status)];
        }
        match (&self.body, &twin.body) {
            (Body::Whole(one), Body::Whole(two)) if self.status != 200 => errors(one, two),
            (Body::Whole(one), Body::Whole(two)) => {
                let lines = shape::differences(&shape_of([one]), &shape_of([two]));
                lines.into_iter().map(|line| format!("answer{line}")).collect()
            }
            (Body::Stream(one), Body::Stream(two)) => streams(one, two),
            _ => vec!["a stream on one side only".to_owned()],
        }
    }

    /// The error's text.
    fn said(&self) -> String {
        match &self.body {
            Body::Whole(body) => body["error"]["message"].as_str().unwrap_or_default().replace(['`', '|'], "'"),
            Body::Stream(_) => "a stream".to_owned(),
        }
    }
}

fn shape_of<'v>(values: impl IntoIterator<Item = &'v Value>) -> Shape {
    let mut shape = Shape::new();
    values.into_iter().for_each(|value| shape::add(&mut shape, value));
    shape
}

/// Errors are the same to the letter, but for ids and keys.
fn errors(recorded: &Value, twin: &Value) -> Vec<String> {
    let plain = |body: &Value| {
        let mut body = body.clone();
        if body.get("request_id").is_some() {
            body["request_id"] = Value::Null;
        }
        if let Some(text) = body["error"]["message"].as_str() {
            let words = text.split(' ').map(|word| if word.contains("***") { "KEY" } else { word });
            body["error"]["message"] = words.collect::<Vec<_>>().join(" ").into();
        }
        body
    };
    let (one, two) = (plain(recorded), plain(twin));
    if one == two { Vec::new() } else { vec![format!("error {one} recorded, {two} in the twin")] }
}

fn streams(recorded: &[(String, Value)], twin: &[(String, Value)]) -> Vec<String> {
    let (one, two) = (order(recorded), order(twin));
    let mut lines = Vec::new();
    if one != two {
        lines.push(format!("order {} recorded, {} in the twin", one.join(" "), two.join(" ")));
    }
    let (one, two) = (by_kind(recorded), by_kind(twin));
    for (kind, shape) in one {
        let Some(other) = two.get(kind) else { continue }; // the order says it
        lines.extend(shape::differences(&shape, other).into_iter().map(|line| format!("event {kind}{line}")));
    }
    lines
}

fn by_kind(events: &[(String, Value)]) -> BTreeMap<&str, Shape> {
    let mut kinds = BTreeMap::<_, Shape>::new();
    for (kind, data) in events {
        shape::add(kinds.entry(kind.as_str()).or_default(), data);
    }
    kinds
}

/// The kinds of the events; many of one kind in a row are one.
fn order(events: &[(String, Value)]) -> Vec<&str> {
    let mut kinds: Vec<&str> = events.iter().map(|(kind, _)| kind.as_str()).collect();
    kinds.dedup();
    kinds
}

fn events(provider: &str, text: &str) -> Vec<(String, Value)> {
    let data = text.lines().filter_map(|line| line.strip_prefix("data:")).map(str::trim);
    let parsed = data.map(|data| serde_json::from_str(data).unwrap_or_else(|_| Value::String(data.to_owned())));
    parsed.map(|data| (kind(provider, &data), data)).collect()
}

fn kind(provider: &str, data: &Value) -> String {
    if let Some(word) = data.as_str() {
        return word.to_owned();
    }
    match (provider, data["type"].as_str()) {
        ("anthropic", Some(kind)) => {
            let inner = data["content_block"]["type"].as_str().or_else(|| data["delta"]["type"].as_str());
            inner.map_or_else(|| kind.to_owned(), |inner| format!("{kind}<{inner}>"))
        }
        (_, Some(kind)) => kind.to_owned(),
        (_, None) => chunk(data),
    }
}

/// A chunk of a chat by what it adds, sorted: the recordings do not keep the order of fields.
fn chunk(data: &Value) -> String {
    let Some(choice) = data["choices"].get(0) else { return "usage".to_owned() };
    let delta = choice["delta"].as_object();
    let mut added: Vec<&str> = delta.into_iter().flat_map(|delta| delta.keys()).map(String::as_str).collect();
    added.sort_unstable();
    let opens = choice["delta"]["tool_calls"][0]["id"].is_string();
    match (added.is_empty(), opens) {
        (true, _) => "finish".to_owned(),
        (false, true) => format!("{}:open", added.join("+")),
        (false, false) => added.join("+"),
    }
}
