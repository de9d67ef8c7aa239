//! Data that fits a schema: its example, its default, or the simplest value. The same schema gives the same data.

use serde_json::{Map, Number, Value as Json, json};

use crate::{Document, Side};

const DEPTH_MAX: usize = 6; // below is nothing: a tree of itself ends
const OPTIONAL_DEPTH_MAX: usize = 2; // optional fields are shown on top, not in every corner
const ITEMS_MAX: u64 = 5;
const TEXT_CHARS_MAX: u64 = 200;

/// Texts by the name of their format.
const TEXTS: [(&str, &str); 17] = [
    ("date-time", "2026-01-02T03:04:05Z"),
    ("date", "2026-01-02"),
    ("time", "03:04:05Z"),
    ("duration", "PT1H"),
    ("uuid", "6f1c9a52-3f0d-4c58-9d6b-0c8a4b7e2d11"),
    ("email", "ada@example.com"),
    ("idn-email", "ada@example.com"),
    ("uri", "https://example.com/"),
    ("url", "https://example.com/"),
    ("uri-reference", "https://example.com/"),
    ("iri", "https://example.com/"),
    ("hostname", "example.com"),
    ("idn-hostname", "example.com"),
    ("ipv4", "192.0.2.1"),
    ("ipv6", "2001:db8::1"),
    ("byte", "aGVsbG8="),
    ("password", "correct-horse-1"),
];

/// Makes data for schemas of one document.
#[derive(Clone, Copy, Debug)]
pub struct Samples<'a> {
    document: &'a Document,
    side: Side,
    texts: &'a [(&'a str, &'a str)],
}

impl<'a> Samples<'a> {
    pub fn new(document: &'a Document, side: Side) -> Self {
        Self { document, side, texts: &[] }
    }

    /// Texts of the caller's by the name of their format, instead of the usual ones.
    #[must_use]
    pub fn with_texts(self, texts: &'a [(&'a str, &'a str)]) -> Self {
        Self { texts, ..self }
    }

    /// The example of a media type or a parameter, else a sample of its schema.
    pub fn of_media(&self, holder: &Json) -> Json {
        if let Some(example) = holder.get("example") {
            return example.clone();
        }
        let examples = holder.get("examples").and_then(Json::as_object);
        let first = examples.and_then(|examples| examples.values().next());
        let value = first.and_then(|example| self.document.resolve(example).get("value"));
        value.cloned().unwrap_or_else(|| self.of_schema(&holder["schema"]))
    }

    pub fn of_schema(&self, schema: &Json) -> Json {
        self.sampled(schema, 0)
    }

    fn sampled(&self, schema: &Json, depth: usize) -> Json {
        let schema = self.document.resolve(schema);
        if let Some(value) = given(schema) {
            return value;
        }
        if let Some(parts) = schema.get("allOf").and_then(Json::as_array) {
            return self.merged(schema, parts, depth);
        }
        if let Some(choice) = self.choice(schema).filter(|_| depth <= DEPTH_MAX) {
            return self.sampled(choice, depth + 1);
        }
        match kind(schema) {
            "object" => self.object(schema, depth),
            "array" => self.array(schema, depth),
            "string" => self.text(schema),
            "integer" => number(schema, 1.0, true),
            "number" => number(schema, 1.5, false),
            "boolean" => json!(true),
            _ => Json::Null,
        }
    }

