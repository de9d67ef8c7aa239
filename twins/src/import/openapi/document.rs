//! The document: references followed, operations listed.

use std::borrow::Cow;

use located::{Diagnostics, Place, Source};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value as Json, json};

const REFERENCE_HOPS_MAX: usize = 32; // a reference to a reference …; more is a circle
const OPERATIONS_MAX: usize = 5_000;
const METHODS: [&str; 6] = ["get", "post", "put", "patch", "delete", "head"];

pub(super) struct Document(Json);

/// One method of one path.
#[derive(Clone, Debug)]
pub(super) struct Operation<'a> {
    /// With the path of the first server.
    pub(super) path: String,
    pub(super) method: &'static str,
    pub(super) spec: &'a Map<String, Json>,
    /// Of the path and of the operation, references followed.
    pub(super) parameters: Vec<&'a Json>,
}

impl Document {
    pub(super) fn read(source: &Source) -> Result<Self, Diagnostics> {
        let text = source.text();
        let root: Json = if text.trim_start().starts_with('{') {
            serde_json::from_str(text).map_err(|error| {
                let place = Place { line: error.line().max(1), column: error.column().max(1), width: 1 };
                source.diagnostic(place, format!("this is no JSON: {error}"))
            })?
        } else {
            located::yaml(source)?
        };
        let version = root["openapi"].as_str().unwrap_or_default();
        if !version.starts_with("3.0") && !version.starts_with("3.1") {
            let hint = "a document of version 2 (`swagger: 2.0`) can be converted with swagger2openapi";
            let missing = source.diagnostic(Place::START, "`openapi: 3.0.x` or `3.1.x` is missing");
            return Err(missing.hint(hint).into());
        }
        Ok(Self(root))
    }

    /// What a value says, behind its references. A circle, or a reference to another document, says nothing.
    pub(super) fn resolve<'a>(&'a self, value: &'a Json) -> &'a Json {
        let mut value = value;
        for _ in 0..REFERENCE_HOPS_MAX {
            let Some(reference) = value.get("$ref").and_then(Json::as_str) else { return value };
            let pointer = reference.strip_prefix('#').map(|it| percent_decode_str(it).decode_utf8_lossy());
            let Some(target) = pointer.and_then(|pointer| self.0.pointer(&pointer)) else { return &Json::Null };
            value = target;
        }
        &Json::Null
    }

    pub(super) fn get(&self, pointer: &str) -> &Json {
        self.0.pointer(pointer).map_or(&Json::Null, |value| self.resolve(value))
    }

    /// The path that all others stand on: that of the first server.
    fn base_path(&self) -> String {
        let url = self.get("/servers/0/url").as_str().unwrap_or_default();
        let path = match url.split_once("://") {
            Some((_, rest)) => rest.find('/').map_or("", |slash| &rest[slash..]),
            None => url,
        };
        let path = path.trim_end_matches('/');
        if path.contains('{') || !path.starts_with('/') { String::new() } else { path.to_owned() }
    }

    pub(super) fn operations(&self) -> Vec<Operation<'_>> {
        let (base, mut found) = (self.base_path(), Vec::new());
        for (path, item) in self.get("/paths").as_object().into_iter().flatten() {
            let item = self.resolve(item);
            for method in METHODS {
                let Some(spec) = item.get(method).and_then(Json::as_object) else { continue };
                if found.len() < OPERATIONS_MAX && path.starts_with('/') {
                    let parameters = self.parameters(item, spec);
                    found.push(Operation { path: format!("{base}{path}"), method, spec, parameters });
                }
            }
        }
        found
    }

    /// Those of the operation, and those of the path that it does not replace.
    fn parameters<'a>(&'a self, item: &'a Json, spec: &'a Map<String, Json>) -> Vec<&'a Json> {
        let list = |holder: Option<&'a Json>| {
            holder.and_then(Json::as_array).into_iter().flatten().map(|parameter| self.resolve(parameter))
        };
        let mut all: Vec<&Json> = list(spec.get("parameters")).collect();
        for parameter in list(item.get("parameters")) {
            let same = |known: &&Json| known["name"] == parameter["name"] && known["in"] == parameter["in"];
            if !all.iter().any(same) {
                all.push(parameter);
            }
        }
        all
    }

    /// The schema of a body or an answer in JSON, or of a form.
    pub(super) fn json_schema_of<'a>(&'a self, holder: &'a Json) -> Option<&'a Json> {
        self.media(holder)?.get("schema")
    }

    /// Its media type: JSON before forms.
    pub(super) fn media<'a>(&'a self, holder: &'a Json) -> Option<&'a Json> {
        let content = holder.get("content")?.as_object()?;
        let of = |wanted: fn(&str) -> bool| content.iter().find(|(kind, _)| wanted(kind)).map(|(_, media)| media);
        of(|kind| kind.contains("json"))
            .or_else(|| of(|kind| kind.contains("form")))
            .or_else(|| of(|kind| kind == "*/*"))
    }

    /// A schema with the properties of its parts in one place.
    pub(super) fn flat<'a>(&'a self, schema: &'a Json) -> Cow<'a, Json> {
        let schema = self.resolve(schema);
        let Some(parts) = schema.get("allOf").and_then(Json::as_array) else { return Cow::Borrowed(schema) };
        let mut whole = schema.as_object().cloned().unwrap_or_default();
        whole.remove("allOf");
        let mut properties = whole.get("properties").and_then(Json::as_object).cloned().unwrap_or_default();
        let mut required = whole.get("required").and_then(Json::as_array).cloned().unwrap_or_default();
        for part in parts.iter().filter(|part| !std::ptr::eq(self.resolve(part), schema)) {
            let part = self.resolve(part);
            properties.extend(part.get("properties").and_then(Json::as_object).cloned().unwrap_or_default());
            required.extend(part.get("required").and_then(Json::as_array).cloned().unwrap_or_default());
            for (name, value) in part.as_object().into_iter().flatten() {
                whole.entry(name.clone()).or_insert_with(|| value.clone());
            }
        }
        whole.remove("allOf");
        whole.insert("properties".to_owned(), properties.into());
        whole.insert("required".to_owned(), json!(required));
        Cow::Owned(whole.into())
    }
}

impl<'a> Operation<'a> {
    /// The first good answer: its status, and itself.
    pub(super) fn success(&self, document: &'a Document) -> (u16, &'a Json) {
        let responses = self.spec.get("responses").and_then(Json::as_object);
        let good = responses.into_iter().flatten().find(|(status, _)| status.starts_with('2'));
        good.map_or((200, &Json::Null), |(status, response)| {
            (status.parse().unwrap_or(200), document.resolve(response))
        })
    }

    pub(super) fn input(&self, document: &'a Document) -> Option<&'a Json> {
        document.json_schema_of(document.resolve(self.spec.get("requestBody")?))
    }
}
