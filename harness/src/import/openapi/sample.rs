//! Data that fits a schema: its example, its default, or the simplest value. The same schema gives the same data.

use serde_json::{Map, Number, Value as Json, json};

use super::document::Document;

const DEPTH_MAX: usize = 6; // below is nothing: a tree of itself ends
const OPTIONAL_DEPTH_MAX: usize = 2; // optional fields are shown on top, not in every corner
const ITEMS_MAX: u64 = 5;
const TEXT_CHARS_MAX: u64 = 200;

impl Document {
    /// The example of a media type or a parameter, else a sample of its schema.
    pub(super) fn sample_of(&self, holder: &Json) -> Json {
        if let Some(example) = holder.get("example") {
            return example.clone();
        }
        let examples = holder.get("examples").and_then(Json::as_object);
        let first = examples.and_then(|examples| examples.values().next());
        if let Some(value) = first.and_then(|example| self.resolve(example).get("value")) {
            return value.clone();
        }
        self.sample(&holder["schema"], 0)
    }

    fn sample(&self, schema: &Json, depth: usize) -> Json {
        let schema = self.resolve(schema);
        if let Some(value) = given(schema) {
            return value;
        }
        if let Some(parts) = schema.get("allOf").and_then(Json::as_array) {
            return self.merged(schema, parts, depth);
        }
        for choice in ["oneOf", "anyOf"] {
            if let Some(first) = schema.get(choice).and_then(|all| all.get(0)).filter(|_| depth <= DEPTH_MAX) {
                return self.sample(first, depth + 1);
            }
        }
        match kind(schema) {
            "object" => self.object(schema, depth),
            "array" => self.array(schema, depth),
            "string" => text(schema),
            "integer" => number(schema, 1.0, true),
            "number" => number(schema, 1.5, false),
            "boolean" => json!(true),
            _ => Json::Null,
        }
    }

    fn merged(&self, schema: &Json, parts: &[Json], depth: usize) -> Json {
        let mut all = Map::new();
        if depth > DEPTH_MAX {
            return all.into();
        }
        for part in parts {
            match self.sample(part, depth + 1) {
                Json::Object(more) => all.extend(more),
                other if parts.len() == 1 => return other,
                _ => {}
            }
        }
        if let Json::Object(own) = self.object(schema, depth) {
            all.extend(own);
        }
        all.into()
    }

    fn object(&self, schema: &Json, depth: usize) -> Json {
        let mut object = Map::new();
        let Some(properties) = schema.get("properties").and_then(Json::as_object) else { return object.into() };
        let required = required(schema);
        for (name, property) in properties {
            let is_wanted = depth < OPTIONAL_DEPTH_MAX || required.contains(&name.as_str());
            // The server sets what is read-only.
            if is_wanted && depth <= DEPTH_MAX && self.resolve(property)["readOnly"] != true {
                object.insert(name.clone(), self.sample(property, depth + 1));
            }
        }
        object.into()
    }

    fn array(&self, schema: &Json, depth: usize) -> Json {
        if depth > DEPTH_MAX {
            return json!([]);
        }
        let count = schema["minItems"].as_u64().unwrap_or(1).clamp(1, ITEMS_MAX);
        (0..count).map(|_| self.sample(&schema["items"], depth + 1)).collect()
    }
}

/// A value that the description itself gives.
fn given(schema: &Json) -> Option<Json> {
    let first = |key: &str| schema.get(key)?.get(0);
    let plain = |key: &str| schema.get(key);
    let value = plain("const").or_else(|| plain("example")).or_else(|| first("examples"));
    value.or_else(|| plain("default")).or_else(|| first("enum")).cloned()
}

pub(super) fn required(schema: &Json) -> Vec<&str> {
    schema.get("required").and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_str).collect()
}

/// The type, or the first of several that is not null; a schema with properties is an object.
fn kind(schema: &Json) -> &str {
    match &schema["type"] {
        Json::String(kind) => kind,
        Json::Array(kinds) => kinds.iter().filter_map(Json::as_str).find(|kind| *kind != "null").unwrap_or("null"),
        _ if schema.get("properties").is_some() => "object",
        _ if schema.get("items").is_some() => "array",
        _ => "string",
    }
}

fn text(schema: &Json) -> Json {
    let plain = match schema["format"].as_str().unwrap_or_default() {
        "date-time" => "2026-01-02T03:04:05Z",
        "date" => "2026-01-02",
        "time" => "03:04:05Z",
        "duration" => "PT1H",
        // Drawn afresh, since services like these to be unique.
        "uuid" => "{{ random.uuid }}",
        "email" | "idn-email" => "{{ random.email }}",
        "uri" | "url" | "uri-reference" | "iri" => "https://example.com/",
        "hostname" | "idn-hostname" => "example.com",
        "ipv4" => "192.0.2.1",
        "ipv6" => "2001:db8::1",
        "byte" => "aGVsbG8=",
        "password" => "correct-horse-1",
        _ => "",
    };
    if !plain.is_empty() {
        return plain.into();
    }
    let least = schema["minLength"].as_u64().unwrap_or(0).min(TEXT_CHARS_MAX);
    let most = schema["maxLength"].as_u64().unwrap_or(TEXT_CHARS_MAX);
    let word = "text";
    let length = usize::try_from((word.len() as u64).max(least).min(most)).unwrap_or(word.len());
    word.chars().cycle().take(length).collect::<String>().into()
}

