//! How many trials would settle it.

use super::{Cell, cluster};

/// More is not planned: the rate is too near the target to be told apart at any sensible price.
const TRIALS_MAX: u32 = 1_000_000;

/// How many trials must all pass to show `target`: the least n ≥ ln α / ln target.
///
/// `None` for a target of 1, which no number of trials shows.
pub fn all_pass_trials(target: f64, confidence: f64) -> Option<u32> {
    if target <= 0.0 {
        return Some(0);
    }
    let n = ((1.0 - confidence).ln() / target.ln()).ceil();
    (target < 1.0 && n <= f64::from(TRIALS_MAX)).then_some(n as u32)
}

/// How many more trials of each scenario would lift the lower bound of them all to `target`, if each keeps its rate.
///
/// `Some(0)` where it is reached already. `None` where no number does: the bound never passes the satisfaction itself.
pub fn trials_needed(cells: &[Cell], target: f64, confidence: f64) -> Option<u32> {
    least(|more| cluster::with_more(cells, more).is_some_and(|pooled| pooled.lower_bound(confidence) >= target))
}

/// The least number that is enough. `None` where not even [`TRIALS_MAX`] are. What is enough must stay so with more.
pub(super) fn least(is_enough: impl Fn(u32) -> bool) -> Option<u32> {
    if is_enough(0) {
        return Some(0);
    }
    if !is_enough(TRIALS_MAX) {
        return None;
    }
    let (mut short, mut enough) = (0, TRIALS_MAX);
    while enough - short > 1 {
        let middle = u32::midpoint(short, enough);
        if is_enough(middle) {
            enough = middle;
        } else {
            short = middle;
        }
    }
    Some(enough)
}

#[cfg(test)]
mod tests {
    use super::{Cell, all_pass_trials, cluster, trials_needed};
    use crate::stats::Count;

    fn cells<const N: usize>(counts: [(u32, u32); N]) -> [Cell; N] {
        counts.map(|(satisfied, valid)| Cell { count: Count::new(satisfied, valid), weight: 1.0 })
    }

    #[test]
    fn all_pass_trials_match_the_golden_numbers() {
        let golden = [(0.80, 14), (0.90, 29), (0.95, 59), (0.99, 299)];
        assert!(golden.iter().all(|(target, n)| all_pass_trials(*target, 0.95) == Some(*n)));
        assert_eq!(all_pass_trials(1.0, 0.95), None);
        assert_eq!(all_pass_trials(0.0, 0.95), Some(0));
    }

    #[test]
    fn trials_needed_agrees_with_the_closed_form_where_all_pass() {
        assert_eq!(trials_needed(&cells([(10, 10)]), 0.80, 0.95), Some(4));
        assert_eq!(trials_needed(&cells([(14, 14)]), 0.80, 0.95), Some(0));
        assert_eq!(trials_needed(&cells([(1, 1), (1, 1)]), 0.80, 0.95), Some(6), "seven of each are fourteen");
        assert_eq!(trials_needed(&[], 0.80, 0.95), None);
    }

    #[test]
    fn a_rate_at_or_below_the_target_never_settles() {
        assert_eq!(trials_needed(&cells([(80, 100)]), 0.80, 0.95), None);
        assert_eq!(trials_needed(&cells([(100, 100)]), 1.0, 0.95), None);
        assert!(trials_needed(&cells([(18, 20)]), 0.80, 0.95).is_some_and(|more| more > 10));
    }

    #[test]
    fn what_is_said_to_settle_it_does() {
        let more = trials_needed(&cells([(10, 10), (5, 10)]), 0.65, 0.95).unwrap();
        assert!(more > 0);
        let bound = |more: u32| {
            let after = cells([(10 + more, 10 + more), (5 + more / 2, 10 + more)]);
            cluster::pooled(&after).unwrap().lower_bound(0.95)
        };
        assert!(bound(more.next_multiple_of(2)) >= 0.65 && bound(more / 2) < 0.65);
    }
}
