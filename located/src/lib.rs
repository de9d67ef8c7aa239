//! Documents that people write (YAML, YAML front matter), read into typed values with errors that point at the place.
//!
//! Owns: the one YAML reader of the workspace and the shape of a diagnostic. Never touches the file system beyond
//! [`Source::read`] and never prints. Start at [`yaml`], then [`Diagnostic`].

mod diagnostic;
mod front_matter;
mod nearest;
mod placed;
mod yaml;

pub use diagnostic::{Diagnostic, Diagnostics, Place, Source};
pub use front_matter::{FrontMatter, front_matter};
pub use nearest::nearest;
pub use placed::{PLACE, PLACED, VALUE, placed};
pub use yaml::{DOCUMENT_BYTES_MAX, yaml};

/// A value together with the place it was written at. Use it for a field whose meaning is checked after parsing.
pub use serde_saphyr::{Location, Spanned};
