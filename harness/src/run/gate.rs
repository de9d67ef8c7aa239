//! What must be shown in the end, and whether it is. Pure: counts in, the outcome out.
//!
//! A trial that is not valid says nothing about the build, and neither does one that was not run. A subject could turn
//! its failures into such trials (by failing in the set-up), so what is missing is never taken for what would have been.

use serde::{Deserialize, Serialize};

use crate::{
    report::Outcome,
    stats::{self, Cell, Count},
};

/// What makes a suite satisfied.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", deny_unknown_fields)]
pub enum Gate {
    /// Every valid trial is satisfied.
    Every { confidence: f64 },
    /// With this confidence, satisfaction is at least the target: the one-sided lower bound reaches it.
    LowerBound { target: f64, confidence: f64 },
}

impl Gate {
    pub fn confidence(self) -> f64 {
        match self {
            Self::Every { confidence } | Self::LowerBound { confidence, .. } => confidence,
        }
    }

    fn is_reached(self, cells: &[Cell]) -> bool {
        let Some(pooled) = stats::pooled(cells) else { return false };
        match self {
            Self::Every { .. } => cells.iter().all(|cell| cell.count.satisfied == cell.count.valid),
            Self::LowerBound { target, confidence } => pooled.lower_bound(confidence) >= target,
        }
    }
}

/// A gate, and how many valid trials of each scenario it must have seen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bar {
    pub(crate) gate: Gate,
    /// Planned of each scenario.
    pub(crate) trials: u32,
    /// The share of them that may be missing.
    pub(crate) allow_invalid: f64,
}

impl Bar {
    /// What the counts of all scenarios amount to.
    pub(crate) fn outcome(self, cells: &[Cell]) -> Outcome {
        if cells.iter().all(|cell| self.is_enough(cell.count)) {
            return if self.gate.is_reached(cells) { Outcome::Satisfied } else { Outcome::Unsatisfied };
        }
        let has_failure = cells.iter().any(|cell| cell.count.satisfied < cell.count.valid);
        let best: Vec<_> = cells.iter().map(|cell| self.with_more(cell, self.missing(cell.count))).collect();
        if has_failure && !self.gate.is_reached(&best) { Outcome::Unsatisfied } else { Outcome::Infra }
    }

    /// Whether the run is not satisfied any more even if all that is left passes. `open` trials are left of each cell.
    pub(crate) fn is_hopeless(self, cells: impl Iterator<Item = (Cell, u32)>) -> bool {
        let best: Vec<_> = cells.map(|(cell, open)| self.with_more(&cell, open)).collect();
        // A gate that even a clean sheet would not reach says nothing about this build; then all is run.
        let clean = Count::new(self.trials, self.trials);
        let clean: Vec<_> = best.iter().map(|cell| Cell { count: clean, ..*cell }).collect();
        self.outcome(&best) != Outcome::Satisfied && self.gate.is_reached(&clean)
    }

    fn missing(self, count: Count) -> u32 {
        self.trials.saturating_sub(count.valid)
    }

    fn is_enough(self, count: Count) -> bool {
        const ROUNDING: f64 = 1e-9; // 0.29 of 100 is 28.999999999999996
        count.valid > 0 && f64::from(self.missing(count)) <= self.allow_invalid * f64::from(self.trials) + ROUNDING
    }

    fn with_more(self, cell: &Cell, satisfied: u32) -> Cell {
        let count = Count::new(cell.count.satisfied + satisfied, cell.count.valid + satisfied);
        Cell { count, ..*cell }
    }
}

#[cfg(test)]
mod tests {
    use super::{Bar, Gate};
    use crate::{
        report::Outcome,
        stats::{Cell, Count},
    };

    const EVERY: Gate = Gate::Every { confidence: 0.95 };
    const BOUND: Gate = Gate::LowerBound { target: 0.8, confidence: 0.95 };

    fn cell(satisfied: u32, valid: u32) -> Cell {
        Cell { count: Count::new(satisfied, valid), weight: 1.0 }
    }

    fn bar(gate: Gate, trials: u32) -> Bar {
        Bar { gate, trials, allow_invalid: 0.0 }
    }

    #[test]
    fn nothing_and_a_scenario_without_a_valid_trial_never_pass() {
        for gate in [EVERY, BOUND] {
            assert_eq!(bar(gate, 50).outcome(&[]), Outcome::Unsatisfied);
            for allow_invalid in [0.0, 0.999] {
                let bar = Bar { allow_invalid, ..bar(gate, 50) };
                assert_eq!(bar.outcome(&[cell(50, 50), cell(0, 0)]), Outcome::Infra);
            }
        }
    }

    #[test]
    fn a_bound_needs_its_trials() {
        assert_eq!(bar(BOUND, 13).outcome(&[cell(13, 13)]), Outcome::Unsatisfied);
        assert_eq!(bar(BOUND, 14).outcome(&[cell(14, 14)]), Outcome::Satisfied);
        assert_eq!(bar(EVERY, 1).outcome(&[cell(1, 1)]), Outcome::Satisfied);
        assert_eq!(bar(EVERY, 20).outcome(&[cell(19, 20)]), Outcome::Unsatisfied);
    }

    #[test]
    fn a_lost_trial_is_never_taken_for_a_passed_one() {
        for gate in [EVERY, BOUND] {
            assert_eq!(bar(gate, 30).outcome(&[cell(29, 29), cell(30, 30)]), Outcome::Infra);
            assert_eq!(bar(gate, 30).outcome(&[cell(1, 1), cell(30, 30)]), Outcome::Infra);
        }
        assert_eq!(bar(EVERY, 6).outcome(&[cell(0, 1)]), Outcome::Unsatisfied, "the others could not mend it");
        assert_eq!(bar(BOUND, 30).outcome(&[cell(27, 28)]), Outcome::Infra, "the other two decide");
        assert_eq!(bar(BOUND, 30).outcome(&[cell(15, 28)]), Outcome::Unsatisfied);
    }

    #[test]
    fn what_may_be_missing_is_a_share_of_each_scenario() {
        let tenth = Bar { allow_invalid: 0.1, ..bar(EVERY, 20) };
        assert_eq!(tenth.outcome(&[cell(18, 18), cell(20, 20)]), Outcome::Satisfied);
        assert_eq!(tenth.outcome(&[cell(17, 17), cell(20, 20)]), Outcome::Infra);
        let odd = Bar { allow_invalid: 0.29, ..bar(EVERY, 100) };
        assert_eq!(odd.outcome(&[cell(71, 71)]), Outcome::Satisfied);
    }

    #[test]
    fn hopeless_is_when_the_rest_cannot_help() {
        let is_hopeless = |gate, cell, open, trials| bar(gate, trials).is_hopeless([(cell, open)].into_iter());
        assert!(is_hopeless(EVERY, cell(0, 1), 5, 6));
        assert!(!is_hopeless(EVERY, cell(1, 1), 5, 6));
        assert!(!is_hopeless(BOUND, cell(9, 10), 20, 30));
        assert!(is_hopeless(BOUND, cell(5, 10), 10, 20));
        assert!(!is_hopeless(BOUND, cell(0, 1), 2, 3), "three trials could never have shown it");
        assert!(is_hopeless(EVERY, cell(1, 1), 4, 6), "one is lost already");
    }
}
