//! A request as a step.

use serde_json::Value as Json;

use super::{
    collection::{Auth, Body, Field, Headers, Request, RequestOrUrl, Url},
    names::split,
    scenarios::Writer,
};
use crate::import::{
    slug::slug,
    write::{Map, Yaml},
};

const METHODS: [&str; 7] = ["get", "post", "put", "patch", "delete", "head", "options"];

impl Writer<'_> {
    /// The `http` part of the step; what cannot be said goes to `todos`.
    pub(super) fn request(&mut self, request: &RequestOrUrl, auth: Option<&Auth>, todos: &mut Vec<String>) -> Map {
        let RequestOrUrl::Request(request) = request else {
            let RequestOrUrl::Url(url) = request else { return Map::new() };
            return Map::one("get", self.url(url, todos));
        };
        let (raw, query, variables) = url_parts(request);
        let mut path = self.url(&raw, todos);
        for field in variables {
            let value = self.names.text(&field.text());
            path = path.replace(&format!("/:{}", field.name()), &format!("/{value}"));
        }
        let method = request.method.as_deref().unwrap_or("GET");
        let lower = method.to_lowercase();
        let mut http = if METHODS.contains(&lower.as_str()) {
            Map::one(&lower, path)
        } else {
            Map::one("method", method).with("url", path)
        };
        let headers = match &request.header {
            Headers::List(fields) => self.fields(fields),
            Headers::Text(text) => self.header_lines(text),
            Headers::None(()) => Map::new(),
        };
        set(&mut http, "headers", headers);
        set(&mut http, "query", self.fields(query));
        if let Some(body) = request.body.as_ref().filter(|body| !body.disabled) {
            self.body(body, &mut http, todos);
        }
        if let Some(auth) = request.auth.as_ref().or(auth) {
            self.auth(auth, &mut http, todos);
        }
        http
    }

    fn url(&mut self, raw: &str, todos: &mut Vec<String>) -> String {
        let raw = self.names.expanded(raw);
        let (origin, path) = split(&raw);
        if origin == self.base || origin.is_empty() {
            return self.names.text(&path);
        }
        todos.push(format!("list {origin} under `origins:` in harness.yaml"));
        self.names.text(&raw)
    }

    fn fields(&mut self, fields: &[Field]) -> Map {
        let mut map = Map::new();
        for field in fields.iter().filter(|field| !field.disabled) {
            let value = Yaml::Text(self.names.text(&field.text()));
            let name = self.names.text(field.name());
            match map.0.iter_mut().find(|(known, _)| *known == name) {
                Some((_, Yaml::List(values))) => values.push(value),
                Some((_, first)) => *first = Yaml::List(vec![std::mem::replace(first, Yaml::Null), value]),
                None => map.0.push((name, value)),
            }
        }
        map
    }

    fn header_lines(&mut self, text: &str) -> Map {
        let pairs = text.lines().filter_map(|line| line.split_once(':'));
        Map(pairs.map(|(name, value)| (name.trim().to_owned(), self.names.text(value.trim()).into())).collect())
    }

    fn body(&mut self, body: &Body, http: &mut Map, todos: &mut Vec<String>) {
        match body.mode.as_deref() {
            Some("raw") => self.raw(body, http),
            Some("urlencoded") => set(http, "form", self.fields(body.urlencoded.as_deref().unwrap_or_default())),
            Some("formdata") => {
                let parts = self.parts(body.formdata.as_deref().unwrap_or_default(), todos);
                set(http, "multipart", parts);
            }
            Some("graphql") => {
                let graphql = body.graphql.as_ref().unwrap_or(&Json::Null);
                let mut map = Map::one("query", self.names.text(graphql["query"].as_str().unwrap_or_default()));
                // The variables are JSON in a text.
                let variables = graphql["variables"].as_str().filter(|text| !text.trim().is_empty());
                if let Some(value) = variables.and_then(|text| self.json(text)) {
                    map.set("variables", value);
                }
                http.set("graphql", map);
            }
            Some("file") => {
                let src = body.file.as_ref().and_then(|file| file["src"].as_str()).unwrap_or_default();
                http.set("file", self.copied(src, todos));
            }
            _ => {}
        }
    }

    fn raw(&mut self, body: &Body, http: &mut Map) {
        let raw = body.raw.as_deref().unwrap_or_default();
        if raw.is_empty() {
            return;
        }
        let language = body.options.as_ref().and_then(|options| options["raw"]["language"].as_str());
        let implied = match language {
            Some("json") => "application/json",
            Some("xml") => "application/xml",
            Some("html") => "text/html",
            Some("javascript") => "application/javascript",
            _ => "text/plain",
        };
        let declared = match http.get("headers") {
            Some(Yaml::Map(headers)) => {
                headers.0.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-type")).cloned()
            }
            _ => None,
        };
        let is_json = declared.as_ref().map_or(
            implied == "application/json",
            |(_, kind)| matches!(kind, Yaml::Text(kind) if kind.contains("json")),
        );
        if let Some(value) = is_json.then(|| self.json(raw)).flatten() {
            http.set("json", value);
            return;
        }
        if declared.is_none() {
            let mut headers = match http.get("headers") {
                Some(Yaml::Map(headers)) => headers.clone(),
                _ => Map::new(),
            };
            headers.set("Content-Type", implied);
            http.set("headers", headers);
        }
        http.set("text", self.names.text(raw));
    }

    /// JSON with placeholders, also where they stand without quotes: those keep the type of the value.
    fn json(&mut self, text: &str) -> Option<Yaml> {
        const MARK: &str = "\u{e000}"; // of a private area, so that no text has it
        let quoted = quote_bare_placeholders(text, MARK);
        let value: Json = serde_json::from_str(&quoted).ok()?;
        Some(self.json_value(&value, MARK))
    }

    fn json_value(&mut self, value: &Json, mark: &str) -> Yaml {
        match value {
            Json::String(text) => match text.strip_prefix(mark) {
                Some(bare) => self.names.text(bare).into(),
                None => self.names.text_value(text),
            },
            Json::Array(items) => items.iter().map(|item| self.json_value(item, mark)).collect::<Vec<_>>().into(),
            Json::Object(map) => {
                let entry = |(key, value): (&String, &Json)| (self.names.text(key), self.json_value(value, mark));
                Map(map.iter().map(entry).collect()).into()
            }
            other => other.into(),
        }
    }

    fn parts(&mut self, fields: &[Field], todos: &mut Vec<String>) -> Map {
        let mut map = Map::new();
        for field in fields.iter().filter(|field| !field.disabled) {
            let mut part = match field.kind.as_deref() {
                Some("file") => {
                    let src = match &field.src {
                        Some(Json::String(src)) => src.clone(),
                        Some(Json::Array(list)) => list.first().and_then(Json::as_str).unwrap_or_default().to_owned(),
                        _ => String::new(),
                    };
                    Map::one("file", self.copied(&src, todos))
                }
                _ => Map::one("text", self.names.text(&field.text())),
            };
            part.set_some("content_type", field.content_type.as_deref());
            let value = match &part.0[..] {
                [(name, text)] if name == "text" => text.clone(),
                _ => part.into(),
            };
            map.set(&self.names.text(field.name()), value);
        }
        map
    }

    fn copied(&mut self, src: &str, todos: &mut Vec<String>) -> String {
        let name = src.rsplit('/').next().unwrap_or_default();
        let (stem, extension) = name.rsplit_once('.').unwrap_or((name, "bin"));
        let written = format!("files/{}.{}", slug(stem), slug(extension));
        let path = self.options.root.join(src);
        if !src.is_empty() && path.is_file() {
            self.copies.push((path, written.clone()));
        } else {
            todos.push(format!("there is no file `{src}` to copy to {written}"));
        }
        written
    }

    fn auth(&mut self, auth: &Auth, http: &mut Map, todos: &mut Vec<String>) {
        let parameter = |name: &str| auth.parameter(name).unwrap_or_default();
        match auth.kind.as_str() {
            "noauth" => {}
            "bearer" => http.set("bearer", self.names.text(&parameter("token"))),
            "oauth2" if auth.parameter("accessToken").is_some() => {
                http.set("bearer", self.names.text(&parameter("accessToken")));
            }
            "basic" => {
                let user = self.names.text(&parameter("username"));
                http.set(
                    "basic_auth",
                    Map::one("user", user).with("password", self.names.text(&parameter("password"))),
                );
            }
            "apikey" => {
                let key = if parameter("in") == "query" { "query" } else { "headers" };
                let mut map = match http.get(key) {
                    Some(Yaml::Map(map)) => map.clone(),
                    _ => Map::new(),
                };
                map.set(&self.names.text(&parameter("key")), self.names.text(&parameter("value")));
                http.set(key, map);
            }
            other => todos.push(format!("there is no counterpart of `{other}` authentication")),
        }
    }
}

