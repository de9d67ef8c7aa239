//! A small run for the renderers' tests.

use std::time::Duration;

use located::Source;

use super::Report;
use crate::{
    record::{Failure, TrialRecord, Verdict},
    run::{Gate, Plan, StopEarly},
    scenario::{Kind, Suite},
    subject::SubjectConfig,
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
    let scenario = |slug: &str| {
        let text = format!(
            "scenario: {slug}\ntitle: The {slug} one\nrequirements: [R1]\nsteps: [{{ http: {{ get: / }}, expect: {{ status: 200 }} }}]\n"
        );
        Source::new(format!("{slug}.yaml"), text)
    };
    let sources = ["good", "bad", "flaky", "broken"].into_iter().map(scenario).collect();
    let plan = Plan {
        suite: Suite::from_sources(sources, Kind::Visible).unwrap(),
        subject: SubjectConfig::already_running("shop"),
        root: ".".into(),
        trials: 2,
        seed: 7,
        jobs: 1,
        done: Vec::new(),
        gate: Gate::LowerBound { target: 0.8, confidence: 0.95 },
        stop_early: StopEarly::Never,
    };
    use Verdict::{Infra, Satisfied, Unsatisfied};
    let verdicts = [
        ("good", [Satisfied, Satisfied]),
        ("bad", [Unsatisfied, Unsatisfied]),
        ("flaky", [Satisfied, Unsatisfied]),
        ("broken", [Infra, Infra]),
    ];
    let records = verdicts
        .into_iter()
        .flat_map(|(slug, pair)| pair.into_iter().zip(1..).map(move |(verdict, n)| record(slug, n, verdict)));
    Report::new(&plan, records.collect(), Duration::from_millis(5120))
}
