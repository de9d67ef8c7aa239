//! Satisfaction over many scenarios, which may have weights, and what may be said beyond them.
//!
//! Two questions, two numbers. How satisfied are users of *these* scenarios: the bound, on which a gate is put. What
//! would *other* scenarios of the kind say: the clustered standard error; trials of one scenario resemble each other, so
//! they are no independent draws of that.

use serde::{Deserialize, Serialize};

use super::{Count, Interval, lower_bound, upper_bound};

/// One scenario's count and weight.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cell {
    pub count: Count,
    pub weight: f64,
}

/// Satisfaction of a suite.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pooled {
    /// `SAT = Σ w·sat / Σ w` over the scenarios that have a valid trial.
    pub satisfaction: f64,
    /// For scenarios of the kind, clustered: `SE² = Σ_s (Σ_{i∈s} v_i (x_i − SAT))²`, where `v_i` are the trials' shares
    /// of the weight (Miller, arXiv 2411.00640, for equal weights). `None` for one scenario: it tells nothing of others.
    pub standard_error: Option<f64>,
    /// How many trials of equal weight would tell as much of these scenarios (Kish).
    pub effective_trials: f64,
    /// How many independent trials would tell as much of scenarios of the kind: fewer, the more these differ.
    pub clustered_trials: f64,
}

impl Pooled {
    /// One-sided lower bound of the mean rate of these scenarios: Clopper and Pearson's at the effective number of trials.
    /// It is exact for one rate and holds for different ones (Hoeffding 1956), and a satisfied trial more never lowers it.
    pub fn lower_bound(&self, confidence: f64) -> f64 {
        lower_bound(self.satisfaction * self.effective_trials, self.effective_trials, confidence)
    }

    /// Two-sided, of the same kind as the bound.
    pub fn interval(&self, confidence: f64) -> Interval {
        let one_sided = 1.0 - (1.0 - confidence) / 2.0;
        let (satisfied, valid) = (self.satisfaction * self.effective_trials, self.effective_trials);
        Interval { lower: self.lower_bound(one_sided), upper: upper_bound(satisfied, valid, one_sided) }
    }
}

/// Pools the scenarios. `None` where none has a valid trial or a positive weight.
pub fn pooled(cells: &[Cell]) -> Option<Pooled> {
    with_more(cells, 0)
}

/// As if each scenario that has valid trials had so many more, at its rate.
pub(super) fn with_more(cells: &[Cell], more: u32) -> Option<Pooled> {
    let valid = || cells.iter().filter(|cell| cell.count.valid > 0 && cell.weight > 0.0);
    let total: f64 = valid().map(|cell| cell.weight).sum();
    if total <= 0.0 {
        return None;
    }
    // Every trial of a scenario carries the same share, and the shares sum to 1.
    let shares = || valid().map(|cell| (cell, cell.weight / total));
    let rate = |cell: &Cell| cell.count.rate().expect("only valid cells are left");
    let satisfaction: f64 = shares().map(|(cell, share)| share * rate(cell)).sum::<f64>().clamp(0.0, 1.0);
    let variance: f64 = shares().map(|(cell, share)| (share * (rate(cell) - satisfaction)).powi(2)).sum();
    // Unequal shares of trials tell less than equally many equal ones.
    let kish = 1.0
        / shares().map(|(cell, share)| share * share / (f64::from(cell.count.valid) + f64::from(more))).sum::<f64>();
    let spread = satisfaction * (1.0 - satisfaction);
    let clustered_trials = if variance > 0.0 { (spread / variance).min(kish) } else { kish };
    let standard_error = (valid().count() > 1).then(|| variance.sqrt());
    Some(Pooled { satisfaction, standard_error, effective_trials: kish, clustered_trials })
}

#[cfg(test)]
mod tests {
    use proptest::{prop_assert, proptest};
    use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

    use super::{Cell, pooled};
    use crate::stats::{Count, close, lower_bound};

    fn cell(satisfied: u32, valid: u32) -> Cell {
        Cell { count: Count::new(satisfied, valid), weight: 1.0 }
    }

    #[test]
    fn weights_and_not_trial_counts_weigh_scenarios() {
        let heavy = Cell { weight: 3.0, ..cell(1, 1) };
        close(pooled(&[heavy, cell(0, 20)]).unwrap().satisfaction, 0.75, 9);
    }

