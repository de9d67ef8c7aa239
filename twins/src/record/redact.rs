//! What never gets into a recording, and what stands there instead: the same secret is the same placeholder everywhere,
//! so that a token of an answer is still the token of the next request.
//!
//! Headers are kept by a list of harmless ones; bodies and queries lose what looks like a secret, what stands in a
//! field that holds one, and every credential that was seen in a request.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use regex::{Captures, Regex};
use serde_json::Value;

const PREFIX: &str = "redacted-";
const LEARNED_CHARS_MIN: usize = 8; // a shorter credential would cut words out of other texts
const LEARNED_MAX: usize = 10_000; // credentials of one recording

/// What looks like a secret anywhere, with what its placeholder is called.
const SECRETS: [(&str, &str); 9] = [
    ("private-key", r"-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?-----END [A-Z ]*PRIVATE KEY-----"),
    ("jwt", r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*"),
    ("key", r"\b(?:sk|rk|pk|whsec|re|gh[a-z]|github_pat|glpat|xox[a-z]|xapp)[-_][A-Za-z0-9_-]{8,}"),
    ("key", r"\bSG\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}"),
    ("key", r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|\bAIza[A-Za-z0-9_-]{30,}"),
    ("organization", r"\b(?:org-|proj_)[A-Za-z0-9]{8,}"),
    ("bearer", r"(?i)\bbearer\s+[A-Za-z0-9._~+/-]{8,}=*"),
    ("email", r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}"),
    ("card", r"\b[3-6][0-9]{3}(?:[ -]?[0-9]{4}){2}[ -]?[0-9]{1,4}\b"),
];

/// Fields and parameters that hold a secret, whatever it looks like.
const HOLDERS: [&str; 16] = [
    "access_key",
    "api_key",
    "apikey",
    "assertion",
    "authorization",
    "client_assertion",
    "cvc",
    "key",
    "passphrase",
    "passwd",
    "password",
    "private_key",
    "secret",
    "sig",
    "signature",
    "token",
];
const HOLDER_ENDS: [&str; 6] = ["_password", "_secret", "_token", "-credential", "-security-token", "-signature"];

/// Headers that are written down as they are, placeholders aside.
const KEPT: [&str; 32] = [
    "accept",
    "accept-language",
    "allow",
    "anthropic-beta",
    "anthropic-version",
    "cache-control",
    "content-disposition",
    "content-language",
    "content-range",
    "content-type",
    "deprecation",
    "etag",
    "expires",
    "idempotency-key",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "last-modified",
    "link",
    "location",
    "openai-beta",
    "openai-version",
    "prefer",
    "range",
    "request-id",
    "retry-after",
    "retry-after-ms",
    "stripe-version",
    "sunset",
    "user-agent",
    "vary",
    "x-request-id",
];
const KEPT_FAMILIES: [&str; 5] = ["anthropic-ratelimit-", "ratelimit", "x-github-", "x-ratelimit-", "x-should-"];

/// Replaces secrets, each by the placeholder that it had before.
pub(super) struct Redactor {
    patterns: Vec<(String, Regex)>,
    vault: Mutex<Vault>,
}

#[derive(Default)]
struct Vault {
    placeholders: BTreeMap<String, String>,
    /// By kind.
    counts: BTreeMap<String, usize>,
    /// Credentials that are looked for in every text.
    learned: Vec<String>,
}

impl Redactor {
    /// # Errors
    /// In words: a pattern that is none.
    pub(super) fn new(more: &[String]) -> Result<Self, String> {
        let own = more.iter().map(|pattern| ("custom", pattern.as_str()));
        // A pattern of the user's is asked first: it knows better.
        let compiled = own.chain(SECRETS).map(|(kind, pattern)| {
            let compiled = Regex::new(pattern).map_err(|error| format!("`{pattern}` is no pattern: {error}"))?;
            Ok::<_, String>((kind.to_owned(), compiled))
        });
        Ok(Self { patterns: compiled.collect::<Result<_, _>>()?, vault: Mutex::default() })
    }

    /// Remembers what the client proves itself with, so that it is found wherever it stands.
    pub(super) fn learn<'h>(&self, headers: impl Iterator<Item = (&'h str, &'h str)>) {
        let mut vault = self.vault.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, value) in headers {
            for (kind, secret) in credentials(name, value) {
                vault.learn(kind, secret);
            }
        }
    }

    pub(super) fn header(&self, name: &str, value: &str) -> String {
        if KEPT.contains(&name) || KEPT_FAMILIES.iter().any(|family| name.starts_with(family)) {
            return self.text(value);
        }
        if name == "authorization"
            && let Some((scheme, secret)) = value.split_once(' ')
        {
            return format!("{scheme} {}", self.whole("credential", secret.trim()));
        }
        self.whole("header", value)
    }

    pub(super) fn text(&self, text: &str) -> String {
        let mut vault = self.vault.lock().unwrap_or_else(PoisonError::into_inner);
        let mut clean = text.to_owned();
        for secret in &vault.learned {
            if clean.contains(secret.as_str()) {
                clean = clean.replace(secret.as_str(), &vault.placeholders[secret]);
            }
        }
        for (kind, pattern) in &self.patterns {
            if pattern.is_match(&clean) {
                let replace = |found: &Captures<'_>| vault.replacement(kind, &found[0]);
                clean = pattern.replace_all(&clean, replace).into_owned();
            }
        }
        clean
    }

    /// A text of a field or a parameter of that name.
    pub(super) fn field(&self, name: &str, text: &str) -> String {
        if holds_secret(name) && !text.is_empty() { self.whole("secret", text) } else { self.text(text) }
    }

    pub(super) fn json(&self, name: &str, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.field(name, text)),
            Value::Array(items) => items.iter().map(|item| self.json(name, item)).collect(),
            Value::Object(fields) => {
                fields.iter().map(|(name, value)| (self.text(name), self.json(name, value))).collect()
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        }
    }

    fn whole(&self, kind: &str, secret: &str) -> String {
        let mut vault = self.vault.lock().unwrap_or_else(PoisonError::into_inner);
        if secret.starts_with(PREFIX) {
            return secret.to_owned();
        }
        if kind == "header" { vault.placeholder(kind, secret) } else { vault.learn(kind, secret) }
    }
}

