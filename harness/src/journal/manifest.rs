//! What was run, written once before the first trial. The log is bound to its bytes.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::report::Roster;

const FORMAT: u32 = 1;

/// The name of a run: its start in UTC, to the millisecond, and a few random letters. Names sort by time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(String);

impl RunId {
    pub(super) fn new(now: Timestamp) -> Self {
        const LETTERS: &[u8] = b"0123456789abcdefghjkmnpqrstvwxyz"; // Crockford's: none is mistaken for another
        let tail: String = (0..4).map(|_| char::from(LETTERS[rand::random_range(0..LETTERS.len())])).collect();
        Self(format!("{}-{tail}", now.strftime("%Y%m%dT%H%M%S%3fZ")))
    }

    /// The name of a folder, if it is one of a run.
    pub(super) fn read(name: &str) -> Option<Self> {
        let is_id = name.len() == 24
            && name.bytes().enumerate().all(|(n, byte)| match n {
                8 => byte == b'T',
                18 => byte == b'Z',
                19 => byte == b'-',
                0..=17 => byte.is_ascii_digit(),
                _ => byte.is_ascii_digit() || byte.is_ascii_lowercase(),
            });
        is_id.then(|| Self(name.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for RunId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// What was run: `run.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Of this file and of the log beside it.
    pub format: u32,
    pub id: RunId,
    pub started_at: Timestamp,
    /// The version of the harness that ran it.
    pub harness: String,
    /// All that a report needs to know beside the records.
    pub roster: Roster,
    /// BLAKE3 over `harness.yaml`, the scenarios and all files that these are made of, as they were.
    pub suite_digest: String,
    /// The commit that was checked out, where there is one.
    pub git_head: Option<String>,
    /// How the run was asked for, in the words of whoever asked: what a resumed run reads back.
    pub asked: Json,
}

impl Manifest {
    pub(super) fn new(plan: &crate::Plan, asked: Json) -> Self {
        let started_at = Timestamp::now();
        Self {
            format: FORMAT,
            id: RunId::new(started_at),
            started_at,
            harness: env!("CARGO_PKG_VERSION").to_owned(),
            roster: Roster::of(plan),
            suite_digest: suite_digest(plan),
            git_head: super::git::head(&plan.root),
            asked,
        }
    }

    pub(super) fn check(&self) -> Result<(), String> {
        if self.format == FORMAT {
            return Ok(());
        }
        Err(format!("it has format {}, and this harness reads {FORMAT}", self.format))
    }
}

/// Tells whether a plan would run the same files again: `harness.yaml`, the scenarios, and all that these are made of.
pub(super) fn suite_digest(plan: &crate::Plan) -> String {
    let mut hasher = blake3::Hasher::new_derive_key("harness 2026 suite digest");
    let mut part = |bytes: &[u8]| {
        hasher.update(&(bytes.len() as u64).to_le_bytes()).update(bytes);
    };
    part(plan.subject.source.text().as_bytes());
    // What cannot be read is told where it is used.
    let twins = plan.subject.definitions().map(|path| std::fs::read(plan.root.join(path)).unwrap_or_default());
    twins.for_each(|definition| part(&definition));
    plan.suite.scenarios.iter().for_each(|scenario| part(scenario.slug.as_bytes()));
    for content in plan.suite.contents() {
        part(&content);
    }
    hasher.finalize().to_hex().to_string()
}

#[cfg(test)]
mod tests {
    use super::RunId;

    #[test]
    fn names_of_runs_sort_by_time_and_are_known_again() {
        let at = |text: &str| RunId::new(text.parse().unwrap());
        let (first, second) = (at("2026-11-20T15:46:07.123Z"), at("2026-11-20T15:46:07.124Z"));
        assert!(first < second && first.as_str().starts_with("20261120T154607123Z-"), "{first}");
        assert_eq!(RunId::read(first.as_str()), Some(first));
        for other in ["latest", "20261120T154607123Z-ab/d", "20261120T154607123Z", ""] {
            assert_eq!(RunId::read(other), None, "{other}");
        }
    }
}
