//! The request of an entry.

use located::Place;

use super::{
    ast::{Body, BodyKind, Entry, Json, Pair, Part, Template, TextKind},
    convert::Converter,
    origin,
    settings::Settings,
};
use crate::import::{
    slug::slug,
    write::{Map, Yaml},
};

const METHODS: [&str; 7] = ["get", "post", "put", "patch", "delete", "head", "options"];
const FILE_NAME_CHARS_MAX: usize = 80;

pub(super) fn request(
    entry: &Entry,
    settings: &Settings,
    converter: &mut Converter<'_>,
    comments: &mut Vec<String>,
) -> Map {
    let url = converter.url(&entry.url, entry.place, comments);
    let method = entry.method.to_lowercase();
    let mut http = if METHODS.contains(&method.as_str()) {
        Map::one(&method, url)
    } else {
        Map::one("method", entry.method.as_str()).with("url", url)
    };
    let mut headers = converter.pairs(&entry.headers);
    for (name, value) in &settings.headers {
        push_pair(&mut headers, name.clone(), value.clone().into());
    }
    content_type(entry, &mut headers);
    set_map(&mut http, "headers", headers);
    set_map(&mut http, "query", converter.pairs(&entry.query));
    set_map(&mut http, "cookies", converter.pairs(&entry.cookies));
    set_map(&mut http, "form", converter.pairs(&entry.form));
    set_map(&mut http, "multipart", converter.multipart(&entry.multipart, comments));
    if let Some(body) = &entry.body {
        converter.body(body, &mut http, comments);
    }
    let basic_auth = entry.basic_auth.as_ref().map(|pair| {
        let mut text = |template: &Template| converter.names.text(template, &mut converter.notes);
        Map::one("user", text(&pair.key)).with("password", text(&pair.value))
    });
    http.set_some("basic_auth", basic_auth.or_else(|| settings.basic_auth.clone()));
    http.set_some("redirects", settings.redirects());
    if settings.is_compressed {
        http.set("compressed", true);
    }
    http.set_some("http_version", settings.http_version);
    set_map(&mut http, "tls", settings.tls.clone());
    set_map(&mut http, "connect", settings.connect.clone());
    http.set_some("connect_timeout", settings.connect_timeout_ms.map(super::settings::period));
    http.set_some("timeout", settings.timeout_ms.map(super::settings::period));
    http
}

fn set_map(http: &mut Map, key: &str, map: Map) {
    if !map.is_empty() {
        http.set(key, map);
    }
}

/// Hurl says the type of a body that it knows, and none of any other.
fn content_type(entry: &Entry, headers: &mut Map) {
    let implied: Yaml = match entry.body.as_ref().map(|body| &body.kind) {
        // `json:` and `graphql:` say it themselves, except where the text is sent as it is written.
        None | Some(BodyKind::Graphql { .. }) => return,
        Some(BodyKind::Json(value, _)) if is_faithful(value) => return,
        Some(BodyKind::Xml(_) | BodyKind::Text(_, TextKind::Xml)) => "application/xml".into(),
        Some(BodyKind::Json(..) | BodyKind::Text(_, TextKind::Json)) => "application/json".into(),
        Some(BodyKind::Text(_, TextKind::Plain) | BodyKind::Bytes(_) | BodyKind::File(_)) => Yaml::Null,
    };
    if !headers.0.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
        headers.set("Content-Type", implied);
    }
}

/// A name that stands several times has a list of values.
fn push_pair(map: &mut Map, name: String, value: Yaml) {
    match map.0.iter_mut().find(|(known, _)| *known == name) {
        Some((_, Yaml::List(values))) => values.push(value),
        Some((_, first)) => *first = Yaml::List(vec![std::mem::replace(first, Yaml::Null), value]),
        None => map.0.push((name, value)),
    }
}