impl Vault {
    fn placeholder(&mut self, kind: &str, secret: &str) -> String {
        if let Some(known) = self.placeholders.get(secret) {
            return known.clone();
        }
        let count = self.counts.entry(kind.to_owned()).or_default();
        *count += 1;
        let placeholder = match kind {
            "email" => format!("{PREFIX}email-{count}@redacted.invalid"),
            _ => format!("{PREFIX}{kind}-{count}"),
        };
        self.placeholders.insert(secret.to_owned(), placeholder.clone());
        placeholder
    }

    fn learn(&mut self, kind: &str, secret: &str) -> String {
        let is_new = !self.placeholders.contains_key(secret);
        if is_new && secret.chars().count() >= LEARNED_CHARS_MIN && self.learned.len() < LEARNED_MAX {
            self.learned.push(secret.to_owned());
            // The longest first: one may be part of another.
            self.learned.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        }
        self.placeholder(kind, secret)
    }

    fn replacement(&mut self, kind: &str, found: &str) -> String {
        let is_placeholder = found.contains(PREFIX) || found.ends_with("@redacted.invalid");
        if is_placeholder || kind == "card" && !is_card(found) {
            return found.to_owned();
        }
        match (kind, found.split_once(char::is_whitespace)) {
            ("bearer", Some((scheme, token))) => format!("{scheme} {}", self.learn("credential", token.trim())),
            _ => self.placeholder(kind, found),
        }
    }
}

/// What in a request's header is a secret of the client.
fn credentials<'h>(name: &str, value: &'h str) -> Vec<(&'static str, &'h str)> {
    match name {
        "authorization" | "proxy-authorization" => {
            let secret = value.split_once(' ').map_or(value, |(_, secret)| secret.trim());
            vec![("credential", secret)]
        }
        "cookie" => value.split(';').filter_map(|pair| Some(("cookie", pair.split_once('=')?.1.trim()))).collect(),
        "set-cookie" => {
            let pair = value.split(';').next().and_then(|pair| pair.split_once('='));
            pair.map(|(_, value)| ("cookie", value.trim())).into_iter().collect()
        }
        "x-api-key" | "api-key" | "x-auth-token" | "x-amz-security-token" | "private-token" => {
            vec![("credential", value)]
        }
        _ => Vec::new(),
    }
}

