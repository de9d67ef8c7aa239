//! Captured values that must not be shown: `redact: true`. Every record is cleaned before anybody is told of it.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::Value as Json;

use crate::record::StepRecord;

const HIDDEN: &str = "[redacted]";

/// The forms in which a value may stand in a record.
#[derive(Debug, Default)]
pub(crate) struct Secrets(Vec<String>);

impl Secrets {
    /// Every text and number in the value is a secret from now on.
    pub(crate) fn learn(&mut self, value: &Json) {
        match value {
            Json::String(text) => self.learn_text(text),
            Json::Number(number) => self.learn_text(&number.to_string()),
            Json::Array(items) => items.iter().for_each(|item| self.learn(item)),
            Json::Object(map) => map.values().for_each(|item| self.learn(item)),
            Json::Null | Json::Bool(_) => {}
        }
    }

    fn learn_text(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        let quoted = Json::from(text).to_string();
        let encoded: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
        let percent = percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string();
        let base64 = BASE64_STANDARD.encode(text);
        for form in [text.to_owned(), quoted[1..quoted.len() - 1].to_owned(), encoded, percent, base64] {
            if !self.0.contains(&form) {
                self.0.push(form);
            }
        }
        // The longest first: a part that is replaced leaves the rest of a longer form behind.
        self.0.sort_by_key(|form| std::cmp::Reverse(form.len()));
    }

    /// Whether a text holds one of them, so that what is made of it must be hidden too.
    pub(crate) fn touch(&self, text: &str) -> bool {
        self.0.iter().any(|form| text.contains(form.as_str()))
    }

    pub(crate) fn hide_text(&self, text: &mut String) {
        for form in self.0.iter().filter(|form| form.as_str() != HIDDEN) {
            if text.contains(form.as_str()) {
                *text = text.replace(form.as_str(), HIDDEN);
            }
        }
    }

    pub(crate) fn hide(&self, value: &mut Json) {
        if self.0.is_empty() {
            return;
        }
        match value {
            Json::String(text) => self.hide_text(text),
            Json::Number(number) if self.0.contains(&number.to_string()) => *value = HIDDEN.into(),
            Json::Array(items) => items.iter_mut().for_each(|item| self.hide(item)),
            Json::Object(map) => {
                let named = std::mem::take(map).into_iter().map(|(mut name, mut value)| {
                    self.hide_text(&mut name);
                    self.hide(&mut value);
                    (name, value)
                });
                *map = named.collect();
            }
            Json::Null | Json::Bool(_) | Json::Number(_) => {}
        }
    }

    pub(crate) fn hide_step(&self, step: &mut StepRecord) {
        if self.0.is_empty() {
            return;
        }
        self.hide(&mut step.evidence);
        self.hide_text(&mut step.name);
        step.mismatches.iter_mut().for_each(|text| self.hide_text(text));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Secrets;

    #[test]
    fn a_secret_is_hidden_in_every_form_in_which_it_may_be_written() {
        let mut secrets = Secrets::default();
        secrets.learn(&json!({ "token": "a \"b\"/c", "pin": 4711 }));
        let mut shown = json!({
            "raw": "x a \"b\"/c y", "body": "{\"t\":\"a \\\"b\\\"/c\"}", "form": "t=a+%22b%22%2Fc", "path": "/a%20%22b%22%2Fc",
            "pin": 4711, "digits": "is 4711", "list": ["YSAiYiIvYw=="], "a \"b\"/c": 1, "other": "abc",
        });
        secrets.hide(&mut shown);
        let text = shown.to_string();
        for form in ["\\\"b", "%22b", "4711", "YSAi"] {
            assert!(!text.contains(form), "{form} in {text}");
        }
        assert_eq!((&shown["other"], &shown["pin"]), (&json!("abc"), &json!("[redacted]")));
        assert!(secrets.touch("pin 4711") && !secrets.touch("pin 471"));
    }
}
