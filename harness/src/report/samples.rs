//! A small run for the renderers' tests.

use std::time::Duration;

use super::{Entry, Report, Roster, Tally};
use crate::{
    record::{Failure, TrialRecord, Verdict},
    run::Gate,
    scenario::Kind,
};

pub(crate) fn record(scenario: &str, trial: u32, verdict: Verdict) -> TrialRecord {
    let failure = Failure {
        step: 2,
        name: "GET /orders".to_owned(),
        message: "status: expected 200, got 402\njson $.a: expected \"<b>\", got nothing there".to_owned(),
        expected: Some("200".to_owned()),
        observed: Some("402".to_owned()),
    };
    TrialRecord {
        suite: Kind::Visible,
        scenario: scenario.to_owned(),
        requirements: vec!["R1".to_owned()],
        theme: None,
        trial,
        attempt: 1,
        seed: 7,
        verdict,
        failure: (verdict != Verdict::Satisfied).then_some(failure),
        duration_ms: 1250,
        steps: Vec::new(),
        judge: Vec::new(),
        twin_calls: 3,
        subject_log: String::new(),
        leaked: Vec::new(),
    }
}

/// Four scenarios: passing, failing, flaky, and one that was never valid.
pub(crate) fn report() -> Report {
    tally().report(Duration::from_millis(5120))
}

pub(crate) fn tally() -> Tally {
    let mut tally = Tally::new(roster(2));
    records().for_each(|record| tally.add(&record));
    tally
}

pub(crate) fn records() -> impl Iterator<Item = TrialRecord> {
    use Verdict::{Infra, Satisfied, Unsatisfied};
    let verdicts = [
        ("good", [Satisfied, Satisfied]),
        ("bad", [Unsatisfied, Unsatisfied]),
        ("flaky", [Satisfied, Unsatisfied]),
        ("broken", [Infra, Infra]),
    ];
    verdicts
        .into_iter()
        .flat_map(|(slug, pair)| pair.into_iter().zip(1..).map(move |(verdict, n)| record(slug, n, verdict)))
}

pub(crate) fn roster(trials: u32) -> Roster {
    let entry = |slug: &str| Entry {
        scenario: slug.to_owned(),
        title: format!("The {slug} one"),
        requirements: vec!["R1".to_owned()],
        theme: None,
        weight: 1.0,
        file: format!("scenarios/{slug}.yaml"),
    };
    Roster {
        subject: "shop".to_owned(),
        suite: Kind::Visible,
        gate: Gate::LowerBound { target: 0.8, confidence: 0.95 },
        seed: 7,
        trials,
        scenarios: ["good", "bad", "flaky", "broken"].map(entry).into(),
    }
}
