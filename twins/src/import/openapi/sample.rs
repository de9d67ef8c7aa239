//! Data that fits a schema: its example, its default, or the simplest value. The same schema gives the same data.

use serde_json::{Map, Number, Value as Json, json};

use super::document::Document;

const DEPTH_MAX: usize = 6; // below is nothing: a tree of itself ends
const OPTIONAL_DEPTH_MAX: usize = 2; // optional fields are shown on top, not in every corner
const ITEMS_MAX: u64 = 5;
const TEXT_CHARS_MAX: u64 = 200;

impl Document {
    /// The example of a media type, else a sample of its schema.
    pub(super) fn sample_of(&self, media: &Json) -> Json {
        if let Some(example) = media.get("example") {
            return example.clone();
        }
        let first = media.get("examples").and_then(Json::as_object).and_then(|examples| examples.values().next());
        let value = first.and_then(|example| self.resolve(example).get("value"));
        value.cloned().unwrap_or_else(|| self.sample(&media["schema"]))
    }

    pub(super) fn sample(&self, schema: &Json) -> Json {
        self.sampled(schema, 0)
    }

    fn sampled(&self, schema: &Json, depth: usize) -> Json {
        let schema = self.resolve(schema);
        if let Some(value) = given(schema) {
            return value;
        }
        if depth > DEPTH_MAX {
            return Json::Null;
        }
        if schema.get("allOf").is_some() {
            return self.merged(schema, depth);
        }
        let choices = ["oneOf", "anyOf"].into_iter().find_map(|choice| schema.get(choice)?.as_array());
        if let Some(choices) = choices {
            let some = choices.iter().find(|choice| kind(self.resolve(choice)) != "null").or_else(|| choices.first());
            return some.map_or(Json::Null, |choice| self.sampled(choice, depth + 1));
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

    fn merged(&self, schema: &Json, depth: usize) -> Json {
        let parts = schema["allOf"].as_array().map(Vec::as_slice).unwrap_or_default();
        let mut all = Map::new();
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
        let properties = schema.get("properties").and_then(Json::as_object);
        let wanted = |name: &String| depth < OPTIONAL_DEPTH_MAX || required.contains(&name.as_str());
        let shown = properties.into_iter().flatten().filter(|(name, _)| wanted(name));
        let shown = shown.filter(|(_, property)| self.resolve(property)["writeOnly"] != true);
        Json::Object(shown.map(|(name, property)| (name.clone(), self.sampled(property, depth + 1))).collect())
    }

    fn array(&self, schema: &Json, depth: usize) -> Json {
        if depth >= DEPTH_MAX {
            return json!([]);
        }
        let count = schema["minItems"].as_u64().unwrap_or(1).clamp(1, ITEMS_MAX);
        (0..count).map(|_| self.sampled(&schema["items"], depth + 1)).collect()
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
pub(super) fn kind(schema: &Json) -> &str {
    match &schema["type"] {
        Json::String(kind) => kind,
        Json::Array(kinds) => kinds.iter().filter_map(Json::as_str).find(|kind| *kind != "null").unwrap_or("null"),
        _ if schema.get("properties").is_some() || schema.get("additionalProperties").is_some() => "object",
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
        "uuid" => "6f1c9a52-3f0d-4c58-9d6b-0c8a4b7e2d11",
        "email" | "idn-email" => "ada@example.com",
        "uri" | "url" | "uri-reference" | "iri" => "https://example.com/",
        "hostname" | "idn-hostname" => "example.com",
        "ipv4" => "192.0.2.1",
        "ipv6" => "2001:db8::1",
        "byte" => "aGVsbG8=",
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
        // A limit beyond this is a mistake, not an example.
        return json!(value as i64);
    }
    Number::from_f64(value).map_or(Json::Null, Json::Number)
}
