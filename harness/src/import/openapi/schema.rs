//! Declared schemas as JSON Schemas of their own, for what comes back.

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json, json};

use super::document::Document;

const DEPTH_MAX: usize = 48; // of one schema, references to named ones aside

/// Keywords that check nothing.
const DESCRIPTIVE: [&str; 11] = [
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
];

impl Document {
    /// A schema with everything that it refers to.
    pub(super) fn json_schema(&self, schema: &Json) -> Json {
        let mut wanted = BTreeSet::new();
        let mut root = self.converted(schema, &mut wanted, 0);
        let mut definitions = Map::new();
        // Definitions refer to further ones.
        while let Some(name) = wanted.iter().find(|name| !definitions.contains_key(*name)).cloned() {
            let target = self.target(&format!("#/components/schemas/{}", escaped(&name)));
            let definition = target.map_or_else(|| json!({}), |target| self.converted(target, &mut wanted, 0));
            definitions.insert(name, definition);
        }
        if let (Json::Object(root), false) = (&mut root, definitions.is_empty()) {
            root.insert("$defs".to_owned(), definitions.into());
        }
        root
    }

    fn converted(&self, schema: &Json, wanted: &mut BTreeSet<String>, depth: usize) -> Json {
        let Json::Object(written) = schema else {
            return if schema.is_boolean() { schema.clone() } else { json!({}) };
        };
        if depth > DEPTH_MAX {
            return json!({});
        }
        if let Some(reference) = written.get("$ref").and_then(Json::as_str) {
            return self.referred(reference, wanted, depth);
        }
        let mut out = Map::new();
        for (key, value) in written {
            if DESCRIPTIVE.contains(&key.as_str()) || key.starts_with("x-") {
                continue;
            }
            let value = match key.as_str() {
                "properties" | "patternProperties" | "dependentSchemas" | "allOf" | "oneOf" | "anyOf"
                | "prefixItems" => each(value, |value| self.converted(value, wanted, depth + 1)),
                "items" | "additionalProperties" | "not" | "contains" | "propertyNames" | "if" | "then" | "else" => {
                    self.converted(value, wanted, depth + 1)
                }
                "required" => self.required_in_answers(value, written),
                _ => value.clone(),
            };
            out.insert(key.clone(), value);
        }
        exclusive_limit(&mut out, "minimum", "exclusiveMinimum");
        exclusive_limit(&mut out, "maximum", "exclusiveMaximum");
        if written.get("nullable") == Some(&json!(true)) { nullable(out) } else { out.into() }
    }

    fn referred(&self, reference: &str, wanted: &mut BTreeSet<String>, depth: usize) -> Json {
        match reference.strip_prefix("#/components/schemas/") {
            Some(name) if !name.contains('/') => {
                let name = name.replace("~1", "/").replace("~0", "~");
                let pointer = format!("#/$defs/{}", escaped(&name));
                wanted.insert(name);
                json!({ "$ref": pointer })
            }
            // Into the middle of something: written out, a few times. To another document: checks nothing.
            _ => self.target(reference).map_or_else(|| json!({}), |target| self.converted(target, wanted, depth + 8)),
        }
    }

    /// What is only written does not come back.
    fn required_in_answers(&self, required: &Json, schema: &Map<String, Json>) -> Json {
        let comes_back = |name: &&Json| {
            let property = name.as_str().and_then(|name| schema.get("properties")?.get(name));
            property.is_none_or(|property| self.resolve(property)["writeOnly"] != true)
        };
        required.as_array().into_iter().flatten().filter(comes_back).cloned().collect()
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
    match schema.get(exclusive) {
        Some(Json::Bool(true)) => {
            if let Some(value) = schema.remove(limit) {
                schema.insert(exclusive.to_owned(), value);
            }
        }
        Some(Json::Bool(false)) => {
            schema.remove(exclusive);
        }
        _ => {}
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

fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use located::Source;
    use serde_json::json;

    use super::Document;

    #[test]
    fn references_nullable_and_exclusive_limits_are_carried_over() {
        let root = json!({ "openapi": "3.0.3", "components": { "schemas": {
            "Node": { "type": "object", "required": ["n", "secret"], "properties": {
                "n": { "type": "integer", "minimum": 0, "exclusiveMinimum": true, "example": 3 },
                "secret": { "type": "string", "writeOnly": true },
                "next": { "nullable": true, "allOf": [{ "$ref": "#/components/schemas/Node" }] },
                "note": { "type": "string", "nullable": true } } },
        } } });
        let document = Document::read(&Source::new("a.json", root.to_string())).unwrap();
        let schema =
            document.json_schema(&json!({ "type": "array", "items": { "$ref": "#/components/schemas/Node" } }));
        let valid = |value| jsonschema::is_valid(&schema, &value);
        assert!(valid(json!([{ "n": 1, "next": { "n": 2, "note": null, "next": null } }])), "{schema}");
        assert!(!valid(json!([{ "n": 0 }])), "the limit is exclusive");
        assert!(!valid(json!([{ "n": 1, "next": { "n": "x" } }])), "recursion is checked");
        assert!(!valid(json!([{}])), "a required field is");
    }
}