impl Converter<'_> {
    fn url(&mut self, url: &Template, place: Place, comments: &mut Vec<String>) -> String {
        let address = origin::split(url, &self.names);
        let path = self.names.text(&address.path, &mut self.notes);
        if address.origin.is_empty() || Some(&address.origin) == self.base.as_ref() {
            return path;
        }
        let message = format!("list {} under `origins:` in harness.yaml", address.origin);
        comments.push(self.notes.todo(place, message));
        self.names.text(url, &mut self.notes)
    }

    pub(super) fn pairs(&mut self, pairs: &[Pair]) -> Map {
        let mut map = Map::new();
        for pair in pairs {
            let name = self.names.text(&pair.key, &mut self.notes);
            let value = self.names.text(&pair.value, &mut self.notes);
            push_pair(&mut map, name, value.into());
        }
        map
    }

    fn multipart(&mut self, parts: &[Part], comments: &mut Vec<String>) -> Map {
        let mut map = Map::new();
        for part in parts {
            let (key, value) = match part {
                Part::Field(pair) => (&pair.key, self.names.text(&pair.value, &mut self.notes).into()),
                Part::File { place, key, file, content_type } => {
                    let mut value = Map::one("file", self.copied(file, *place, comments));
                    let written = file.literal().unwrap_or_default();
                    value.set("filename", written.rsplit('/').next().unwrap_or_default());
                    let content_type = content_type.as_ref().map(|text| self.names.text(text, &mut self.notes));
                    value.set("content_type", content_type.unwrap_or_else(|| type_of(&written).to_owned()));
                    (key, value.into())
                }
            };
            let name = self.names.text(key, &mut self.notes);
            push_pair(&mut map, name, value);
        }
        map
    }

    fn body(&mut self, body: &Body, http: &mut Map, comments: &mut Vec<String>) {
        match &body.kind {
            BodyKind::Json(value, _) if is_faithful(value) => http.set("json", self.json(value)),
            BodyKind::Json(_, text) | BodyKind::Xml(text) | BodyKind::Text(text, _) => {
                http.set("text", self.names.text(text, &mut self.notes));
            }
            BodyKind::Graphql { query, variables } => {
                let mut graphql = Map::one("query", self.names.text(query, &mut self.notes));
                graphql.set_some("variables", variables.as_ref().map(|(value, _)| self.json(value)));
                http.set("graphql", graphql);
            }
            BodyKind::Bytes(bytes) => http.set("bytes_hex", hex::encode(bytes)),
            BodyKind::File(file) => http.set("file", self.copied(file, body.place, comments)),
        }
    }

    pub(super) fn json(&mut self, value: &Json) -> Yaml {
        match value {
            Json::Null => Yaml::Null,
            Json::Bool(value) => (*value).into(),
            Json::Number(number) => Yaml::Number(number.clone()),
            Json::Text(text) => self.names.text_value(text, &mut self.notes),
            Json::Placeholder(placeholder) => self.names.typed(placeholder, &mut self.notes),
            Json::List(items) => items.iter().map(|item| self.json(item)).collect::<Vec<_>>().into(),
            Json::Object(members) => {
                let member =
                    |(key, value): &(Template, Json)| (self.names.text(key, &mut self.notes), self.json(value));
                Map(members.iter().map(member).collect()).into()
            }
        }
    }

    /// The name of a file that the scenario reads; it is copied beside the scenario.
    pub(super) fn copied(&mut self, file: &Template, place: Place, comments: &mut Vec<String>) -> String {
        let Some(written) = file.literal() else {
            comments.push(self.notes.todo(place, "copy the file that the variable names beside the scenario"));
            return self.names.text(file, &mut self.notes);
        };
        let path = self.options.root.join(&written);
        let flat: String = written.trim_start_matches(['.', '/']).chars().take(FILE_NAME_CHARS_MAX).collect();
        let (stem, extension) = flat.rsplit_once('.').map_or((flat.as_str(), None), |(stem, end)| (stem, Some(end)));
        let name = match extension {
            Some(extension) => format!("files/{}.{}", slug(stem), slug(extension)),
            None => format!("files/{}", slug(stem)),
        };
        if path.is_file() {
            self.copies.push((path, name.clone()));
        } else {
            comments.push(self.notes.todo(place, format!("there is no file `{written}` to copy to {name}")));
        }
        name
    }
}

/// Whether a YAML value can say the same as the JSON: each name stands once, no number loses digits. Spaces differ; a
/// server that looks at those is rare.
fn is_faithful(value: &Json) -> bool {
    const DIGITS_MAX: usize = 15; // of a double
    match value {
        Json::List(items) => items.iter().all(is_faithful),
        Json::Object(members) => {
            let is_first = |at: usize| !members[..at].iter().any(|(key, _)| *key == members[at].0);
            (0..members.len()).all(|at| is_first(at) && is_faithful(&members[at].1))
        }
        Json::Number(number) => {
            let digits = number.chars().filter(char::is_ascii_digit).count();
            number.parse::<i64>().is_ok() || (digits <= DIGITS_MAX && !number.contains(['e', 'E']))
        }
        Json::Null | Json::Bool(_) | Json::Text(_) | Json::Placeholder(_) => true,
    }
}

/// The type that Hurl gives a file of a form, by its name.
fn type_of(file: &str) -> &'static str {
    match file.rsplit('.').next().unwrap_or_default() {
        "gif" => "image/gif",
        "jpg" | "jpeg" => "image/jpeg",
        "png" => "image/png",
        "svg" => "image/svg+xml",
        "txt" => "text/plain",
        "htm" | "html" => "text/html",
        "pdf" => "application/pdf",
        "xml" => "application/xml",
        _ => "application/octet-stream",
    }
}