    /// Two scenarios of five trials: 5/5 and 0/5. As ten independent draws SE were √(.25/10) = .158; the clusters
    /// give √(2·(5·.5)²)/10 = .354.
    #[test]
    fn clustered_standard_error_is_millers() {
        let clustered = pooled(&[cell(5, 5), cell(0, 5)]).unwrap();
        close(clustered.standard_error.unwrap(), (2.0f64 * 2.5 * 2.5).sqrt() / 10.0, 9);
        close(clustered.clustered_trials, 2.0, 9);
        close(clustered.effective_trials, 10.0, 9);
    }

    #[test]
    fn one_trial_per_scenario_is_a_plain_proportion() {
        let cells: Vec<_> = (0..20).map(|n| cell(u32::from(n < 18), 1)).collect();
        let plain = pooled(&cells).unwrap();
        close(plain.effective_trials, 20.0, 9);
        close(plain.lower_bound(0.95), lower_bound(18.0, 20.0, 0.95), 9);
    }

    #[test]
    fn all_satisfied_counts_every_trial() {
        let cells = [cell(7, 7), cell(7, 7)];
        close(pooled(&cells).unwrap().lower_bound(0.95), 0.05f64.powf(1.0 / 14.0), 9);
    }

    #[test]
    fn unequal_weights_tell_less() {
        let heavy = Cell { weight: 9.0, ..cell(5, 5) };
        assert!(pooled(&[heavy, cell(5, 5)]).unwrap().effective_trials < 7.0);
    }

    /// With a fixed seed: 20 scenarios of given rates, five trials each. What is bounded is their mean rate, and a
    /// bound at 95 % may be above it in 5 of 100 runs.
    #[test]
    fn a_bound_is_rarely_above_the_truth() {
        const RUNS: u32 = 2000;
        let mut random = StdRng::seed_from_u64(7);
        for (low, high) in [(0.9, 0.9), (0.5, 1.0), (0.0, 1.0)] {
            let rates: Vec<f64> = (0..20).map(|n| low + (high - low) * f64::from(n) / 19.0).collect();
            let truth = rates.iter().sum::<f64>() / 20.0;
            let mut wrong = 0;
            for _ in 0..RUNS {
                let cells: Vec<_> = rates
                    .iter()
                    .map(|rate| cell((0..5).filter(|_| random.random_bool(*rate)).count() as u32, 5))
                    .collect();
                wrong += u32::from(pooled(&cells).unwrap().lower_bound(0.95) > truth);
            }
            assert!(wrong <= RUNS * 6 / 100, "{wrong} of {RUNS} for rates from {low} to {high}");
        }
    }

    #[test]
    fn the_interval_holds_the_bound_and_the_rate() {
        let pooled = pooled(&[cell(9, 10), cell(5, 10), cell(10, 10)]).unwrap();
        let interval = pooled.interval(0.9);
        close(interval.lower, pooled.lower_bound(0.95), 12);
        assert!(interval.lower < pooled.satisfaction && pooled.satisfaction < interval.upper && interval.upper <= 1.0);
    }

    #[test]
    fn a_single_scenario_has_no_standard_error() {
        assert_eq!(pooled(&[cell(3, 5)]).unwrap().standard_error, None);
        assert_eq!(pooled(&[cell(5, 5), cell(5, 5)]).unwrap().standard_error, Some(0.0));
    }

    proptest! {
        /// Or a better build would be refused.
        #[test]
        fn a_satisfied_trial_more_never_lowers_the_bound(
            counts in proptest::collection::vec((0u32..20, 1u32..20, 1u32..9), 1..6),
        ) {
            let cells = counts.iter().map(|(satisfied, more, weight)| Cell {
                count: Count::new(*satisfied, satisfied + more),
                weight: f64::from(*weight),
            });
            let before: Vec<Cell> = cells.collect();
            let bound = |cells: &[Cell]| pooled(cells).unwrap().lower_bound(0.95);
            for at in 0..before.len() {
                let mut after = before.clone();
                after[at].count.satisfied += 1;
                prop_assert!(bound(&after) >= bound(&before), "{before:?}, one more at {at}");
            }
        }
    }

    #[test]
    fn nothing_valid_is_undefined() {
        assert_eq!(pooled(&[cell(0, 0)]), None);
        assert_eq!(pooled(&[]), None);
        assert_eq!(pooled(&[Cell { weight: 0.0, ..cell(1, 1) }]), None);
    }
}
