//! What the page shows, as plain values: the template only places them. Text of a subject is made printable here and
//! escaped by the template engine.

use serde::Serialize;

use super::{
    gallery::{Exhibit, Gallery},
    step::StepView,
};
use crate::{
    record::{TrialRecord, Verdict},
    report::{Invalid, Outcome, Report, ScenarioReport, TrialFailure, diff, words},
    run::Gate,
    scenario::{Kind, Skipped},
    stats::{Flake, Interval},
};

const ROWS_MAX: usize = 5_000; // a list that a browser still scrolls smoothly

#[derive(Serialize)]
pub(super) struct Page {
    subject: String,
    is_holdout: bool,
    outcome: &'static str,
    /// `good`, `bad` or `odd`.
    tone: &'static str,
    counts: String,
    satisfaction: Option<Satisfaction>,
    passes: Vec<Tries>,
    started: Option<String>,
    duration: String,
    seed: u64,
    version: &'static str,
    filters: Vec<Filter>,
    rows: Vec<Row>,
    left_out: usize,
    /// Those that files say not to run.
    skipped: Vec<SkippedView>,
}

#[derive(Serialize)]
struct SkippedView {
    scenario: String,
    reason: String,
}

#[derive(Serialize)]
struct Satisfaction {
    value: String,
    conclusion: String,
    bar: Bar,
}

/// Positions on a line from 0 to 1.
#[derive(Serialize)]
struct Bar {
    value: Option<f64>,
    lower: f64,
    upper: f64,
    target: Option<f64>,
    label: String,
}

#[derive(Serialize)]
struct Tries {
    k: u32,
    at_least_one: String,
    all: String,
}

#[derive(Serialize)]
struct Filter {
    word: &'static str,
    count: usize,
}

#[derive(Serialize)]
struct Row {
    word: &'static str,
    tone: &'static str,
    scenario: String,
    title: String,
    requirements: Vec<String>,
    tags: Vec<String>,
    file: String,
    count: String,
    /// Absent where no trial was valid.
    bar: Option<Bar>,
    interval: String,
    exact_interval: Option<String>,
    passes: Vec<Tries>,
    judged: Vec<String>,
    slowest: String,
    slowest_ms: u64,
    rate: f64,
    trials: Vec<TrialView>,
    /// Failures of which no record is at hand.
    failures: Vec<FailureView>,
    left_out: u32,
}

#[derive(Serialize)]
struct TrialView {
    number: u32,
    attempt: u32,
    word: &'static str,
    tone: &'static str,
    duration: String,
    seed: u64,
    twin_calls: u64,
    is_cut: bool,
    failure: Option<FailureView>,
    steps: Vec<StepView>,
    judged: Vec<JudgedView>,
    log: String,
    leaked: Vec<String>,
}

#[derive(Serialize)]
struct FailureView {
    at: String,
    place: String,
    message: String,
    diff: Vec<DiffLine>,
}

#[derive(Serialize)]
struct DiffLine {
    sign: &'static str,
    tone: &'static str,
    text: String,
}

#[derive(Serialize)]
struct JudgedView {
    criterion: String,
    passed: bool,
    votes: Vec<(bool, String)>,
}

impl Page {
    pub(super) fn new(report: &Report, gallery: &Gallery) -> Self {
        let mut rows: Vec<_> = report.cases().collect();
        let left_out = rows.len().saturating_sub(ROWS_MAX);
        // What needs attention comes first, and what passes is left out first.
        let all = ["failed", "flaky", "unknown", "not run", "passed"];
        rows.sort_by_key(|(scenario, _, _)| all.iter().position(|word| *word == words::flake(scenario)));
        rows.truncate(ROWS_MAX);
        let having = |word: &str| report.scenarios.iter().filter(|scenario| words::flake(scenario) == word).count();
        let filters = all.map(|word| Filter { word, count: having(word) });
        Self {
            subject: printable(&report.subject),
            is_holdout: report.suite == Kind::Holdout,
            outcome: words::outcome(report.outcome),
            tone: match report.outcome {
                Outcome::Satisfied => "good",
                Outcome::Unsatisfied => "bad",
                Outcome::Infra => "odd",
            },
            counts: words::counts(report),
            satisfaction: satisfaction(report),
            passes: report.passes.iter().map(Tries::of).collect(),
            started: report.started_at.map(|at| at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()),
            duration: words::duration(report.duration_ms),
            seed: report.seed,
            version: env!("CARGO_PKG_VERSION"),
            filters: filters.into_iter().filter(|filter| filter.count > 0).collect(),
            rows: rows.iter().map(|(scenario, _, invalid)| Row::of(scenario, invalid, gallery)).collect(),
            left_out,
            skipped: report.skipped.iter().take(ROWS_MAX).map(SkippedView::of).collect(),
        }
    }
}

impl SkippedView {
    fn of(skipped: &Skipped) -> Self {
        Self { scenario: printable(&skipped.scenario), reason: printable(&skipped.reason) }
    }
}

fn satisfaction(report: &Report) -> Option<Satisfaction> {
    let (value, interval, conclusion) = (report.satisfaction?, report.interval?, words::conclusion(report)?);
    let target = match report.gate {
        Gate::LowerBound { target, .. } => Some(target),
        Gate::Every { .. } => None,
    };
    let bar = Bar::new(Some(value), interval, target, conclusion.clone());
    Some(Satisfaction { value: format!("{value:.3}"), conclusion, bar })
}

impl Bar {
    fn new(value: Option<f64>, interval: Interval, target: Option<f64>, label: String) -> Self {
        Self { value, lower: interval.lower, upper: interval.upper, target, label }
    }
}

