//! The gate: is satisfaction shown? Pure: trials in, the whole reasoning out.
//!
//! A suite passes where the one-sided lower bound of its satisfaction reaches the target, no scenario failed all of its
//! trials (a mean must not hide a lost slice), and nothing was left unjudged. Both suites must pass.

use std::collections::{BTreeMap, BTreeSet};

use harness::stats::{self, Cell, Count};
use model::{
    event::grade::{GateEvaluated, RequirementEvidence, TrialVerdict},
    hash::Digest,
    id::ActionId,
    spec::{Satisfaction, Spec},
    verdict::{Score, Suite},
};

const SAME_FAILURES_MAX: usize = 3; // gates in a row with the same failures mean that the loop is stuck
const GAP_CONFIDENCE: f64 = 0.95;

/// A trial as the gate sees it.
#[derive(Clone, Debug)]
pub struct Graded {
    pub suite: Suite,
    pub scenario: String,
    pub requirements: Vec<String>,
    pub weight: f64,
    pub verdict: TrialVerdict,
    /// Of the re-run after the gate had passed.
    pub fresh: bool,
}

/// Where the walk is when the gate is asked.
#[derive(Clone, Debug)]
pub struct Visit {
    pub action: ActionId,
    pub iteration: u32,
    /// The re-run of every scenario must have happened too.
    pub fresh: bool,
}

/// The gate's finding.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    pub gate: GateEvaluated,
    /// What failed, as a digest: equal digests are equal sets of failing scenarios.
    pub failures: Digest,
}

/// Whether `failures` came up in each of the last gates too.
pub fn is_stuck(earlier: &[Digest], failures: Digest) -> bool {
    let same = earlier.iter().rev().take_while(|digest| **digest == failures).count();
    same + 1 >= SAME_FAILURES_MAX
}

/// Which scenarios each suite has: one of them without a valid trial is an objection, not an absence.
#[derive(Clone, Debug, Default)]
pub struct Planned {
    pub visible: BTreeSet<String>,
    pub holdout: BTreeSet<String>,
}

impl Planned {
    fn of(&self, suite: Suite) -> &BTreeSet<String> {
        match suite {
            Suite::Visible => &self.visible,
            Suite::Holdout => &self.holdout,
        }
    }
}

/// Judges all trials of one tree.
pub fn evaluate(spec: &Spec, planned: &Planned, trials: &[Graded], visit: Visit) -> Finding {
    let Visit { action, iteration, fresh } = visit;
    let visible = score(&spec.satisfaction, trials, Suite::Visible);
    let holdout = score(&spec.satisfaction, trials, Suite::Holdout);
    let objections = [(Suite::Visible, &visible), (Suite::Holdout, &holdout)]
        .into_iter()
        .filter_map(|(suite, score)| objection(spec, planned.of(suite), trials, suite, score, fresh));
    let objections: Vec<String> = objections.collect();
    let pooled = |suite| stats::pooled(&cells(trials, suite).into_values().collect::<Vec<_>>());
    let (gap, interval) = pooled(Suite::Visible)
        .zip(pooled(Suite::Holdout))
        .map(|(visible, holdout)| stats::gap(&visible, &holdout, GAP_CONFIDENCE))
        .map_or((0.0, (-1.0, 1.0)), |(gap, interval)| (gap, (interval.lower, interval.upper)));
    let held = if fresh { ", and it held over fresh trials" } else { "" };
    let gate = GateEvaluated {
        action,
        iteration,
        target: spec.satisfaction.target,
        satisfied: objections.is_empty(),
        reason: if objections.is_empty() {
            let (v, h) = (visible.lower_bound, holdout.lower_bound);
            format!("lower bounds {v:.3} (visible) and {h:.3} (holdout) reach {:.2}{held}", spec.satisfaction.target)
        } else {
            objections.join("; ")
        },
        visible,
        holdout,
        gap,
        gap_low: interval.0,
        gap_high: interval.1,
        requirements: evidence(spec, trials),
    };
    Finding { gate, failures: failing(trials) }
}

fn of_suite(trials: &[Graded], suite: Suite) -> impl Iterator<Item = &Graded> {
    trials.iter().filter(move |trial| trial.suite == suite)
}

/// Per scenario: satisfied, valid, weight.
fn cells(trials: &[Graded], suite: Suite) -> BTreeMap<&str, Cell> {
    let mut cells: BTreeMap<&str, Cell> = BTreeMap::new();
    for trial in of_suite(trials, suite) {
        let cell =
            cells.entry(&trial.scenario).or_insert_with(|| Cell { count: Count::default(), weight: trial.weight });
        match trial.verdict {
            TrialVerdict::Satisfied => {
                cell.count.satisfied += 1;
                cell.count.valid += 1;
            }
            TrialVerdict::Unsatisfied => cell.count.valid += 1,
            TrialVerdict::Unjudged | TrialVerdict::Infra => {}
        }
    }
    cells
}

