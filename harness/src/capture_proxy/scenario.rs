//! What was heard as the steps of a scenario.

use std::collections::{BTreeMap, BTreeSet};

use axum::http::{HeaderMap, header};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::Value as Json;

use super::{
    Exchange,
    values::{Known, Volatile, is_volatile},
};
use crate::import::{
    escaped,
    slug::{Unique, slug, variable},
    write::{Map, Yaml},
};

const METHODS: [&str; 7] = ["get", "post", "put", "patch", "delete", "head", "options"];
const TEXT_BYTES_MAX: usize = 300; // of an answer that is compared whole; a page has more
const ITEMS_MAX: usize = 50; // of a list that is compared; longer ones by their length
const DEPTH_MAX: usize = 20;

/// Headers that clients send by themselves.
const USUAL: [&str; 13] = [
    "host",
    "user-agent",
    "accept-encoding",
    "accept-language",
    "connection",
    "content-length",
    "cookie",
    "transfer-encoding",
    "expect",
    "origin",
    "referer",
    "cache-control",
    "pragma",
];

/// Parts of names of headers and fields that hold secrets.
const SECRET: [&str; 7] = ["authorization", "api-key", "apikey", "api_key", "password", "secret", "x-token"];

/// The text of a scenario, named `name`; `None` where nothing was heard.
pub fn written(name: &str, target: &str, exchanges: &[Exchange]) -> Option<String> {
    let mut writer = Writer::default();
    let mut steps: Vec<Map> = Vec::new();
    for exchange in exchanges.iter().filter(|exchange| exchange.status.is_some()) {
        steps.push(writer.step(exchange, steps.len()));
    }
    if steps.is_empty() {
        return None;
    }
    for known in writer.known.0.iter().filter(|known| known.is_used) {
        let step = &mut steps[known.step];
        let mut captures = match step.get("capture") {
            Some(Yaml::Map(captures)) => captures.clone(),
            _ => Map::new(),
        };
        captures.set(&known.name, known.path.as_str());
        step.set("capture", captures);
    }
    let mut document = Map::one("scenario", slug(name)).with("title", format!("Recorded at {target}"));
    if !writer.vars.is_empty() {
        document.set("vars", Yaml::from(writer.vars).spread());
    }
    let steps = steps.into_iter().map(|step| Yaml::from(step).spread()).collect();
    document.set("steps", Yaml::List(steps).spread());
    Some(Yaml::from(document).commented(vec!["Read it, and take out what does not matter.".to_owned()]).document())
}

#[derive(Default)]
struct Writer {
    known: Known,
    names: Unique,
    vars: Map,
    /// Secrets by their text, so that the same one is the same variable.
    secrets: BTreeMap<String, String>,
    /// Names of the cookies that the target has set: the jar sends them again.
    cookies: BTreeSet<String>,
}

impl Writer {
    fn step(&mut self, exchange: &Exchange, step: usize) -> Map {
        let mut map = Map::one("http", self.request(exchange));
        map.set("expect", self.expect(exchange, step));
        let set = exchange.answer_headers.get_all(header::SET_COOKIE).iter().filter_map(|value| value.to_str().ok());
        self.cookies.extend(set.filter_map(|cookie| cookie.split_once('=')).map(|(name, _)| name.trim().to_owned()));
        map
    }

    fn request(&mut self, exchange: &Exchange) -> Map {
        let path = self.known.link_path(&exchange.path_and_query);
        let method = exchange.method.to_lowercase();
        let mut http = if METHODS.contains(&method.as_str()) {
            Map::one(&method, path)
        } else {
            Map::one("method", exchange.method.as_str()).with("url", path)
        };
        let (body, implied) = self.body(exchange);
        let headers = self.headers(&exchange.headers, implied);
        if !headers.is_empty() {
            http.set("headers", headers);
        }
        let cookies = self.sent_cookies(&exchange.headers);
        if !cookies.is_empty() {
            http.set("cookies", cookies);
        }
        http.0.extend(body.0);
        http
    }

    /// The body, and the content type that goes without saying.
    fn body(&mut self, exchange: &Exchange) -> (Map, &'static str) {
        let kind = content_type(&exchange.headers);
        let Some(bytes) = exchange.body.whole() else {
            return (
                Map::one("text", Yaml::from("").commented(vec!["TODO the body was too long to be kept".to_owned()])),
                "",
            );
        };
        if bytes.is_empty() {
            return (Map::new(), "");
        }
        match std::str::from_utf8(bytes) {
            Err(_) => (Map::one("bytes_base64", BASE64_STANDARD.encode(bytes)), ""),
            Ok(text) if kind.contains("json") => match serde_json::from_str(text) {
                Ok(value) => (Map::one("json", self.sent("", &value)), "application/json"),
                Err(_) => (Map::one("text", escaped(text)), ""),
            },
            Ok(text) if kind.starts_with("application/x-www-form-urlencoded") => {
                (Map::one("form", self.form(text)), "application/x-www-form-urlencoded")
            }
            Ok(text) => (Map::one("text", self.known.link(text)), ""),
        }
    }

    fn form(&mut self, text: &str) -> Map {
        let mut map = Map::new();
        for (name, value) in url::form_urlencoded::parse(text.as_bytes()) {
            let value = if is_secret(&name) { self.secret(&name, &value) } else { self.known.link(&value) };
            match map.0.iter_mut().find(|(known, _)| *known == *name) {
                Some((_, Yaml::List(values))) => values.push(value.into()),
                Some((_, first)) => *first = Yaml::List(vec![std::mem::replace(first, Yaml::Null), value.into()]),
                None => map.0.push((name.into_owned(), value.into())),
            }
        }
        map
    }

