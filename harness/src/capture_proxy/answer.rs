//! The half of a step that says what is expected: what another run repeats of an answer, and nothing of a secret.

use serde_json::Value as Json;

use super::{
    Exchange,
    scenario::{Writer, content_type},
    values::{Volatile, is_volatile},
};
use crate::{
    import::{
        escaped,
        slug::variable,
        write::{Map, Yaml},
    },
    sensitive::{is_secret, mentions_secret},
};

const TEXT_BYTES_MAX: usize = 300; // of an answer that is compared whole; a page has more
const ITEMS_MAX: usize = 50; // of a list that is compared; longer ones by their length
const DEPTH_MAX: usize = 20;

impl Writer {
    pub(super) fn expect(&mut self, exchange: &Exchange, step: usize) -> Map {
        let mut expect = Map::one("status", Yaml::Number(exchange.status.unwrap_or_default().to_string()));
        let kind = content_type(&exchange.answer_headers);
        let text = exchange.answer.whole().and_then(|bytes| std::str::from_utf8(bytes).ok());
        let Some(text) = text.filter(|text| !text.is_empty()) else { return expect };
        match serde_json::from_str::<Json>(text) {
            Ok(value) if kind.contains("json") => {
                let mut checks = Vec::new();
                let mut heard = Heard { writer: self, step, resource: resource(exchange), checks: &mut checks };
                if let Some(stable) = heard.stable(Key::default(), "$", &value, 0) {
                    expect.set("json", stable);
                }
                if !checks.is_empty() {
                    expect.set("jsonpath", Yaml::List(checks).spread());
                }
            }
            _ if kind.starts_with("text/plain") && text.len() <= TEXT_BYTES_MAX && self.may_tell(text) => {
                expect.set("body", self.known.link(text))
            }
            _ if !kind.is_empty() => {
                let essence = kind.split(';').next().unwrap_or_default();
                expect.set("headers", Map::one("content-type", Map::one("starts_with", essence)));
            }
            _ => {}
        }
        expect
    }

    /// Whether a text of an answer holds no secret.
    fn may_tell(&self, text: &str) -> bool {
        !mentions_secret(text) && !self.heard.touch(text)
    }
}

/// An answer while it is read.
struct Heard<'a> {
    writer: &'a mut Writer,
    step: usize,
    resource: String,
    checks: &'a mut Vec<Yaml>,
}

impl Heard<'_> {
    /// What another run repeats of a value. The rest becomes checks of types, and values to link.
    fn stable(&mut self, key: Key<'_>, path: &str, value: &Json, depth: usize) -> Option<Yaml> {
        if depth > DEPTH_MAX {
            return None;
        }
        if self.is_untold(key, value) {
            if let Some(known) = self.writer.known.repeated(value, self.step) {
                return Some(known.into());
            }
            self.note(key, path, value);
            return None;
        }
        match value {
            Json::Object(map) => {
                let entries = map.iter().filter_map(|(name, value)| {
                    let path = format!("{path}{}", member(name));
                    Some((escaped(name), self.stable(key.below(name, value), &path, value, depth + 1)?))
                });
                Some(Map(entries.collect()).into())
            }
            Json::Array(items) => self.list(key, path, items, depth),
            Json::String(text) => Some(escaped(text).into()),
            scalar => Some(scalar.into()),
        }
    }

    fn list(&mut self, key: Key<'_>, path: &str, items: &[Json], depth: usize) -> Option<Yaml> {
        let by_length = items.len() > ITEMS_MAX || items.iter().any(|item| self.is_untold(key, item));
        if by_length {
            self.checks.push(Map::one("path", path).with("length", Yaml::Number(items.len().to_string())).into());
            return None;
        }
        let item = |(at, item): (usize, &Json)| self.stable(key, &format!("{path}[{at}]"), item, depth + 1);
        let stable: Option<Vec<_>> = items.iter().enumerate().map(item).collect();
        stable.map(Yaml::List)
    }

    /// Whether the value is not written: because it changes, or because it is a secret.
    fn is_untold(&self, key: Key<'_>, value: &Json) -> bool {
        is_volatile(key.name, value) || self.is_secret(key, value)
    }

    fn is_secret(&self, key: Key<'_>, value: &Json) -> bool {
        let is_scalar = value.is_number() || value.as_str().is_some_and(|text| !text.is_empty());
        is_scalar && (key.is_secret || is_secret(key.name, value) || self.writer.heard.touch_json(value))
    }

    fn note(&mut self, key: Key<'_>, path: &str, value: &Json) {
        let kind = if value.is_number() { "number" } else { "string" };
        self.checks.push(Map::one("path", path).with("type", kind).into());
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let wanted = match key.name.to_lowercase().as_str() {
            "id" | "uuid" => self.resource.clone(),
            _ => variable(key.name),
        };
        if self.writer.known.0.iter().any(|known| known.text == text) {
            return;
        }
        let name = self.writer.names.name(&wanted, "_");
        self.writer.known.add(Volatile {
            text,
            is_number: value.is_number(),
            is_secret: self.is_secret(key, value),
            step: self.step,
            path: path.to_owned(),
            name,
            is_used: false,
        });
    }
}

/// The name that a value stands under.
#[derive(Clone, Copy, Default)]
struct Key<'a> {
    name: &'a str,
    /// Something around it has the name of a secret: `credentials: {user: …}`.
    is_secret: bool,
}

impl<'a> Key<'a> {
    fn below(self, name: &'a str, value: &Json) -> Self {
        let is_holder = value.is_object() || value.is_array();
        Self { name, is_secret: self.is_secret || is_holder && is_secret(name, value) }
    }
}

/// What a request is about: `order` for `/orders` and `/orders/7`.
fn resource(exchange: &Exchange) -> String {
    let path = exchange.path_and_query.split('?').next().unwrap_or_default();
    let word = path
        .split('/')
        .rev()
        .find(|segment| segment.chars().next().is_some_and(char::is_alphabetic) && !segment.contains(char::is_numeric));
    let word = word.unwrap_or("value").to_lowercase();
    variable(word.strip_suffix('s').filter(|singular| !singular.is_empty()).unwrap_or(&word))
}

fn member(key: &str) -> String {
    let is_plain =
        key.chars().enumerate().all(|(at, c)| c == '_' || c.is_ascii_alphabetic() || at > 0 && c.is_ascii_digit());
    if is_plain && !key.is_empty() {
        format!(".{key}")
    } else {
        format!("['{}']", key.replace('\\', "\\\\").replace('\'', "\\'"))
    }
}
