//! The half of a step that is sent: known values are linked, secrets are variables.

use axum::http::{HeaderMap, header};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::Value as Json;

use super::{
    Exchange,
    scenario::{Writer, content_type},
};
use crate::{
    import::{
        escaped,
        write::{Map, Yaml},
    },
    sensitive::{is_secret, is_secret_name, looks_secret, mentions_secret},
};

const METHODS: [&str; 7] = ["get", "post", "put", "patch", "delete", "head", "options"];
const FORM: &str = "application/x-www-form-urlencoded";

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

impl Writer {
    pub(super) fn request(&mut self, exchange: &Exchange) -> Map {
        let (path, query) = self.target(&exchange.path_and_query);
        let method = exchange.method.to_lowercase();
        let mut http = if METHODS.contains(&method.as_str()) {
            Map::one(&method, path)
        } else {
            Map::one("method", exchange.method.as_str()).with("url", path)
        };
        let (body, implied) = self.body(exchange);
        let headers = self.headers(&exchange.headers, implied);
        let cookies = self.sent_cookies(&exchange.headers);
        for (part, map) in [("query", query), ("headers", headers), ("cookies", cookies)] {
            if !map.is_empty() {
                http.set(part, map);
            }
        }
        http.0.extend(body.0);
        http
    }

    /// The path with known ids, and the parameters that are secrets: those have no place in a URL that is shown.
    fn target(&mut self, path_and_query: &str) -> (String, Map) {
        let (path, query) = path_and_query.split_once('?').unwrap_or((path_and_query, ""));
        let segments: Vec<_> = path.split('/').map(|segment| self.told("", segment)).collect();
        let (mut shown, mut secret) = (Vec::new(), Map::new());
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let Some((name, value)) = url::form_urlencoded::parse(pair.as_bytes()).next() else { continue };
            let told = self.told(&name, &value);
            if told == escaped(&value) {
                shown.push(escaped(pair));
            } else {
                add(&mut secret, &name, told);
            }
        }
        let mark = if shown.is_empty() { "" } else { "?" };
        (format!("{}{mark}{}", segments.join("/"), shown.join("&")), secret)
    }

    /// A text of the request as a template. `name` is what it stands under.
    fn told(&mut self, name: &str, text: &str) -> String {
        let linked = self.known.link(text);
        let rest = outside_of_templates(&linked);
        // `Bearer {{ token }}`: a token that an answer gave is no secret of the file.
        let is_scheme = rest != linked && rest.trim().chars().all(|c| c.is_ascii_alphabetic());
        let is_secret = !rest.is_empty() && is_secret_name(name) && !is_scheme;
        if is_secret || looks_secret(&rest) || self.heard.touch(&rest) {
            return self.secret(name, &text.into());
        }
        linked
    }

    /// The body, and the content type that goes without saying.
    fn body(&mut self, exchange: &Exchange) -> (Map, &'static str) {
        let kind = content_type(&exchange.headers);
        let Some(bytes) = exchange.body.whole() else { return (left_out("the body was too long to be kept"), "") };
        if bytes.is_empty() {
            return (Map::new(), "");
        }
        let text = std::str::from_utf8(bytes);
        match text {
            Ok(text) if kind.contains("json") && serde_json::from_str::<Json>(text).is_ok() => {
                let value = serde_json::from_str(text).unwrap_or_default();
                (Map::one("json", self.sent("", &value, false)), "application/json")
            }
            Ok(text) if kind.starts_with(FORM) => (Map::one("form", self.form(text)), FORM),
            _ if mentions_secret(&String::from_utf8_lossy(bytes)) => {
                (left_out("the body seems to hold a secret, so it is not recorded"), "")
            }
            Ok(text) => (Map::one("text", self.told("", text)), ""),
            Err(_) => (Map::one("bytes_base64", BASE64_STANDARD.encode(bytes)), ""),
        }
    }

    fn form(&mut self, text: &str) -> Map {
        let mut map = Map::new();
        for (name, value) in url::form_urlencoded::parse(text.as_bytes()) {
            let value = self.told(&name, &value);
            add(&mut map, &name, value);
        }
        map
    }

    /// A JSON value that was sent. `is_inside`: of something with the name of a secret.
    fn sent(&mut self, key: &str, value: &Json, is_inside: bool) -> Yaml {
        let is_secret = is_inside || is_secret(key, value);
        match value {
            Json::Array(items) => items.iter().map(|item| self.sent(key, item, is_secret)).collect::<Vec<_>>().into(),
            Json::Object(map) => {
                Map(map.iter().map(|(key, value)| (escaped(key), self.sent(key, value, is_secret))).collect()).into()
            }
            scalar => self.sent_scalar(key, scalar, is_secret),
        }
    }

    fn sent_scalar(&mut self, key: &str, value: &Json, is_secret: bool) -> Yaml {
        let linked = self.known.link_scalar(key, value);
        match value {
            Json::String(text) => {
                let linked = linked.unwrap_or_else(|| escaped(text));
                let rest = outside_of_templates(&linked);
                let is_told = rest.is_empty() || !is_secret && !looks_secret(&rest) && !self.heard.touch(&rest);
                if is_told { linked.into() } else { self.secret(key, value).into() }
            }
            Json::Number(_) if linked.is_none() && (is_secret || self.heard.touch_json(value)) => {
                self.secret(key, value).into()
            }
            scalar => linked.map_or_else(|| scalar.into(), Yaml::Text),
        }
    }

    fn headers(&mut self, headers: &HeaderMap, implied: &str) -> Map {
        let mut map = Map::new();
        for (name, value) in headers {
            let (name, Ok(value)) = (name.as_str(), value.to_str()) else { continue };
            let is_noise = USUAL.contains(&name) || name.starts_with("sec-") || name == "accept" && value == "*/*";
            let is_implied = name == "content-type" && !implied.is_empty() && value.starts_with(implied);
            if !is_noise && !is_implied {
                let told = self.told(name, value);
                add(&mut map, name, told);
            }
        }
        map
    }

    /// Cookies that the target did not set: they come from outside.
    fn sent_cookies(&mut self, headers: &HeaderMap) -> Map {
        let mut map = Map::new();
        let sent = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        for (name, value) in sent.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('=')) {
            if !self.cookies.contains(name) {
                map.set(name, self.secret(&format!("cookie_{name}"), &value.into()));
            }
        }
        map
    }
}

/// One name again makes a list.
fn add(map: &mut Map, name: &str, value: String) {
    let name = escaped(name);
    match map.0.iter_mut().find(|(known, _)| *known == name) {
        Some((_, Yaml::List(values))) => values.push(value.into()),
        Some((_, first)) => *first = Yaml::List(vec![std::mem::replace(first, Yaml::Null), value.into()]),
        None => map.0.push((name, value.into())),
    }
}

fn left_out(why: &str) -> Map {
    Map::one("text", Yaml::from("").commented(vec![format!("TODO {why}")]))
}

/// What a template says by itself.
fn outside_of_templates(template: &str) -> String {
    let mut out = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        out.push_str(before);
        rest = after.split_once("}}").map_or("", |(_, after)| after);
    }
    out + rest
}
