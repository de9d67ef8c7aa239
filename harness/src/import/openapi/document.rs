//! The description: references followed, operations listed.

use located::{Diagnostic, Place, Source};
use serde_json::{Map, Value as Json};

const REFERENCE_HOPS_MAX: usize = 32; // a reference to a reference …; more is a circle
const OPERATIONS_MAX: usize = 2_000;
const METHODS: [&str; 7] = ["get", "post", "put", "patch", "delete", "head", "options"];

pub(super) struct Document {
    root: Json,
    source: Source,
}

/// One method of one path.
#[derive(Clone, Debug)]
pub(super) struct Operation<'a> {
    pub(super) path: &'a str,
    pub(super) method: &'static str,
    pub(super) spec: &'a Map<String, Json>,
    /// Of the path and of the operation, resolved.
    pub(super) parameters: Vec<&'a Json>,
}

impl Document {
    pub(super) fn read(source: &Source) -> Result<Self, Diagnostic> {
        let text = source.text();
        let root: Json = if text.trim_start().starts_with('{') {
            serde_json::from_str(text).map_err(|error| {
                let place = Place { line: error.line().max(1), column: error.column().max(1), width: 1 };
                source.diagnostic(place, format!("this is no JSON: {error}"))
            })?
        } else {
            located::yaml(source).map_err(|diagnostics| {
                let nothing = || source.diagnostic(Place::START, "this is no YAML");
                diagnostics.0.into_iter().next().unwrap_or_else(nothing)
            })?
        };
        let version = root.get("openapi").and_then(Json::as_str).unwrap_or_default();
        if !version.starts_with("3.0") && !version.starts_with("3.1") {
            let hint = "descriptions of version 2 (`swagger: 2.0`) can be converted with swagger2openapi";
            return Err(source.diagnostic(Place::START, "`openapi: 3.0.x` or `3.1.x` is missing").hint(hint));
        }
        Ok(Self { root, source: source.clone() })
    }

    /// What a value says, behind its references. A circle, or a reference to another document, says nothing.
    pub(super) fn resolve<'a>(&'a self, value: &'a Json) -> &'a Json {
        let mut value = value;
        for _ in 0..REFERENCE_HOPS_MAX {
            let Some(reference) = value.get("$ref").and_then(Json::as_str) else { return value };
            let Some(target) = self.target(reference) else { return &Json::Null };
            value = target;
        }
        &Json::Null
    }

    pub(super) fn target(&self, reference: &str) -> Option<&Json> {
        let pointer = percent_decoded(reference.strip_prefix('#')?);
        self.root.pointer(&pointer)
    }

    pub(super) fn get(&self, pointer: &str) -> &Json {
        self.root.pointer(pointer).map_or(&Json::Null, |value| self.resolve(value))
    }

    /// The path that all others stand on: that of the first server.
    pub(super) fn base_path(&self) -> String {
        let url = self.get("/servers/0/url").as_str().unwrap_or_default();
        let path = match url.find("://") {
            Some(at) => url[at + 3..].find('/').map_or("", |slash| &url[at + 3 + slash..]),
            None => url,
        };
        let path = path.trim_end_matches('/');
        if path.contains('{') { String::new() } else { path.to_owned() }
    }

    pub(super) fn operations(&self) -> Vec<Operation<'_>> {
        let Some(paths) = self.root.get("paths").and_then(Json::as_object) else { return Vec::new() };
        let of_path = |(path, item)| self.operations_of(path, self.resolve(item));
        paths.iter().flat_map(of_path).take(OPERATIONS_MAX).collect()
    }

    fn operations_of<'a>(&'a self, path: &'a String, item: &'a Json) -> Vec<Operation<'a>> {
        let shared = self.parameters(item);
        let operation = |method: &'static str| {
            let spec = item.get(method)?.as_object()?;
            let mut parameters = self.parameters(&item[method]);
            let own = parameters.len();
            let key = |parameter: &Json| (parameter["name"].clone(), parameter["in"].clone());
            // An operation's own parameter replaces the path's.
            let replaced = |shared: &&Json, all: &[&Json]| all[..own].iter().any(|own| key(own) == key(shared));
            for parameter in &shared {
                if !replaced(parameter, &parameters) {
                    parameters.push(parameter);
                }
            }
            Some(Operation { path, method, spec, parameters })
        };
        METHODS.into_iter().filter_map(operation).collect()
    }

    fn parameters<'a>(&'a self, holder: &'a Json) -> Vec<&'a Json> {
        let list = holder.get("parameters").and_then(Json::as_array);
        list.into_iter().flatten().map(|parameter| self.resolve(parameter)).collect()
    }

    /// Where an operation stands in the file, as far as its text tells.
    pub(super) fn place(&self, operation: &Operation<'_>) -> Place {
        let text = self.source.text();
        let path = |end: char| text.find(&format!("{}{end}", operation.path));
        let at = operation.id().and_then(|id| text.find(id)).or_else(|| path('"')).or_else(|| path(':'));
        at.map_or(Place::START, |at| self.source.place_of_offset(at))
    }
}

impl<'a> Operation<'a> {
    pub(super) fn id(&self) -> Option<&'a str> {
        self.spec.get("operationId")?.as_str()
    }

    pub(super) fn name(&self) -> String {
        self.id().map_or_else(|| format!("{} {}", self.method, self.path), str::to_owned)
    }

    /// Declared statuses with their answers: `201`, `4XX`, `default`.
    fn responses(&self) -> impl Iterator<Item = (&'a str, &'a Json)> + use<'a> {
        let responses = self.spec.get("responses").and_then(Json::as_object);
        responses.into_iter().flatten().map(|(status, response)| (status.as_str(), response))
    }

    /// The first declared success.
    pub(super) fn success(&self) -> Option<(&'a str, &'a Json)> {
        self.responses().find(|(status, _)| status.starts_with('2'))
    }

    pub(super) fn declares(&self, status: &str) -> bool {
        self.responses().any(|(declared, _)| declared.eq_ignore_ascii_case(status))
    }
}

/// Pointers in references may be percent-encoded: `#/paths/~1a%7Bid%7D`.
fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, more)) = rest.split_first() {
        let code = more.get(..2).filter(|_| *first == b'%').and_then(|digits| std::str::from_utf8(digits).ok());
        match code.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &more[2..];
            }
            None => {
                bytes.push(*first);
                rest = more;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
