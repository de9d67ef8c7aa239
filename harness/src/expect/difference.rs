//! The first difference between two JSON values.

use serde_json::Value as Json;

use super::{Mismatch, shown, value::order_numbers};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Objects may have more keys than expected; arrays must be of the same length.
    Partial,
    Exact,
}

/// `None` where `got` is what was expected; otherwise the first place where it is not.
pub(crate) fn difference(expected: &Json, got: &Json, mode: Mode) -> Option<Mismatch> {
    walk(expected, got, mode, "$")
}

/// Equality of values; `1` and `1.0` are the same number.
pub(crate) fn same(a: &Json, b: &Json) -> bool {
    difference(a, b, Mode::Exact).is_none()
}

fn walk(expected: &Json, got: &Json, mode: Mode, path: &str) -> Option<Mismatch> {
    match (expected, got) {
        (Json::Object(wanted), Json::Object(found)) => {
            let inside = wanted.iter().find_map(|(key, value)| {
                let path = child(path, key);
                match found.get(key) {
                    Some(found) => walk(value, found, mode, &path),
                    None => Some(Mismatch::new(format!("json {path}"), shown(value), "nothing there")),
                }
            });
            inside.or_else(|| match mode {
                Mode::Partial => None,
                Mode::Exact => found.iter().find(|(key, _)| !wanted.contains_key(*key)).map(|(key, value)| {
                    Mismatch::new(format!("json {}", child(path, key)), "nothing there", shown(value))
                }),
            })
        }
        (Json::Array(wanted), Json::Array(found)) => {
            let inside = wanted.iter().zip(found).enumerate();
            inside.into_iter().find_map(|(n, (w, f))| walk(w, f, mode, &format!("{path}[{n}]"))).or_else(|| {
                (wanted.len() != found.len()).then(|| {
                    let expected = format!("{} elements", wanted.len());
                    Mismatch::new(format!("json {path}"), expected, format!("{}: {}", found.len(), shown(got)))
                })
            })
        }
        (Json::Number(a), Json::Number(b)) if order_numbers(a, b) == Some(std::cmp::Ordering::Equal) => None,
        _ if expected == got => None,
        _ => Some(Mismatch::new(format!("json {path}"), shown(expected), shown(got))),
    }
}

pub(crate) fn child(path: &str, key: &str) -> String {
    let is_plain =
        key.chars().enumerate().all(|(n, c)| c == '_' || c.is_alphabetic() || (n > 0 && c.is_alphanumeric()));
    if is_plain && !key.is_empty() { format!("{path}.{key}") } else { format!("{path}['{key}']") }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::{Mode, difference};

    fn partial(expected: &Json, got: &Json) -> Option<String> {
        difference(expected, got, Mode::Partial).map(|mismatch| mismatch.message())
    }

    #[test]
    fn partial_lets_objects_have_more() {
        assert_eq!(partial(&json!({"a": {"b": 1}}), &json!({"a": {"b": 1.0, "c": 2}, "d": 3})), None);
        let exact = difference(&json!({"a": 1}), &json!({"a": 1, "d-e": 3}), Mode::Exact).unwrap();
        assert_eq!(exact.message(), "json $['d-e']: expected nothing there, got 3");
    }

    #[test]
    fn the_first_difference_is_named_by_its_path() {
        let got = json!({"lines": [{"n": 1}, {"n": 2}]});
        assert_eq!(
            partial(&json!({"lines": [{"n": 1}, {"n": "2"}]}), &got).unwrap(),
            "json $.lines[1].n: expected \"2\", got 2"
        );
        assert_eq!(partial(&json!({"line": []}), &got).unwrap(), "json $.line: expected [], got nothing there");
        assert_eq!(
            partial(&json!({"lines": {}}), &got).unwrap(),
            r#"json $.lines: expected {}, got [{"n":1},{"n":2}]"#
        );
    }

    #[test]
    fn arrays_must_be_of_one_length() {
        assert_eq!(partial(&json!([1]), &json!([1, 2])).unwrap(), "json $: expected 1 elements, got 2: [1,2]");
        assert!(partial(&json!([1, 2]), &json!([1])).is_some());
    }

    #[test]
    fn null_is_not_absence() {
        assert!(partial(&json!({"a": null}), &json!({})).is_some());
        assert_eq!(partial(&json!({"a": null}), &json!({"a": null})), None);
    }
}
