//! Counting records one by one. What is held does not grow with the trials: counts, and the first few failures of each
//! scenario. The order in which records come does not matter.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Duration,
};

use super::{Entry, Invalid, Judged, LEAKED_NAMES_MAX, Leaked, Passes, Report, Roster, ScenarioReport, TrialFailure};
use crate::{
    record::{TrialRecord, Verdict},
    run::Gate,
    stats::{self, Cell, Count, Draws, Flake},
};

/// Failed trials of one scenario that a report holds, and likewise invalid ones: those with the lowest numbers.
pub const FAILURES_KEPT_MAX: usize = 10; // the eleventh time a person learns nothing new

/// The numbers of tries that are reported.
const TRIES: [u32; 7] = [2, 3, 5, 10, 20, 50, 100];

/// A report in the making.
#[derive(Clone, Debug)]
pub struct Tally {
    roster: Roster,
    positions: HashMap<String, usize>,
    rows: Vec<Row>,
}

/// What is known of one scenario.
#[derive(Clone, Debug, Default)]
struct Row {
    count: Count,
    /// Valid or not.
    executed: u32,
    duration_ms: u64,
    slowest_ms: u64,
    failures: Vec<TrialFailure>,
    invalid: Vec<Invalid>,
    /// By criterion.
    draws: BTreeMap<String, Draws>,
    leaking_trials: u32,
    leaked: u32,
    leaked_names: BTreeSet<String>,
}

impl Tally {
    pub fn new(roster: Roster) -> Self {
        let names = roster.scenarios.iter().map(|entry| entry.scenario.clone());
        let positions = names.zip(0..).collect();
        let rows = vec![Row::default(); roster.scenarios.len()];
        Self { roster, positions, rows }
    }

    /// Counts a trial. One of another suite, or of a scenario that is not on the roster, says nothing here and is
    /// passed over; that no trial comes twice is up to the caller.
    pub fn add(&mut self, record: &TrialRecord) {
        let position = self.positions.get(&record.scenario).filter(|_| record.suite == self.roster.suite);
        if let Some(position) = position {
            self.rows[*position].add(record);
        }
    }

    /// Whether the run is not satisfied any more, whatever comes.
    pub(crate) fn is_hopeless(&self) -> bool {
        let open = |row: &Row| self.roster.trials.saturating_sub(row.executed);
        self.roster.bar().is_hopeless(self.cells().zip(self.rows.iter().map(open)))
    }

    /// Count and weight of each scenario in the roster's order.
    fn cells(&self) -> impl Iterator<Item = Cell> {
        let rows = self.rows.iter().zip(&self.roster.scenarios);
        rows.map(|(row, entry)| Cell { count: row.count, weight: entry.weight })
    }

    /// The report of what was counted so far.
    pub fn report(&self, took: Duration) -> Report {
        let cells: Vec<Cell> = self.cells().collect();
        let pooled = stats::pooled(&cells);
        let gate = self.roster.gate;
        Report {
            subject: self.roster.subject.clone(),
            suite: self.roster.suite,
            outcome: self.roster.bar().outcome(&cells),
            gate,
            seed: self.roster.seed,
            started_at: self.roster.started_at,
            satisfaction: pooled.map(|pooled| pooled.satisfaction),
            interval: pooled.map(|pooled| pooled.interval(gate.confidence())),
            standard_error: pooled.and_then(|pooled| pooled.standard_error),
            lower_bound: pooled.map(|pooled| pooled.lower_bound(gate.confidence())),
            trials_needed: match gate {
                Gate::Every { .. } => None,
                Gate::LowerBound { target, confidence } => stats::trials_needed(&cells, target, confidence),
            },
            passes: pooled_passes(&cells),
            planned: self.roster.trials.saturating_mul(u32::try_from(cells.len()).unwrap_or(u32::MAX)),
            executed: self.rows.iter().map(|row| row.executed).sum(),
            scenarios: self.scenarios(),
            skipped: self.roster.skipped.clone(),
            arguments: self.roster.arguments.clone(),
            invalid: self.rows.iter().flat_map(|row| row.invalid.iter().cloned()).collect(),
            leaked: self.leaked(),
            duration_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        }
    }

