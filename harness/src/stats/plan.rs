//! How many trials would settle it.

use super::lower_bound;

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

/// How many trials beyond `valid` would lift the lower bound to `target`, if they pass at the observed `rate`.
///
/// `Some(0)` where it is reached already, `None` where more trials of that rate never reach it.
pub fn trials_needed(rate: f64, valid: f64, target: f64, confidence: f64) -> Option<u32> {
    // The bound grows with n at a fixed rate, but never beyond the rate.
    least(|more| {
        let n = valid + f64::from(more);
        n > 0.0 && lower_bound(rate * n, n, confidence) >= target
    })
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
    use super::{all_pass_trials, trials_needed};

    #[test]
    fn all_pass_trials_match_the_golden_numbers() {
        let golden = [(0.80, 14), (0.90, 29), (0.95, 59), (0.99, 299)];
        assert!(golden.iter().all(|(target, n)| all_pass_trials(*target, 0.95) == Some(*n)));
        assert_eq!(all_pass_trials(1.0, 0.95), None);
        assert_eq!(all_pass_trials(0.0, 0.95), Some(0));
    }

    #[test]
    fn trials_needed_agrees_with_the_closed_form_where_all_pass() {
        assert_eq!(trials_needed(1.0, 0.0, 0.80, 0.95), Some(14));
        assert_eq!(trials_needed(1.0, 10.0, 0.80, 0.95), Some(4));
        assert_eq!(trials_needed(1.0, 14.0, 0.80, 0.95), Some(0));
    }

    #[test]
    fn a_rate_at_or_below_the_target_never_settles() {
        assert_eq!(trials_needed(0.80, 100.0, 0.80, 0.95), None);
        assert_eq!(trials_needed(1.0, 100.0, 1.0, 0.95), None);
        assert!(trials_needed(0.9, 20.0, 0.80, 0.95).is_some_and(|more| more > 10));
    }
}
