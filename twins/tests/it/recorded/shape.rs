//! The fields of a JSON value, by path and kind: what an answer has, whatever it says.

use std::collections::BTreeMap;

use serde_json::Value;

/// Fields whose inside is the user's.
const OPAQUE: [&str; 5] = ["input", "metadata", "parameters", "schema", "capabilities"];

/// Paths with the kind of what is there; null fits any kind.
pub(super) type Shape = BTreeMap<String, &'static str>;

pub(super) fn add(shape: &mut Shape, value: &Value) {
    walk(shape, String::new(), value);
}

fn walk(shape: &mut Shape, path: String, value: &Value) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let path = format!("{path}.{name}");
                let known = shape.entry(path.clone()).or_insert("null");
                if !value.is_null() {
                    *known = kind(value);
                }
                if !OPAQUE.contains(&name.as_str()) {
                    walk(shape, path, value);
                }
            }
        }
        Value::Array(items) => {
            for item in items {
                let tag = item["type"].as_str().map(|kind| format!("<{kind}>")).unwrap_or_default();
                walk(shape, format!("{path}[]{tag}"), item);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "text",
        Value::Array(_) => "list",
        Value::Object(_) => "object",
    }
}

/// Each difference once: not below a field that is missing itself.
pub(super) fn differences(recorded: &Shape, twin: &Shape) -> Vec<String> {
    let mut lines = Vec::new();
    for (mine, other, only) in [(recorded, twin, "only recorded"), (twin, recorded, "only in the twin")] {
        let missing: Vec<&String> = mine.keys().filter(|path| !other.contains_key(*path)).collect();
        let inner = |path: &&&String| {
            missing
                .iter()
                .any(|outer| path.strip_prefix(outer.as_str()).is_some_and(|rest| rest.starts_with(['.', '['])))
        };
        lines.extend(missing.iter().filter(|path| !inner(path)).map(|path| format!("{path} {only}")));
    }
    let both = recorded.iter().filter_map(|(path, kind)| Some((path, *kind, *twin.get(path)?)));
    let other = both.filter(|(_, one, two)| one != two && *one != "null" && *two != "null");
    lines.extend(other.map(|(path, one, two)| format!("{path} is {one} recorded and {two} in the twin")));
    lines
}
