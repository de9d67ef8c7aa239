//! The secrets of a session: what stood under the name of one, so that it is found again wherever it stands.

use std::collections::BTreeSet;

use axum::http::{HeaderMap, header};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::Value as Json;

use super::Exchange;
use crate::{
    sensitive::{is_secret, is_secret_name},
    step::secrets::Secrets,
};

const EXACT_CHARS_MIN: usize = 4; // a PIN; shorter texts are flags and digits
const WITHIN_CHARS_MIN: usize = 6; // a shorter text stands in others by chance
const LEARNED_MAX: usize = 1_000; // each costs a search in every text

#[derive(Debug, Default)]
pub(super) struct HeardSecrets {
    exact: BTreeSet<String>,
    within: Secrets,
}

impl HeardSecrets {
    pub(super) fn of(exchanges: &[Exchange]) -> Self {
        let mut heard = Self::default();
        for exchange in exchanges {
            heard.headers(&exchange.headers);
            heard.headers(&exchange.answer_headers);
            let query = exchange.path_and_query.split_once('?').map_or("", |(_, query)| query);
            heard.pairs(query.as_bytes());
            for body in [&exchange.body, &exchange.answer].into_iter().filter_map(|tape| tape.whole()) {
                match serde_json::from_slice(body) {
                    Ok(value) => heard.json("", &value, false),
                    Err(_) => heard.pairs(body),
                }
            }
        }
        heard
    }

    /// Whether the text is one of them or holds one, in whatever form.
    pub(super) fn touch(&self, text: &str) -> bool {
        self.exact.contains(text) || self.within.touch(text)
    }

    pub(super) fn touch_json(&self, value: &Json) -> bool {
        match value {
            Json::String(text) => self.touch(text),
            Json::Number(number) => self.exact.contains(&number.to_string()),
            Json::Null | Json::Bool(_) | Json::Array(_) | Json::Object(_) => false,
        }
    }

    fn headers(&mut self, headers: &HeaderMap) {
        for (name, value) in headers {
            let Ok(value) = value.to_str() else { continue };
            if *name == header::COOKIE {
                value
                    .split(';')
                    .filter_map(|pair| pair.split_once('='))
                    .for_each(|(_, value)| self.learn(value.trim()));
            } else if *name == header::SET_COOKIE {
                let pair = value.split(';').next().and_then(|pair| pair.split_once('='));
                pair.into_iter().for_each(|(_, value)| self.learn(value.trim()));
            } else if is_secret_name(name.as_str()) {
                self.learn(value);
                value.split_once(' ').into_iter().for_each(|(_, credential)| self.credential(credential.trim()));
            }
        }
    }

    /// What follows `Bearer` or `Basic`.
    fn credential(&mut self, credential: &str) {
        self.learn(credential);
        let decoded = BASE64_STANDARD.decode(credential).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        if let Some((_, password)) = decoded.as_deref().and_then(|pair| pair.split_once(':')) {
            self.learn(password);
        }
    }

    /// A form or a query; any other text has no such pairs.
    fn pairs(&mut self, text: &[u8]) {
        for (name, value) in url::form_urlencoded::parse(text) {
            if is_secret(&name, &Json::from(value.as_ref())) {
                self.learn(&value);
            }
        }
    }

    fn json(&mut self, name: &str, value: &Json, is_inside: bool) {
        let is_secret = is_inside || is_secret(name, value);
        match value {
            Json::Array(items) => items.iter().for_each(|item| self.json(name, item, is_secret)),
            Json::Object(map) => map.iter().for_each(|(name, item)| self.json(name, item, is_secret)),
            Json::String(text) if is_secret => self.learn(text),
            Json::Number(number) if is_secret => drop(self.exact.insert(number.to_string())),
            Json::Null | Json::Bool(_) | Json::String(_) | Json::Number(_) => {}
        }
    }

    fn learn(&mut self, text: &str) {
        let chars = text.chars().count();
        if self.exact.len() >= LEARNED_MAX || chars < EXACT_CHARS_MIN || !self.exact.insert(text.to_owned()) {
            return;
        }
        if chars >= WITHIN_CHARS_MIN {
            self.within.learn(&text.into());
        }
    }
}
