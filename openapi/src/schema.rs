//! Schemas of a document as JSON Schemas that check data: 3.0's words in today's, nothing that only describes.

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json, json};

use crate::{Document, Side};

const DEPTH_MAX: usize = 48; // of one schema, references to named ones aside
const WRITTEN_OUT_DEPTH: usize = 8; // what a reference into the middle of something costs of that: it may hold itself
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
    /// A schema that stands by itself: all that it refers to is in its `$defs`.
    pub fn whole_schema(&self, schema: &Json, side: Side) -> Json {
        let mut root = self.schema(schema, side);
        let mut wanted = BTreeSet::new();
        references(&root, &mut wanted);
        if let (Json::Object(root), false) = (&mut root, wanted.is_empty()) {
            root.insert("$defs".to_owned(), self.named_schemas(&wanted, side).into());
        }
        root
    }

    /// A schema that refers to named ones as `#/$defs/NAME`.
    pub fn schema(&self, schema: &Json, side: Side) -> Json {
        Converter { document: self, side }.converted(schema, 0)
    }

    /// The named schemas that are wanted, and those that these refer to.
    pub fn named_schemas(&self, wanted: &BTreeSet<String>, side: Side) -> Map<String, Json> {
        let (mut wanted, mut schemas) = (wanted.clone(), Map::new());
        while let Some(name) = wanted.iter().find(|name| !schemas.contains_key(*name)).cloned() {
            let converted = self.schema(self.get(&format!("/components/schemas/{}", escaped(&name))), side);
            references(&converted, &mut wanted);
            schemas.insert(name, converted);
        }
        schemas
    }
}

/// Adds the names of the named schemas that a value refers to.
pub fn references(value: &Json, names: &mut BTreeSet<String>) {
    match value {
        Json::Object(map) => {
            let name = map.get("$ref").and_then(Json::as_str).and_then(|it| it.strip_prefix(POINTER));
            names.extend(name.map(unescaped));
            map.values().for_each(|inner| references(inner, names));
        }
        Json::Array(items) => items.iter().for_each(|inner| references(inner, names)),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
    }
}

struct Converter<'a> {
    document: &'a Document,
    side: Side,
}

impl Converter<'_> {
    fn converted(&self, schema: &Json, depth: usize) -> Json {
        let Json::Object(written) = schema else {
            return if schema.is_boolean() { schema.clone() } else { json!({}) };
        };
        if depth > DEPTH_MAX {
            return json!({});
        }
        if let Some(reference) = written.get("$ref").and_then(Json::as_str) {
            return match reference.strip_prefix(NAMED).filter(|name| !name.contains(['/', '%'])) {
                Some(name) => json!({ "$ref": format!("{POINTER}{name}") }),
                // Into the middle of something: written out, a few times. To another document: checks nothing.
                None => self.converted(self.document.resolve(schema), depth + WRITTEN_OUT_DEPTH),
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
                "required" => self.required_here(value, written),
                _ => value.clone(),
            };
            out.insert(key.clone(), value);
        }
        exclusive_limit(&mut out, "minimum", "exclusiveMinimum");
        exclusive_limit(&mut out, "maximum", "exclusiveMaximum");
        if written.get("nullable") == Some(&json!(true)) { nullable(out) } else { out.into() }
    }

    /// A field that has no place on this side cannot be asked for.
    fn required_here(&self, required: &Json, schema: &Map<String, Json>) -> Json {
        let is_here = |name: &&Json| {
            let property = name.as_str().and_then(|name| schema.get("properties")?.get(name));
            property.is_none_or(|property| self.document.resolve(property)[self.side.absent()] != true)
        };
        required.as_array().into_iter().flatten().filter(is_here).cloned().collect()
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

/// As it stands in a JSON pointer.
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

fn unescaped(name: &str) -> String {
    name.replace("~1", "/").replace("~0", "~")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use located::Source;
    use serde_json::{Value as Json, json};

    use crate::{Document, Side};

    fn document() -> Document {
        let root = json!({ "openapi": "3.0.3", "components": { "schemas": {
            "Node": { "type": "object", "required": ["n", "id", "secret"], "properties": {
                "n": { "type": "integer", "minimum": 0, "exclusiveMinimum": true, "example": 3 },
                "id": { "type": "integer", "readOnly": true },
                "secret": { "type": "string", "writeOnly": true },
                "next": { "nullable": true, "allOf": [{ "$ref": "#/components/schemas/Node" }] },
                "note": { "type": "string", "nullable": true } } },
            "a/b": { "type": "integer" },
        } } });
        Document::read(&Source::new("a.json", root.to_string())).unwrap()
    }

    fn nodes(side: Side) -> Json {
        document().whole_schema(&json!({ "type": "array", "items": { "$ref": "#/components/schemas/Node" } }), side)
    }

    #[test]
    fn references_nullable_and_exclusive_limits_are_carried_over() {
        let schema = nodes(Side::Answer);
        let valid = |value| jsonschema::is_valid(&schema, &value);
        assert!(
            valid(json!([{ "n": 1, "id": 1, "next": { "n": 2, "id": 2, "note": null, "next": null } }])),
            "{schema}"
        );
        assert!(!valid(json!([{ "n": 0, "id": 1 }])), "the limit is exclusive");
        assert!(!valid(json!([{ "n": 1, "id": 1, "next": { "n": "x", "id": 2 } }])), "recursion is checked");
        assert!(!valid(json!([{ "id": 1 }])), "a required field is");
    }

    #[test]
    fn what_has_no_place_on_a_side_is_not_asked_for_there() {
        let (asked, answered) = (nodes(Side::Request), nodes(Side::Answer));
        assert!(jsonschema::is_valid(&asked, &json!([{ "n": 1, "secret": "s" }])));
        assert!(!jsonschema::is_valid(&asked, &json!([{ "n": 1, "id": 1 }])));
        assert!(jsonschema::is_valid(&answered, &json!([{ "n": 1, "id": 1 }])));
        assert!(!jsonschema::is_valid(&answered, &json!([{ "n": 1, "secret": "s" }])));
    }

    #[test]
    fn a_name_with_a_slash_is_found_again() {
        let document = document();
        let schema = document.whole_schema(&json!({ "$ref": "#/components/schemas/a~1b" }), Side::Answer);
        assert!(jsonschema::is_valid(&schema, &json!(1)) && !jsonschema::is_valid(&schema, &json!("x")), "{schema}");
        let wanted = BTreeSet::from(["a/b".to_owned()]);
        assert_eq!(json!(document.named_schemas(&wanted, Side::Answer)), json!({ "a/b": { "type": "integer" } }));
    }
}
