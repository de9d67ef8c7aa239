//! Schemas of the document as JSON Schemas that check input: references to the definition's `schemas`, 3.0's words in
//! today's, nothing that only describes.

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json, json};

use super::document::Document;

const DEPTH_MAX: usize = 48; // of one schema, references to named ones aside
const NAMED: &str = "#/components/schemas/";
const POINTER: &str = "#/$defs/";

/// Keywords that check nothing.
const DESCRIPTIVE: [&str; 12] = [
    "example",
    "examples",
    "xml",
    "discriminator",
    "externalDocs",
    "deprecated",
    "description",
    "title",
    "readOnly",
    "writeOnly",
    "nullable",
    "default",
];

impl Document {
    /// A schema that checks what a client sends.
    pub(super) fn input_schema(&self, schema: &Json) -> Json {
        self.converted(schema, 0)
    }

    /// The named schemas that are wanted, and those that these refer to.
    pub(super) fn schemas(&self, wanted: &BTreeSet<String>) -> Map<String, Json> {
        let (mut wanted, mut schemas) = (wanted.clone(), Map::new());
        while let Some(name) = wanted.iter().find(|name| !schemas.contains_key(*name)).cloned() {
            let converted = self.converted(self.get(&format!("/components/schemas/{}", pointed(&name))), 0);
            references(&converted, &mut wanted);
            schemas.insert(name, converted);
        }
        schemas
    }

    fn converted(&self, schema: &Json, depth: usize) -> Json {
        let Json::Object(written) = schema else {
            return if schema.is_boolean() { schema.clone() } else { json!({}) };
        };
        if depth > DEPTH_MAX {
            return json!({});
        }
        if let Some(reference) = written.get("$ref").and_then(Json::as_str) {
            return match reference.strip_prefix(NAMED).filter(|name| !name.contains(['/', '%', '~'])) {
                Some(name) => json!({ "$ref": format!("{POINTER}{name}") }),
                // Into the middle of something: written out, a few times. To another document: checks nothing.
                None => self.converted(self.resolve(schema), depth + 8),
            };
        }
        let mut out = Map::new();
        for (key, value) in written {
            if DESCRIPTIVE.contains(&key.as_str()) || key.starts_with("x-") {
                continue;
            }
            let value = match key.as_str() {
                "properties" | "patternProperties" | "dependentSchemas" | "allOf" | "oneOf" | "anyOf"
                | "prefixItems" => each(value, |value| self.converted(value, depth + 1)),
                "items" | "additionalProperties" | "not" | "contains" | "propertyNames" | "if" | "then" | "else" => {
                    self.converted(value, depth + 1)
                }
                "required" => self.required_of_clients(value, written),
                _ => value.clone(),
            };
            out.insert(key.clone(), value);
        }
        exclusive_limit(&mut out, "minimum", "exclusiveMinimum");
        exclusive_limit(&mut out, "maximum", "exclusiveMaximum");
        if written.get("nullable") == Some(&json!(true)) { nullable(out) } else { out.into() }
    }

    /// What the service sets itself, no client has to send.
    fn required_of_clients(&self, required: &Json, schema: &Map<String, Json>) -> Json {
        let is_sent = |name: &&Json| {
            let property = name.as_str().and_then(|name| schema.get("properties")?.get(name));
            property.is_none_or(|property| self.resolve(property)["readOnly"] != true)
        };
        required.as_array().into_iter().flatten().filter(is_sent).cloned().collect()
    }
}

/// The names of `schemas` that a value refers to.
pub(super) fn references(value: &Json, names: &mut BTreeSet<String>) {
    match value {
        Json::Object(map) => {
            let name = map.get("$ref").and_then(Json::as_str).and_then(|it| it.strip_prefix(POINTER));
            names.extend(name.map(str::to_owned));
            map.values().for_each(|inner| references(inner, names));
        }
        Json::Array(items) => items.iter().for_each(|inner| references(inner, names)),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
    }
}

/// Every schema inside a map or a list of schemas.
fn each(holder: &Json, mut convert: impl FnMut(&Json) -> Json) -> Json {
    match holder {
        Json::Object(map) => Json::Object(map.iter().map(|(name, schema)| (name.clone(), convert(schema))).collect()),
        Json::Array(items) => items.iter().map(convert).collect(),
        other => other.clone(),
    }
}

/// 3.0 writes `exclusiveMinimum: true` beside the limit.
fn exclusive_limit(schema: &mut Map<String, Json>, limit: &str, exclusive: &str) {
    let Some(Json::Bool(is_exclusive)) = schema.get(exclusive).cloned() else { return };
    schema.remove(exclusive);
    if is_exclusive && let Some(value) = schema.remove(limit) {
        schema.insert(exclusive.to_owned(), value);
    }
}

fn nullable(mut schema: Map<String, Json>) -> Json {
    match schema.get("type") {
        Some(Json::String(kind)) if !schema.contains_key("enum") => {
            let kinds = json!([kind, "null"]);
            schema.insert("type".to_owned(), kinds);
            schema.into()
        }
        _ => json!({ "anyOf": [schema, { "type": "null" }] }),
    }
}

fn pointed(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
