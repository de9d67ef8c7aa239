//! Values that are different in every run, and where they are used again.

use serde_json::Value as Json;

use crate::import::write::{Map, Yaml};

const TOKEN_CHARS_MIN: usize = 16; // shorter random texts cannot be told from words
const LINK_CHARS_MIN: usize = 6; // a shorter text stands in others by chance

/// A value of an answer that another run will not repeat.
#[derive(Debug)]
pub(super) struct Volatile {
    pub(super) text: String,
    pub(super) is_number: bool,
    pub(super) is_secret: bool,
    /// The step that heard it, and its `JSONPath` there.
    pub(super) step: usize,
    pub(super) path: String,
    pub(super) name: String,
    pub(super) is_used: bool,
}

impl Volatile {
    /// The rule that takes it from the answer.
    pub(super) fn capture(&self) -> Yaml {
        match self.is_secret {
            true => Map::one("jsonpath", self.path.as_str()).with("redact", true).into(),
            false => self.path.as_str().into(),
        }
    }
}

/// Whether a value under this key is different in every run.
pub(super) fn is_volatile(key: &str, value: &Json) -> bool {
    match value {
        Json::String(text) => is_id_key(key) && !text.is_empty() || is_time(text) || is_random(text),
        Json::Number(number) => {
            is_id_key(key) || is_time_key(key) && number.as_f64().is_some_and(|number| number > 1e9)
        }
        _ => false,
    }
}

pub(super) fn is_id_key(key: &str) -> bool {
    let lower = key.to_lowercase();
    lower == "id"
        || lower == "uuid"
        || lower.ends_with("_id")
        || key.ends_with("Id")
        || lower.contains("token")
        || lower == "etag"
}

fn is_time_key(key: &str) -> bool {
    let lower = key.to_lowercase();
    ["_at", "time", "date", "created", "updated", "expires"].iter().any(|end| lower.ends_with(end))
}

fn is_time(text: &str) -> bool {
    text.parse::<jiff::Timestamp>().is_ok() || text.len() > 10 && text.parse::<jiff::civil::DateTime>().is_ok()
}

/// UUIDs, and long texts of letters and digits mixed.
fn is_random(text: &str) -> bool {
    let is_token = text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.~+/=".contains(c));
    let digits = text.chars().filter(char::is_ascii_digit).count();
    let letters = text.chars().filter(char::is_ascii_alphabetic).count();
    text.len() >= TOKEN_CHARS_MIN && is_token && digits >= 3 && letters >= 3
}

/// What is known, and how texts that hold it are written.
#[derive(Debug, Default)]
pub(super) struct Known(pub(super) Vec<Volatile>);

impl Known {
    pub(super) fn add(&mut self, volatile: Volatile) {
        if !self.0.iter().any(|known| known.text == volatile.text && known.is_number == volatile.is_number) {
            self.0.push(volatile);
        }
    }

    /// A text of a request as a template: known values become `{{ name }}`. A path is `/`-separated, and short ids
    /// count only as whole segments.
    pub(super) fn link(&mut self, text: &str) -> String {
        if let Some(name) = self.exact(text) {
            return format!("{{{{ {name} }}}}");
        }
        let mut rest = text;
        let mut out = String::new();
        'text: while !rest.is_empty() {
            for known in self.0.iter_mut().filter(|known| known.text.len() >= LINK_CHARS_MIN) {
                if let Some(after) = rest.strip_prefix(known.text.as_str()) {
                    known.is_used = true;
                    out.push_str(&format!("\u{0}{}\u{0}", known.name));
                    rest = after;
                    continue 'text;
                }
            }
            let next = rest.chars().next().map_or(1, char::len_utf8);
            out.push_str(&rest[..next]);
            rest = &rest[next..];
        }
        // The name between the marks is a placeholder; all else stays as it is.
        let parts = out.split('\u{0}').enumerate();
        parts
            .map(|(at, part)| if at % 2 == 1 { format!("{{{{ {part} }}}}") } else { crate::import::escaped(part) })
            .collect()
    }

    /// The name of a known value that is exactly this text.
    fn exact(&mut self, text: &str) -> Option<String> {
        let known = self.0.iter_mut().find(|known| known.text == text)?;
        known.is_used = true;
        Some(known.name.clone())
    }

    /// A value of a body under its key. Small numbers are linked only where the key says that they are ids.
    pub(super) fn link_scalar(&mut self, key: &str, value: &Json) -> Option<String> {
        match value {
            Json::Number(number) if is_id_key(key) => {
                let text = number.to_string();
                let known = self.0.iter_mut().find(|known| known.is_number && known.text == text)?;
                known.is_used = true;
                Some(format!("{{{{ {} }}}}", known.name))
            }
            Json::String(text) => {
                let is_exact = self.0.iter().any(|known| known.text == *text);
                let linked = self.link(text);
                let is_text = is_exact && self.0.iter().any(|known| known.text == *text && known.is_number);
                Some(if is_text { linked.replace(" }}", " | string }}") } else { linked })
            }
            _ => None,
        }
    }

    /// Whether an answer repeats what is known from before.
    pub(super) fn repeated(&mut self, value: &Json, step: usize) -> Option<String> {
        let text = match value {
            Json::String(text) => text.clone(),
            Json::Number(number) => number.to_string(),
            _ => return None,
        };
        let known = self
            .0
            .iter_mut()
            .find(|known| known.step < step && known.text == text && known.is_number == value.is_number())?;
        known.is_used = true;
        Some(format!("{{{{ {} }}}}", known.name))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::is_volatile;

    #[test]
    fn ids_times_and_tokens_are_volatile_and_words_are_not() {
        for (key, value) in [
            ("id", json!(7)),
            ("order_id", json!("a")),
            ("orderId", json!("a")),
            ("x", json!("0190a0a0-7b7b-7c7c-8d8d-9e9e9e9e9e9e")),
            ("x", json!("2026-11-20T10:00:00Z")),
            ("created_at", json!(1_795_000_000)),
            ("x", json!("sk_live_9f8e7d6c5b4a39")),
        ] {
            assert!(is_volatile(key, &value), "{key}: {value}");
        }
        for (key, value) in [
            ("name", json!("mug")),
            ("total", json!(2400)),
            ("paid", json!(true)),
            ("paid_at", json!(null)),
            ("x", json!("a-long-sentence-without-digits")),
            ("width", json!(3)),
            ("x", json!("2026")),
        ] {
            assert!(!is_volatile(key, &value), "{key}: {value}");
        }
    }
}
