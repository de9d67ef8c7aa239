//! Which scenarios of a suite are run.

use std::{collections::BTreeSet, str::FromStr};

use clap::Args;
use harness::{
    Scenario, Suite, Verdict,
    journal::{JournalError, RunStore},
};
use regex::Regex;

use super::Failed;

#[derive(Args, Clone, Debug, Default)]
pub(super) struct Choice {
    /// Only scenarios whose name, tag or requirement matches
    #[arg(long, value_name = "REGEX", help_heading = "Which scenarios")]
    filter: Option<Regex>,
    /// Only scenarios with this tag; with `!` before it, only those without. All that are given must hold
    #[arg(long = "tag", value_name = "TAG", help_heading = "Which scenarios")]
    tags: Vec<String>,
    /// Only scenarios that the last stored run did not show to be satisfied; all of them where there are none
    #[arg(long, help_heading = "Which scenarios")]
    last_failed: bool,
    /// The i-th of n parts, for n machines: each scenario is in exactly one, by its name
    #[arg(long, value_name = "I/N", help_heading = "Which scenarios")]
    shard: Option<Shard>,
}

/// What is left of a suite, and what a person should know about it.
pub(super) struct Chosen {
    pub(super) suite: Suite,
    pub(super) notes: Vec<String>,
}

impl Choice {
    /// # Errors
    /// Where nothing is left. A shard may be empty: the others are not.
    pub(super) fn of(&self, mut suite: Suite, store: &RunStore) -> Result<Chosen, Failed> {
        let all = suite.scenarios.len();
        let mut notes = Vec::new();
        if let Some(filter) = &self.filter {
            suite = suite.filtered(filter);
            refuse_empty(&suite, all, || format!("--filter `{filter}`"))?;
        }
        for tag in &self.tags {
            suite.scenarios.retain(|scenario| fits(scenario, tag));
            refuse_empty(&suite, all, || format!("--tag `{tag}`"))?;
        }
        if self.last_failed {
            notes.extend(keep_failed(&mut suite, store)?);
        }
        if let Some(shard) = self.shard {
            suite.scenarios.retain(|scenario| shard.holds(&scenario.slug));
            if suite.scenarios.is_empty() {
                notes.push(format!("none of {all} scenarios falls into shard {shard}; nothing was run"));
            }
        }
        Ok(Chosen { suite, notes })
    }
}

fn refuse_empty(suite: &Suite, all: usize, by: impl FnOnce() -> String) -> Result<(), Failed> {
    if suite.scenarios.is_empty() {
        return Err(Failed::Use(format!("{} matches none of {all} scenarios", by())));
    }
    Ok(())
}

fn fits(scenario: &Scenario, tag: &str) -> bool {
    match tag.strip_prefix('!') {
        Some(tag) => !scenario.tags.iter().any(|known| known == tag),
        None => scenario.tags.iter().any(|known| known == tag),
    }
}

/// Those that the last run did not show to be satisfied, whether they failed, were not counted or were not reached.
/// A note where it says nothing about what to run.
fn keep_failed(suite: &mut Suite, store: &RunStore) -> Result<Option<String>, Failed> {
    let last = match store.open("latest") {
        Err(JournalError::Empty { .. }) => {
            return Ok(Some("no run is stored yet, so all scenarios are run".to_owned()));
        }
        last => last?,
    };
    let (mut failed, mut tried) = (BTreeSet::new(), BTreeSet::new());
    for record in last.records()? {
        let record = record?;
        if record.verdict != Verdict::Satisfied {
            failed.insert(record.scenario.clone());
        }
        tried.insert(record.scenario);
    }
    let planned = last.manifest().roster.scenarios.iter().map(|entry| &entry.scenario);
    failed.extend(planned.filter(|name| !tried.contains(*name)).cloned());
    let mut chosen = suite.scenarios.clone();
    chosen.retain(|scenario| failed.contains(&scenario.slug));
    if chosen.is_empty() {
        let id = &last.manifest().id;
        return Ok(Some(format!("nothing here failed in the last run {id}, so all scenarios are run")));
    }
    suite.scenarios = chosen;
    Ok(None)
}

/// One of n parts of all names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shard {
    /// From 1.
    number: u32,
    of: u32,
}

impl Shard {
    const OF_MAX: u32 = 1_000; // machines

    /// By hash, so that a scenario that comes or goes moves no other one.
    fn holds(self, slug: &str) -> bool {
        let mut hasher = blake3::Hasher::new_derive_key("harness 2026 shard");
        let hash = hasher.update(slug.as_bytes()).finalize();
        let number = u64::from_le_bytes(*hash.as_bytes().first_chunk().expect("32 bytes hold 8"));
        number % u64::from(self.of) == u64::from(self.number - 1)
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('/').and_then(|(number, of)| Some((number.parse().ok()?, of.parse().ok()?)));
        match parts {
            Some((number, of)) if (1..=Self::OF_MAX).contains(&of) && (1..=of).contains(&number) => {
                Ok(Self { number, of })
            }
            _ => Err(format!("write i/n with i from 1 to n, and n at most {}, like 2/5", Self::OF_MAX)),
        }
    }
}

impl std::fmt::Display for Shard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

#[cfg(test)]
mod tests {
    use super::Shard;

    fn shards(of: u32) -> impl Iterator<Item = Shard> {
        (1..=of).map(move |number| Shard { number, of })
    }

    #[test]
    fn each_name_is_in_exactly_one_shard() {
        for of in [1, 2, 3, 7, 100] {
            for n in 0..500 {
                let name = format!("scenario-{n}");
                assert_eq!(shards(of).filter(|shard| shard.holds(&name)).count(), 1, "{name} of {of}");
            }
        }
    }

    #[test]
    fn shards_are_about_equal_and_stay_as_they_are() {
        let sizes: Vec<_> =
            shards(4).map(|shard| (0..1_000).filter(|n| shard.holds(&format!("scenario-{n}"))).count()).collect();
        assert!(sizes.iter().all(|size| (200..300).contains(size)), "{sizes:?}");
        let held: Vec<_> =
            ["pays-once", "refunds", "restarts"].map(|slug| shards(3).position(|shard| shard.holds(slug))).into();
        assert_eq!(
            held,
            [Some(0), Some(2), Some(2)],
            "a change here runs scenarios twice, or never, in other people's CI"
        );
    }

    #[test]
    fn a_shard_is_written_as_a_fraction() {
        assert_eq!("2/5".parse(), Ok(Shard { number: 2, of: 5 }));
        for text in ["0/5", "6/5", "1", "a/b", "1/0", "1/1001", "-1/2"] {
            assert!(text.parse::<Shard>().is_err(), "{text}");
        }
    }
}
