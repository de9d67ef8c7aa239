//! Form fields with nested keys (`metadata[order]=7`, `items[0][price]=p`, `expand[]=charge`) as one JSON object.
//! Leaves stay strings: what a number is, the operation decides.

use serde_json::{Map, Value};

const PAIRS_MAX: usize = 1_000; // a service refuses larger forms; here the rest is dropped
const DEPTH_MAX: usize = 8; // deeper keys are kept whole

/// One object from pairs in the order of the form; a later plain value replaces an earlier one.
pub(crate) fn nested(encoded: &[u8]) -> Value {
    let mut root = Value::Object(Map::new());
    for (key, value) in url::form_urlencoded::parse(encoded).take(PAIRS_MAX) {
        insert(&mut root, &segments(&key), value.into_owned());
    }
    root
}

fn segments(key: &str) -> Vec<&str> {
    let Some((head, rest)) = key.split_once('[') else { return vec![key] };
    let Some(rest) = rest.strip_suffix(']') else { return vec![key] };
    let tail: Vec<&str> = rest.split("][").collect();
    if head.is_empty() || tail.len() >= DEPTH_MAX { vec![key] } else { std::iter::once(head).chain(tail).collect() }
}

fn insert(node: &mut Value, path: &[&str], leaf: String) {
    let Some((head, rest)) = path.split_first() else {
        *node = Value::String(leaf);
        return;
    };
    match element_index(node, head) {
        Some(index) => {
            if !node.is_array() {
                *node = Value::Array(Vec::new());
            }
            let Value::Array(items) = node else { unreachable!("made an array above") };
            let index = index.min(items.len());
            if index == items.len() {
                items.push(Value::Null);
            }
            insert(&mut items[index], rest, leaf);
        }
        None => {
            if !node.is_object() {
                *node = Value::Object(Map::new());
            }
            insert(&mut node[*head], rest, leaf);
        }
    }
}

/// Where in an array `head` points to, if it means an array: `[]` appends, a number counts from zero.
fn element_index(node: &Value, head: &str) -> Option<usize> {
    let length = node.as_array().map_or(0, Vec::len);
    match head {
        _ if !node.is_array() && !node.is_null() => None,
        "" => Some(length),
        _ => head.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::nested;

    #[test]
    fn nested_keys_become_objects_and_arrays() {
        let form = b"amount=2400&metadata[order]=7&metadata[a b]=c&expand[]=x&expand[]=y&items[0][p]=1&items[1][p]=2";
        let expected = json!({"amount": "2400", "metadata": {"order": "7", "a b": "c"}, "expand": ["x", "y"],
            "items": [{"p": "1"}, {"p": "2"}]});
        assert_eq!(nested(form), expected);
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read(bytes: Vec<u8>, keys in "[a\\[\\]=&0-3%]{0,60}") {
            proptest::prop_assert!(nested(&bytes).is_object());
            proptest::prop_assert!(nested(keys.as_bytes()).is_object());
        }
    }

    #[test]
    fn odd_keys_are_kept_whole() {
        assert_eq!(nested(b"a[b=1&[c]=2"), json!({"a[b": "1", "[c]": "2"}));
        assert_eq!(nested(b"=x"), json!({"": "x"}));
        let deep = format!("a{}=1", "[b]".repeat(500));
        assert_eq!(nested(deep.as_bytes()).as_object().map(serde_json::Map::len), Some(1));
    }
}