    fn leaked(&self) -> Leaked {
        let names: BTreeSet<_> = self.rows.iter().flat_map(|row| &row.leaked_names).collect();
        Leaked {
            trials: self.rows.iter().map(|row| row.leaking_trials).sum(),
            processes: self.rows.iter().map(|row| row.leaked).sum(),
            names: names.into_iter().take(LEAKED_NAMES_MAX).cloned().collect(),
        }
    }

    fn scenarios(&self) -> Vec<ScenarioReport> {
        let confidence = self.roster.gate.confidence();
        let of = |(row, entry): (&Row, &Entry)| ScenarioReport {
            scenario: entry.scenario.clone(),
            title: entry.title.clone(),
            requirements: entry.requirements.clone(),
            theme: entry.theme.clone(),
            weight: entry.weight,
            file: entry.file.clone(),
            tags: entry.tags.clone(),
            count: row.count,
            executed: row.executed,
            flake: Flake::of(row.count),
            interval: stats::wilson(row.count, confidence),
            exact_interval: (row.count.valid > 0).then(|| stats::clopper_pearson(row.count, confidence)),
            passes: TRIES.iter().map_while(|k| passes(row.count, *k)).collect(),
            judged: row.judged(),
            duration_ms: row.duration_ms,
            slowest_ms: row.slowest_ms,
            failures: row.failures.clone(),
        };
        self.rows.iter().zip(&self.roster.scenarios).map(of).collect()
    }
}

impl Row {
    fn add(&mut self, record: &TrialRecord) {
        self.executed += 1;
        self.count.valid += u32::from(record.verdict.is_valid());
        self.count.satisfied += u32::from(record.verdict == Verdict::Satisfied);
        self.duration_ms = self.duration_ms.saturating_add(record.duration_ms);
        self.slowest_ms = self.slowest_ms.max(record.duration_ms);
        self.leak(&record.leaked);
        for judged in &record.judge {
            let passes = judged.votes.iter().filter(|vote| vote.pass).count();
            let of = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
            self.draws.entry(judged.criterion.clone()).or_default().add(of(passes), of(judged.votes.len()));
        }
        match record.verdict {
            Verdict::Satisfied => {}
            Verdict::Unsatisfied => {
                if let Some(why) = &record.failure {
                    keep_first(&mut self.failures, record.trial, |kept| kept.trial, || TrialFailure::of(record, why));
                }
            }
            Verdict::Infra | Verdict::Unjudged => {
                keep_first(&mut self.invalid, record.trial, |kept| kept.trial, || Invalid::of(record));
            }
        }
    }

    /// Processes as `pid name`. Of the names the first in order are kept, so that it does not matter who came first.
    fn leak(&mut self, processes: &[String]) {
        self.leaking_trials += u32::from(!processes.is_empty());
        self.leaked = self.leaked.saturating_add(u32::try_from(processes.len()).unwrap_or(u32::MAX));
        for process in processes {
            let name = process.split_once(' ').map_or(process.as_str(), |(_, name)| name);
            self.leaked_names.insert(name.to_owned());
            if self.leaked_names.len() > LEAKED_NAMES_MAX {
                self.leaked_names.pop_last();
            }
        }
    }

    fn judged(&self) -> Vec<Judged> {
        let split = |(criterion, draws): (&String, &Draws)| {
            Some(Judged { criterion: criterion.clone(), split: draws.split()? })
        };
        self.draws.iter().filter_map(split).collect()
    }
}

fn passes(count: Count, k: u32) -> Option<Passes> {
    Some(Passes { k, at_least_one: stats::pass_at_k(count, k)?, all: stats::pass_hat_k(count, k)? })
}

