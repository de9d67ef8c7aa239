//! `OpenAPI` 3.0 and 3.1 documents: references followed, operations listed, schemas as data that fits them and as JSON
//! Schemas that check data.
//!
//! Never decides what is made of a document: scenarios are `harness`'s, twins are `twins`'. Never fetches anything; a
//! reference to another document says nothing. Start at [`Document`], then [`Samples`].

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may panic"))]

mod document;
mod operation;
mod sample;
mod schema;

pub use document::Document;
pub use operation::Operation;
pub use sample::{Samples, kind, required};
pub use schema::references;

/// Who writes the data that a schema is about: a field that is read-only is no part of what clients send, one that is
/// write-only is none of what comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Request,
    Answer,
}

impl Side {
    /// The keyword of fields that have no place on this side.
    fn absent(self) -> &'static str {
        match self {
            Self::Request => "readOnly",
            Self::Answer => "writeOnly",
        }
    }
}
