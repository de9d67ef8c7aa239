//! `OpenAPI` 3.0 and 3.1: a first set of scenarios, to be read, pruned and kept.
//!
//! Per operation a happy path with generated data, checked by status and by the declared schema; refusals that the
//! description declares (a required field missing, an unknown id, no credentials); and per resource its life from
//! creation to deletion. `document` reads and resolves, `sample` makes data, `schema` makes JSON Schemas, `chain` knows
//! where ids come from, `request` and `scenarios` write.

mod chain;
mod document;
mod request;
mod sample;
mod scenarios;
mod schema;

use located::{Diagnostic, Source};

use super::Imported;
use document::Document;

/// The scenarios of a description.
///
/// # Errors
/// What is no `OpenAPI` 3 document, with its place.
pub fn openapi(source: &Source) -> Result<Imported, Diagnostic> {
    let document = Document::read(source)?;
    Ok(scenarios::all(source, &document))
}
