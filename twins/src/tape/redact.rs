//! What never gets into a recording: credentials, organisations, cookies. Headers are kept by a list of harmless ones;
//! bodies and queries lose whatever looks like a secret, and the very key that the client sent.

use regex::Regex;

use crate::http::Request;

pub(super) const REDACTED: &str = "[redacted]";
const KEY_CHARS_MIN: usize = 8; // a shorter credential would cut words out of the text

/// Headers that are written down: they say how to read the exchange, or what a client does next.
const KEPT: [&str; 12] = [
    "accept",
    "anthropic-beta",
    "anthropic-version",
    "content-type",
    "openai-beta",
    "openai-processing-ms",
    "openai-version",
    "request-id",
    "retry-after",
    "retry-after-ms",
    "x-request-id",
    "x-should-retry",
];
const KEPT_FAMILIES: [&str; 2] = ["x-ratelimit-", "anthropic-ratelimit-"];

/// What looks like a secret anywhere.
const SECRETS: [&str; 6] = [
    r"\bsk-[A-Za-z0-9_-]{8,}",
    r"\borg-[A-Za-z0-9]{8,}",
    r"\bproj_[A-Za-z0-9]{8,}",
    r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",
    r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+",
    r"(?i)\bbearer\s+[A-Za-z0-9._~+/-]{8,}=*",
];

#[derive(Clone)]
pub(super) struct Redactor {
    patterns: Vec<Regex>,
}

impl Redactor {
    pub(super) fn new(more: &[String]) -> Result<Self, String> {
        let all = SECRETS.into_iter().chain(more.iter().map(String::as_str));
        Ok(Self { patterns: patterns(all)? })
    }

    pub(super) fn text(&self, text: &str, request: &Request) -> String {
        let mut clean = text.to_owned();
        for key in credentials(request) {
            clean = clean.replace(key, REDACTED);
        }
        for pattern in &self.patterns {
            if pattern.is_match(&clean) {
                clean = pattern.replace_all(&clean, REDACTED).into_owned();
            }
        }
        clean
    }
}

pub(super) fn patterns<'p>(all: impl Iterator<Item = &'p str>) -> Result<Vec<Regex>, String> {
    all.map(|text| Regex::new(text).map_err(|error| format!("`{text}` is no pattern: {error}"))).collect()
}

pub(super) fn keeps(header: &str) -> bool {
    KEPT.contains(&header) || KEPT_FAMILIES.iter().any(|family| header.starts_with(family))
}

/// What the client proved itself with, wherever it stands.
fn credentials(request: &Request) -> impl Iterator<Item = &str> {
    let given = [request.bearer(), request.header("x-api-key"), request.header("api-key")];
    given.into_iter().flatten().filter(|key| key.len() >= KEY_CHARS_MIN)
}
