//! Tokens of language models, read from what their twins answered, and their price. Pure.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value as Json;

use crate::{
    step::sse::events_of,
    text::{Entries, Placed},
};

/// What one million tokens of a model cost, in US dollars.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Price {
    input_usd: f64,
    output_usd: f64,
    /// Input that was read from a cache. Default: as other input.
    #[serde(default)]
    cache_read_usd: Option<f64>,
    /// Input that was written to a cache. Default: as other input.
    #[serde(default)]
    cache_write_usd: Option<f64>,
}

/// Prices by the model's exact name; `*` is for every other.
pub(crate) type Prices = Entries<Placed<Price>>;

const PER: f64 = 1_000_000.0; // tokens

/// What one call used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tokens {
    pub(super) input: u64,
    pub(super) output: u64,
    pub(super) cache_read: u64,
    pub(super) cache_write: u64,
}

impl Tokens {
    pub(super) fn total(self) -> u64 {
        self.input + self.output + self.cache_read + self.cache_write
    }

    fn most(self, other: Self) -> Self {
        Self {
            input: self.input.max(other.input),
            output: self.output.max(other.output),
            cache_read: self.cache_read.max(other.cache_read),
            cache_write: self.cache_write.max(other.cache_write),
        }
    }

    pub(super) fn usd(self, price: &Price) -> f64 {
        let of = |tokens: u64, usd: f64| tokens as f64 * usd / PER;
        of(self.input, price.input_usd)
            + of(self.output, price.output_usd)
            + of(self.cache_read, price.cache_read_usd.unwrap_or(price.input_usd))
            + of(self.cache_write, price.cache_write_usd.unwrap_or(price.input_usd))
    }
}

/// The price of a model, by its exact name or by `*`; earlier lists go first.
pub(super) fn price_of<'a>(model: &str, lists: [&'a Prices; 2]) -> Option<&'a Price> {
    let named = |name: &str| {
        let all = lists.into_iter().flat_map(Entries::iter);
        all.into_iter().find(|(known, _)| known.as_str() == name).map(|(_, price)| &price.value)
    };
    named(model).or_else(|| named("*"))
}

/// The model and the tokens of a call, whole or streamed; `None` where no model answered.
pub(super) fn used_by(call: &Json) -> Option<(String, Tokens)> {
    let documents = documents_of(call);
    // Streams count upwards, so the largest number is the last word.
    let tokens = documents.iter().filter_map(tokens_of).reduce(Tokens::most)?;
    let model = documents.iter().find_map(model_of).or_else(|| model_of(&call["request"]["json"]));
    Some((model.unwrap_or("a model without a name").to_owned(), tokens))
}

/// The model of a call that answered with a text of its own and did not tell what that used. Where tokens are limited,
/// such a call would be free.
pub(super) fn untold_by(call: &Json) -> Option<String> {
    let documents = documents_of(call);
    let says = |document: &Json| {
        let places = ["/choices", "/candidates", "/message/model", "/response/model"];
        places.iter().any(|place| document.pointer(place).is_some())
    };
    let is_untold = documents.iter().any(says) && !documents.iter().any(|document| tokens_of(document).is_some());
    let model = || documents.iter().find_map(model_of).unwrap_or("a model without a name").to_owned();
    is_untold.then(model)
}

/// What was answered: one document, or those of a stream.
fn documents_of(call: &Json) -> Vec<Json> {
    let response = &call["response"];
    match (&response["json"], response["text"].as_str()) {
        (Json::Null, Some(text)) => {
            events_of(text.as_bytes()).into_iter().map(|mut event| event["json"].take()).collect()
        }
        (document, _) => vec![document.clone()],
    }
}

fn model_of(document: &Json) -> Option<&str> {
    let places = ["/model", "/message/model", "/response/model", "/modelVersion"];
    places.into_iter().find_map(|place| document.pointer(place)?.as_str())
}

/// Usage as Anthropic, `OpenAI` (chat and responses), Gemini and Ollama tell it.
fn tokens_of(document: &Json) -> Option<Tokens> {
    let places = ["/usage", "/message/usage", "/response/usage", "/usageMetadata"];
    let nested = places.into_iter().find_map(|place| usage(document.pointer(place)?));
    // An answer that only counts tokens has a number at its top, and used none.
    let is_ollama = document.get("eval_count").is_some() || document.get("prompt_eval_count").is_some();
    nested.or_else(|| usage(document).filter(|_| is_ollama))
}

