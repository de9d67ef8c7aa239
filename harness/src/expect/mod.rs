//! Expectations: what a value must be, and how to say what it was instead. Pure; knows neither steps nor transport.

mod bound;
mod difference;
mod file;
mod path;
mod predicate;
mod status;

use serde_json::Value as Json;

pub(crate) use bound::Bound;
pub(crate) use difference::{Mode, difference, same};
pub(crate) use file::FileCheck;
pub(crate) use path::{JsonPathText, PathCheck};
pub(crate) use predicate::Predicates;
pub(crate) use predicate::compile as compile_regex;
pub(crate) use status::StatusRule;

/// A longer value is cut in messages; the evidence keeps more of it.
const SHOWN_BYTES_MAX: usize = 2 * 1024; // a screenful

/// One expectation that did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mismatch {
    /// What was looked at: `status`, `header content-type`, `json $.total`.
    pub(crate) subject: String,
    pub(crate) expected: String,
    pub(crate) observed: String,
}

impl Mismatch {
    pub(crate) fn new(subject: impl Into<String>, expected: impl Into<String>, observed: impl Into<String>) -> Self {
        Self { subject: subject.into(), expected: expected.into(), observed: observed.into() }
    }

    pub(crate) fn message(&self) -> String {
        format!("{}: expected {}, got {}", self.subject, self.expected, self.observed)
    }
}

/// A value as it is shown in a message: JSON, bounded.
pub(crate) fn shown(value: &Json) -> String {
    cut(value.to_string(), SHOWN_BYTES_MAX)
}

/// Shortens a text to about `bytes_max`, visibly.
pub(crate) fn cut(mut text: String, bytes_max: usize) -> String {
    if text.len() > bytes_max {
        let total = text.len();
        text.truncate(text.floor_char_boundary(bytes_max));
        text.push_str(&format!("… ({total} bytes in all)"));
    }
    text
}
