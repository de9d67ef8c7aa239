//! Which trials are shown in detail: a few of each scenario, those with the lowest numbers, in bounded memory.

use std::collections::HashMap;

use crate::record::{TrialRecord, Verdict};

const FAILED_SHOWN: usize = 3; // of one scenario
const INVALID_SHOWN: usize = 1;
const PASSED_SHOWN: usize = 1; // to compare the failed ones with
const TRIALS_MAX: usize = 3_000; // a page that a browser opens in seconds
const SHOWN_BYTES_MAX: usize = 16 * 1024 * 1024; // of all evidence; likewise

/// Trials to be shown, chosen while records pass by.
#[derive(Debug, Default)]
pub struct Gallery {
    shown: HashMap<String, [Vec<Exhibit>; 3]>,
    count: usize,
    bytes: usize,
}

/// One trial.
#[derive(Debug)]
pub(super) struct Exhibit {
    pub(super) record: TrialRecord,
    /// Of its evidence, as JSON.
    pub(super) bytes: usize,
    /// The evidence was too large for the page.
    pub(super) is_cut: bool,
}

impl Gallery {
    /// Keeps the record if it is one of the first of its kind.
    pub fn add(&mut self, record: &TrialRecord) {
        let (kind, most) = match record.verdict {
            Verdict::Unsatisfied => (0, FAILED_SHOWN),
            Verdict::Infra | Verdict::Unjudged => (1, INVALID_SHOWN),
            Verdict::Satisfied => (2, PASSED_SHOWN),
        };
        let kept = &mut self.shown.entry(record.scenario.clone()).or_default()[kind];
        let position = kept.partition_point(|other| other.record.trial < record.trial);
        if position >= most || (kept.len() < most && self.count >= TRIALS_MAX) {
            return;
        }
        let exhibit = Exhibit::new(record);
        (self.count, self.bytes) = (self.count + 1, self.bytes + exhibit.bytes);
        kept.insert(position, exhibit);
        for dropped in kept.drain(most.min(kept.len())..) {
            (self.count, self.bytes) = (self.count - 1, self.bytes - dropped.bytes);
        }
        if self.bytes > SHOWN_BYTES_MAX {
            self.shrink();
        }
    }

    /// The trials of a scenario: failed ones, then those that are not counted, then one that passed.
    pub(super) fn of(&self, scenario: &str) -> impl Iterator<Item = &Exhibit> {
        self.shown.get(scenario).into_iter().flatten().flatten()
    }

    /// Cuts the largest until all fit on a page.
    fn shrink(&mut self) {
        let mut all: Vec<_> = self.shown.values_mut().flatten().flatten().collect();
        all.sort_by(|a, b| {
            (b.bytes, &a.record.scenario, a.record.trial).cmp(&(a.bytes, &b.record.scenario, b.record.trial))
        });
        for exhibit in all {
            if self.bytes <= SHOWN_BYTES_MAX {
                break;
            }
            self.bytes -= exhibit.bytes;
            exhibit.cut();
        }
    }
}

impl Exhibit {
    fn new(record: &TrialRecord) -> Self {
        // The length of the JSON is close enough to what a page needs for it.
        let evidence = record.steps.iter().map(|step| step.evidence.to_string().len());
        let bytes = evidence.sum::<usize>() + record.subject_log.len();
        Self { record: record.clone(), bytes, is_cut: false }
    }

    fn cut(&mut self) {
        self.record.steps.iter_mut().for_each(|step| step.evidence = serde_json::Value::Null);
        self.record.subject_log.clear();
        (self.bytes, self.is_cut) = (0, true);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Exhibit, FAILED_SHOWN, Gallery, SHOWN_BYTES_MAX, TRIALS_MAX};
    use crate::{record::Verdict, report::samples};

    fn trials(gallery: &Gallery, scenario: &str) -> Vec<u32> {
        gallery.of(scenario).map(|exhibit| exhibit.record.trial).collect()
    }

    #[test]
    fn the_first_of_each_kind_are_kept_in_any_order() {
        let mut gallery = Gallery::default();
        for n in (1..=20).rev() {
            let verdict = [Verdict::Satisfied, Verdict::Unsatisfied, Verdict::Infra][n as usize % 3];
            gallery.add(&samples::record("a", n, verdict));
        }
        assert_eq!(trials(&gallery, "a"), [1, 4, 7, 2, 3]);
        assert_eq!((gallery.count, trials(&gallery, "b")), (FAILED_SHOWN + 2, vec![]));
    }

    #[test]
    fn what_is_held_is_bounded_and_the_largest_are_cut() {
        let mut gallery = Gallery::default();
        let mut record = samples::record("a", 1, Verdict::Unsatisfied);
        for n in 0..40 {
            record.scenario = format!("s{n}");
            record.steps[0].evidence = json!("x".repeat(if n == 0 { 10 } else { 512 * 1024 }));
            gallery.add(&record);
            assert!(gallery.bytes <= SHOWN_BYTES_MAX);
        }
        let cut = gallery.shown.values().flatten().flatten().filter(|exhibit| exhibit.is_cut).count();
        assert!(cut > 0, "{} bytes, {cut} cut", gallery.bytes);
        assert!(gallery.of("s0").all(|exhibit: &Exhibit| !exhibit.is_cut), "a small one stays whole");
    }

    #[test]
    fn trials_are_bounded() {
        let mut gallery = Gallery::default();
        for n in 0..TRIALS_MAX + 10 {
            gallery.add(&samples::record(&format!("s{n}"), 1, Verdict::Satisfied));
        }
        assert_eq!(gallery.count, TRIALS_MAX);
    }
}
