//! What goes back to the builder: of visible scenarios everything, of holdouts a theme and a rounded share.
//!
//! Never a step, an input, an expected value, an observed output or a count of a holdout. The text passes the leak
//! scanner before it leaves; every disclosure is counted on the ledger that `feedback.composed` carries.

use std::{collections::BTreeMap, fmt::Write as _};

use model::event::grade::Disclosure;

const FAILURES_SHOWN_MAX: usize = 20; // of visible scenarios; more would drown the first ones
const FAILURE_CHARS_MAX: usize = 1_500; // one failure's text

/// A visible scenario that failed.
#[derive(Clone, Debug)]
pub struct VisibleFailure {
    pub scenario: String,
    pub requirements: Vec<String>,
    pub failure: String,
}

/// How a holdout fared: nothing else of it comes here.
#[derive(Clone, Debug)]
pub struct HoldoutOutcome {
    pub theme: String,
    pub requirements: Vec<String>,
    pub trials: u32,
    pub satisfied: u32,
}

/// The text for the builder and the ledger of what it disclosed.
pub fn compose(iteration: u32, visible: &[VisibleFailure], holdouts: &[HoldoutOutcome]) -> (String, Vec<Disclosure>) {
    let disclosures = disclosures(holdouts);
    let mut text = format!("# Feedback from iteration {iteration}\n\n## Visible scenarios\n");
    if visible.is_empty() {
        text.push_str("All visible scenarios pass.\n");
    }
    for failed in visible.iter().take(FAILURES_SHOWN_MAX) {
        let shown: String = failed.failure.chars().take(FAILURE_CHARS_MAX).collect();
        let _ = writeln!(text, "- [failed] {} ({}): {shown}", failed.scenario, failed.requirements.join(", "));
    }
    if visible.len() > FAILURES_SHOWN_MAX {
        let _ = writeln!(text, "- … and {} more", visible.len() - FAILURES_SHOWN_MAX);
    }
    text.push_str("\n## Hidden checks\n");
    if disclosures.is_empty() {
        text.push_str("All hidden checks pass.\n");
    }
    for disclosure in &disclosures {
        let _ = writeln!(text, "- {} · {}: {} fail", disclosure.requirement, disclosure.theme, disclosure.share);
    }
    (text, disclosures)
}

/// One disclosure a theme, in the order of the themes.
fn disclosures(holdouts: &[HoldoutOutcome]) -> Vec<Disclosure> {
    let mut themes: BTreeMap<&str, (Vec<&str>, u32, u32)> = BTreeMap::new();
    for holdout in holdouts {
        let (requirements, trials, failed) = themes.entry(&holdout.theme).or_default();
        requirements.extend(holdout.requirements.iter().map(String::as_str));
        *trials += holdout.trials;
        *failed += holdout.trials - holdout.satisfied;
    }
    let failing = themes.into_iter().filter(|(_, (_, _, failed))| *failed > 0);
    failing
        .map(|(theme, (mut requirements, trials, failed))| {
            requirements.sort_by_key(|id| (id.len(), *id));
            requirements.dedup();
            Disclosure {
                requirement: requirements.join(", "),
                theme: theme.to_owned(),
                share: share(failed, trials).to_owned(),
            }
        })
        .collect()
}

/// A share in words; the count behind it stays hidden.
fn share(failed: u32, trials: u32) -> &'static str {
    match (f64::from(failed) / f64::from(trials.max(1)) * 100.0) as u32 {
        100.. => "all",
        67.. => "most",
        34.. => "about half",
        _ => "a few",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holdout(theme: &str, requirement: &str, trials: u32, satisfied: u32) -> HoldoutOutcome {
        HoldoutOutcome { theme: theme.into(), requirements: vec![requirement.into()], trials, satisfied }
    }

    #[test]
    fn holdouts_go_back_as_themes_and_rounded_shares_only() {
        let visible = VisibleFailure {
            scenario: "pays".into(),
            requirements: vec!["R1".into()],
            failure: "step 2 `pay`: expected status 201, got 500".into(),
        };
        let holdouts = [
            holdout("provider retries", "R10", 2, 1),
            holdout("provider retries", "R6", 2, 1),
            holdout("webhooks", "R7", 3, 3),
            holdout("durability", "R9", 7, 0),
        ];
        let (text, ledger) = compose(1, &[visible], &holdouts);
        insta::assert_snapshot!(text, @r"
        # Feedback from iteration 1

        ## Visible scenarios
        - [failed] pays (R1): step 2 `pay`: expected status 201, got 500

        ## Hidden checks
        - R9 · durability: all fail
        - R6, R10 · provider retries: about half fail
        ");
        assert_eq!(ledger.len(), 2, "what passes is not disclosed");
    }

    #[test]
    fn no_count_of_a_holdout_can_be_read_from_a_share() {
        let words: Vec<&str> = [(1, 10), (3, 10), (4, 10), (6, 10), (7, 10), (9, 10), (10, 10)]
            .into_iter()
            .map(|(failed, trials)| share(failed, trials))
            .collect();
        assert_eq!(words, ["a few", "a few", "about half", "about half", "most", "most", "all"]);
    }
}