impl Tries {
    fn of(passes: &crate::report::Passes) -> Self {
        let share = |share: f64| format!("{share:.3}");
        Self { k: passes.k, at_least_one: share(passes.at_least_one), all: share(passes.all) }
    }
}

impl Row {
    fn of(scenario: &ScenarioReport, invalid: &[&Invalid], gallery: &Gallery) -> Self {
        let trials: Vec<_> = gallery.of(&scenario.scenario).map(TrialView::of).collect();
        let failures = match trials.as_slice() {
            [] => failures(scenario, invalid),
            _ => Vec::new(),
        };
        let shown = u32::try_from(trials.len().max(failures.len())).unwrap_or(u32::MAX);
        let interval = words::interval(scenario.interval);
        let label = format!("{}, interval {interval}", words::count(scenario.count));
        Self {
            word: words::flake(scenario),
            tone: match scenario.flake {
                Flake::StablePass => "good",
                Flake::StableFail | Flake::Flaky => "bad",
                Flake::Unknown => "odd",
            },
            scenario: printable(&scenario.scenario),
            title: printable(&scenario.title),
            requirements: scenario.requirements.clone(),
            tags: scenario.tags.clone(),
            file: scenario.file.clone(),
            count: format!("{}/{}", scenario.count.satisfied, scenario.count.valid),
            bar: scenario.count.rate().map(|rate| Bar::new(Some(rate), scenario.interval, None, label)),
            interval,
            exact_interval: scenario.exact_interval.map(words::interval),
            passes: scenario.passes.iter().map(Tries::of).collect(),
            judged: scenario.judged.iter().map(judged).collect(),
            slowest: words::duration(scenario.slowest_ms),
            slowest_ms: scenario.slowest_ms,
            rate: scenario.count.rate().unwrap_or(-1.0),
            trials,
            failures,
            left_out: scenario.executed.saturating_sub(shown),
        }
    }
}

fn failures(scenario: &ScenarioReport, invalid: &[&Invalid]) -> Vec<FailureView> {
    let uncounted = invalid.iter().map(|trial| FailureView {
        at: format!("trial {} is not counted", trial.trial),
        place: String::new(),
        message: printable(&trial.reason),
        diff: Vec::new(),
    });
    scenario.failures.iter().map(FailureView::of).chain(uncounted).collect()
}

/// Whose flake it is, in words.
fn judged(judged: &crate::report::Judged) -> String {
    let split = judged.split;
    let whose = match (split.trajectory_variance > 0.0, split.judge_variance > 0.0) {
        (false, false) => "all votes agree",
        (true, false) => "the subject wavers, the judge does not",
        (false, true) => "the judge wavers, the subject does not",
        (true, true) => "the subject and the judge waver",
    };
    format!(
        "{}: {whose} (variance {:.3} between trials, {:.3} between votes on one; standard error {:.3})",
        printable(&judged.criterion),
        split.trajectory_variance,
        split.judge_variance,
        split.standard_error
    )
}

impl TrialView {
    fn of(exhibit: &Exhibit) -> Self {
        let record = &exhibit.record;
        let (word, tone) = match record.verdict {
            Verdict::Satisfied => ("satisfied", "good"),
            Verdict::Unsatisfied => ("not satisfied", "bad"),
            Verdict::Unjudged => ("not judged", "odd"),
            Verdict::Infra => ("not counted", "odd"),
        };
        Self {
            number: record.trial,
            attempt: record.attempt,
            word,
            tone,
            duration: words::duration(record.duration_ms),
            seed: record.seed,
            twin_calls: record.twin_calls,
            is_cut: exhibit.is_cut,
            failure: record.failure.as_ref().map(|failure| FailureView::of(&TrialFailure::of(record, failure))),
            steps: steps(record),
            judged: record.judge.iter().map(JudgedView::of).collect(),
            log: printable(record.subject_log.trim_end()),
            leaked: record.leaked.iter().map(|process| printable(process)).collect(),
        }
    }
}

/// Steps follow each other, and what is before the first of them is the subject's start.
fn steps(record: &TrialRecord) -> Vec<StepView> {
    let sum: u64 = record.steps.iter().map(|step| step.duration_ms).sum();
    let total = record.duration_ms.max(sum).max(1);
    let mut at = total - sum;
    let mut view = |step| {
        let view = StepView::new(step, at as f64 / total as f64, total);
        at += step.duration_ms;
        view
    };
    record.steps.iter().map(&mut view).collect()
}

impl FailureView {
    fn of(failed: &TrialFailure) -> Self {
        let failure = &failed.failure;
        let lines = match (&failure.expected, &failure.observed) {
            (Some(expected), Some(observed)) => diff::diff(expected, observed),
            _ => Vec::new(),
        };
        Self {
            at: printable(&words::place(failed)),
            place: failed.place.clone(),
            message: printable(failure.message.trim_end()),
            diff: lines.into_iter().map(DiffLine::of).collect(),
        }
    }
}

impl DiffLine {
    fn of(line: diff::Line) -> Self {
        let tone = match line.side {
            diff::Side::Both => "same",
            diff::Side::Expected => "expected",
            diff::Side::Observed => "observed",
            diff::Side::Gap => "gap",
        };
        Self { sign: line.side.sign(), tone, text: printable(&line.text) }
    }
}

impl JudgedView {
    fn of(verdict: &judges::Verdict) -> Self {
        let votes = verdict.votes.iter().map(|vote| (vote.pass, printable(&vote.reason)));
        Self { criterion: printable(&verdict.criterion), passed: verdict.pass, votes: votes.collect() }
    }
}

fn printable(text: &str) -> String {
    words::printable(text)
}