    /// A JSON value that was sent.
    fn sent(&mut self, key: &str, value: &Json) -> Yaml {
        match value {
            Json::Array(items) => items.iter().map(|item| self.sent(key, item)).collect::<Vec<_>>().into(),
            Json::Object(map) => {
                Map(map.iter().map(|(key, value)| (escaped(key), self.sent(key, value))).collect()).into()
            }
            Json::String(text) if is_secret(key) => self.secret(key, text).into(),
            scalar => self.known.link_scalar(key, scalar).map_or_else(|| scalar.into(), Yaml::Text),
        }
    }

    fn headers(&mut self, headers: &HeaderMap, implied: &str) -> Map {
        let mut map = Map::new();
        for (name, value) in headers {
            let (name, Ok(value)) = (name.as_str(), value.to_str()) else { continue };
            let is_noise = USUAL.contains(&name) || name.starts_with("sec-") || name == "accept" && value == "*/*";
            let is_implied = name == "content-type" && !implied.is_empty() && value.starts_with(implied);
            if is_noise || is_implied {
                continue;
            }
            let linked = self.known.link(value);
            // A token that an answer gave is no secret of the file.
            let is_known = linked.contains("{{");
            let written = if is_secret(name) && !is_known { self.secret(name, value) } else { linked };
            map.set(name, written);
        }
        map
    }

    /// Cookies that the target did not set: they come from outside.
    fn sent_cookies(&mut self, headers: &HeaderMap) -> Map {
        let mut map = Map::new();
        let sent = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        for (name, value) in sent.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('=')) {
            if !self.cookies.contains(name) {
                map.set(name, self.secret(&format!("cookie_{name}"), value));
            }
        }
        map
    }

    fn secret(&mut self, name: &str, value: &str) -> String {
        let known = self.secrets.get(value).cloned();
        let name = known.unwrap_or_else(|| {
            let name = self.names.name(&variable(&name.to_lowercase()), "_");
            let comment = format!("TODO a secret is not recorded: give it with --var {name}=…");
            self.vars.set(&name, Yaml::from("").commented(vec![comment]));
            self.secrets.insert(value.to_owned(), name.clone());
            name
        });
        format!("{{{{ {name} }}}}")
    }

    fn expect(&mut self, exchange: &Exchange, step: usize) -> Map {
        let mut expect = Map::one("status", Yaml::Number(exchange.status.unwrap_or_default().to_string()));
        let kind = content_type(&exchange.answer_headers);
        let text = exchange.answer.whole().and_then(|bytes| std::str::from_utf8(bytes).ok());
        let Some(text) = text.filter(|text| !text.is_empty()) else { return expect };
        match serde_json::from_str::<Json>(text) {
            Ok(value) if kind.contains("json") => {
                let mut checks = Vec::new();
                let mut heard = Heard { writer: self, step, resource: resource(exchange), checks: &mut checks };
                if let Some(stable) = heard.stable("", "$", &value, 0) {
                    expect.set("json", stable);
                }
                if !checks.is_empty() {
                    expect.set("jsonpath", Yaml::List(checks).spread());
                }
            }
            _ if kind.starts_with("text/plain") && text.len() <= TEXT_BYTES_MAX => {
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
    fn stable(&mut self, key: &str, path: &str, value: &Json, depth: usize) -> Option<Yaml> {
        if depth > DEPTH_MAX {
            return None;
        }
        if let Some(known) = self.writer.known.repeated(value, self.step).filter(|_| is_volatile(key, value)) {
            return Some(known.into());
        }
        if is_volatile(key, value) {
            self.note(key, path, value);
            return None;
        }
        match value {
            Json::Object(map) => {
                let entries = map.iter().filter_map(|(key, value)| {
                    let stable = self.stable(key, &format!("{path}{}", member(key)), value, depth + 1)?;
                    Some((escaped(key), stable))
                });
                Some(Map(entries.collect()).into())
            }
            Json::Array(items) => self.list(key, path, items, depth),
            Json::String(text) => Some(escaped(text).into()),
            scalar => Some(scalar.into()),
        }
    }

    fn list(&mut self, key: &str, path: &str, items: &[Json], depth: usize) -> Option<Yaml> {
        let by_length = items.len() > ITEMS_MAX || items.iter().any(|item| !item.is_object() && is_volatile(key, item));
        if by_length {
            self.checks.push(Map::one("path", path).with("length", Yaml::Number(items.len().to_string())).into());
            return None;
        }
        let item = |(at, item): (usize, &Json)| self.stable(key, &format!("{path}[{at}]"), item, depth + 1);
        let stable: Option<Vec<_>> = items.iter().enumerate().map(item).collect();
        stable.map(Yaml::List)
    }

    fn note(&mut self, key: &str, path: &str, value: &Json) {
        let kind = if value.is_number() { "number" } else { "string" };
        self.checks.push(Map::one("path", path).with("type", kind).into());
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let wanted = match key.to_lowercase().as_str() {
            "id" | "uuid" => self.resource.clone(),
            _ => variable(key),
        };
        if self.writer.known.0.iter().any(|known| known.text == text) {
            return;
        }
        let name = self.writer.names.name(&wanted, "_");
        let is_number = value.is_number();
        self.writer.known.add(Volatile {
            text,
            is_number,
            step: self.step,
            path: path.to_owned(),
            name,
            is_used: false,
        });
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

fn is_secret(name: &str) -> bool {
    let lower = name.to_lowercase();
    SECRET.iter().any(|part| lower.contains(part))
}

fn content_type(headers: &HeaderMap) -> String {
    headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default().to_lowercase()
}