fn holds_secret(name: &str) -> bool {
    // `card[cvc]` is the field `cvc`.
    let last = name.rsplit('[').next().unwrap_or(name).trim_end_matches(']').to_ascii_lowercase();
    HOLDERS.contains(&last.as_str()) || HOLDER_ENDS.iter().any(|end| last.ends_with(end))
}

/// Luhn's check, so that not every long number is taken for a card.
fn is_card(text: &str) -> bool {
    let digits: Vec<u32> = text.chars().rev().filter_map(|letter| letter.to_digit(10)).collect();
    let sum: u32 = digits
        .iter()
        .enumerate()
        .map(|(place, digit)| if place % 2 == 0 { *digit } else { digit * 2 / 10 + digit * 2 % 10 })
        .sum();
    digits.len() >= 13 && sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn redactor() -> Redactor {
        Redactor::new(&["ACME-[0-9]+".to_owned()]).expect("is fine")
    }

    #[test]
    fn a_secret_is_the_same_placeholder_everywhere() {
        let redactor = redactor();
        redactor.learn([("authorization", "Bearer plain-secret-1")].into_iter());
        assert_eq!(redactor.header("authorization", "Bearer plain-secret-1"), "Bearer redacted-credential-1");
        assert_eq!(redactor.text("it was plain-secret-1!"), "it was redacted-credential-1!");
        let first = redactor.json("", &json!({"next_token": "abcdefghijk", "mail": "Ada <ada@example.com>"}));
        assert_eq!(
            first,
            json!({"next_token": "redacted-secret-1", "mail": "Ada <redacted-email-1@redacted.invalid>"})
        );
        assert_eq!(redactor.field("cursor", "abcdefghijk"), "redacted-secret-1");
        assert_eq!(
            redactor.text("bob@example.com, ada@example.com"),
            "redacted-email-2@redacted.invalid, redacted-email-1@redacted.invalid"
        );
    }

    #[test]
    fn what_looks_like_a_secret_goes_and_what_does_not_stays() {
        let redactor = redactor();
        for secret in [
            "sk_live_abcdefgh12",
            "sk-proj-abcdefgh12",
            "whsec_abcdefgh1",
            "ghp_abcdefgh12",
            "xoxb-1234-abcd",
            "AKIAABCDEFGHIJKLMNOP",
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.x",
            "4242 4242 4242 4242",
            "4242424242424242",
            "SG.abcdefgh.ijklmnop",
            "ACME-77",
            "-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----",
        ] {
            let clean = redactor.text(&format!("<{secret}>"));
            assert!(clean.starts_with("<redacted-") && !clean.contains(secret), "{secret}: {clean}");
        }
        for harmless in ["cus_NffrFeUfNV2Hib", "4242424242424241", "skip-this-word-please", "2026-11-20T12:00:00Z"] {
            assert_eq!(redactor.text(harmless), harmless);
        }
    }

    #[test]
    fn fields_that_hold_secrets_lose_them_whatever_they_look_like() {
        let redactor = redactor();
        assert_eq!(redactor.field("card[cvc]", "123"), "redacted-secret-1");
        assert_eq!(
            redactor.json("", &json!({"password": "x", "max_tokens": 7, "tokens": "y"})),
            json!({"password": "redacted-secret-2", "max_tokens": 7, "tokens": "y"})
        );
        assert_eq!(redactor.header("x-unknown", "v"), "redacted-header-1");
        assert_eq!(redactor.header("set-cookie", "a=b"), "redacted-header-2");
        assert_eq!(redactor.header("content-type", "application/json"), "application/json");
    }

    proptest::proptest! {
        #[test]
        fn a_clean_text_stays_as_it_is(text in ".{0,80}") {
            let redactor = redactor();
            let once = redactor.text(&text);
            proptest::prop_assert_eq!(redactor.text(&once), once);
        }
    }
}
