//! `OpenAPI` 3.0 and 3.1: a first set of scenarios, to be read, pruned and kept.
//!
//! Per operation a happy path with generated data, checked by status and by the declared schema; refusals that the
//! description declares (a required field missing, an unknown id, no credentials); and per resource its life from
//! creation to deletion. The crate `openapi` reads the description; `chain` knows where ids come from, `request` and
//! `scenarios` write.

mod chain;
mod request;
mod scenarios;

use located::{Diagnostic, Source};
use openapi::Document;

use super::Imported;

/// The scenarios of a description.
///
/// # Errors
/// What is no `OpenAPI` 3 document, with its place.
pub fn openapi(source: &Source) -> Result<Imported, Diagnostic> {
    let document = Document::read(source)?;
    Ok(scenarios::all(source, &document))
}
