//! Two runs side by side: which build is better, by how much, and what could not be shown.

use serde::{Deserialize, Serialize};

use super::{Paint, Report, ScenarioReport, words};
use crate::stats::{self, Change, Count, Flake, Interval, Pair, Paired};

const SIGNIFICANT: f64 = 0.05; // of a scenario's own difference, corrected for how many there are

/// What two reports say together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Comparison {
    pub before: Side,
    pub after: Side,
    pub confidence: f64,
    pub is_same_suite: bool,
    /// Over the scenarios that both have; absent where none has valid trials of both, or the suites differ.
    pub paired: Option<Paired>,
    pub change: Change,
    /// Visible minus holdout, where one report is of each: Newcombe's interval.
    pub gap: Option<Gap>,
    pub scenarios: Vec<Compared>,
}

/// One of the two.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Side {
    pub name: String,
    pub satisfaction: Option<f64>,
    pub count: Count,
}

/// How much better the visible scenarios look than the holdouts.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gap {
    pub gap: f64,
    pub interval: Interval,
}

/// One scenario in both.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Compared {
    pub scenario: String,
    /// Absent where the other run alone has it.
    pub before: Option<Count>,
    pub after: Option<Count>,
    pub difference: Option<f64>,
    /// Newcombe's, for this scenario alone.
    pub interval: Option<Interval>,
    /// Fisher's exact test after Holm's correction over the scenarios.
    pub p_value: Option<f64>,
    pub turn: Turn,
}

/// What became of a scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Turn {
    /// It failed always, and passes always.
    Fixed,
    /// It did not fail always, and does now.
    Broken,
    /// It passed or failed always, and does both now.
    BecameFlaky,
    /// It wavered, and passes always.
    Steadied,
    Rose,
    Fell,
    Same,
    /// Only the later run has it.
    New,
    /// Only the earlier run has it.
    Gone,
    /// A side has no valid trial.
    Unknown,
}

impl Comparison {
    /// Compares by scenario names. The confidence is that of the later report's gate.
    pub fn new(before: (&str, &Report), after: (&str, &Report)) -> Self {
        let confidence = after.1.gate.confidence();
        let is_same_suite = before.1.suite == after.1.suite;
        let scenarios = if is_same_suite { scenarios(before.1, after.1, confidence) } else { Vec::new() };
        let weight = |name: &str| after.1.scenarios.iter().find(|scenario| scenario.scenario == name);
        let pairs: Vec<Pair> = scenarios
            .iter()
            .filter_map(|row| {
                let weight = weight(&row.scenario)?.weight;
                Some(Pair { before: row.before?, after: row.after?, weight })
            })
            .collect();
        let paired = stats::paired(&pairs, confidence);
        Self {
            gap: if is_same_suite { None } else { gap(before.1, after.1, confidence) },
            change: paired.map_or(Change::NotShown, |paired| paired.change()),
            before: Side::of(before),
            after: Side::of(after),
            confidence,
            is_same_suite,
            paired,
            scenarios,
        }
    }
}

impl Side {
    fn of((name, report): (&str, &Report)) -> Self {
        Self { name: name.to_owned(), satisfaction: report.satisfaction, count: report.count() }
    }
}

fn gap(before: &Report, after: &Report, confidence: f64) -> Option<Gap> {
    let visible_first = before.suite == crate::Kind::Visible;
    let (visible, holdout) = if visible_first { (before, after) } else { (after, before) };
    let pooled = |report: &Report| stats::pooled(&report.cells());
    let (gap, interval) = stats::gap(&pooled(visible)?, &pooled(holdout)?, confidence);
    Some(Gap { gap, interval })
}

/// In the order of the later report, and then what it no longer has.
fn scenarios(before: &Report, after: &Report, confidence: f64) -> Vec<Compared> {
    let counts = |report: &Report| -> std::collections::HashMap<String, Count> {
        report.scenarios.iter().map(|scenario: &ScenarioReport| (scenario.scenario.clone(), scenario.count)).collect()
    };
    let (old, new) = (counts(before), counts(after));
    let gone = before.scenarios.iter().filter(|scenario| !new.contains_key(&scenario.scenario));
    let names = after.scenarios.iter().chain(gone).map(|scenario| scenario.scenario.as_str());
    let mut rows: Vec<Compared> =
        names.map(|name| Compared::new(name, old.get(name).copied(), new.get(name).copied(), confidence)).collect();
    correct(&mut rows);
    rows
}

/// Holm's correction over the scenarios that were tested.
fn correct(rows: &mut [Compared]) {
    let tested: Vec<f64> = rows.iter().filter_map(|row| row.p_value).collect();
    let corrected = stats::holm(&tested);
    rows.iter_mut().filter_map(|row| row.p_value.as_mut()).zip(corrected).for_each(|(p, corrected)| *p = corrected);
}