/// `None` where a scenario has too few trials: an average over the others would be of another suite.
fn pooled_passes(cells: &[Cell]) -> Vec<Passes> {
    let total: f64 = cells.iter().map(|cell| cell.weight).sum();
    let pooled = |k: u32| {
        let zero = Passes { k, at_least_one: 0.0, all: 0.0 };
        cells.iter().try_fold(zero, |sum, cell| {
            let (share, one) = (cell.weight / total, passes(cell.count, k)?);
            let (at_least_one, all) = (sum.at_least_one + share * one.at_least_one, sum.all + share * one.all);
            Some(Passes { k, at_least_one, all })
        })
    };
    TRIES.iter().map_while(|k| pooled(*k)).collect()
}

/// Keeps those with the lowest numbers, in order, without making what would not be kept.
fn keep_first<T>(kept: &mut Vec<T>, number: u32, number_of: fn(&T) -> u32, make: impl FnOnce() -> T) {
    let position = kept.partition_point(|other| number_of(other) <= number);
    if position < FAILURES_KEPT_MAX {
        kept.truncate(FAILURES_KEPT_MAX - 1);
        kept.insert(position, make());
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{FAILURES_KEPT_MAX, Tally};
    use crate::{
        record::Verdict,
        report::samples,
        scenario::Kind,
        stats::{Count, Flake},
    };

    #[test]
    fn the_order_of_records_changes_nothing() {
        let verdict = |n: u32| [Verdict::Satisfied, Verdict::Unsatisfied, Verdict::Infra][n as usize % 3];
        let records: Vec<_> = (1..=60).map(|n| samples::record("flaky", n, verdict(n))).collect();
        let mut forwards = Tally::new(samples::roster(60));
        let mut backwards = forwards.clone();
        records.iter().for_each(|record| forwards.add(record));
        records.iter().rev().for_each(|record| backwards.add(record));
        assert_eq!(forwards.report(Duration::ZERO), backwards.report(Duration::ZERO));
    }

    #[test]
    fn processes_that_outlived_trials_are_counted_and_the_first_names_are_held() {
        let mut tally = Tally::new(samples::roster(9));
        for n in 0..9 {
            let mut record = samples::record("good", n + 1, Verdict::Satisfied);
            record.leaked = if n == 0 { Vec::new() } else { vec![format!("4711 p{n}"), "4712 sh".to_owned()] };
            tally.add(&record);
        }
        let leaked = tally.report(Duration::ZERO).leaked;
        assert_eq!((leaked.trials, leaked.processes), (8, 16));
        assert_eq!(leaked.names, ["p1", "p2", "p3", "p4", "p5"]);
    }

    #[test]
    fn only_the_first_failures_are_held_and_all_are_counted() {
        let mut tally = Tally::new(samples::roster(100));
        for n in (1..=100).rev() {
            tally.add(&samples::record("bad", n, if n % 2 == 0 { Verdict::Unsatisfied } else { Verdict::Unjudged }));
        }
        let report = tally.report(Duration::ZERO);
        let bad = report.scenarios.iter().find(|scenario| scenario.scenario == "bad").unwrap();
        assert_eq!((bad.count, bad.executed, bad.flake), (Count::new(0, 50), 100, Flake::StableFail));
        let failed: Vec<_> = bad.failures.iter().map(|failure| failure.trial).collect();
        assert_eq!(failed, (1..=10).map(|n| 2 * n).collect::<Vec<_>>());
        assert_eq!((report.invalid.len(), report.invalid[0].trial), (FAILURES_KEPT_MAX, 1));
        assert_eq!((report.invalid_count(), report.planned), (50, 400));
    }

    #[test]
    fn records_of_other_suites_and_scenarios_are_not_counted() {
        let mut tally = Tally::new(samples::roster(1));
        tally.add(&samples::record("gone", 1, Verdict::Satisfied));
        tally.add(&crate::TrialRecord { suite: Kind::Holdout, ..samples::record("good", 1, Verdict::Satisfied) });
        assert_eq!(tally.report(Duration::ZERO).executed, 0);
    }
}
