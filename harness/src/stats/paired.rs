//! Two builds over the same scenarios: is one better?

use serde::{Deserialize, Serialize};
use statrs::{
    distribution::{Binomial, ContinuousCDF, DiscreteCDF, StudentsT},
    stats_tests::{Alternative, fishers_exact},
};

use super::{Count, Interval, interval::wilson_of, plan::least};

/// One scenario under both builds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pair {
    pub before: Count,
    pub after: Count,
    pub weight: f64,
}

/// How `after` differs from `before`. Positive is better.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Paired {
    /// Satisfaction over the scenarios that both builds have.
    pub before: f64,
    pub after: f64,
    pub difference: f64,
    /// Two-sided, of the difference. It holds both intervals that can be given, so it is never too narrow:
    ///
    /// - scenarios as a sample of all that could be written: Student's t with the standard error below, one degree of
    ///   freedom less than scenarios (Miller, arXiv 2411.00640, paired differences; absent for a single scenario);
    /// - scenarios as given, trials as the sample: Newcombe's hybrid of Wilson intervals for each scenario (1998,
    ///   method 10), put together by their weights as MOVER does (Zou and Donner 2008).
    pub interval: Interval,
    /// Of the difference, clustered by scenario; absent for a single scenario.
    pub standard_error: Option<f64>,
    /// Scenarios whose rate rose, fell, and did not change.
    pub better: u32,
    pub worse: u32,
    pub equal: u32,
    /// Exact two-sided sign test over the scenarios that differ, which for one trial each is `McNemar`'s exact test.
    /// Absent where none differs.
    pub sign_test_p: Option<f64>,
    /// More valid trials of each scenario under each build that would tell the builds apart at the present rates.
    /// 0 where they are told apart already; absent where no number would: then more scenarios are needed.
    pub trials_needed: Option<u32>,
}

/// What a comparison says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    Better,
    Worse,
    /// The data fit no change at all, and changes in both directions.
    NotShown,
}

impl Paired {
    pub fn change(&self) -> Change {
        if self.interval.lower > 0.0 {
            Change::Better
        } else if self.interval.upper < 0.0 {
            Change::Worse
        } else {
            Change::NotShown
        }
    }
}

/// Compares two builds by scenario. `None` where no scenario has valid trials of both and a positive weight.
pub fn paired(pairs: &[Pair], confidence: f64) -> Option<Paired> {
    let strata = Strata::new(pairs)?;
    let (better, worse) = (strata.count(|row| row.rise() > 0.0), strata.count(|row| row.rise() < 0.0));
    Some(Paired {
        before: strata.mean(|row| row.before.rate),
        after: strata.mean(|row| row.after.rate),
        difference: strata.difference(),
        interval: strata.interval(0.0, confidence),
        standard_error: strata.variance(0.0).map(f64::sqrt),
        better,
        worse,
        equal: strata.count(|row| row.rise() == 0.0),
        sign_test_p: sign_test(better, worse),
        trials_needed: least(|more| {
            let Interval { lower, upper } = strata.interval(f64::from(more), confidence);
            lower > 0.0 || upper < 0.0
        }),
    })
}

/// Exact two-sided sign test: the chance of a split at least as uneven as this, were both directions equally likely.
fn sign_test(better: u32, worse: u32) -> Option<f64> {
    let discordant = u64::from(better) + u64::from(worse);
    let coin = (discordant > 0).then(|| Binomial::new(0.5, discordant).expect("a half is a probability"))?;
    Some((2.0 * coin.cdf(better.min(worse).into())).min(1.0))
}

/// Fisher's exact test of one scenario, two-sided: the chance of counts at least as unequal, were both rates the same.
///
/// `None` where a side has no valid trial.
pub fn fisher(before: Count, after: Count) -> Option<f64> {
    if before.valid == 0 || after.valid == 0 {
        return None;
    }
    let failed = |count: Count| u64::from(count.valid - count.satisfied);
    let table = [before.satisfied.into(), after.satisfied.into(), failed(before), failed(after)];
    // All alike on both sides: the only table there is.
    if table[0] + table[1] == 0 || table[2] + table[3] == 0 {
        return Some(1.0);
    }
    fishers_exact(&table, Alternative::TwoSided).ok().map(|p| p.clamp(0.0, 1.0))
}

