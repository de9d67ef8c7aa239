//! Confidence intervals of a proportion, and of the difference of two.

use serde::{Deserialize, Serialize};
use statrs::distribution::{Beta, ContinuousCDF, Normal};

use super::{Count, Pooled};

/// From `lower` to `upper`, both within 0–1 for a proportion and −1–1 for a difference.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    pub lower: f64,
    pub upper: f64,
}

/// Wilson's score interval, two-sided. Without trials it is 0–1.
pub fn wilson(count: Count, confidence: f64) -> Interval {
    match count.rate() {
        Some(rate) => wilson_of(rate, count.valid.into(), confidence),
        None => Interval { lower: 0.0, upper: 1.0 },
    }
}

/// Takes a fraction of trials, for what would be if there were more.
pub(super) fn wilson_of(p: f64, n: f64, confidence: f64) -> Interval {
    let z = normal_quantile(1.0 - (1.0 - confidence) / 2.0);
    let spread = 1.0 + z * z / n;
    let centre = (p + z * z / (2.0 * n)) / spread;
    let half = z * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt() / spread;
    // Rounding must not cut off the rate itself at 0 and 1.
    Interval { lower: (centre - half).clamp(0.0, p), upper: (centre + half).clamp(p, 1.0) }
}

/// Clopper and Pearson's exact interval, two-sided. Without trials it is 0–1.
pub fn clopper_pearson(count: Count, confidence: f64) -> Interval {
    let one_sided = 1.0 - (1.0 - confidence) / 2.0;
    let (c, n) = (f64::from(count.satisfied), f64::from(count.valid));
    Interval { lower: lower_bound(c, n, one_sided), upper: upper_bound(c, n, one_sided) }
}

/// The exact one-sided lower bound: with the given confidence the true rate is at least this. It is what a gate is put
/// on. Takes fractions, because an effective sample size is one.
pub fn lower_bound(satisfied: f64, valid: f64, confidence: f64) -> f64 {
    if satisfied <= 0.0 || valid <= 0.0 {
        return 0.0;
    }
    beta_quantile(satisfied, valid - satisfied + 1.0, 1.0 - confidence)
}

/// The exact one-sided upper bound.
pub fn upper_bound(satisfied: f64, valid: f64, confidence: f64) -> f64 {
    if satisfied >= valid {
        return 1.0;
    }
    beta_quantile(satisfied + 1.0, valid - satisfied, confidence)
}

/// The gaming gap visible − holdout of two satisfactions. A lower end above 0 says that the visible scenarios flatter the
/// build. Newcombe's interval at the clustered numbers of trials: the suites have different scenarios, so it is about
/// scenarios of their kinds.
pub fn gap(visible: &Pooled, holdout: &Pooled, confidence: f64) -> (f64, Interval) {
    let of = |pooled: &Pooled| (pooled.satisfaction, pooled.clustered_trials);
    newcombe(of(visible), of(holdout), confidence)
}

/// How far the first rate is above the second, with Newcombe's interval. `None` where a side has no trials.
pub fn difference(first: Count, second: Count, confidence: f64) -> Option<(f64, Interval)> {
    let of = |count: Count| Some((count.rate()?, f64::from(count.valid)));
    Some(newcombe(of(first)?, of(second)?, confidence))
}

/// Of two rates with their numbers of trials, built from the two Wilson intervals (Newcombe 1998, method 10).
fn newcombe((p1, n1): (f64, f64), (p2, n2): (f64, f64), confidence: f64) -> (f64, Interval) {
    let (first, second) = (wilson_of(p1, n1, confidence), wilson_of(p2, n2, confidence));
    let delta = p1 - p2;
    let lower = delta - (p1 - first.lower).hypot(second.upper - p2);
    let upper = delta + (first.upper - p1).hypot(p2 - second.lower);
    (delta, Interval { lower, upper })
}

/// The quantile by bisection of the distribution function: monotone, so it cannot go astray at extreme shapes.
fn beta_quantile(a: f64, b: f64, probability: f64) -> f64 {
    const HALVINGS: u32 = 60; // beyond the precision of an f64 in 0–1
    let beta = Beta::new(a, b).expect("callers pass positive shapes");
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(low, high);
        if beta.cdf(middle) < probability {
            low = middle;
        } else {
            high = middle;
        }
    }
    f64::midpoint(low, high)
}

