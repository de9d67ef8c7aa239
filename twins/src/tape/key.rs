//! What counts of a request: method, path, query and body, without how the answer is to be sampled or billed. The order
//! of keys does not count, and what is ignored looks the same everywhere.

use std::collections::BTreeMap;

use regex::Regex;
use serde_json::Value;

const IGNORED: &str = "[ignored]";
const SHOWN_CHARS: usize = 60; // of a value in a difference
const OTHER_OPERATION: usize = 1_000; // farther away than any difference of bodies

/// Fields that do not change what is asked.
const SAMPLING: [&str; 19] = [
    "frequency_penalty",
    "logit_bias",
    "max_completion_tokens",
    "max_output_tokens",
    "max_tokens",
    "metadata",
    "parallel_tool_calls",
    "presence_penalty",
    "prompt_cache_key",
    "prompt_cache_retention",
    "safety_identifier",
    "seed",
    "service_tier",
    "store",
    "stream_options",
    "temperature",
    "top_k",
    "top_p",
    "user",
];

/// A request, reduced to what counts: each leaf by its path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    operation: String,
    leaves: BTreeMap<String, String>,
}

impl Key {
    pub(super) fn new(
        method: &str,
        path: &str,
        query: impl IntoIterator<Item = (String, String)>,
        body: Option<&str>,
        ignore: &[Regex],
    ) -> Self {
        let clean = |text: &str| {
            ignore.iter().fold(text.to_owned(), |text, pattern| pattern.replace_all(&text, IGNORED).into_owned())
        };
        let mut leaves: BTreeMap<String, String> =
            query.into_iter().map(|(name, value)| (format!("?{name}"), clean(&value))).collect();
        match body.map(|body| (body, serde_json::from_str::<Value>(body))) {
            None => {}
            Some((_, Ok(mut value))) => {
                if let Value::Object(fields) = &mut value {
                    fields.retain(|name, value| !SAMPLING.contains(&name.as_str()) && *value != Value::Bool(false));
                }
                flatten("", &value, &clean, &mut leaves);
            }
            Some((text, Err(_))) => {
                leaves.insert("body".to_owned(), clean(text));
            }
        }
        Self { operation: format!("{method} {path}"), leaves }
    }

    pub(super) fn hash(&self) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new();
        let leaves = self.leaves.iter().flat_map(|(path, value)| [path.as_str(), value.as_str()]);
        for part in std::iter::once(self.operation.as_str()).chain(leaves) {
            hasher.update(&(part.len() as u64).to_le_bytes()).update(part.as_bytes());
        }
        *hasher.finalize().as_bytes()
    }

    pub(super) fn operation(&self) -> &str {
        &self.operation
    }

    pub(super) fn distance(&self, other: &Self) -> usize {
        let elsewhere = if self.operation == other.operation { 0 } else { OTHER_OPERATION };
        elsewhere + self.differing(other).count()
    }

    /// Each difference in words, seen from what was recorded.
    pub(super) fn differences(&self, asked: &Self) -> Vec<String> {
        let operation = (self.operation != asked.operation)
            .then(|| format!("operation: recorded {}, asked {}", self.operation, asked.operation));
        let fields = self.differing(asked).map(|path| {
            let shown = |key: &Self| key.leaves.get(path).map_or_else(|| "nothing".to_owned(), |value| short(value));
            format!("{path}: recorded {}, asked {}", shown(self), shown(asked))
        });
        operation.into_iter().chain(fields).collect()
    }

    fn differing<'k>(&'k self, other: &'k Self) -> impl Iterator<Item = &'k String> {
        let here = self.leaves.iter().filter(|(path, value)| other.leaves.get(*path) != Some(value));
        let there = other.leaves.keys().filter(|path| !self.leaves.contains_key(*path));
        here.map(|(path, _)| path).chain(there)
    }
}

fn flatten(path: &str, value: &Value, clean: &impl Fn(&str) -> String, leaves: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (name, value) in fields {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                flatten(&path, value, clean, leaves);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (index, value) in items.iter().enumerate() {
                flatten(&format!("{path}[{index}]"), value, clean, leaves);
            }
        }
        Value::String(text) => {
            leaves.insert(path.to_owned(), format!("\"{}\"", clean(text)));
        }
        other => {
            leaves.insert(path.to_owned(), other.to_string());
        }
    }
}

fn short(value: &str) -> String {
    if value.chars().count() <= SHOWN_CHARS {
        return value.to_owned();
    }
    value.chars().take(SHOWN_CHARS).chain(std::iter::once('…')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(body: &str) -> Key {
        let ignore = [Regex::new(r"\d{4}-\d\d-\d\d").expect("is a pattern")];
        Key::new("POST", "/v1/messages", [], Some(body), &ignore)
    }

    #[test]
    fn neither_the_order_of_keys_nor_sampling_nor_what_is_ignored_counts() {
        let one =
            key(r#"{"model": "m", "messages": [{"role": "user", "content": "On 2026-11-20"}], "temperature": 1}"#);
        let two = key(r#"{"messages": [{"content": "On 2027-01-01", "role": "user"}], "model": "m", "stream": false}"#);
        assert_eq!(one.hash(), two.hash());
    }

    #[test]
    fn tool_results_streaming_and_the_model_count() {
        let base = key(r#"{"model": "m", "messages": [{"content": [{"type": "tool_result", "content": "a"}]}]}"#);
        for other in [
            r#"{"model": "m", "messages": [{"content": [{"type": "tool_result", "content": "b"}]}]}"#,
            r#"{"model": "n", "messages": [{"content": [{"type": "tool_result", "content": "a"}]}]}"#,
            r#"{"model": "m", "messages": [{"content": [{"type": "tool_result", "content": "a"}]}], "stream": true}"#,
        ] {
            assert_ne!(base.hash(), key(other).hash(), "{other}");
            assert_eq!(base.distance(&key(other)), 1);
        }
    }

    #[test]
    fn a_difference_names_the_field_and_both_sides() {
        let (one, two) =
            (key(r#"{"system": "Be brief."}"#), key(r#"{"system": "Be kind.", "tools": [{"name": "t"}]}"#));
        let expected =
            ["system: recorded \"Be brief.\", asked \"Be kind.\"", "tools[0].name: recorded nothing, asked \"t\""];
        assert_eq!(one.differences(&two), expected);
    }
}