/// Holm's correction (1979): p-values of a whole table such that a wrong "differs" anywhere in it stays as rare as for
/// a single test.
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|a, b| p_values[*a].total_cmp(&p_values[*b]));
    let mut corrected = vec![1.0; p_values.len()];
    let mut largest = 0.0f64;
    for (rank, n) in order.into_iter().enumerate() {
        largest = largest.max(p_values[n] * (p_values.len() - rank) as f64).min(1.0);
        corrected[n] = largest;
    }
    corrected
}

/// The scenarios that both builds have, with shares of the weight that sum to 1.
struct Strata(Vec<Row>);

struct Row {
    share: f64,
    before: Side,
    after: Side,
}

#[derive(Clone, Copy)]
struct Side {
    rate: f64,
    valid: f64,
}

impl Row {
    fn rise(&self) -> f64 {
        self.after.rate - self.before.rate
    }
}

impl Side {
    fn new(count: Count) -> Option<Self> {
        count.rate().map(|rate| Self { rate, valid: count.valid.into() })
    }

    /// Of the rate, when `more` trials have been added to those that were run.
    fn variance(self, more: f64) -> f64 {
        self.rate * (1.0 - self.rate) / (self.valid + more)
    }

    fn wilson(self, more: f64, confidence: f64) -> Interval {
        wilson_of(self.rate, self.valid + more, confidence)
    }
}

impl Strata {
    fn new(pairs: &[Pair]) -> Option<Self> {
        let rows = pairs.iter().filter(|pair| pair.weight > 0.0).filter_map(|pair| {
            Some(Row { share: pair.weight, before: Side::new(pair.before)?, after: Side::new(pair.after)? })
        });
        let mut rows: Vec<Row> = rows.collect();
        let total: f64 = rows.iter().map(|row| row.share).sum();
        rows.iter_mut().for_each(|row| row.share /= total);
        (total > 0.0).then_some(Self(rows))
    }

    fn count(&self, is: impl Fn(&Row) -> bool) -> u32 {
        u32::try_from(self.0.iter().filter(|row| is(row)).count()).unwrap_or(u32::MAX)
    }

    fn mean(&self, of: impl Fn(&Row) -> f64) -> f64 {
        self.0.iter().map(|row| row.share * of(row)).sum()
    }

    fn difference(&self) -> f64 {
        self.mean(Row::rise)
    }

    /// With `more` trials the part of the variance that comes from trials shrinks; the scenarios' own part stays.
    fn variance(&self, more: f64) -> Option<f64> {
        let scenarios = self.0.len() as f64;
        let correction = (scenarios > 1.0).then(|| scenarios / (scenarios - 1.0))?;
        let difference = self.difference();
        let squares = |of: &dyn Fn(&Row) -> f64| self.0.iter().map(|row| row.share.powi(2) * of(row)).sum::<f64>();
        let observed = correction * squares(&|row| (row.rise() - difference).powi(2));
        let of_trials = |more| squares(&|row: &Row| row.before.variance(more) + row.after.variance(more));
        Some((observed - of_trials(0.0)).max(0.0).min(observed) + of_trials(more).min(observed))
    }

    fn interval(&self, more: f64, confidence: f64) -> Interval {
        let difference = self.difference();
        let given = self.of_given_scenarios(more, confidence);
        let half = self.variance(more).map_or(0.0, |variance| {
            let t =
                StudentsT::new(0.0, 1.0, self.0.len() as f64 - 1.0).expect("two scenarios leave a degree of freedom");
            t.inverse_cdf(1.0 - (1.0 - confidence) / 2.0) * variance.sqrt()
        });
        Interval {
            lower: (difference - half).min(given.lower).max(-1.0),
            upper: (difference + half).max(given.upper).min(1.0),
        }
    }

