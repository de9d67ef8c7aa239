//! An operation as steps: what must exist first, then the request with data.

use std::collections::BTreeMap;

use openapi::{Document, Operation, Samples, Side};
use serde_json::Value as Json;

use super::{
    chain::{response_schema, source_of},
    scenarios::name_of,
};
use crate::import::{
    slug::{slug, variable},
    write::{Map, Yaml},
};

const CHAIN_MAX: usize = 4; // a line of an order of a customer of a shop
const INLINE_SCHEMA_CHARS_MAX: usize = 600; // a longer schema stands in a file of its own
/// Drawn afresh, since services like these to be unique.
const FRESH: [(&str, &str); 3] =
    [("uuid", "{{ random.uuid }}"), ("email", "{{ random.email }}"), ("idn-email", "{{ random.email }}")];

/// A scenario while it is written.
pub(super) struct Draft<'a> {
    pub(super) document: &'a Document,
    pub(super) all: &'a [Operation<'a>],
    pub(super) steps: Vec<Yaml>,
    /// What must be given from outside: credentials, ids that nothing creates.
    pub(super) vars: Map,
    pub(super) todos: Vec<String>,
    /// Names of values that steps have captured, by where they came from.
    captured: BTreeMap<String, String>,
    pub(super) schemas: BTreeMap<String, String>,
}

/// How the request differs from one that should work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Twist<'a> {
    None,
    WithoutField(&'a str),
    UnknownId,
    WithoutCredentials,
}

impl<'a> Draft<'a> {
    pub(super) fn new(document: &'a Document, all: &'a [Operation<'a>]) -> Self {
        Self {
            document,
            all,
            steps: Vec::new(),
            vars: Map::new(),
            todos: Vec::new(),
            captured: BTreeMap::new(),
            schemas: BTreeMap::new(),
        }
    }

    fn samples(&self) -> Samples<'a> {
        Samples::new(self.document, Side::Request).with_texts(&FRESH)
    }

    /// Adds the request of an operation, after what it needs, and gives its step to add expectations to.
    pub(super) fn call(&mut self, operation: &Operation<'a>, twist: Twist<'_>) -> Map {
        self.call_at(operation, twist, 0)
    }

    fn call_at(&mut self, operation: &Operation<'a>, twist: Twist<'_>, depth: usize) -> Map {
        let path = self.path(operation, twist, depth);
        let mut http = Map::one(operation.method, path);
        for (place, key) in [("header", "headers"), ("query", "query"), ("cookie", "cookies")] {
            let parameters = self.parameters(operation, place);
            if !parameters.is_empty() {
                http.set(key, parameters);
            }
        }
        if twist != Twist::WithoutCredentials {
            self.credentials(operation, &mut http);
        }
        self.body(operation, twist, &mut http);
        Map::one("http", http)
    }