impl Compared {
    fn new(name: &str, before: Option<Count>, after: Option<Count>, confidence: f64) -> Self {
        let both = before.zip(after);
        let difference = both.and_then(|(before, after)| stats::difference(after, before, confidence));
        Self {
            scenario: name.to_owned(),
            before,
            after,
            difference: difference.map(|(difference, _)| difference),
            interval: difference.map(|(_, interval)| interval),
            p_value: both.and_then(|(before, after)| stats::fisher(before, after)),
            turn: Turn::of(before, after),
        }
    }

    /// Whether its own trials alone show that it changed.
    pub fn is_shown(&self) -> bool {
        self.p_value.is_some_and(|p| p < SIGNIFICANT)
    }
}

impl Turn {
    fn of(before: Option<Count>, after: Option<Count>) -> Self {
        let (before, after) = match (before, after) {
            (Some(before), Some(after)) => (before, after),
            (None, _) => return Self::New,
            (_, None) => return Self::Gone,
        };
        match (Flake::of(before), Flake::of(after)) {
            (Flake::Unknown, _) | (_, Flake::Unknown) => Self::Unknown,
            (Flake::StableFail, Flake::StablePass) => Self::Fixed,
            (Flake::StablePass | Flake::Flaky, Flake::StableFail) => Self::Broken,
            (Flake::StablePass | Flake::StableFail, Flake::Flaky) => Self::BecameFlaky,
            (Flake::Flaky, Flake::StablePass) => Self::Steadied,
            (Flake::StablePass, Flake::StablePass) | (Flake::StableFail, Flake::StableFail) => Self::Same,
            (Flake::Flaky, Flake::Flaky) => match before.rate().partial_cmp(&after.rate()) {
                Some(std::cmp::Ordering::Less) => Self::Rose,
                Some(std::cmp::Ordering::Greater) => Self::Fell,
                _ => Self::Same,
            },
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Fixed => "fixed",
            Self::Broken => "broken",
            Self::BecameFlaky => "became flaky",
            Self::Steadied => "steadied",
            Self::Rose => "rose",
            Self::Fell => "fell",
            Self::Same => "same",
            Self::New => "new",
            Self::Gone => "gone",
            Self::Unknown => "unknown",
        }
    }
}

/// The comparison for people: a table of what changed, and the verdict in words.
pub fn comparison_text(comparison: &Comparison, paint: Paint) -> String {
    let changed: Vec<_> = comparison.scenarios.iter().filter(|row| row.turn != Turn::Same).collect();
    let width = changed.iter().map(|row| row.scenario.chars().count()).max().unwrap_or(0);
    let mut out: String = changed.iter().map(|row| line(row, width, paint)).collect();
    let same = comparison.scenarios.len() - changed.len();
    if same > 0 {
        out.push_str(&format!("{} as before\n", words::plural(same, "scenario")));
    }
    out.push_str(&verdict(comparison, paint));
    out
}

fn line(row: &Compared, width: usize, paint: Paint) -> String {
    let count = |count: Option<Count>| {
        count.map_or_else(|| "-".to_owned(), |count| format!("{}/{}", count.satisfied, count.valid))
    };
    let word = match row.turn {
        Turn::Fixed | Turn::Steadied | Turn::Rose => paint.good(row.turn.word()),
        Turn::Broken | Turn::BecameFlaky | Turn::Fell => paint.bad(row.turn.word()),
        Turn::Same | Turn::New | Turn::Gone | Turn::Unknown => paint.odd(row.turn.word()),
    };
    let difference = row.difference.zip(row.interval).map_or_else(String::new, |(difference, interval)| {
        let shown = if row.is_shown() { ", shown by its own trials" } else { "" };
        format!("  {difference:+.3} {}{shown}", signed(interval))
    });
    let name = words::printable(&row.scenario);
    format!("{name:width$}  {:>7} → {:<7}  {word}{difference}\n", count(row.before), count(row.after))
}

fn signed(interval: Interval) -> String {
    format!("[{:+.3}, {:+.3}]", interval.lower, interval.upper)
}