    fn of_given_scenarios(&self, more: f64, confidence: f64) -> Interval {
        let (mut below, mut above) = (0.0, 0.0);
        for Row { share, before, after } in &self.0 {
            let (first, second) = (after.wilson(more, confidence), before.wilson(more, confidence));
            below += share.powi(2) * ((after.rate - first.lower).powi(2) + (second.upper - before.rate).powi(2));
            above += share.powi(2) * ((first.upper - after.rate).powi(2) + (before.rate - second.lower).powi(2));
        }
        let difference = self.difference();
        Interval { lower: difference - below.sqrt(), upper: difference + above.sqrt() }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::{SeedableRng as _, rngs::StdRng};
    use statrs::distribution::{Discrete as _, Hypergeometric};

    use super::{Change, Pair, fisher, holm, paired, sign_test};
    use crate::stats::{Count, close, difference};

    fn pair(before: (u32, u32), after: (u32, u32)) -> Pair {
        Pair { before: Count::new(before.0, before.1), after: Count::new(after.0, after.1), weight: 1.0 }
    }

    /// Four scenarios of ten trials with rises .1, .2, .3 and .2: their mean is .2, their sample variance .02/3, so
    /// SE = √(.02/3/4) = .0408, and t(3; .975) = 3.1824.
    #[test]
    fn the_standard_error_is_that_of_paired_differences() {
        let pairs = [pair((5, 10), (6, 10)), pair((3, 10), (5, 10)), pair((6, 10), (9, 10)), pair((1, 10), (3, 10))];
        let compared = paired(&pairs, 0.95).unwrap();
        close(compared.difference, 0.2, 9);
        close(compared.standard_error.unwrap(), (0.02f64 / 3.0 / 4.0).sqrt(), 9);
        assert!(compared.interval.lower <= 0.2 - 3.1824 * 0.0408 && compared.interval.upper >= 0.2 + 3.1824 * 0.0408);
        assert_eq!((compared.better, compared.worse, compared.equal), (4, 0, 0));
    }

    /// One scenario is a plain comparison of two proportions.
    #[test]
    fn a_single_scenario_has_newcombes_interval() {
        let (before, after) = (Count::new(80, 100), Count::new(95, 100));
        let compared = paired(&[Pair { before, after, weight: 2.0 }], 0.95).unwrap();
        let (delta, newcombe) = difference(after, before, 0.95).unwrap();
        close(compared.difference, delta, 12);
        close(compared.interval.lower, newcombe.lower, 12);
        close(compared.interval.upper, newcombe.upper, 12);
        assert_eq!((compared.standard_error, compared.change()), (None, Change::Better));
    }

    #[test]
    fn equal_rises_do_not_make_certain() {
        let compared = paired(&[pair((0, 1), (1, 1)); 3], 0.95).unwrap();
        close(compared.difference, 1.0, 9);
        assert_eq!(compared.standard_error, Some(0.0));
        assert!(compared.interval.lower < 0.65, "{:?}", compared.interval);
    }

    /// 5 against 1 of 6 discordant scenarios: 2·(1 + 6)/64.
    #[test]
    fn the_sign_test_is_exact() {
        close(sign_test(5, 1).unwrap(), 14.0 / 64.0, 9);
        close(sign_test(0, 6).unwrap(), 2.0 / 64.0, 9);
        assert_eq!((sign_test(3, 3), sign_test(0, 0)), (Some(1.0), None));
    }

    /// The lady tasting tea: 3 of 4 against 1 of 4 gives .4857; 8 of 10 against 1 of 6 gives .0350.
    #[test]
    fn fishers_test_matches_published_values() {
        close(fisher(Count::new(3, 4), Count::new(1, 4)).unwrap(), 0.4857, 4);
        close(fisher(Count::new(8, 10), Count::new(1, 6)).unwrap(), 0.0350, 4);
        assert_eq!(fisher(Count::new(5, 5), Count::new(9, 9)), Some(1.0));
        assert_eq!(fisher(Count::new(0, 0), Count::new(9, 9)), None);
    }

    #[test]
    fn holm_is_stepwise_and_keeps_the_order() {
        let corrected = holm(&[0.04, 0.01, 0.03, 0.5]);
        for (got, golden) in corrected.into_iter().zip([0.09, 0.04, 0.09, 0.5]) {
            close(got, golden, 9);
        }
        assert_eq!(holm(&[]), Vec::<f64>::new());
    }

    #[test]
    fn more_trials_settle_what_scenarios_agree_on() {
        let rising = paired(&[pair((5, 10), (6, 10)); 2], 0.95).unwrap();
        assert_eq!(rising.change(), Change::NotShown);
        let more = rising.trials_needed.unwrap();
        let at = |n: u32| paired(&[pair((5 * n, 10 * n), (6 * n, 10 * n)); 2], 0.95).unwrap().change();
        assert_eq!(at((10 + more).div_ceil(10)), Change::Better);
        assert_eq!(at((10 + more) / 10 - 1), Change::NotShown);
        let opposed = paired(&[pair((0, 10), (10, 10)), pair((10, 10), (1, 10))], 0.95).unwrap();
        assert_eq!(opposed.trials_needed, None, "only more scenarios could settle it");
        assert_eq!(paired(&[pair((0, 50), (50, 50))], 0.95).unwrap().trials_needed, Some(0));
    }

    #[test]
    fn what_only_one_build_has_is_not_compared() {
        assert_eq!(paired(&[pair((0, 0), (5, 5)), pair((5, 5), (0, 0))], 0.95), None);
        let compared = paired(&[pair((0, 0), (5, 5)), pair((5, 5), (5, 5))], 0.95).unwrap();
        assert_eq!((compared.difference, compared.equal), (0.0, 1));
    }

    /// With a fixed seed: both builds have the same rates, which differ by scenario; 95 % may be wrong in 5 of 100.
    #[test]
    fn equal_builds_are_rarely_told_apart() {
        const RUNS: u32 = 2000;
        let mut random = StdRng::seed_from_u64(7);
        for (scenarios, trials) in [(1, 20), (5, 5), (20, 1), (20, 10)] {
            let mut wrong = 0;
            for _ in 0..RUNS {
                let mut draw = |rate: f64| (0..trials).filter(|_| random.random_bool(rate)).count() as u32;
                let pairs: Vec<_> = (0..scenarios)
                    .map(|n| 0.3 + 0.6 * f64::from(n) / f64::from(scenarios))
                    .map(|rate| pair((draw(rate), trials), (draw(rate), trials)))
                    .collect();
                wrong += u32::from(paired(&pairs, 0.95).unwrap().change() != Change::NotShown);
            }
            assert!(wrong <= RUNS * 6 / 100, "{wrong} of {RUNS} with {scenarios} scenarios of {trials} trials");
        }
    }

    proptest! {
        #[test]
        fn intervals_hold_the_difference_and_mirror(counts in prop::collection::vec((0u32..=9, 0u32..=9), 1..6)) {
            let there: Vec<_> = counts.iter().map(|(a, b)| pair((*a, 9), (*b, 9))).collect();
            let back: Vec<_> = counts.iter().map(|(a, b)| pair((*b, 9), (*a, 9))).collect();
            let (there, back) = (paired(&there, 0.9).unwrap(), paired(&back, 0.9).unwrap());
            prop_assert!(-1.0 <= there.interval.lower && there.interval.lower <= there.difference);
            prop_assert!(there.difference <= there.interval.upper && there.interval.upper <= 1.0);
            prop_assert!((there.interval.lower + back.interval.upper).abs() < 1e-9);
        }

        #[test]
        fn fishers_test_sums_what_is_no_likelier(a in 0u32..12, b in 0u32..12, n in 1u32..12, m in 1u32..12) {
            let (a, b) = (a.min(n), b.min(m));
            let tables = Hypergeometric::new((n + m).into(), n.into(), (a + b).into()).unwrap();
            let chances = (0..=u64::from(a + b)).map(|x| tables.pmf(x));
            let observed = tables.pmf(a.into());
            let expected: f64 = chances.filter(|p| *p <= observed * (1.0 + 1e-7)).sum();
            let got = fisher(Count::new(a, n), Count::new(b, m)).unwrap();
            prop_assert!((got - expected.min(1.0)).abs() < 1e-6, "{a}/{n} {b}/{m}: {got}, by sum {expected}");
        }
    }
}
