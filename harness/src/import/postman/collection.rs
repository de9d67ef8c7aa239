//! The export format, as far as it has a meaning here. Unknown fields are Postman's own business.

use serde::Deserialize;
use serde_json::Value as Json;

#[derive(Debug, Deserialize)]
pub(super) struct Collection {
    pub(super) info: Info,
    #[serde(default)]
    pub(super) item: Vec<Item>,
    #[serde(default)]
    pub(super) variable: Vec<Variable>,
    pub(super) auth: Option<Auth>,
    #[serde(default)]
    pub(super) event: Vec<Event>,
    #[serde(default, rename = "protocolProfileBehavior")]
    pub(super) behavior: Behavior,
}

/// How Postman sends: redirects followed, for one.
pub(super) type Behavior = serde_json::Map<String, Json>;

#[derive(Debug, Deserialize)]
pub(super) struct Info {
    pub(super) name: String,
    #[serde(default)]
    pub(super) schema: String,
}

/// A folder with items, or a request.
#[derive(Debug, Deserialize)]
pub(super) struct Item {
    #[serde(default)]
    pub(super) name: String,
    pub(super) item: Option<Vec<Self>>,
    pub(super) request: Option<RequestOrUrl>,
    pub(super) auth: Option<Auth>,
    #[serde(default)]
    pub(super) event: Vec<Event>,
    #[serde(default, rename = "protocolProfileBehavior")]
    pub(super) behavior: Behavior,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum RequestOrUrl {
    Url(String),
    Request(Box<Request>),
}

#[derive(Debug, Deserialize)]
pub(super) struct Request {
    #[serde(default)]
    pub(super) method: Option<String>,
    pub(super) url: Option<Url>,
    #[serde(default)]
    pub(super) header: Headers,
    pub(super) body: Option<Body>,
    pub(super) auth: Option<Auth>,
    pub(super) proxy: Option<Json>,
    pub(super) certificate: Option<Json>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Url {
    Raw(String),
    Parts(Box<UrlParts>),
}

#[derive(Debug, Deserialize)]
pub(super) struct UrlParts {
    #[serde(default)]
    raw: String,
    #[serde(default)]
    protocol: Option<String>,
    #[serde(default)]
    host: Option<Json>,
    #[serde(default)]
    port: Option<Json>,
    #[serde(default)]
    path: Option<Json>,
    #[serde(default)]
    pub(super) query: Option<Vec<Field>>,
    /// Values of `:id` in the path.
    #[serde(default)]
    pub(super) variable: Option<Vec<Field>>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Headers {
    List(Vec<Field>),
    /// Old exports have one text.
    Text(String),
    None(()),
}

impl Default for Headers {
    fn default() -> Self {
        Self::None(())
    }
}

impl Url {
    /// As one text; an export may have the parts only.
    pub(super) fn raw(&self) -> String {
        match self {
            Self::Raw(raw) => raw.clone(),
            Self::Parts(parts) if !parts.raw.is_empty() => parts.raw.clone(),
            Self::Parts(parts) => parts.joined(),
        }
    }
}

impl UrlParts {
    fn joined(&self) -> String {
        let scheme = self.protocol.as_ref().map(|protocol| format!("{}://", protocol.trim_end_matches("://")));
        let port = self.port.as_ref().map(|port| format!(":{}", plain(Some(port))));
        let (host, path) = (joined(self.host.as_ref(), "."), joined(self.path.as_ref(), "/"));
        format!("{}{host}{}/{}", scheme.unwrap_or_default(), port.unwrap_or_default(), path.trim_start_matches('/'))
    }
}

/// A text, or a list of texts and of `{value: text}`.
fn joined(parts: Option<&Json>, separator: &str) -> String {
    let Some(Json::Array(parts)) = parts else { return plain(parts) };
    let parts = parts.iter().map(|part| plain(Some(part.get("value").unwrap_or(part))));
    parts.collect::<Vec<_>>().join(separator)
}

/// A header, a form field, a parameter.
#[derive(Debug, Deserialize)]
pub(super) struct Field {
    #[serde(default)]
    pub(super) key: Option<String>,
    #[serde(default)]
    pub(super) value: Option<Json>,
    #[serde(default)]
    pub(super) disabled: bool,
    #[serde(default, rename = "type")]
    pub(super) kind: Option<String>,
    #[serde(default)]
    pub(super) src: Option<Json>,
    #[serde(default, rename = "contentType")]
    pub(super) content_type: Option<String>,
}

impl Field {
    pub(super) fn name(&self) -> &str {
        self.key.as_deref().unwrap_or_default()
    }