fn normal_quantile(probability: f64) -> f64 {
    Normal::standard().inverse_cdf(probability)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use statrs::distribution::{Binomial, Discrete as _};

    use super::{Interval, clopper_pearson, difference, gap, lower_bound, wilson};
    use crate::stats::{Cell, Count, close, pooled};

    /// c, n, Wilson, Clopper–Pearson at 95 % two-sided.
    const GOLDEN: [(u32, u32, [f64; 2], [f64; 2]); 8] = [
        (0, 5, [0.0, 0.4345], [0.0, 0.5218]),
        (3, 5, [0.2307, 0.8824], [0.1466, 0.9473]),
        (5, 5, [0.5655, 1.0], [0.4782, 1.0]),
        (9, 10, [0.5958, 0.9821], [0.5550, 0.9975]),
        (10, 10, [0.7225, 1.0], [0.6915, 1.0]),
        (18, 20, [0.6990, 0.9721], [0.6830, 0.9877]),
        (20, 20, [0.8389, 1.0], [0.8316, 1.0]),
        (50, 50, [0.9287, 1.0], [0.9289, 1.0]),
    ];

    #[test]
    fn intervals_match_the_golden_numbers() {
        for (c, n, by_wilson, exact) in GOLDEN {
            let (w, cp) = (wilson(Count::new(c, n), 0.95), clopper_pearson(Count::new(c, n), 0.95));
            for (got, golden) in
                [w.lower, w.upper, cp.lower, cp.upper].into_iter().zip(by_wilson.into_iter().chain(exact))
            {
                close(got, golden, 4);
            }
        }
    }

    #[test]
    fn gap_matches_the_golden_numbers() {
        for (visible, holdout, golden) in [
            (Count::new(95, 100), Count::new(80, 100), [0.150, 0.059, 0.243]),
            (Count::new(19, 20), Count::new(13, 20), [0.300, 0.049, 0.521]),
        ] {
            let (delta, interval) = difference(visible, holdout, 0.95).unwrap();
            for (got, golden) in [delta, interval.lower, interval.upper].into_iter().zip(golden) {
                close(got, golden, 3);
            }
        }
        assert_eq!(difference(Count::new(0, 0), Count::new(1, 1), 0.95), None);
    }

    /// Weighted as the satisfactions are, and no narrower for many trials of few scenarios.
    #[test]
    fn a_gap_is_that_of_the_satisfactions() {
        let cell = |satisfied, valid, weight| Cell { count: Count::new(satisfied, valid), weight };
        let visible = pooled(&[cell(50, 50, 1.0), cell(50, 50, 1.0), cell(45, 50, 1.0)]).unwrap();
        let holdout = pooled(&[cell(50, 50, 9.0), cell(0, 50, 1.0)]).unwrap();
        let (delta, interval) = gap(&visible, &holdout, 0.95);
        close(delta, visible.satisfaction - 0.9, 9);
        assert!(interval.lower < 0.0, "two scenarios that differ show no gap: {interval:?}");
        let flattered = difference(Count::new(145, 150), Count::new(50, 100), 0.95).unwrap().1;
        assert!(flattered.lower > 0.0, "as independent and unweighted trials they would: {flattered:?}");
    }

    #[test]
    fn without_trials_nothing_is_known() {
        let nothing = Count::new(0, 0);
        assert_eq!((wilson(nothing, 0.95).lower, wilson(nothing, 0.95).upper), (0.0, 1.0));
        assert_eq!((clopper_pearson(nothing, 0.95).lower, clopper_pearson(nothing, 0.95).upper), (0.0, 1.0));
    }

    /// All of n pass: the bound is α^(1/n).
    #[test]
    fn lower_bound_of_all_pass_has_its_closed_form() {
        for n in [1u32, 14, 59, 299] {
            close(lower_bound(f64::from(n), f64::from(n), 0.95), 0.05f64.powf(1.0 / f64::from(n)), 9);
        }
    }

    /// Every count is weighed by its chance, so this is the coverage itself and no estimate of it.
    fn coverage(n: u32, rate: f64, interval: fn(Count, f64) -> Interval) -> f64 {
        let counts = Binomial::new(rate, n.into()).unwrap();
        let holds = |c: &u32| {
            let Interval { lower, upper } = interval(Count::new(*c, n), 0.95);
            lower <= rate && rate <= upper
        };
        (0..=n).filter(holds).map(|c| counts.pmf(c.into())).sum()
    }

    #[test]
    fn exact_intervals_cover_at_least_what_they_say_and_wilson_does_on_average() {
        for n in [3, 10, 30, 100] {
            let rates: Vec<f64> = (1..100).map(|percent| f64::from(percent) / 100.0).collect();
            for rate in &rates {
                let exact = coverage(n, *rate, clopper_pearson);
                assert!(exact >= 0.95 - 1e-9, "{n} trials at {rate}: {exact}");
            }
            let mean = rates.iter().map(|rate| coverage(n, *rate, wilson)).sum::<f64>() / rates.len() as f64;
            assert!((0.945..0.975).contains(&mean), "{n} trials: {mean}");
        }
    }

    proptest! {
        #[test]
        fn a_success_more_never_lowers_and_a_trial_more_never_widens(n in 1u32..400, share in 0.0f64..1.0) {
            let c = (f64::from(n) * share) as u32;
            for interval in [wilson, clopper_pearson] {
                let (less, more) = (interval(Count::new(c, n), 0.95), interval(Count::new(c + 1, n), 0.95));
                prop_assert!(less.lower <= more.lower && less.upper <= more.upper, "{less:?} {more:?}");
                let (narrow, wide) = (interval(Count::new(2 * c, 2 * n), 0.95), less);
                prop_assert!(narrow.upper - narrow.lower < wide.upper - wide.lower, "{narrow:?} {wide:?}");
            }
        }

        #[test]
        fn a_difference_is_in_range_and_turns_with_its_sides(a in 0u32..=30, b in 0u32..=20) {
            let (visible, holdout) = (Count::new(a, 30), Count::new(b, 20));
            let (delta, there) = difference(visible, holdout, 0.95).unwrap();
            let (_, back) = difference(holdout, visible, 0.95).unwrap();
            prop_assert!(-1.0 - 1e-9 <= there.lower && there.lower <= delta && delta <= there.upper && there.upper <= 1.0 + 1e-9);
            prop_assert!((there.lower + back.upper).abs() < 1e-9);
        }

        #[test]
        fn intervals_hold_the_rate_and_stay_in_range(n in 1u32..2000, share in 0.0f64..=1.0, confidence in 0.5f64..0.999) {
            let c = (f64::from(n) * share).round() as u32;
            let rate = f64::from(c) / f64::from(n);
            for interval in [wilson(Count::new(c, n), confidence), clopper_pearson(Count::new(c, n), confidence)] {
                prop_assert!(0.0 <= interval.lower && interval.lower <= rate + 1e-12, "{interval:?} {rate}");
                prop_assert!(rate - 1e-12 <= interval.upper && interval.upper <= 1.0, "{interval:?} {rate}");
            }
        }
    }
}
