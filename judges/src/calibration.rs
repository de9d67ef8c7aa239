//! How far a judge can be trusted: agreement with people, agreement among judges, and satisfaction corrected for the
//! judge's known errors. All pure.

use std::collections::BTreeMap;

/// Two raters on the same items, by what each said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Confusion {
    pub both_pass: u64,
    pub only_first: u64,
    pub only_second: u64,
    pub both_fail: u64,
}

impl Confusion {
    /// Cohen's κ = (pₒ − pₑ)/(1 − pₑ): agreement beyond chance. `None` without items, or where chance explains all.
    pub fn cohen_kappa(&self) -> Option<f64> {
        let [a, b, c, d] = [self.both_pass, self.only_first, self.only_second, self.both_fail].map(|n| n as f64);
        let n = a + b + c + d;
        let observed = (a + d) / n;
        let expected = ((a + b) * (a + c) + (c + d) * (b + d)) / (n * n);
        let kappa = (observed - expected) / (1.0 - expected);
        kappa.is_finite().then_some(kappa)
    }
}

/// A judge's rates against items whose truth is known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct JudgeQuality {
    /// Share of truly bad items that it fails (q₀), and how many such items were tried (m₀).
    pub specificity: f64,
    pub bad_items: u64,
    /// Share of truly good items that it passes (q₁), and how many such items were tried (m₁).
    pub sensitivity: f64,
    pub good_items: u64,
}

/// A corrected rate with its standard error.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Corrected {
    pub rate: f64,
    pub standard_error: f64,
}

/// The Rogan–Gladen estimate θ = (p + q₀ − 1)/(q₀ + q₁ − 1) of the true rate behind `passed` of `n` judged items, with
/// the standard error that also carries the uncertainty of q₀ and q₁ (arXiv 2511.21140).
///
/// `None` where nothing was judged or the judge is no better than chance. The rate is clamped to 0–1.
pub fn rogan_gladen(passed: u64, n: u64, quality: JudgeQuality) -> Option<Corrected> {
    let (q0, q1) = (quality.specificity, quality.sensitivity);
    let skill = q0 + q1 - 1.0;
    if n == 0 || quality.bad_items == 0 || quality.good_items == 0 || skill <= 0.0 {
        return None;
    }
    let p = passed as f64 / n as f64;
    let rate = ((p + q0 - 1.0) / skill).clamp(0.0, 1.0);
    let variance = p * (1.0 - p) / n as f64
        + (1.0 - rate).powi(2) * q0 * (1.0 - q0) / quality.bad_items as f64
        + rate.powi(2) * q1 * (1.0 - q1) / quality.good_items as f64;
    Some(Corrected { rate, standard_error: variance.sqrt() / skill })
}

/// Krippendorff's α for nominal ratings: one row per item, one optional rating per judge.
///
/// `None` where no item has two ratings. All ratings equal is full agreement, 1.
pub fn krippendorff_alpha<R: Ord>(items: &[Vec<Option<R>>]) -> Option<f64> {
    let mut totals: BTreeMap<&R, f64> = BTreeMap::new();
    let mut disagreement = 0.0;
    for item in items {
        let counts = counted(item);
        let ratings: f64 = counts.values().sum();
        if ratings < 2.0 {
            continue;
        }
        let agreeing_pairs: f64 = counts.values().map(|count| count * (count - 1.0)).sum();
        disagreement += (ratings * (ratings - 1.0) - agreeing_pairs) / (ratings - 1.0);
        for (rating, count) in counts {
            *totals.entry(rating).or_default() += count;
        }
    }
    let n: f64 = totals.values().sum();
    let expected = n * n - totals.values().map(|count| count * count).sum::<f64>();
    match (n > 1.0, expected > 0.0) {
        (false, _) => None,
        (true, false) => Some(1.0),
        (true, true) => Some(1.0 - (n - 1.0) * disagreement / expected),
    }
}

fn counted<R: Ord>(item: &[Option<R>]) -> BTreeMap<&R, f64> {
    let mut counts = BTreeMap::new();
    for rating in item.iter().flatten() {
        *counts.entry(rating).or_insert(0.0) += 1.0;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::{Confusion, JudgeQuality, krippendorff_alpha, rogan_gladen};

    #[track_caller]
    fn close(got: f64, golden: f64, digits: i32) {
        assert!((got - golden).abs() <= 0.5 * 10f64.powi(-digits), "got {got}, golden {golden}");
    }

    #[test]
    fn cohen_kappa_matches_the_golden_number() {
        let confusion = Confusion { both_pass: 90, only_first: 3, only_second: 2, both_fail: 5 };
        close(confusion.cohen_kappa().unwrap(), 0.64, 2);
        let perfect = Confusion { both_pass: 5, only_first: 0, only_second: 0, both_fail: 5 };
        close(perfect.cohen_kappa().unwrap(), 1.0, 9);
        assert_eq!(Confusion { both_pass: 0, only_first: 0, only_second: 0, both_fail: 0 }.cohen_kappa(), None);
        assert_eq!(Confusion { both_pass: 9, only_first: 0, only_second: 0, both_fail: 0 }.cohen_kappa(), None);
    }

    #[test]
    fn rogan_gladen_matches_the_golden_numbers() {
        let quality = JudgeQuality { specificity: 0.85, bad_items: 50, sensitivity: 0.90, good_items: 50 };
        let corrected = rogan_gladen(160, 200, quality).unwrap();
        close(corrected.rate, 0.8667, 4);
        close(corrected.standard_error, 0.0625, 4);
    }

    #[test]
    fn rogan_gladen_refuses_a_judge_that_guesses() {
        let guesser = JudgeQuality { specificity: 0.5, bad_items: 50, sensitivity: 0.5, good_items: 50 };
        assert_eq!(rogan_gladen(160, 200, guesser), None);
        assert_eq!(rogan_gladen(0, 0, JudgeQuality { specificity: 0.9, sensitivity: 0.9, ..guesser }), None);
    }

    /// The worked nominal example of Krippendorff's "Computing Krippendorff's Alpha-Reliability": α = .743.
    #[test]
    fn krippendorff_alpha_matches_its_worked_example() {
        let rows = [
            [Some(1), Some(1), None, Some(1)],
            [Some(2), Some(2), Some(3), Some(2)],
            [Some(3), Some(3), Some(3), Some(3)],
            [Some(3), Some(3), Some(3), Some(3)],
            [Some(2), Some(2), Some(2), Some(2)],
            [Some(1), Some(2), Some(3), Some(4)],
            [Some(4), Some(4), Some(4), Some(4)],
            [Some(1), Some(1), Some(2), Some(1)],
            [Some(2), Some(2), Some(2), Some(2)],
            [None, Some(5), Some(5), Some(5)],
            [None, None, Some(1), Some(1)],
            [None, None, Some(3), None],
        ]
        .map(|row| row.to_vec());
        close(krippendorff_alpha(&rows).unwrap(), 0.743, 3);
        assert_eq!(krippendorff_alpha(&[vec![Some(1), None]]), None);
        assert_eq!(krippendorff_alpha(&[vec![Some(1), Some(1)]]), Some(1.0));
    }
}
