//! What may be concluded from a few trials: intervals, gates, pass@k, flakes, gaps. Pure functions over counts.
//!
//! Formulas name their source; the golden numbers that hold them are the tests. A function gives `None` where the
//! quantity is undefined, never a comfortable 0 or 1.

mod cluster;
mod interval;
mod judged;
mod paired;
mod passes;
mod plan;

pub use cluster::{Cell, Pooled, pooled};
pub use interval::{Interval, clopper_pearson, difference, gap, lower_bound, upper_bound, wilson};
pub use judged::{Draws, Split};
pub use paired::{Change, Pair, Paired, fisher, holm, paired};
pub use passes::{Flake, pass_at_k, pass_hat_k};
pub use plan::{all_pass_trials, trials_needed};

/// `c` satisfied of `n` valid trials. Invariant: `c ≤ n`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Count {
    pub satisfied: u32,
    pub valid: u32,
}

impl Count {
    /// # Panics
    /// Where more are satisfied than were tried.
    pub fn new(satisfied: u32, valid: u32) -> Self {
        assert!(satisfied <= valid, "{satisfied} of {valid} trials cannot be satisfied");
        Self { satisfied, valid }
    }

    pub fn rate(self) -> Option<f64> {
        (self.valid > 0).then(|| f64::from(self.satisfied) / f64::from(self.valid))
    }
}

#[cfg(test)]
#[track_caller]
fn close(got: f64, golden: f64, digits: i32) {
    assert!((got - golden).abs() <= 0.5001 * 10f64.powi(-digits), "got {got}, golden {golden}");
}