    pub(super) fn text(&self) -> String {
        plain(self.value.as_ref())
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Variable {
    #[serde(default)]
    pub(super) key: String,
    #[serde(default)]
    value: Option<Json>,
    #[serde(default, rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    pub(super) enabled: Option<bool>,
    #[serde(default)]
    pub(super) disabled: bool,
}

impl Variable {
    /// Postman hides it, so it is not written into a file.
    pub(super) fn is_secret(&self) -> bool {
        self.kind.as_deref() == Some("secret")
    }

    pub(super) fn text(&self) -> String {
        plain(self.value.as_ref())
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Body {
    #[serde(default)]
    pub(super) mode: Option<String>,
    #[serde(default)]
    pub(super) raw: Option<String>,
    #[serde(default)]
    pub(super) urlencoded: Option<Vec<Field>>,
    #[serde(default)]
    pub(super) formdata: Option<Vec<Field>>,
    #[serde(default)]
    pub(super) file: Option<Json>,
    #[serde(default)]
    pub(super) graphql: Option<Json>,
    #[serde(default)]
    pub(super) options: Option<Json>,
    #[serde(default)]
    pub(super) disabled: bool,
}

impl Body {
    pub(super) fn is_something(&self) -> bool {
        match self.mode.as_deref() {
            None => false,
            Some("raw") => self.raw.as_ref().is_some_and(|raw| !raw.is_empty()),
            Some("urlencoded") => self.urlencoded.as_ref().is_some_and(|fields| !fields.is_empty()),
            Some("formdata") => self.formdata.as_ref().is_some_and(|fields| !fields.is_empty()),
            Some(_) => true,
        }
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Auth {
    #[serde(rename = "type")]
    pub(super) kind: String,
    #[serde(flatten)]
    parameters: serde_json::Map<String, Json>,
}

impl Auth {
    /// A parameter of the kind that is chosen: `bearer: [{key: token, value: …}]`.
    pub(super) fn parameter(&self, name: &str) -> Option<String> {
        match self.parameters.get(&self.kind)? {
            Json::Array(list) => list.iter().find(|field| field["key"] == name).map(|field| plain(field.get("value"))),
            Json::Object(map) => map.get(name).map(|value| plain(Some(value))),
            _ => None,
        }
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Event {
    pub(super) listen: String,
    pub(super) script: Option<Script>,
    #[serde(default)]
    pub(super) disabled: bool,
}

#[derive(Debug, Deserialize)]
pub(super) struct Script {
    #[serde(default)]
    exec: Lines,
    /// A script that stands elsewhere.
    #[serde(default)]
    src: Option<Json>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Lines {
    List(Vec<String>),
    Text(String),
    None(()),
}

impl Default for Lines {
    fn default() -> Self {
        Self::None(())
    }
}

impl Event {
    /// Where the script stands, if it is not in the collection.
    pub(super) fn elsewhere(&self) -> Option<String> {
        let src = self.script.as_ref()?.src.as_ref()?;
        Some(src.as_str().map_or_else(|| src.to_string(), str::to_owned))
    }

    pub(super) fn text(&self) -> String {
        match self.script.as_ref().map(|script| &script.exec) {
            Some(Lines::List(lines)) => lines.join("\n"),
            Some(Lines::Text(text)) => text.clone(),
            Some(Lines::None(())) | None => String::new(),
        }
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Environment {
    pub(super) values: Vec<Variable>,
}

fn plain(value: Option<&Json>) -> String {
    match value {
        Some(Json::String(text)) => text.clone(),
        Some(Json::Null) | None => String::new(),
        Some(other) => other.to_string(),
    }
}
