//! Values as YAML that people like to read: blocks outside, short flows inside.

use serde_json::{Map, Value as Json};

const FLOW_CHARS_MAX: usize = 100; // longer ones become blocks

/// `value` below a key that stands at `indent`; begins with the space or the line break after the colon.
pub(super) fn below(value: &Json, indent: usize) -> String {
    let flow = flow(value);
    let is_short = flow.chars().count() + indent <= FLOW_CHARS_MAX;
    match value {
        Json::Object(map) if !is_short && !map.is_empty() => {
            let pad = " ".repeat(indent + 2);
            let field = |(name, value): (&String, &Json)| format!("\n{pad}{}:{}", key(name), below(value, indent + 2));
            ordered(map).map(field).collect()
        }
        Json::Array(items) if !is_short && !items.is_empty() => {
            let pad = " ".repeat(indent + 2);
            items.iter().map(|item| format!("\n{pad}-{}", item_below(item, indent + 2))).collect()
        }
        _ => format!(" {flow}"),
    }
}

/// An item of a list: a mapping begins on the line of its dash.
fn item_below(value: &Json, indent: usize) -> String {
    let written = below(value, indent);
    match written.strip_prefix('\n') {
        Some(block) if value.is_object() => format!(" {}", block.trim_start()),
        _ => written,
    }
}

/// JSON is YAML; spaces make it readable.
fn flow(value: &Json) -> String {
    match value {
        Json::Object(map) if map.is_empty() => "{}".to_owned(),
        Json::Object(map) => {
            let fields: Vec<_> = ordered(map).map(|(name, value)| format!("{}: {}", key(name), flow(value))).collect();
            format!("{{ {} }}", fields.join(", "))
        }
        Json::Array(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        other => other.to_string(),
    }
}

/// By name, but for those that say what the others are about.
fn ordered(map: &Map<String, Json>) -> impl Iterator<Item = (&String, &Json)> {
    let is_first = |name: &str| matches!(name, "route" | "stub");
    let (first, rest): (Vec<_>, Vec<_>) = map.iter().partition(|(name, _)| is_first(name));
    first.into_iter().chain(rest)
}

/// A key without quotes where it cannot be taken for something else.
pub(super) fn key(name: &str) -> String {
    let plain = name.starts_with(|letter: char| letter.is_ascii_alphabetic())
        && name.chars().all(|letter| letter.is_ascii_alphanumeric() || "_-.".contains(letter));
    let reserved = ["true", "false", "null", "yes", "no", "on", "off", "y", "n", "nan", "inf"];
    if plain && !reserved.contains(&name.to_lowercase().as_str()) {
        return name.to_owned();
    }
    Json::from(name).to_string()
}

#[cfg(test)]
mod tests {
    use located::Source;
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let long = "x".repeat(90);
        let value = json!({"a": {"b: c": [1, {"d": long, "e": [long]}, []], "no": null, "s": "a \"b\"\n{{ c }} # d"},
            "é": {}, "list": [[1, 2], {"x": 1}], "deep": {"f": {"g": [long, {"h": {"i": long}}]}}});
        let text = format!("root:{}\n", below(&value, 0));
        let read: Json = located::yaml(&Source::new("a.yaml", &text)).unwrap_or_else(|error| panic!("{error}\n{text}"));
        assert_eq!(read["root"], value, "{text}");
    }
}