pub(crate) fn score(wanted: &Satisfaction, trials: &[Graded], suite: Suite) -> Score {
    let cells: Vec<Cell> = cells(trials, suite).into_values().collect();
    let pooled = stats::pooled(&cells);
    let total = |part: fn(&Cell) -> u32| cells.iter().map(part).sum();
    let infra = of_suite(trials, suite).filter(|trial| trial.verdict == TrialVerdict::Infra).count();
    Score {
        scenarios: u32::try_from(cells.len()).unwrap_or(u32::MAX),
        trials: total(|cell| cell.count.valid),
        satisfied: total(|cell| cell.count.satisfied),
        satisfaction: pooled.as_ref().map_or(0.0, |pooled| pooled.satisfaction),
        lower_bound: pooled.as_ref().map_or(0.0, |pooled| pooled.lower_bound(wanted.confidence)),
        confidence: wanted.confidence,
        infra: u32::try_from(infra).unwrap_or(u32::MAX),
    }
}

/// Why a suite does not pass; `None` where it does.
fn objection(
    spec: &Spec,
    planned: &BTreeSet<String>,
    trials: &[Graded],
    suite: Suite,
    score: &Score,
    fresh: bool,
) -> Option<String> {
    let words = suite.words();
    let count = |wanted: TrialVerdict| of_suite(trials, suite).filter(|trial| trial.verdict == wanted).count();
    let lost: Vec<&str> = cells(trials, suite)
        .into_iter()
        .filter(|(_, cell)| cell.count.valid > 0 && cell.count.satisfied == 0)
        .map(|(scenario, _)| scenario)
        .collect();
    if score.trials == 0 {
        return Some(format!("{words}: no valid trial"));
    }
    if count(TrialVerdict::Unjudged) > 0 {
        return Some(format!("{words}: {} trials are unjudged", count(TrialVerdict::Unjudged)));
    }
    let untried = without_valid_trial(planned, of_suite(trials, suite));
    if untried > 0 {
        return Some(format!("{words}: {untried} of {} scenarios have no valid trial", planned.len()));
    }
    let unrepeated = without_valid_trial(planned, of_suite(trials, suite).filter(|trial| trial.fresh));
    if fresh && unrepeated > 0 {
        return Some(format!("{words}: {unrepeated} of {} scenarios have no fresh trial", planned.len()));
    }
    if !lost.is_empty() {
        return Some(format!("{words}: {} of {} scenarios failed every trial", lost.len(), score.scenarios));
    }
    let target = spec.satisfaction.target;
    if score.lower_bound >= target {
        return None;
    }
    let cells: Vec<Cell> = cells(trials, suite).into_values().collect();
    let needed = stats::trials_needed(&cells, target, score.confidence);
    let more = needed.map_or_else(String::new, |more| format!(", {more} more of each scenario would settle it"));
    let (satisfied, trials, bound) = (score.satisfied, score.trials, score.lower_bound);
    Some(format!("{words}: {satisfied} of {trials} trials, lower bound {bound:.3} is below {target:.2}{more}"))
}

fn without_valid_trial<'a>(planned: &BTreeSet<String>, trials: impl Iterator<Item = &'a Graded>) -> usize {
    let valid = |trial: &&Graded| matches!(trial.verdict, TrialVerdict::Satisfied | TrialVerdict::Unsatisfied);
    let tried: BTreeSet<&str> = trials.filter(valid).map(|trial| trial.scenario.as_str()).collect();
    planned.iter().filter(|scenario| !tried.contains(scenario.as_str())).count()
}

fn evidence(spec: &Spec, trials: &[Graded]) -> Vec<RequirementEvidence> {
    let counted = |id: &str, suite: Suite, satisfied: bool| {
        let of_requirement = of_suite(trials, suite).filter(|trial| trial.requirements.iter().any(|r| r == id));
        let counted = of_requirement.filter(|trial| match trial.verdict {
            TrialVerdict::Satisfied => true,
            TrialVerdict::Unsatisfied => !satisfied,
            TrialVerdict::Unjudged | TrialVerdict::Infra => false,
        });
        u32::try_from(counted.count()).unwrap_or(u32::MAX)
    };
    let evidence_of = |requirement: &model::spec::Requirement| RequirementEvidence {
        requirement: requirement.id.clone(),
        text: requirement.text.clone(),
        visible_trials: counted(&requirement.id, Suite::Visible, false),
        visible_satisfied: counted(&requirement.id, Suite::Visible, true),
        holdout_trials: counted(&requirement.id, Suite::Holdout, false),
        holdout_satisfied: counted(&requirement.id, Suite::Holdout, true),
    };
    spec.requirements.iter().map(evidence_of).collect()
}

