//! Values that must not be shown: given as secrets, captured with `redact: true`, or made of either by a template. Every
//! record is cleaned before anybody is told of it.

use base64::{
    Engine as _,
    prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE, BASE64_URL_SAFE_NO_PAD},
};
use serde_json::Value as Json;

use crate::record::StepRecord;

const HIDDEN: &str = "[redacted]";

/// The forms in which a value may stand in a record.
#[derive(Clone, Debug, Default)]
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
        for form in forms(text) {
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

/// As it stands, and as JSON, URLs, HTML and Base64 write it.
fn forms(text: &str) -> Vec<String> {
    let quoted = Json::from(text).to_string();
    let ascii: String = quoted.chars().map(|c| if c.is_ascii() { c.to_string() } else { escaped_unit(c) }).collect();
    let html = ['&', '<', '>', '"', '\''].iter().zip(["&amp;", "&lt;", "&gt;", "&quot;", "&#39;"]);
    let mut forms = vec![
        text.to_owned(),
        quoted[1..quoted.len() - 1].to_owned(),
        ascii[1..ascii.len() - 1].to_owned(),
        url::form_urlencoded::byte_serialize(text.as_bytes()).collect(),
        percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string(),
        html.fold(text.to_owned(), |html, (sign, entity)| html.replace(*sign, entity)),
        BASE64_STANDARD.encode(text),
        BASE64_STANDARD_NO_PAD.encode(text),
        BASE64_URL_SAFE.encode(text),
        BASE64_URL_SAFE_NO_PAD.encode(text),
    ];
    // As an address holds it, which leaves more signs alone.
    if let Ok(mut url) = url::Url::parse("http://a/") {
        url.set_query(Some(text));
        forms.extend(url.query().map(str::to_owned));
        url.set_path(text);
        forms.push(url.path().trim_start_matches('/').to_owned());
    }
    forms.retain(|form| !form.is_empty());
    forms
}

/// `\u00e9`, for what ASCII does not hold.
fn escaped_unit(c: char) -> String {
    let mut units = [0; 2];
    c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Secrets;

    #[test]
    fn a_secret_is_hidden_as_others_write_it() {
        let mut secrets = Secrets::default();
        secrets.learn(&"pä&w/x y".into());
        for form in ["p\\u00e4&w/x y", "pä&amp;w/x y", "p%C3%A4&w/x%20y", "p%C3%A4%26w%2Fx+y", "cMOkJncveCB5"] {
            let mut text = format!("<{form}>");
            secrets.hide_text(&mut text);
            assert_eq!(text, "<[redacted]>", "{form}");
        }
    }

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