/// The usual number, moved between the limits, on the grid of `multipleOf`.
fn number(schema: &Json, usual: f64, is_whole: bool) -> Json {
    let limit = |key: &str| schema[key].as_f64();
    let step = limit("multipleOf").filter(|step| *step > 0.0).unwrap_or(if is_whole { 1.0 } else { 0.0 });
    let aside = if step > 0.0 { step } else { 0.5 };
    // 3.0 says with `true` that the limit beside it is exclusive; in 3.1 it is the limit.
    let exclusive = |key: &str, limit_key: &str| match &schema[key] {
        Json::Bool(true) => limit(limit_key),
        Json::Number(limit) => limit.as_f64(),
        _ => None,
    };
    let low = exclusive("exclusiveMinimum", "minimum").map(|low| low + aside).or_else(|| limit("minimum"));
    let high = exclusive("exclusiveMaximum", "maximum").map(|high| high - aside).or_else(|| limit("maximum"));
    let mut value = usual.max(low.unwrap_or(f64::MIN)).min(high.unwrap_or(f64::MAX));
    if step > 0.0 {
        value = (value / step).ceil() * step;
        if high.is_some_and(|high| value > high) {
            value -= step;
        }
    }
    if is_whole || value.fract() == 0.0 && value.abs() < 1e15 {
        // A limit beyond this is a mistake, not a test.
        return json!(value as i64);
    }
    Number::from_f64(value).map_or(Json::Null, Json::Number)
}

#[cfg(test)]
mod tests {
    use located::Source;
    use serde_json::{Value as Json, json};

    use super::Document;

    fn sample(schema: &Json) -> Json {
        let root = json!({ "openapi": "3.1.0", "components": { "schemas": {
            "tree": { "type": "object", "required": ["name", "child"], "properties": {
                "name": { "type": "string" }, "child": { "$ref": "#/components/schemas/tree" } } },
            "circle": { "$ref": "#/components/schemas/circle" },
            "choice": { "oneOf": [{ "$ref": "#/components/schemas/choice" }] },
        } } });
        Document::read(&Source::new("a.json", root.to_string())).unwrap().sample(schema, 0)
    }

    #[test]
    fn samples_fit_their_schemas() {
        for schema in [
            json!({ "type": "integer", "minimum": 10, "multipleOf": 3 }),
            json!({ "type": "integer", "maximum": -5 }),
            json!({ "type": "integer", "exclusiveMinimum": 7 }),
            json!({ "type": "number", "minimum": 0, "maximum": 1 }),
            json!({ "type": "string", "minLength": 9 }),
            json!({ "type": "string", "maxLength": 2 }),
            json!({ "type": ["null", "string"], "format": "date-time" }),
            json!({ "type": "array", "minItems": 3, "items": { "type": "boolean" } }),
            json!({ "enum": ["b", "a"] }),
            json!({ "const": { "x": 1 } }),
            json!({ "allOf": [{ "type": "object", "required": ["a"], "properties": { "a": { "type": "string" } } },
                              { "properties": { "b": { "type": "integer" } }, "required": ["b"] }] }),
            json!({ "oneOf": [{ "type": "integer" }, { "type": "string" }] }),
            json!({ "type": "object", "properties": { "a": { "type": "object", "properties": { "b": { "type": "number" } } } } }),
        ] {
            let value = sample(&schema);
            assert!(jsonschema::is_valid(&schema, &value), "{value} does not fit {schema}");
        }
    }

    #[test]
    fn what_is_given_is_used_and_what_is_read_only_is_not_sent() {
        assert_eq!(sample(&json!({ "type": "string", "example": "mug", "default": "cup" })), "mug");
        let schema =
            json!({ "properties": { "id": { "type": "integer", "readOnly": true }, "n": { "type": "integer" } } });
        assert_eq!(sample(&schema), json!({ "n": 1 }));
        assert_eq!(sample(&json!({ "type": "string", "format": "uuid" })), "{{ random.uuid }}");
    }

    #[test]
    fn schemas_that_hold_themselves_end() {
        let tree = sample(&json!({ "$ref": "#/components/schemas/tree" })).to_string();
        assert!(tree.len() < 500, "{tree}");
        assert_eq!(sample(&json!({ "$ref": "#/components/schemas/circle" })), "text");
        assert_eq!(sample(&json!({ "$ref": "#/components/schemas/choice" })), "text");
    }
}
