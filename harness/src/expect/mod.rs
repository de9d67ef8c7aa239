//! Expectations: what a value must be, and how to say what it was instead. Pure; knows neither steps nor transport.
//!
//! A *query* finds a value in a *material* (a document and the response around it), *filters* change it, *predicates*
//! say what it must be. Start at `check`; the value that flows between them is `value`.

mod bound;
mod certificate;
mod check;
mod cookie;
mod difference;
mod file;
mod filter;
mod material;
mod nesting;
mod path;
mod pattern;
mod predicate;
mod query;
mod schema;
mod status;
mod value;
mod xpath;

use serde_json::Value as Json;

pub(crate) use bound::Bound;
pub(crate) use certificate::{Certificate, CertificateExpect};
pub(crate) use check::{CaptureMap, Check};
pub(crate) use cookie::CookieExpect;
pub(crate) use difference::{Mode, child, difference, same};
pub(crate) use file::FileCheck;
pub(crate) use filter::{Filter, Stuck};
pub(crate) use material::{Material, Redirect, Response};
pub(crate) use path::{Found, JsonPathText, PathCheck};
pub(crate) use pattern::{Pattern, compile as compile_regex};
pub(crate) use predicate::Predicates;
pub(crate) use query::Query;
pub(crate) use schema::SchemaRule;
pub(crate) use status::StatusRule;
pub(crate) use value::Value;
pub(crate) use xpath::XPathText;

/// A longer value is cut in messages; the evidence keeps more of it.
const SHOWN_BYTES_MAX: usize = 2 * 1024; // a screenful

/// Whoever makes a mismatch of more than is shown: nobody reads it, and records and reports would carry it on.
const MISMATCH_BYTES_MAX: usize = 16 * 1024; // of each of its texts

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
        let bounded = |text: String| cut(text, MISMATCH_BYTES_MAX);
        Self {
            subject: bounded(subject.into()),
            expected: bounded(expected.into()),
            observed: bounded(observed.into()),
        }
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
