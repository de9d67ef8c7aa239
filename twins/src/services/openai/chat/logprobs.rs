//! Probabilities of tokens. There is no model, so they mean nothing; their form is the service's. A token is a word with
//! the space before it.

use serde_json::{Value, json};

const LOGPROB: f64 = -0.125;

/// `top` is how many alternatives each token shows; the first is the token itself.
#[derive(Clone, Copy)]
pub(super) struct Logprobs {
    pub(super) top: u64,
}

impl Logprobs {
    pub(super) fn of(self, text: &str) -> Value {
        let content: Vec<Value> = words(text).into_iter().map(|word| self.token(word)).collect();
        json!({"content": content, "refusal": null})
    }

    fn token(self, word: &str) -> Value {
        let token = json!({"token": word, "logprob": LOGPROB, "bytes": word.as_bytes()});
        let mut whole = token.clone();
        whole["top_logprobs"] = if self.top == 0 { json!([]) } else { json!([token]) };
        whole
    }
}

fn words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut start = 0;
    for (at, _) in text.match_indices(' ').filter(|(at, _)| *at > 0) {
        words.push(&text[start..at]);
        start = at;
    }
    if start < text.len() {
        words.push(&text[start..]);
    }
    words
}