fn verdict(comparison: &Comparison, paint: Paint) -> String {
    let percent = comparison.confidence * 100.0;
    if let Some(Gap { gap, interval }) = comparison.gap {
        let word = if interval.lower > 0.0 {
            paint.bad("the visible scenarios flatter the build")
        } else {
            "no gap is shown".to_owned()
        };
        return format!("{word}: visible − holdout {gap:+.3} {} at {percent:.0} %\n", signed(interval));
    }
    let Some(paired) = comparison.paired else {
        return "nothing to compare: no scenario has valid trials in both runs\n".to_owned();
    };
    let word = match comparison.change {
        Change::Better => paint.good("better"),
        Change::Worse => paint.bad("worse"),
        Change::NotShown => "no difference shown".to_owned(),
    };
    let mut text = format!(
        "{word}: satisfaction {:.3} → {:.3}, {:+.3} {} at {percent:.0} %\n  {} better, {} worse, {} equal",
        paired.before,
        paired.after,
        paired.difference,
        signed(paired.interval),
        paired.better,
        paired.worse,
        paired.equal
    );
    if let Some(p) = paired.sign_test_p {
        text.push_str(&format!("; sign test p = {p:.3}"));
    }
    text.push('\n');
    if comparison.change == Change::NotShown {
        text.push_str(&match paired.trials_needed {
            _ if paired.difference == 0.0 => "  the rates are equal; nothing is left to tell apart\n".to_owned(),
            Some(more) => format!(
                "  {} of each scenario under each build would tell them apart, at these rates\n",
                words::plural(more as usize, "more trial")
            ),
            None => "  more trials at these rates would not tell them apart; more scenarios could\n".to_owned(),
        });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Comparison, Turn, comparison_text};
    use crate::{
        Kind, Report, Verdict,
        report::{Paint, Tally, samples},
        stats::Change,
    };

    /// Four scenarios with so many satisfied of `trials`.
    fn report(satisfied: [u32; 4], trials: u32) -> Report {
        let mut tally = Tally::new(samples::roster(trials));
        for (scenario, satisfied) in ["good", "bad", "flaky", "broken"].into_iter().zip(satisfied) {
            for n in 1..=trials {
                let verdict = if n <= satisfied { Verdict::Satisfied } else { Verdict::Unsatisfied };
                tally.add(&samples::record(scenario, n, verdict));
            }
        }
        tally.report(std::time::Duration::ZERO)
    }

    fn compared(before: &Report, after: &Report) -> Comparison {
        Comparison::new(("a", before), ("b", after))
    }

    #[test]
    fn a_build_that_is_better_everywhere_is_better() {
        let comparison = compared(&report([10, 10, 0, 5], 40), &report([40, 40, 30, 35], 40));
        assert_eq!(comparison.change, Change::Better);
        assert!(comparison.scenarios.iter().all(super::Compared::is_shown));
        assert!(comparison_text(&comparison, Paint::Plain).contains("\nbetter: satisfaction 0.156 → 0.906, +0.750 "));
    }

    #[test]
    fn a_difference_that_is_not_shown_says_what_would() {
        let comparison = compared(&report([5, 5, 5, 5], 10), &report([6, 6, 6, 6], 10));
        let text = comparison_text(&comparison, Paint::Plain);
        assert!(text.contains("no difference shown") && text.contains("more trials of each scenario"), "{text}");
        let equal = compared(&report([5, 5, 5, 5], 10), &report([5, 5, 5, 5], 10));
        let text = comparison_text(&equal, Paint::Plain);
        assert!(
            text.starts_with("4 scenarios as before\n") && text.contains("nothing is left to tell apart"),
            "{text}"
        );
    }

    #[test]
    fn what_became_of_each_scenario_is_a_word() {
        let comparison = compared(&report([2, 0, 1, 2], 2), &report([0, 2, 2, 1], 2));
        let turns: Vec<_> = comparison.scenarios.iter().map(|row| row.turn).collect();
        assert_eq!(turns, [Turn::Broken, Turn::Fixed, Turn::Steadied, Turn::BecameFlaky]);
        let (mut fewer, all) = (report([2; 4], 2), report([2; 4], 2));
        fewer.scenarios.remove(0);
        assert_eq!(compared(&fewer, &all).scenarios[0].turn, Turn::New);
        assert_eq!(compared(&all, &fewer).scenarios[3].turn, Turn::Gone);
    }

    #[test]
    fn a_visible_suite_and_holdouts_have_a_gap() {
        let (visible, mut holdout) = (report([10; 4], 10), report([2; 4], 10));
        holdout.suite = Kind::Holdout;
        let comparison = compared(&visible, &holdout);
        let gap = comparison.gap.unwrap();
        assert!((gap.gap - 0.8).abs() < 1e-9 && comparison.paired.is_none() && comparison.scenarios.is_empty());
        assert_eq!(compared(&holdout, &visible).gap, Some(gap), "the order does not matter");
        assert!(comparison_text(&comparison, Paint::Plain).starts_with("the visible scenarios flatter the build"));
    }
}
