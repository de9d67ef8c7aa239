//! pass@k, pass^k and flakes.

use serde::{Deserialize, Serialize};

use super::Count;

/// The chance that at least one of k trials passes, unbiased: 1 − C(n−c, k)/C(n, k) (Chen 2021). `None` if n < k.
pub fn pass_at_k(count: Count, k: u32) -> Option<f64> {
    let failed = Count::new(count.valid - count.satisfied, count.valid);
    pass_hat_k(failed, k).map(|all_fail| 1.0 - all_fail)
}

/// The chance that all of k trials pass, unbiased: C(c, k)/C(n, k) (tau-bench, arXiv 2406.12045). `None` if n < k.
pub fn pass_hat_k(count: Count, k: u32) -> Option<f64> {
    let Count { satisfied, valid } = count;
    if valid < k || k == 0 {
        return None;
    }
    if satisfied < k {
        return Some(0.0);
    }
    // C(c,k)/C(n,k) as a product of k fractions: nothing overflows.
    Some((0..k).map(|i| f64::from(satisfied - i) / f64::from(valid - i)).product())
}

/// What repeated trials of one scenario look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Flake {
    /// No trial was valid: nothing is known.
    Unknown,
    StablePass,
    StableFail,
    /// Some passed and some failed.
    Flaky,
}

impl Flake {
    pub fn of(count: Count) -> Self {
        match (count.satisfied, count.valid) {
            (_, 0) => Self::Unknown,
            (0, _) => Self::StableFail,
            (c, n) if c == n => Self::StablePass,
            _ => Self::Flaky,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Flake, pass_at_k, pass_hat_k};
    use crate::stats::{Count, close};

    #[test]
    fn pass_hat_k_is_unbiased() {
        // The plug-in (c/n)^k would say 0.349 here.
        assert_eq!(pass_hat_k(Count::new(9, 10), 10), Some(0.0));
        close(pass_hat_k(Count::new(9, 10), 1).unwrap(), 0.9, 9);
        close(pass_hat_k(Count::new(8, 10), 2).unwrap(), 28.0 / 45.0, 9);
        assert_eq!(pass_hat_k(Count::new(10, 10), 10), Some(1.0));
    }

    #[test]
    fn pass_at_k_is_unbiased() {
        close(pass_at_k(Count::new(8, 10), 2).unwrap(), 1.0 - 1.0 / 45.0, 9);
        assert_eq!(pass_at_k(Count::new(9, 10), 2), Some(1.0), "n − c < k");
        assert_eq!(pass_at_k(Count::new(0, 10), 10), Some(0.0));
    }

    proptest! {
        #[test]
        fn more_tries_help_one_and_hurt_all(n in 1u32..200, share in 0.0f64..=1.0, k in 1u32..200) {
            let (c, k) = ((f64::from(n) * share) as u32, k.min(n));
            let count = Count::new(c, n);
            let (at, hat) = (pass_at_k(count, k).unwrap(), pass_hat_k(count, k).unwrap());
            let rate = count.rate().unwrap();
            prop_assert!((0.0..=rate + 1e-9).contains(&hat) && (rate - 1e-9..=1.0).contains(&at), "{hat} {rate} {at}");
            if k < n {
                prop_assert!(pass_hat_k(count, k + 1).unwrap() <= hat && at <= pass_at_k(count, k + 1).unwrap());
            }
        }
    }

    #[test]
    fn fewer_trials_than_k_is_undefined() {
        assert_eq!((pass_at_k(Count::new(3, 3), 4), pass_hat_k(Count::new(3, 3), 4)), (None, None));
        assert_eq!(pass_hat_k(Count::new(0, 0), 0), None);
    }

    #[test]
    fn flaky_is_neither_all_nor_nothing() {
        let classes = [(0, 0), (0, 3), (1, 3), (3, 3)].map(|(c, n)| Flake::of(Count::new(c, n)));
        assert_eq!(classes, [Flake::Unknown, Flake::StableFail, Flake::Flaky, Flake::StablePass]);
    }
}
