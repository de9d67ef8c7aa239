//! JSON against JSON: alike, or alike enough.

use serde_json::Value as Json;

/// What may differ.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Leniency {
    pub(crate) any_order: bool,
    pub(crate) extra_fields: bool,
}

const HOLES: [&str; 2] = ["${json-unit.", "#{json-unit."];

pub(crate) fn alike(expected: &Json, found: &Json, leniency: Leniency) -> bool {
    match (expected, found) {
        (Json::String(text), _) if is_hole(text) => fills(text, found),
        (Json::Object(wanted), Json::Object(given)) => {
            let each = wanted.iter().all(|(name, value)| {
                given.get(name).map_or_else(|| is_ignored(value), |found| alike(value, found, leniency))
            });
            each && (leniency.extra_fields || given.keys().all(|name| wanted.contains_key(name)))
        }
        (Json::Array(wanted), Json::Array(given)) if leniency.any_order => unordered(wanted, given, leniency),
        (Json::Array(wanted), Json::Array(given)) => {
            (wanted.len() == given.len() || leniency.extra_fields && wanted.len() < given.len())
                && wanted.iter().zip(given).all(|(wanted, given)| alike(wanted, given, leniency))
        }
        (Json::Number(wanted), Json::Number(given)) => wanted == given || wanted.as_f64() == given.as_f64(),
        _ => expected == found,
    }
}

/// Whether the text stands for more than itself.
pub(crate) fn is_hole(text: &str) -> bool {
    HOLES.iter().any(|hole| text.starts_with(hole))
}

/// Each expected item has one of its own.
fn unordered(wanted: &[Json], given: &[Json], leniency: Leniency) -> bool {
    if wanted.len() > given.len() || wanted.len() < given.len() && !leniency.extra_fields {
        return false;
    }
    let mut free: Vec<&Json> = given.iter().collect();
    wanted.iter().all(|wanted| {
        let place = free.iter().position(|given| alike(wanted, given, leniency));
        place.map(|place| free.swap_remove(place)).is_some()
    })
}

fn is_ignored(value: &Json) -> bool {
    value.as_str().is_some_and(|text| HOLES.iter().any(|hole| text == format!("{hole}ignore}}")))
}

/// The holes of `JsonUnit` that users of `WireMock` write.
fn fills(hole: &str, found: &Json) -> bool {
    let (kind, tail) = hole.split_once("json-unit.").and_then(|(_, rest)| rest.split_once('}')).unwrap_or_default();
    match kind {
        "ignore" | "ignore-element" => true,
        "any-string" => found.is_string(),
        "any-number" => found.is_number(),
        "any-boolean" => found.is_boolean(),
        "regex" => {
            let pattern = regex::Regex::new(&format!("^(?:{tail})$"));
            found.as_str().is_some_and(|text| pattern.is_ok_and(|pattern| pattern.is_match(text)))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn order_and_extra_fields_matter_unless_told_otherwise() {
        let (wanted, given) = (json!({"a": [1, 2]}), json!({"a": [2, 1], "b": 3}));
        let with = |any_order, extra_fields| alike(&wanted, &given, Leniency { any_order, extra_fields });
        assert_eq!(
            (with(false, false), with(true, false), with(false, true), with(true, true)),
            (false, false, false, true)
        );
    }

    #[test]
    fn each_expected_item_needs_one_of_its_own() {
        let any_order = Leniency { any_order: true, extra_fields: false };
        assert!(!alike(&json!([1, 1]), &json!([1, 2]), any_order));
        assert!(alike(&json!([1.0]), &json!([1]), any_order));
    }

    #[test]
    fn holes_take_what_they_say() {
        let fits = |wanted: Json, given: Json| alike(&wanted, &given, Leniency::default());
        assert!(fits(json!({"a": "${json-unit.any-string}"}), json!({"a": "x"})));
        assert!(!fits(json!({"a": "${json-unit.any-number}"}), json!({"a": "x"})));
        assert!(fits(json!({"a": "${json-unit.ignore}"}), json!({})));
        assert!(fits(json!("${json-unit.regex}[a-z]+"), json!("abc")));
        assert!(!fits(json!("${json-unit.regex}[a-z]+"), json!("1")));
    }
}
