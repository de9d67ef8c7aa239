//! Values that a run is given from outside: `name=value`, or a file of them.

use std::collections::BTreeMap;

use located::{Diagnostics, Source};
use serde_json::Value as Json;

use crate::{
    scenario::GIVEN,
    text::{Entries, Node, NodeKind},
};

/// Reads `name=value`. The value is typed as YAML types it: `5` is a number, `true` a Boolean, `"5"` (with its quotes) a
/// string. What is no scalar, or a number that JSON would not write so, is taken as it stands.
///
/// # Errors
/// What is wrong with the name.
pub fn variable(text: &str) -> Result<(String, Json), String> {
    let (name, value) = text.split_once('=').ok_or("write name=value")?;
    check_name(name)?;
    let node: Result<Node, _> = located::yaml(&Source::new("value", value));
    let typed = node.ok().filter(|node| !matches!(node.kind, NodeKind::List(_) | NodeKind::Map(_)));
    // What YAML takes for a number may be a code: `007` is not 7.
    let is_number = || serde_json::from_str::<serde_json::Number>(value).is_ok();
    let typed = typed.filter(|node| !value.is_empty() && (!matches!(node.kind, NodeKind::Number(_)) || is_number()));
    Ok((name.to_owned(), typed.map_or_else(|| Json::String(value.to_owned()), |node| node.written())))
}

/// Reads a YAML or JSON file that maps names to values of any shape.
///
/// # Errors
/// All that is wrong, each with its place.
pub fn variables(source: &Source) -> Result<BTreeMap<String, Json>, Diagnostics> {
    let entries: Entries<Node> = located::yaml(source)?;
    let mut wrong = Diagnostics::default();
    let mut values = BTreeMap::new();
    for (name, node) in entries.iter() {
        if let Err(message) = check_name(name) {
            wrong.push(source.diagnostic(name.place, message));
        }
        values.insert(name.value.clone(), node.written());
    }
    wrong.or(values)
}

fn check_name(name: &str) -> Result<(), String> {
    let is_word = |c: char| c == '_' || c.is_ascii_alphanumeric();
    let is_name = name.chars().all(is_word) && !name.starts_with(|c: char| c.is_ascii_digit()) && !name.is_empty();
    if is_name && !GIVEN.contains(&name) {
        return Ok(());
    }
    Err(format!("`{name}` cannot name a value: use letters, digits and _, and none of {}", GIVEN.join(", ")))
}

#[cfg(test)]
mod tests {
    use located::Source;
    use serde_json::json;

    use super::{variable, variables};

    #[test]
    fn a_value_has_the_type_that_yaml_gives_it() {
        let cases = [
            ("n=5", json!(5)),
            ("n=5.5", json!(5.5)),
            ("n=true", json!(true)),
            ("n=null", json!(null)),
            ("n=\"5\"", json!("5")),
            ("n=", json!("")),
            ("n=a=b", json!("a=b")),
            ("n=a: b", json!("a: b")),
            ("n=[a", json!("[a")),
            ("n=http://a:80/?q=1", json!("http://a:80/?q=1")),
            ("n=007", json!("007")),
            ("n=0x1f", json!("0x1f")),
        ];
        for (text, value) in cases {
            assert_eq!(variable(text), Ok(("n".to_owned(), value)), "{text}");
        }
    }

    #[test]
    fn a_name_is_a_word_that_is_not_taken() {
        for text in ["n", "=1", "1n=1", "a-b=1", "trial=1", "ports=1"] {
            assert!(variable(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_file_holds_values_of_any_shape() {
        let values = variables(&Source::new("vars.yaml", "card: pm_1\nlimits: { a: [1, 2] }\n")).unwrap();
        assert_eq!(values["limits"], json!({ "a": [1, 2] }));
        let error = variables(&Source::new("vars.yaml", "card: a\ntrial: 1\n")).unwrap_err().to_string();
        assert!(error.starts_with("vars.yaml:2:1: `trial` cannot name a value"), "{error}");
    }
}