fn failing(trials: &[Graded]) -> Digest {
    let failed = trials.iter().filter(|trial| trial.verdict == TrialVerdict::Unsatisfied);
    let names: BTreeSet<String> = failed.map(|trial| format!("{}/{}\n", trial.suite.words(), trial.scenario)).collect();
    Digest::of(names.into_iter().collect::<String>().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> Spec {
        let text = "---\nid: s\ntitle: S\nrequirements: { R1: one, R2: two }\n---\nBody\n";
        Spec::parse(&located::Source::new("s.md", text)).expect("sound")
    }

    fn graded(suite: Suite, scenario: usize, verdict: TrialVerdict) -> Graded {
        let requirements = vec![if scenario.is_multiple_of(2) { "R1" } else { "R2" }.to_owned()];
        Graded { suite, scenario: format!("s{scenario}"), requirements, weight: 1.0, verdict, fresh: false }
    }

    fn all_pass() -> Vec<Graded> {
        let suites = [Suite::Visible, Suite::Holdout];
        suites
            .into_iter()
            .flat_map(|suite| (0..20).map(move |n| graded(suite, n % 10, TrialVerdict::Satisfied)))
            .collect()
    }

    /// What the gate says, with every scenario planned that a trial names.
    fn evaluate(spec: &Spec, trials: &[Graded], fresh: bool) -> GateEvaluated {
        let names = |suite| of_suite(trials, suite).map(|trial| trial.scenario.clone()).collect();
        let planned = Planned { visible: names(Suite::Visible), holdout: names(Suite::Holdout) };
        super::evaluate(spec, &planned, trials, Visit { action: ActionId::new("gate", 1, 1), iteration: 1, fresh }).gate
    }

    #[test]
    fn a_scenario_without_a_valid_trial_is_an_objection() {
        let mut trials = all_pass();
        trials.push(graded(Suite::Holdout, 11, TrialVerdict::Infra));
        assert_eq!(evaluate(&spec(), &trials, false).reason, "holdout: 1 of 11 scenarios have no valid trial");
    }

    #[test]
    fn twenty_of_twenty_in_both_suites_shows_a_target_of_080() {
        let finding = evaluate(&spec(), &all_pass(), false);
        assert!(finding.satisfied, "{}", finding.reason);
        assert_eq!(finding.requirements[0].holdout_satisfied, 10);
        assert!(finding.gap.abs() < 1e-9 && finding.gap_low < 0.0 && finding.gap_high > 0.0);
    }

    #[test]
    fn one_lost_scenario_is_not_hidden_by_the_mean() {
        let mut trials: Vec<Graded> = (0..10).flat_map(|_| all_pass()).collect();
        trials.push(graded(Suite::Holdout, 11, TrialVerdict::Unsatisfied));
        let finding = evaluate(&spec(), &trials, false);
        assert!(finding.holdout.satisfaction > 0.9);
        assert!(!finding.satisfied);
        assert_eq!(finding.reason, "holdout: 1 of 11 scenarios failed every trial");
    }

    #[test]
    fn few_trials_show_nothing_and_the_reason_says_how_many_more() {
        let trials: Vec<Graded> = all_pass().into_iter().filter(|trial| trial.scenario.as_str() < "s3").collect();
        let finding = evaluate(&spec(), &trials, false);
        assert!(!finding.satisfied);
        assert!(finding.reason.contains("more of each scenario would settle it"), "{}", finding.reason);
    }

    #[test]
    fn infra_and_unjudged_trials_count_as_neither_and_no_trial_is_no_pass() {
        let mut trials = all_pass();
        trials.push(graded(Suite::Visible, 0, TrialVerdict::Infra));
        assert!(evaluate(&spec(), &trials, false).satisfied);
        assert_eq!(evaluate(&spec(), &trials, false).visible.infra, 1);
        trials.push(graded(Suite::Visible, 0, TrialVerdict::Unjudged));
        assert!(!evaluate(&spec(), &trials, false).satisfied);
        assert!(!evaluate(&spec(), &[], false).satisfied);
    }

    #[test]
    fn staying_satisfied_needs_fresh_trials() {
        let mut trials = all_pass();
        assert!(!evaluate(&spec(), &trials, true).satisfied);
        trials.iter_mut().step_by(7).for_each(|trial| trial.fresh = true);
        assert!(!evaluate(&spec(), &trials, true).satisfied, "some scenarios were not tried afresh");
        trials.iter_mut().step_by(2).for_each(|trial| trial.fresh = true);
        trials.iter_mut().skip(1).step_by(2).for_each(|trial| trial.fresh = true);
        assert!(evaluate(&spec(), &trials, true).satisfied);
    }

    #[test]
    fn the_same_failures_three_times_in_a_row_are_stuck() {
        let (a, b) = (Digest::of(b"a"), Digest::of(b"b"));
        assert!(is_stuck(&[b, a, a], a));
        assert!(!is_stuck(&[a, a, b, a], a));
        assert!(!is_stuck(&[a], a));
    }
}
