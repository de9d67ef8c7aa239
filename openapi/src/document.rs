//! The document: read, and its references followed.

use std::borrow::Cow;

use located::{Diagnostic, Place, Source};
use percent_encoding::percent_decode_str;
use serde_json::{Value as Json, json};

const REFERENCE_HOPS_MAX: usize = 32; // a reference to a reference …; more is a circle

/// A description of an API.
#[derive(Debug)]
pub struct Document {
    root: Json,
    source: Source,
}

impl Document {
    /// # Errors
    /// What is no `OpenAPI` 3 document, with its place.
    pub fn read(source: &Source) -> Result<Self, Diagnostic> {
        let text = source.text();
        let root: Json = if text.trim_start().starts_with('{') {
            serde_json::from_str(text).map_err(|error| {
                let place = Place { line: error.line().max(1), column: error.column().max(1), width: 1 };
                source.diagnostic(place, format!("this is no JSON: {error}"))
            })?
        } else {
            located::yaml(source).map_err(|wrong| {
                let nothing = || source.diagnostic(Place::START, "this is no YAML");
                wrong.0.into_iter().next().unwrap_or_else(nothing)
            })?
        };
        let version = root.get("openapi").and_then(Json::as_str).unwrap_or_default();
        if !version.starts_with("3.0") && !version.starts_with("3.1") {
            let hint = "a document of version 2 (`swagger: 2.0`) can be converted with swagger2openapi";
            return Err(source.diagnostic(Place::START, "`openapi: 3.0.x` or `3.1.x` is missing").hint(hint));
        }
        Ok(Self { root, source: source.clone() })
    }

    /// What a value says, behind its references. A circle, or a reference to another document, says nothing.
    pub fn resolve<'a>(&'a self, value: &'a Json) -> &'a Json {
        let mut value = value;
        for _ in 0..REFERENCE_HOPS_MAX {
            let Some(reference) = value.get("$ref").and_then(Json::as_str) else { return value };
            let Some(target) = self.target(reference) else { return &Json::Null };
            value = target;
        }
        &Json::Null
    }

    /// Pointers in references may be percent-encoded: `#/paths/~1a%7Bid%7D`.
    fn target(&self, reference: &str) -> Option<&Json> {
        let pointer = percent_decode_str(reference.strip_prefix('#')?).decode_utf8_lossy();
        self.root.pointer(&pointer)
    }

    /// What stands at a JSON pointer, or null.
    pub fn get(&self, pointer: &str) -> &Json {
        self.root.pointer(pointer).map_or(&Json::Null, |value| self.resolve(value))
    }

    /// The first place of a text in the file.
    pub(crate) fn place_of(&self, text: &str) -> Option<Place> {
        self.source.text().find(text).map(|at| self.source.place_of_offset(at))
    }

    /// The path that all others stand on: that of the first server.
    pub(crate) fn base_path(&self) -> &str {
        let url = self.get("/servers/0/url").as_str().unwrap_or_default();
        let path = match url.split_once("://") {
            Some((_, rest)) => rest.find('/').map_or("", |slash| &rest[slash..]),
            None => url,
        };
        let path = path.trim_end_matches('/');
        if path.contains('{') || !path.starts_with('/') { "" } else { path }
    }

    /// The schema of a body or an answer in JSON, or of a form.
    pub fn body_schema<'a>(&'a self, holder: &'a Json) -> Option<&'a Json> {
        self.media(holder)?.get("schema")
    }

    /// The media type of a body or an answer: JSON before forms.
    pub fn media<'a>(&'a self, holder: &'a Json) -> Option<&'a Json> {
        let content = self.resolve(holder).get("content")?.as_object()?;
        let of = |wanted: fn(&str) -> bool| content.iter().find(|(kind, _)| wanted(kind)).map(|(_, media)| media);
        of(|kind| kind.contains("json"))
            .or_else(|| of(|kind| kind.contains("form")))
            .or_else(|| of(|kind| kind == "*/*"))
    }

    /// A schema with the properties of its parts in one place.
    pub fn flat<'a>(&'a self, schema: &'a Json) -> Cow<'a, Json> {
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

#[cfg(test)]
mod tests {
    use located::Source;

    use super::Document;

    fn read(text: &str) -> Result<Document, String> {
        Document::read(&Source::new("api.yaml", text)).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_no_such_document_is_refused_at_its_place() {
        assert!(read("{\n  \"openapi\": 3.0.0 }").unwrap_err().starts_with("api.yaml:2:"));
        assert!(read("openapi: 3.0.0\nopenapi: 3.0.0").unwrap_err().starts_with("api.yaml:2:1"));
        assert!(read("swagger: '2.0'").unwrap_err().contains("hint: a document of version 2"));
    }

    #[test]
    fn references_are_followed_and_circles_say_nothing() {
        let document = read(
            "openapi: 3.1.0\na: { $ref: '#/x~1y%7B' }\nx/y{: { $ref: '#/end' }\nend: 7\nloop: { $ref: '#/loop' }\n\
             out: { $ref: 'other.yaml#/end' }",
        )
        .unwrap();
        assert_eq!(document.get("/a"), 7);
        assert!(document.get("/loop").is_null() && document.get("/out").is_null());
    }

    #[test]
    fn the_base_is_the_path_of_the_first_server() {
        for (url, base) in [
            ("https://api.example/v1/", "/v1"),
            ("/v2", "/v2"),
            ("https://api.example", ""),
            ("{scheme}://api.example/{version}", ""),
            ("v3", ""),
        ] {
            let document = read(&format!("openapi: 3.0.3\nservers: [{{ url: '{url}' }}]")).unwrap();
            assert_eq!(document.base_path(), base, "{url}");
        }
    }

    #[test]
    fn parts_of_a_schema_are_put_together() {
        let document = read(
            "openapi: 3.0.3\nwhole: { allOf: [{ $ref: '#/part' }, { properties: { b: {} }, required: [b] }] }\n\
             part: { type: object, properties: { a: {} }, required: [a] }",
        )
        .unwrap();
        let flat = document.flat(document.get("/whole"));
        assert_eq!(flat["type"], "object");
        assert_eq!(flat["required"], serde_json::json!(["a", "b"]));
        assert_eq!(flat["properties"].as_object().unwrap().len(), 2);
    }
}