    /// The path with its parameters filled in; what creates them becomes a step before.
    fn path(&mut self, operation: &Operation<'a>, twist: Twist<'_>, depth: usize) -> String {
        let mut path = operation.route.clone();
        let names: Vec<&str> =
            operation.path.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name).collect();
        for (at, name) in names.iter().enumerate() {
            let is_last = at + 1 == names.len();
            let value = if twist == Twist::UnknownId && is_last {
                self.unknown_id(operation, name)
            } else {
                self.path_value(operation, name, depth)
            };
            path = path.replacen(&format!("{{{name}}}"), &value, 1);
        }
        path
    }

    fn path_value(&mut self, operation: &Operation<'a>, name: &str, depth: usize) -> String {
        let source = (depth < CHAIN_MAX).then(|| source_of(self.document, operation, name, self.all)).flatten();
        let Some(source) = source.filter(|source| source.creator.path != operation.path || operation.method != "post")
        else {
            return self.outside_value(operation, name);
        };
        let key = format!("{} {}", source.creator.path, source.path);
        if let Some(known) = self.captured.get(&key) {
            return format!("{{{{ {known} }}}}");
        }
        let resource = source.creator.path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
        let singular = resource.strip_suffix('s').unwrap_or(resource);
        let captured = if name.to_lowercase().contains(&singular.to_lowercase()) || singular.is_empty() {
            variable(name)
        } else {
            variable(&format!("{singular}_{name}"))
        };
        let mut step = self.call_at(&source.creator, Twist::None, depth + 1);
        if let Some((status, _)) = source.creator.success() {
            step.set("expect", Map::one("status", status_rule(status)));
        }
        step.set("capture", Map::one(&captured, source.path.as_str()));
        self.steps.push(Yaml::from(step).spread());
        self.captured.insert(key, captured.clone());
        format!("{{{{ {captured} }}}}")
    }

    /// An id that nothing creates is known from outside.
    fn outside_value(&mut self, operation: &Operation<'a>, name: &str) -> String {
        let parameter = in_path(operation, name);
        let sample = parameter.map_or(Json::Null, |parameter| self.samples().of_media(parameter));
        let is_given = parameter.is_some_and(|parameter| {
            parameter.get("example").is_some()
                || parameter.get("examples").is_some()
                || self.document.resolve(&parameter["schema"]).get("example").is_some()
        });
        if is_given {
            return plain(&sample);
        }
        let written = variable(name);
        let message = format!("`{written}` must exist: give it here, or with --var {written}=…");
        if self.vars.get(&written).is_none() {
            self.todos.push(message.clone());
            self.vars.set(&written, Yaml::from(plain(&sample)).commented(vec![format!("TODO {message}")]));
        }
        format!("{{{{ {written} }}}}")
    }

    fn unknown_id(&self, operation: &Operation<'a>, name: &str) -> String {
        let parameter = in_path(operation, name);
        let schema = parameter.map_or(&Json::Null, |parameter| self.document.resolve(&parameter["schema"]));
        match (schema["type"].as_str(), schema["format"].as_str()) {
            (Some("integer" | "number"), _) => "999999999".to_owned(),
            (_, Some("uuid")) => "{{ random.uuid }}".to_owned(),
            _ => "unknown-{{ random.hex(8) }}".to_owned(),
        }
    }

    fn parameters(&self, operation: &Operation<'a>, place: &str) -> Map {
        let mut map = Map::new();
        let all = operation.parameters().into_iter();
        for parameter in all.filter(|parameter| parameter["in"] == place && parameter["required"] == true) {
            let name = parameter["name"].as_str().unwrap_or_default();
            let value = self.samples().of_media(parameter);
            map.set(name, if value.is_array() { Yaml::from(&value) } else { plain(&value).into() });
        }
        map
    }

    /// What the first alternative of `security` asks for.
    fn credentials(&mut self, operation: &Operation<'a>, http: &mut Map) {
        let own = operation.spec.get("security");
        let security = own.unwrap_or_else(|| self.document.get("/security"));
        let Some(Json::Object(wanted)) = security.get(0) else { return };
        for name in wanted.keys() {
            let scheme = self.document.get(&format!("/components/securitySchemes/{name}")).clone();
            let kind = (
                scheme["type"].as_str().unwrap_or_default(),
                scheme["scheme"].as_str().unwrap_or_default().to_lowercase(),
            );
            let value = variable(name);
            match (kind.0, kind.1.as_str()) {
                ("http", "basic") => {
                    let (user, password) = (format!("{value}_user"), format!("{value}_password"));
                    let auth = Map::one("user", self.secret(&user)).with("password", self.secret(&password));
                    http.set("basic_auth", auth);
                }
                ("http" | "oauth2" | "openIdConnect", _) => {
                    let token = self.secret(&value);
                    http.set("bearer", token);
                }
                ("apiKey", _) => {
                    let key = match scheme["in"].as_str() {
                        Some("query") => "query",
                        Some("cookie") => "cookies",
                        _ => "headers",
                    };
                    let secret = self.secret(&value);
                    let header = scheme["name"].as_str().unwrap_or("X-Api-Key");
                    let mut map = match http.get(key) {
                        Some(Yaml::Map(map)) => map.clone(),
                        _ => Map::new(),
                    };
                    map.set(header, secret);
                    http.set(key, map);
                }
                _ => self.todos.push(format!("the security scheme `{name}` is not understood")),
            }
        }
    }

    fn secret(&mut self, name: &str) -> String {
        if self.vars.get(name).is_none() {
            let message = format!("`{name}` is a credential: give it with --var {name}=…");
            self.vars.set(name, Yaml::from("").commented(vec![format!("TODO {message}")]));
            self.todos.push(message);
        }
        format!("{{{{ {name} }}}}")
    }

    fn body(&mut self, operation: &Operation<'a>, twist: Twist<'_>, http: &mut Map) {
        let Some((kind, media)) = preferred(operation.body()) else { return };
        let mut value = self.samples().of_media(media);
        if let (Twist::WithoutField(field), Json::Object(map)) = (twist, &mut value) {
            map.remove(field);
        }
        let essence = kind.split(';').next().unwrap_or_default().trim();
        match essence {
            "application/x-www-form-urlencoded" | "multipart/form-data" => {
                let key = if essence.starts_with("multipart") { "multipart" } else { "form" };
                let fields = value.as_object().into_iter().flatten();
                let fields = fields.map(|(name, value)| (name.clone(), Yaml::Text(plain(value)))).collect();
                http.set(key, Map(fields));
            }
            _ if essence.ends_with("json") => {
                http.set("json", &value);
                if essence != "application/json" {
                    http.set("headers", Map::one("Content-Type", essence));
                }
            }
            _ => {
                http.set("text", plain(&value));
                http.set("headers", Map::one("Content-Type", essence));
            }
        }
    }

    /// What the declared answer of a success must be like.
    pub(super) fn expect_success(&mut self, operation: &Operation<'a>) -> Map {
        let Some((status, response)) = operation.success() else { return Map::one("status", "2xx") };
        let mut expect = Map::one("status", status_rule(status));
        if let Some(schema) = response_schema(response) {
            let written = self.document.whole_schema(schema, Side::Answer);
            let text = serde_json::to_string_pretty(&written).unwrap_or_default();
            if text.len() <= INLINE_SCHEMA_CHARS_MAX {
                expect.set("json_schema", &written);
            } else {
                let name = format!("schemas/{}.json", schema_name(schema, operation));
                expect.set("json_schema", name.as_str());
                self.schemas.insert(name, text + "\n");
            }
        }
        expect
    }
}

