//! Embeddings: unit vectors that depend on the text and the model only. Equal texts have equal vectors; nothing else
//! about their distances means anything.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::{Openai, errors};
use crate::{
    http::{Content, Reply, Request},
    services::llm::tokens,
    twin::{Answer, Context},
};

const INPUTS_MAX: usize = 2_048; // the service's own limit
const TOKENS_PER_CHAR: f64 = 0.25;

/// Name, dimensions, and whether they can be chosen.
const MODELS: [(&str, usize, bool); 3] = [
    ("text-embedding-3-small", 1_536, true),
    ("text-embedding-3-large", 3_072, true),
    ("text-embedding-ada-002", 1_536, false),
];

impl Openai {
    pub(super) fn create_embeddings(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let Content::Json(body) = &request.content else { return Err(errors::missing("input")) };
        let asked = body["model"].as_str().ok_or_else(|| errors::missing("model"))?;
        let (model, native, variable) =
            MODELS.into_iter().find(|(name, ..)| *name == asked).ok_or_else(|| no_such_model(asked))?;
        let dimensions = dimensions(body, native, variable)?;
        let as_base64 = match body["encoding_format"].as_str() {
            None | Some("float") => false,
            Some("base64") => true,
            Some(other) => return Err(unknown_format(other)),
        };
        let inputs = inputs(&body["input"])?;
        let data: Vec<Value> = inputs
            .iter()
            .enumerate()
            .map(|(index, input)| {
                let vector = vector(model, &input.to_string(), native, dimensions);
                let shown = if as_base64 { json!(encoded(&vector)) } else { json!(vector) };
                json!({"object": "embedding", "index": index, "embedding": shown})
            })
            .collect();
        let used: u64 = inputs.iter().map(|input| size(input)).sum();
        let usage = json!({"prompt_tokens": used, "total_tokens": used});
        Ok(Reply::json(200, &json!({"object": "list", "data": data, "model": model, "usage": usage})))
    }
}

fn no_such_model(asked: &str) -> Reply {
    let message = format!("The model `{asked}` does not exist or you do not have access to it.");
    errors::error(404, "invalid_request_error", &message, None, Some("model_not_found"))
        .header("content-type", "application/json; charset=utf-8")
}

fn unknown_format(given: &str) -> Reply {
    let message = format!("Invalid value: '{given}'. Supported values are: 'float' and 'base64'.");
    errors::invalid(&message, "encoding_format", Some("invalid_value"))
}

fn dimensions(body: &Value, native: usize, variable: bool) -> Result<usize, Reply> {
    let wanted = &body["dimensions"];
    if wanted.is_null() {
        return Ok(native);
    }
    if !variable {
        return Err(errors::invalid("This model does not support specifying dimensions.", "dimensions", None));
    }
    let number = wanted.as_u64().ok_or_else(|| errors::wrong_type("dimensions", "an integer", wanted))?;
    let fitting = usize::try_from(number).ok().filter(|number| (1..=native).contains(number));
    let message = format!("Invalid value for 'dimensions' = {number}. Must be at least 1 and at most {native}.");
    fitting.ok_or_else(|| errors::invalid(&message, "dimensions", None))
}

/// A text, tokens, or a list of either.
fn inputs(input: &Value) -> Result<Vec<&Value>, Reply> {
    let empty = || errors::invalid("Invalid 'input': input cannot be an empty string.", "input", Some("empty_string"));
    let all = match input {
        Value::Null => return Err(errors::missing("input")),
        Value::String(_) => vec![input],
        Value::Array(items) if items.first().is_some_and(Value::is_number) => vec![input],
        Value::Array(items) => items.iter().collect(),
        other => return Err(errors::wrong_type("input", "one of a string or array", other)),
    };
    if all.is_empty() || all.iter().any(|one| **one == json!("") || **one == json!([])) {
        return Err(empty());
    }
    if all.len() > INPUTS_MAX {
        let message = format!("Invalid 'input': array too long. Expected an array with maximum length {INPUTS_MAX}.");
        return Err(errors::invalid(&message, "input", Some("array_above_max_length")));
    }
    Ok(all)
}

fn size(input: &Value) -> u64 {
    match input {
        Value::Array(tokens) => tokens.len() as u64,
        other => tokens(other.as_str().unwrap_or_default().chars().count(), TOKENS_PER_CHAR),
    }
}

/// Fewer dimensions are the first ones, made a unit again: so the service does it, too.
#[expect(clippy::cast_possible_truncation, reason = "the service's precision")]
fn vector(model: &str, input: &str, native: usize, dimensions: usize) -> Vec<f32> {
    let mut stream = blake3::Hasher::new_derive_key("twins 1 embedding")
        .update(model.as_bytes())
        .update(input.as_bytes())
        .finalize_xof();
    let mut bytes = vec![0; native * 2];
    stream.fill(&mut bytes);
    let raw: Vec<f64> =
        bytes.chunks_exact(2).take(dimensions).map(|pair| f64::from(i16::from_le_bytes([pair[0], pair[1]]))).collect();
    let length = raw.iter().map(|x| x * x).sum::<f64>().sqrt().max(1.0);
    raw.iter().map(|x| (x / length) as f32).collect()
}

fn encoded(vector: &[f32]) -> String {
    let bytes: Vec<u8> = vector.iter().flat_map(|x| x.to_le_bytes()).collect();
    STANDARD.encode(bytes)
}