fn usage(told: &Json) -> Option<Tokens> {
    let number = |pointer: &str| told.pointer(pointer).and_then(Json::as_u64);
    let first = |pointers: &[&str]| pointers.iter().find_map(|pointer| number(pointer));
    let input = first(&["/input_tokens", "/prompt_tokens", "/promptTokenCount", "/prompt_eval_count"]);
    let output = first(&["/output_tokens", "/completion_tokens", "/candidatesTokenCount", "/eval_count"]);
    if input.is_none() && output.is_none() {
        return None;
    }
    // These are part of the input; Anthropic counts its own beside it.
    let cached = first(&[
        "/input_tokens_details/cached_tokens",
        "/prompt_tokens_details/cached_tokens",
        "/cachedContentTokenCount",
    ])
    .unwrap_or(0);
    Some(Tokens {
        input: input.unwrap_or(0).saturating_sub(cached),
        output: output.unwrap_or(0) + number("/thoughtsTokenCount").unwrap_or(0),
        cache_read: cached + number("/cache_read_input_tokens").unwrap_or(0),
        cache_write: number("/cache_creation_input_tokens").unwrap_or(0),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Price, Tokens, untold_by, used_by};

    fn tokens(input: u64, output: u64, cache_read: u64, cache_write: u64) -> Tokens {
        Tokens { input, output, cache_read, cache_write }
    }

    #[test]
    fn every_provider_is_understood() {
        for (answer, model, wanted) in [
            (
                json!({"model": "claude", "usage": {"input_tokens": 10, "output_tokens": 3, "cache_read_input_tokens": 5, "cache_creation_input_tokens": 2}}),
                "claude",
                tokens(10, 3, 5, 2),
            ),
            (
                json!({"model": "gpt", "usage": {"prompt_tokens": 10, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 4}}}),
                "gpt",
                tokens(6, 3, 4, 0),
            ),
            (
                json!({"model": "gpt", "usage": {"input_tokens": 10, "output_tokens": 3, "input_tokens_details": {"cached_tokens": 4}}}),
                "gpt",
                tokens(6, 3, 4, 0),
            ),
            (
                json!({"modelVersion": "gemini", "usageMetadata": {"promptTokenCount": 10, "candidatesTokenCount": 3, "thoughtsTokenCount": 7}}),
                "gemini",
                tokens(10, 10, 0, 0),
            ),
            (json!({"model": "qwen", "prompt_eval_count": 8, "eval_count": 2}), "qwen", tokens(8, 2, 0, 0)),
        ] {
            let call = json!({"request": {}, "response": {"status": 200, "json": answer}});
            assert_eq!(used_by(&call), Some((model.to_owned(), wanted)), "{answer}");
        }
        assert_eq!(used_by(&json!({"request": {}, "response": {"json": {"usage": "metered", "id": 1}}})), None);
        assert_eq!(used_by(&json!({"request": {}, "response": {"json": {"input_tokens": 10}}})), None, "only counted");
        assert_eq!(used_by(&json!({"request": {"json": {"model": "claude"}}, "response": null})), None);
    }

    #[test]
    fn a_stream_counts_upwards() {
        let text = concat!(
            "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"model\":\"claude\",\"usage\":{\"input_tokens\":10,\"output_tokens\":1}}}\n\n",
            "event: ping\ndata: {\"type\": \"ping\"}\n\n",
            "event: message_delta\ndata: {\"type\":\"message_delta\",\"usage\":{\"output_tokens\":30}}\n\n",
        );
        let call = json!({"request": {}, "response": {"status": 200, "text": text}});
        assert_eq!(used_by(&call), Some(("claude".to_owned(), tokens(10, 30, 0, 0))));
    }

    #[test]
    fn an_answer_that_tells_no_usage_is_noticed() {
        let stream = |last: &str| {
            let chunk = "data: {\"model\":\"gpt\",\"choices\":[{\"delta\":{\"content\":\"hi\"}}]}\n\n";
            json!({"request": {}, "response": {"status": 200, "text": format!("{chunk}{last}data: [DONE]\n\n")}})
        };
        assert_eq!(untold_by(&stream("")), Some("gpt".to_owned()));
        let told =
            "data: {\"model\":\"gpt\",\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":1}}\n\n";
        assert_eq!(untold_by(&stream(told)), None);
        for other in [json!({"model": "moderation", "results": []}), json!({"input_tokens": 10}), json!({"error": {}})]
        {
            assert_eq!(untold_by(&json!({"request": {}, "response": {"json": other}})), None, "{other}");
        }
    }

    #[test]
    fn a_price_is_per_million_tokens() {
        let price = Price { input_usd: 3.0, output_usd: 15.0, cache_read_usd: Some(0.3), cache_write_usd: None };
        let usd = tokens(1_000, 100, 10_000, 1_000).usd(&price);
        assert!((usd - 0.0105).abs() < 1e-12, "{usd}");
    }
}