    /// The first alternative that is something.
    fn choice<'s>(&self, schema: &'s Json) -> Option<&'s Json> {
        let choices = ["oneOf", "anyOf"].into_iter().find_map(|choice| schema.get(choice)?.as_array())?;
        choices.iter().find(|choice| kind(self.document.resolve(choice)) != "null").or_else(|| choices.first())
    }

    fn merged(&self, schema: &Json, parts: &[Json], depth: usize) -> Json {
        let mut all = Map::new();
        if depth > DEPTH_MAX {
            return all.into();
        }
        for part in parts {
            match self.sampled(part, depth + 1) {
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
        let required = required(schema);
        let properties = schema.get("properties").and_then(Json::as_object).filter(|_| depth <= DEPTH_MAX);
        let is_wanted = |name: &String| depth < OPTIONAL_DEPTH_MAX || required.contains(&name.as_str());
        let is_here = |property: &Json| self.document.resolve(property)[self.side.absent()] != true;
        let shown = properties.into_iter().flatten().filter(|(name, property)| is_wanted(name) && is_here(property));
        Json::Object(shown.map(|(name, property)| (name.clone(), self.sampled(property, depth + 1))).collect())
    }

    fn array(&self, schema: &Json, depth: usize) -> Json {
        if depth >= DEPTH_MAX {
            return json!([]);
        }
        let count = schema["minItems"].as_u64().unwrap_or(1).clamp(1, ITEMS_MAX);
        (0..count).map(|_| self.sampled(&schema["items"], depth + 1)).collect()
    }

    fn text(&self, schema: &Json) -> Json {
        let format = schema["format"].as_str().unwrap_or_default();
        if let Some((_, text)) = self.texts.iter().chain(&TEXTS).find(|(name, _)| *name == format) {
            return (*text).into();
        }
        let least = schema["minLength"].as_u64().unwrap_or(0).min(TEXT_CHARS_MAX);
        let most = schema["maxLength"].as_u64().unwrap_or(TEXT_CHARS_MAX);
        let word = "text";
        let length = usize::try_from((word.len() as u64).max(least).min(most)).unwrap_or(word.len());
        word.chars().cycle().take(length).collect::<String>().into()
    }
}

/// A value that the description itself gives.
fn given(schema: &Json) -> Option<Json> {
    let first = |key: &str| schema.get(key)?.get(0);
    let plain = |key: &str| schema.get(key);
    let value = plain("const").or_else(|| plain("example")).or_else(|| first("examples"));
    value.or_else(|| plain("default")).or_else(|| first("enum")).cloned()
}

/// The names of the fields that a schema asks for.
pub fn required(schema: &Json) -> Vec<&str> {
    schema.get("required").and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_str).collect()
}

/// The type, or the first of several that is not null; a schema with properties is an object.
pub fn kind(schema: &Json) -> &str {
    match &schema["type"] {
        Json::String(kind) => kind,
        Json::Array(kinds) => kinds.iter().filter_map(Json::as_str).find(|kind| *kind != "null").unwrap_or("null"),
        _ if schema.get("properties").is_some() || schema.get("additionalProperties").is_some() => "object",
        _ if schema.get("items").is_some() => "array",
        _ => "string",
    }
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
        // A limit beyond this is a mistake, not an example.
        return json!(value as i64);
    }
    Number::from_f64(value).map_or(Json::Null, Json::Number)
}

#[cfg(test)]
mod tests {
    use located::Source;
    use serde_json::{Value as Json, json};

    use super::Samples;
    use crate::{Document, Side};

    fn document() -> Document {
        let root = json!({ "openapi": "3.1.0", "components": { "schemas": {
            "tree": { "type": "object", "required": ["name", "child"], "properties": {
                "name": { "type": "string" }, "child": { "$ref": "#/components/schemas/tree" } } },
            "circle": { "$ref": "#/components/schemas/circle" },
            "choice": { "oneOf": [{ "$ref": "#/components/schemas/choice" }] },
        } } });
        Document::read(&Source::new("a.json", root.to_string())).unwrap()
    }

    fn sample(schema: &Json) -> Json {
        Samples::new(&document(), Side::Request).of_schema(schema)
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
    fn what_is_given_is_used() {
        assert_eq!(sample(&json!({ "type": "string", "example": "mug", "default": "cup" })), "mug");
        let document = document();
        let samples = Samples::new(&document, Side::Answer).with_texts(&[("uuid", "{{ random.uuid }}")]);
        assert_eq!(samples.of_schema(&json!({ "type": "string", "format": "uuid" })), "{{ random.uuid }}");
        assert_eq!(samples.of_media(&json!({ "examples": { "one": { "value": 1 } }, "schema": { "example": 2 } })), 1);
    }

    #[test]
    fn a_side_has_only_its_own_fields() {
        let document = document();
        let schema = json!({ "properties": {
            "id": { "type": "integer", "readOnly": true },
            "n": { "type": "integer" },
            "secret": { "type": "string", "writeOnly": true },
        } });
        let of = |side| Samples::new(&document, side).of_schema(&schema);
        assert_eq!(of(Side::Request), json!({ "n": 1, "secret": "text" }));
        assert_eq!(of(Side::Answer), json!({ "id": 1, "n": 1 }));
    }

    #[test]
    fn schemas_that_hold_themselves_end() {
        let tree = sample(&json!({ "$ref": "#/components/schemas/tree" })).to_string();
        assert!(tree.len() < 500, "{tree}");
        assert_eq!(sample(&json!({ "$ref": "#/components/schemas/circle" })), "text");
        assert_eq!(sample(&json!({ "$ref": "#/components/schemas/choice" })), "text");
    }
}
