//! A request as a step.

use serde_json::Value as Json;

use super::{
    collection::{Auth, Behavior, Body, Field, Headers, Request, RequestOrUrl, Url},
    names::split,
    scenarios::Writer,
};
use crate::import::{
    slug::slug,
    write::{Map, Yaml},
};

/// Before a placeholder that stood without quotes.
const MARK: &str = "\u{e000}"; // of a private area, so that no text has it

const METHODS: [&str; 7] = ["get", "post", "put", "patch", "delete", "head", "options"];

/// Methods whose body Postman does not send, unless it is told to.
const BODILESS: [&str; 5] = ["GET", "COPY", "HEAD", "PURGE", "UNLOCK"];

impl Writer<'_> {
    /// The `http` part of the step; what cannot be said goes to `todos`.
    pub(super) fn request(
        &mut self,
        request: &RequestOrUrl,
        auth: Option<&Auth>,
        behavior: &Behavior,
        todos: &mut Vec<String>,
    ) -> Map {
        let mut http = match request {
            RequestOrUrl::Url(url) => Map::one("get", self.url(url, todos)),
            RequestOrUrl::Request(request) => self.whole(request, auth, behavior, todos),
        };
        behave(behavior, &mut http, todos);
        http
    }

    fn whole(&mut self, request: &Request, auth: Option<&Auth>, behavior: &Behavior, todos: &mut Vec<String>) -> Map {
        let (raw, query, variables) = url_parts(request);
        let path = self.url(&with_path_variables(&raw, variables), todos);
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
        let keeps_body = behavior.get("disableBodyPruning") == Some(&Json::Bool(true));
        if let Some(body) = request.body.as_ref().filter(|body| !body.disabled) {
            if BODILESS.contains(&method) && !keeps_body {
                todos.extend(
                    body.is_something().then(|| format!("the body is left out: Postman sends none with {method}")),
                );
            } else {
                self.body(body, &mut http, todos);
            }
        }
        if let Some(auth) = request.auth.as_ref().or(auth) {
            self.auth(auth, &mut http, todos);
        }
        for (name, setting) in [("proxy", &request.proxy), ("certificate", &request.certificate)] {
            todos.extend(setting.as_ref().map(|_| format!("the request has a {name} of its own, which is left out")));
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
            add(&mut map, self.names.text(field.name()), value);
        }
        map
    }

    fn header_lines(&mut self, text: &str) -> Map {
        let mut map = Map::new();
        for (name, value) in text.lines().filter_map(|line| line.split_once(':')) {
            add(&mut map, name.trim().to_owned(), self.names.text(value.trim()).into());
        }
        map
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
                let graphql = self.graphql(body.graphql.as_ref().unwrap_or(&Json::Null), todos);
                http.set("graphql", graphql);
            }
            Some("file") => {
                let src = body.file.as_ref().and_then(|file| file["src"].as_str()).unwrap_or_default();
                http.set("file", self.copied(src, todos));
            }
            Some(other) => todos.push(format!("there is no counterpart of a body of the kind `{other}`")),
            None => {}
        }
    }

    fn graphql(&mut self, graphql: &Json, todos: &mut Vec<String>) -> Map {
        let mut map = Map::one("query", self.names.text(graphql["query"].as_str().unwrap_or_default()));
        // Mostly JSON in a text.
        let variables = match &graphql["variables"] {
            Json::String(text) if text.trim().is_empty() => None,
            Json::String(text) => self.json(text),
            Json::Null => None,
            value => Some(self.json_value(value, MARK)),
        };
        let is_lost = variables.is_none() && graphql["variables"].as_str().is_some_and(|text| !text.trim().is_empty());
        todos.extend(is_lost.then(|| "the variables of the GraphQL query are no JSON".to_owned()));
        map.set_some("variables", variables);
        if let Some(name) = graphql["operationName"].as_str().filter(|name| !name.is_empty()) {
            todos.push(format!("the name of the operation, `{name}`, is not sent"));
        }
        map
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
            let parts = match (field.kind.as_deref(), &field.src) {
                (Some("file"), Some(Json::Array(list))) => {
                    let files = list.iter().map(|src| src.as_str().unwrap_or_default());
                    files.map(|src| Map::one("file", self.copied(src, todos))).collect()
                }
                (Some("file"), src) => {
                    let src = src.as_ref().and_then(Json::as_str).unwrap_or_default();
                    vec![Map::one("file", self.copied(src, todos))]
                }
                _ => vec![Map::one("text", self.names.text(&field.text()))],
            };
            let name = self.names.text(field.name());
            for mut part in parts {
                part.set_some("content_type", field.content_type.as_deref());
                let value = match &part.0[..] {
                    [(kind, text)] if kind == "text" => text.clone(),
                    _ => part.into(),
                };
                add(&mut map, name.clone(), value);
            }
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
            "oauth2" if auth.parameter("accessToken").is_some() && is_bearer(auth) => {
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
        Some(url @ Url::Parts(parts)) => {
            let raw = url.raw();
            let raw = without_fragment(&raw);
            let query = parts.query.as_deref().unwrap_or_default();
            let raw = if query.is_empty() { raw } else { raw.split('?').next().unwrap_or_default() };
            (raw.to_owned(), query, parts.variable.as_deref().unwrap_or_default())
        }
    }
}

/// `/:id` with its value; `:idx` is another one.
fn with_path_variables(url: &str, variables: &[Field]) -> String {
    let (path, query) = url.split_once('?').map_or((url, None), |(path, query)| (path, Some(query)));
    let segment = |segment: &str| {
        let name = segment.strip_prefix(':');
        let variable = name.and_then(|name| variables.iter().find(|field| field.name() == name));
        variable.map_or_else(|| segment.to_owned(), Field::text)
    };
    let path = path.split('/').map(segment).collect::<Vec<_>>().join("/");
    query.map_or_else(|| path.clone(), |query| format!("{path}?{query}"))
}

/// What Postman does by itself or is told to do.
fn behave(behavior: &Behavior, http: &mut Map, todos: &mut Vec<String>) {
    let is = |name: &str, wanted: bool| behavior.get(name) == Some(&Json::Bool(wanted));
    match behavior.get("maxRedirects") {
        _ if is("followRedirects", false) => {}
        Some(Json::Number(max)) => http.set("redirects", Map::one("max", Yaml::Number(max.to_string()))),
        _ => http.set("redirects", "follow"),
    }
    if is("strictSSL", false) {
        http.set("tls", Map::one("insecure", true));
    }
    if is("disableCookies", true) {
        http.set("cookie_jar", "off");
    }
    const KNOWN: [&str; 5] = ["followRedirects", "maxRedirects", "strictSSL", "disableCookies", "disableBodyPruning"];
    let other = behavior.iter().filter(|(name, value)| !KNOWN.contains(&name.as_str()) && **value != Json::Bool(false));
    todos.extend(other.map(|(name, value)| format!("there is no counterpart of the setting `{name}: {value}`")));
}

/// Whether the token goes where a bearer token goes.
fn is_bearer(auth: &Auth) -> bool {
    let is_header = auth.parameter("addTokenTo").is_none_or(|place| place == "header");
    is_header && auth.parameter("headerPrefix").is_none_or(|prefix| prefix.trim() == "Bearer")
}

/// One name again makes a list.
fn add(map: &mut Map, name: String, value: Yaml) {
    match map.0.iter_mut().find(|(known, _)| *known == name) {
        Some((_, Yaml::List(values))) => values.push(value),
        Some((_, first)) => *first = Yaml::List(vec![std::mem::replace(first, Yaml::Null), value]),
        None => map.0.push((name, value)),
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