fn url_parts(request: &Request) -> (String, &[Field], &[Field]) {
    match &request.url {
        None => (String::new(), &[], &[]),
        Some(Url::Raw(raw)) => (without_fragment(raw).to_owned(), &[], &[]),
        Some(Url::Parts { raw, query, variable }) => {
            let raw = without_fragment(raw);
            let query = query.as_deref().unwrap_or_default();
            let raw = if query.is_empty() { raw } else { raw.split('?').next().unwrap_or_default() };
            (raw.to_owned(), query, variable.as_deref().unwrap_or_default())
        }
    }
}

fn without_fragment(raw: &str) -> &str {
    raw.split('#').next().unwrap_or_default()
}

fn set(http: &mut Map, key: &str, map: Map) {
    if !map.is_empty() {
        http.set(key, map);
    }
}

/// `{"n": {{count}}}` → `{"n": "<mark>{{count}}"}`
fn quote_bare_placeholders(text: &str, mark: &str) -> String {
    let mut out = String::new();
    let (mut in_text, mut is_escaped) = (false, false);
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let end = (!in_text && rest.starts_with("{{")).then(|| rest.find("}}")).flatten();
        if let Some(end) = end {
            out.push_str(&format!("\"{mark}{}\"", &rest[..end + 2]));
            rest = &rest[end + 2..];
            continue;
        }
        if c == '"' && !is_escaped {
            in_text = !in_text;
        }
        is_escaped = in_text && c == '\\' && !is_escaped;
        out.push(c);
        rest = &rest[c.len_utf8()..];
    }
    out
}
