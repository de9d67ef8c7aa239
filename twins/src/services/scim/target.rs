//! Where an operation of a PATCH is meant to happen: `name.familyName`, `emails[type eq "work"].value`,
//! `urn:…:enterprise:2.0:User:department`.

use serde_json::Value;

use super::{
    RULES,
    errors::Refused,
    schema::{Attribute, named},
    schemas::{Schema, Type},
};
use crate::services::filter::{Filter, Path};

#[derive(Debug)]
pub(super) struct Target {
    pub(super) extension: Option<&'static Schema>,
    /// None: the extension itself.
    pub(super) place: Option<Place>,
}

#[derive(Debug)]
pub(super) struct Place {
    pub(super) attribute: &'static Attribute,
    /// Of an attribute with many elements: which of them.
    pub(super) filter: Option<Filter>,
    pub(super) sub: Option<&'static Attribute>,
}

impl std::fmt::Debug for Schema {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.id)
    }
}

impl Target {
    pub(super) fn parse(kind: Type, text: &str) -> Result<Self, Refused> {
        let refuse = || Refused::bad("invalidPath", format!("The path {text} is not supported."));
        if let Some(extension) = kind.extension().filter(|extension| extension.id.eq_ignore_ascii_case(text)) {
            return Ok(Self { extension: Some(extension), place: None });
        }
        let (head, inside, tail) = split(text).ok_or_else(refuse)?;
        let path = Path::parse(head).ok_or_else(refuse)?;
        let extension = match &path.schema {
            Some(schema) if schema.eq_ignore_ascii_case(kind.core().id) => None,
            Some(schema) => {
                let extension = kind.extension().filter(|extension| extension.id.eq_ignore_ascii_case(schema));
                Some(extension.ok_or_else(refuse)?)
            }
            None => None,
        };
        let mut names = path.names.iter().map(String::as_str).chain(tail);
        let first = names.next().ok_or_else(refuse)?;
        let found = extension.map_or_else(|| kind.attribute(first), |extension| named(extension.attributes, first));
        let attribute = found.ok_or_else(refuse)?;
        let sub = names.next().map(|name| attribute.child(name).ok_or_else(refuse)).transpose()?;
        let filter = inside.map(Filter::parse).transpose();
        let filter =
            filter.map_err(|misfit| Refused::bad("invalidFilter", format!("{misfit} of the filter in {text}")))?;
        if names.next().is_some() || (filter.is_some() && !attribute.is_many) {
            return Err(refuse());
        }
        Ok(Self { extension, place: Some(Place { attribute, filter, sub }) })
    }
}

impl Place {
    pub(super) fn is_meant(&self, element: &Value) -> bool {
        self.filter.as_ref().is_none_or(|filter| filter.fits(element, RULES))
    }
}

/// What is before the brackets, in them, and behind their dot.
fn split(text: &str) -> Option<(&str, Option<&str>, Option<&str>)> {
    let Some((head, rest)) = text.split_once('[') else { return Some((text, None, None)) };
    let (inside, tail) = rest.rsplit_once(']')?;
    let tail = if tail.is_empty() { None } else { Some(tail.strip_prefix('.')?) };
    Some((head, Some(inside), tail))
}
