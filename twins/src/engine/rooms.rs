//! Named spaces behind the same listeners: which one a request means, and those that there are. Each begins as the
//! twins were opened, with a clock, ids and a journal of its own, when its name is heard first.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::http::{HeaderName, request::Parts};

use super::shared::Shared;
use crate::TwinError;

const ROOMS_MAX: usize = 1_000; // a suite with a space per test stays below
const NAME_CHARS_MAX: usize = 64;
const PREFIX: &str = "/__space/";

/// The named spaces of a space.
#[derive(Default)]
pub(crate) struct Rooms {
    /// The header that names one; without it, names in requests mean nothing.
    header: Mutex<Option<HeaderName>>,
    open: Mutex<BTreeMap<Arc<str>, Arc<Shared>>>,
}

/// What a request says about where it wants to go.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) name: Option<String>,
    /// How much of the path belongs to the address.
    pub(crate) mount_bytes: usize,
}

impl Rooms {
    pub(crate) fn listen_to(&self, header: &str) -> Result<(), TwinError> {
        let header = HeaderName::try_from(header).map_err(|_| TwinError::SpaceHeader { header: header.to_owned() })?;
        *self.header.lock().unwrap_or_else(PoisonError::into_inner) = Some(header);
        Ok(())
    }

    /// The header that names a space, for listeners: asked for once per connection.
    pub(crate) fn header(&self) -> Option<HeaderName> {
        self.header.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn open(&self) -> MutexGuard<'_, BTreeMap<Arc<str>, Arc<Shared>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Address {
    /// By path (`/__space/NAME/…`) before by header.
    pub(crate) fn of(parts: &Parts, header: &HeaderName) -> Self {
        let path = parts.uri.path();
        if let Some(rest) = path.strip_prefix(PREFIX) {
            let name = rest.split('/').next().unwrap_or_default();
            return Self { name: Some(name.to_owned()), mount_bytes: PREFIX.len() + name.len() };
        }
        let name = parts.headers.get(header).map(|name| String::from_utf8_lossy(name.as_bytes()).into_owned());
        Self { name, mount_bytes: 0 }
    }
}

/// Whether one more space of that name may be opened.
pub(crate) fn check(name: &str, open: usize) -> Result<(), TwinError> {
    let fits = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    if name.is_empty() || name.len() > NAME_CHARS_MAX || !name.chars().all(fits) {
        return Err(TwinError::SpaceName { name: name.to_owned() });
    }
    if open >= ROOMS_MAX {
        return Err(TwinError::TooManySpaces { max: ROOMS_MAX });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(path: &str, header: Option<&str>) -> Address {
        let mut request = axum::http::Request::builder().uri(path);
        if let Some(name) = header {
            request = request.header("x-twin-space", name);
        }
        Address::of(&request.body(()).expect("is a request").into_parts().0, &HeaderName::from_static("x-twin-space"))
    }

    #[test]
    fn a_path_or_a_header_names_a_space() {
        let named = |name: &str, mount_bytes| Address { name: Some(name.to_owned()), mount_bytes };
        assert_eq!(address("/v1/charges", None), Address::default());
        assert_eq!(address("/v1/charges", Some("a")), named("a", 0));
        assert_eq!(address("/__space/b/v1/charges?x=1", Some("a")), named("b", 10));
        assert_eq!(address("/__space/b", None), named("b", 10));
    }

    #[test]
    fn names_and_their_number_are_bounded() {
        assert!(check("Run-7.a_b", 0).is_ok());
        assert!(check("", 0).is_err() && check("a/b", 0).is_err() && check(&"a".repeat(65), 0).is_err());
        assert!(check("a", ROOMS_MAX).is_err());
    }
}
