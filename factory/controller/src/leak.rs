//! The leak scanner: nothing that was written in a holdout may stand in a text that an agent role can read.
//!
//! A line of a holdout is a secret unless the public corpus (spec, visible scenarios, seed tree, themes) says the same
//! line. Texts are compared with case and white space folded, so re-indenting or re-wrapping a line does not hide it.
//! Canaries are secrets wherever they stand. The scanner errs towards silence: a finding withholds the whole text.

use std::collections::{BTreeMap, BTreeSet};

use aho_corasick::AhoCorasick;

const SECRET_CHARS_MIN: usize = 12; // shorter fragments ("steps:", "status: 201") stand in every file

/// A holdout as the scanner sees it.
#[derive(Clone, Debug)]
pub struct Secret {
    /// What may be said of it in the run's own stream.
    pub alias: String,
    pub canary: String,
    /// The whole file.
    pub text: String,
}

/// Finds holdout text in what is about to leave.
#[derive(Debug)]
pub struct LeakScanner {
    fragments: AhoCorasick,
    /// Which holdout each pattern belongs to, by index.
    owners: Vec<String>,
}

impl LeakScanner {
    /// `public` is everything that the builder may read anyway.
    pub fn new<'a>(secrets: &[Secret], public: impl IntoIterator<Item = &'a str>) -> Self {
        let public: Vec<String> = public.into_iter().map(fold).collect();
        let mut owners_of = BTreeMap::new();
        for secret in secrets {
            let canary = std::iter::once(fold(&secret.canary)).filter(|canary| !canary.is_empty());
            let lines = fragments(&secret.text).filter(|line| !public.iter().any(|text| text.contains(line.as_str())));
            for pattern in canary.chain(lines) {
                owners_of.entry(pattern).or_insert_with(|| secret.alias.clone());
            }
        }
        let (patterns, owners): (Vec<_>, Vec<_>) = owners_of.into_iter().unzip();
        let fragments = AhoCorasick::new(patterns).expect("a few thousand short patterns fit the automaton");
        Self { fragments, owners }
    }

    /// Aliases of the holdouts that `text` says something of; empty where it is clean.
    pub fn scan(&self, text: &str) -> BTreeSet<String> {
        let folded = fold(text);
        self.fragments.find_overlapping_iter(&folded).map(|hit| self.owners[hit.pattern()].clone()).collect()
    }
}

/// What of a holdout is worth finding: its lines, and what stands between quotes.
fn fragments(text: &str) -> impl Iterator<Item = String> + '_ {
    let lines = text.lines().map(|line| line.trim().trim_start_matches("- "));
    let quoted = text.lines().flat_map(|line| line.split('"').skip(1).step_by(2));
    let values = text.lines().filter_map(|line| line.split_once(": ").map(|(_, value)| value));
    lines.chain(quoted).chain(values).map(fold).filter(|fragment| fragment.chars().count() >= SECRET_CHARS_MIN)
}

/// Lower case, runs of white space as one space, ends trimmed.
fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !folded.is_empty() {
            folded.push(' ');
        }
        folded.extend(word.chars().flat_map(char::to_lowercase));
    }
    folded
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOLDOUT: &str = "scenario: double-refund\ntitle: A refund that arrives twice\ncanary: 5f1e-77aa-90cd\n\
                           steps:\n  - http: { post: /orders }\n    expect: { status: 201 }\n\
                           \x20   json: { note: \"teapot for 77 guests\" }\n";

    fn scanner() -> LeakScanner {
        let secret = Secret { alias: "holdout-1".into(), canary: "5f1e-77aa-90cd".into(), text: HOLDOUT.to_owned() };
        LeakScanner::new(&[secret], ["  - http: { post: /orders }\n    expect: { status: 201 }\n"])
    }

    #[test]
    fn every_secret_line_is_found_even_when_it_was_rewrapped() {
        for leak in [
            "see 5F1E-77AA-90CD",
            "hint: title:   A refund\n   that arrives twice",
            "you forgot the Teapot for 77 guests!",
            "double-refund is red: scenario: double-refund",
        ] {
            assert_eq!(scanner().scan(leak), BTreeSet::from(["holdout-1".to_owned()]), "{leak}");
        }
    }

    #[test]
    fn what_the_builder_may_read_anyway_is_no_leak() {
        assert!(scanner().scan("expect: { status: 201 } and http: { post: /orders }; R6: about half fail").is_empty());
    }
}