fn in_path<'a>(operation: &Operation<'a>, name: &str) -> Option<&'a Json> {
    operation.parameters().into_iter().find(|parameter| parameter["name"] == name && parameter["in"] == "path")
}

/// A named schema has its own file, which scenarios share.
fn schema_name(schema: &Json, operation: &Operation<'_>) -> String {
    let name =
        |schema: &Json| schema.get("$ref").and_then(Json::as_str).and_then(|path| path.rsplit('/').next()).map(slug);
    match (name(schema), schema.get("items").and_then(name)) {
        (Some(name), _) => name,
        (None, Some(item)) => format!("{item}-list"),
        (None, None) => slug(&name_of(operation)),
    }
}

/// JSON where it is offered.
fn preferred(body: &Json) -> Option<(&String, &Json)> {
    let content = body.get("content")?.as_object()?;
    content.iter().find(|(kind, _)| kind.contains("json")).or_else(|| content.iter().next())
}

/// `201`, or `2xx` for the whole class.
pub(super) fn status_rule(status: &str) -> Yaml {
    if status.parse::<u16>().is_ok() { Yaml::Number(status.to_owned()) } else { status.to_lowercase().into() }
}

/// As it stands in a path, a header or a form.
fn plain(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        Json::Null => String::new(),
        other => other.to_string(),
    }
}
