//! Twins made from what others have written: API descriptions and stub files become definitions, which people read, edit
//! and serve. What cannot be carried over is said, never dropped silently.

mod openapi;
pub(crate) mod wiremock;
mod write;

pub use openapi::import as openapi;
pub use wiremock::import as wiremock;

/// A definition, and what is missing in it.
#[derive(Clone, Debug)]
pub struct Imported {
    /// YAML.
    pub definition: String,
    /// What has no counterpart, one line each.
    pub notes: Vec<String>,
}
