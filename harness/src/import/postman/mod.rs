//! Postman collections, version 2.1: one scenario per folder, one step per request.
//!
//! `collection` is the format, `walk` finds the requests, `names` the variables, `request` and `scenarios` write; `script` recognises the checks
//! of `pm.test` that only state what must hold. Whatever else a script does is listed, never guessed.

mod collection;
mod names;
mod request;
mod scenarios;
mod script;
mod walk;

use std::collections::BTreeMap;

use located::{Diagnostic, Place, Source};
use serde::de::DeserializeOwned;

use super::Imported;

/// What the user says beside the collection.
#[derive(Clone, Debug, Default)]
pub struct PostmanOptions {
    /// Values of variables: an environment's, and those of the command line over them.
    pub variables: BTreeMap<String, String>,
    /// Where the collection's relative paths begin.
    pub root: std::path::PathBuf,
}

/// The scenarios of a collection.
///
/// # Errors
/// What is no collection of version 2.1, with its place.
pub fn postman(source: &Source, options: &PostmanOptions) -> Result<Imported, Diagnostic> {
    let collection: collection::Collection = json(source)?;
    if !collection.info.schema.contains("/v2.1") {
        let hint = "export the collection again, as Collection v2.1";
        let message = format!("this is no collection of version 2.1: its schema is `{}`", collection.info.schema);
        return Err(source.diagnostic(Place::START, message).hint(hint));
    }
    Ok(scenarios::all(source, &collection, options))
}

/// The enabled variables of an environment. Those of type `secret` are left out, so that no file holds them.
///
/// # Errors
/// What is no environment, with its place.
pub fn postman_environment(source: &Source) -> Result<BTreeMap<String, String>, Diagnostic> {
    let environment: collection::Environment = json(source)?;
    let enabled =
        environment.values.iter().filter(|variable| variable.enabled.unwrap_or(true) && !variable.is_secret());
    Ok(enabled.map(|variable| (variable.key.clone(), variable.text())).collect())
}

fn json<T: DeserializeOwned>(source: &Source) -> Result<T, Diagnostic> {
    serde_json::from_str(source.text()).map_err(|error| {
        let place = Place { line: error.line().max(1), column: error.column().max(1), width: 1 };
        source.diagnostic(place, error.to_string()).hint("a collection is a JSON document that Postman exports")
    })
}
