//! Structured outputs: a script that says plain text where the request wants JSON is answered with the smallest value
//! that the schema allows, so that a client's parser has something to parse.

use serde_json::{Map, Value, json};

const DEPTH_MAX: usize = 32; // a schema that refers to itself ends in null there

/// The smallest value of `schema`; texts are `text`.
pub(super) fn instance(schema: &Value, text: &str) -> Value {
    Maker { root: schema, text }.make(schema, 0)
}

struct Maker<'s> {
    root: &'s Value,
    text: &'s str,
}

impl Maker<'_> {
    fn make(&self, schema: &Value, depth: usize) -> Value {
        if depth > DEPTH_MAX {
            return Value::Null;
        }
        if let Some(target) = schema["$ref"].as_str() {
            let found = target.strip_prefix('#').and_then(|pointer| self.root.pointer(pointer));
            return found.map_or(Value::Null, |found| self.make(found, depth + 1));
        }
        let fixed = schema.get("const").or_else(|| schema["enum"].get(0)).or_else(|| schema.get("default"));
        if let Some(fixed) = fixed {
            return fixed.clone();
        }
        for choice in ["anyOf", "oneOf", "allOf"] {
            if let Some(first) = schema[choice].get(0) {
                return self.make(first, depth + 1);
            }
        }
        match kind(schema) {
            "object" => self.object(schema, depth),
            "array" => self.array(schema, depth),
            "integer" | "number" => schema.get("minimum").cloned().unwrap_or_else(|| json!(0)),
            "boolean" => json!(false),
            "null" => Value::Null,
            _ => json!(self.text),
        }
    }

    fn object(&self, schema: &Value, depth: usize) -> Value {
        let Some(properties) = schema["properties"].as_object() else { return json!({}) };
        let required = schema["required"].as_array();
        let wanted = |name: &str| required.is_none_or(|required| required.iter().any(|known| known == name));
        let made = properties.iter().filter(|(name, _)| wanted(name));
        Value::Object(made.map(|(name, schema)| (name.clone(), self.make(schema, depth + 1))).collect::<Map<_, _>>())
    }

    fn array(&self, schema: &Value, depth: usize) -> Value {
        let least = usize::try_from(schema["minItems"].as_u64().unwrap_or(0)).unwrap_or(0).min(DEPTH_MAX);
        Value::Array(vec![self.make(&schema["items"], depth + 1); least])
    }
}

fn kind(schema: &Value) -> &str {
    let named = schema["type"].as_str().or_else(|| schema["type"][0].as_str());
    named.unwrap_or_else(|| if schema["properties"].is_object() { "object" } else { "string" })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::instance;

    #[test]
    fn the_smallest_value_has_what_is_required() {
        let schema = json!({"type": "object", "required": ["name", "size", "tags", "at", "kind"], "properties": {
            "name": {"type": "string"}, "size": {"type": "integer", "minimum": 3}, "note": {"type": "string"},
            "tags": {"type": "array", "minItems": 2, "items": {"enum": ["a", "b"]}},
            "at": {"$ref": "#/$defs/place"}, "kind": {"type": ["string", "null"]}},
            "$defs": {"place": {"type": "object", "properties": {"open": {"type": "boolean"}}}}});
        let expected = json!({"name": "hi", "size": 3, "tags": ["a", "a"], "at": {"open": false}, "kind": "hi"});
        assert_eq!(instance(&schema, "hi"), expected);
    }

    #[test]
    fn a_schema_that_refers_to_itself_ends() {
        let schema = json!({"type": "object", "required": ["next"], "properties": {"next": {"$ref": "#"}}});
        assert!(instance(&schema, "").is_object());
    }
}
