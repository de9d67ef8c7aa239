//! Identifiers: a prefix that names the kind, then 26 characters of Crockford base 32 that sort by time of creation.
//!
//! The 128 bits are those of a version 7 UUID that the caller mints, so this module needs no clock and no randomness.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

const CROCKFORD: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const BODY_CHARS: usize = 26; // 128 bits at 5 bits a character

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{given}` is not an id of this kind: expected `{prefix}` and {BODY_CHARS} characters of Crockford base 32")]
pub struct ParseIdError {
    given: String,
    prefix: &'static str,
}

fn encode(prefix: &str, bits: u128) -> String {
    let body = (0..BODY_CHARS).rev().map(|n| char::from(CROCKFORD[((bits >> (5 * n)) & 31) as usize]));
    prefix.chars().chain(body).collect()
}

fn check(prefix: &'static str, given: &str) -> Result<(), ParseIdError> {
    let fits = given
        .strip_prefix(prefix)
        .is_some_and(|body| body.len() == BODY_CHARS && body.bytes().all(|b| CROCKFORD.contains(&b)));
    if fits { Ok(()) } else { Err(ParseIdError { given: given.to_owned(), prefix }) }
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            pub const PREFIX: &'static str = $prefix;

            /// From a fresh version 7 UUID.
            pub fn from_uuid(uuid: Uuid) -> Self {
                Self(encode(Self::PREFIX, uuid.as_u128()))
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = ParseIdError;

            fn from_str(given: &str) -> Result<Self, ParseIdError> {
                check(Self::PREFIX, given).map(|()| Self(given.to_owned()))
            }
        }

        impl TryFrom<String> for $name {
            type Error = ParseIdError;

            fn try_from(given: String) -> Result<Self, ParseIdError> {
                check(Self::PREFIX, &given).map(|()| Self(given))
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

ids! {
    /// One execution of a flow: a world with its stream, lease and artifacts.
    RunId = "run_";
    /// A workspace: the tenant that owns runs, files, secrets and policy.
    WorkspaceId = "ws_";
    /// One conversation of an agent with a model.
    SessionId = "sess_";
    /// Bytes kept as evidence.
    ArtifactId = "art_";
    /// Something went wrong that a person should know.
    IncidentId = "inc_";
}

/// An action of a run: `<node>/<visit>/<attempt>`, unique and stable within the run's stream.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ActionId(String);

impl ActionId {
    pub fn new(node: &str, visit: u32, attempt: u32) -> Self {
        Self(format!("{node}/{visit}/{attempt}"))
    }

    pub fn from_stored(text: String) -> Self {
        Self(text)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ActionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_sorts_by_creation_and_survives_a_round_trip() {
        let early = RunId::from_uuid(Uuid::from_u128(1 << 80));
        let late = RunId::from_uuid(Uuid::from_u128(2 << 80));
        assert!(early < late);
        assert_eq!(early.as_str().parse::<RunId>(), Ok(early.clone()));
        assert_eq!(early.as_str(), "run_00000000010000000000000000");
    }

    #[test]
    fn a_foreign_prefix_or_a_bad_character_is_refused() {
        let id = RunId::from_uuid(Uuid::from_u128(7)).to_string();
        assert!(id.parse::<SessionId>().is_err());
        assert!(id.replace('7', "U").parse::<RunId>().is_err());
    }
}
