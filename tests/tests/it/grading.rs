//! Grading is fair: no trial changes what a later one grades.

use e2e_tests::{
    each,
    factory::{Ended, Workplace},
};
use model::{
    event::{Body, grade::TrialVerdict},
    verdict::Suite,
};

const SPEC: &str = "specs/greeting.md";

/// A command of the subject that tries to leave something for the trials after it, where they would find it.
const SPOILING: &str = r#"scenario: spoils
title: A command cannot change what is graded
requirements: [R2]
steps:
  - exec:
      argv:
        - sh
        - -c
        - (touch spoiled) && printf left; (echo x >> app.py) && printf changed; touch "$0/kept" && printf kept
        - "{{ data_dir }}"
    expect: { stdout: kept }
  - exec: { argv: [ls, "{{ data_dir }}"] }
    expect: { stdout: { contains: kept } }
  - http: { get: /hello }
    expect: { status: 200, json: { message: "Hello, world!" } }
"#;

#[test]
fn a_command_of_a_trial_cannot_write_into_the_graded_tree() {
    let place = Workplace::init();
    place.write("scenarios/greeting/spoils.yaml", SPOILING);
    place.commit("a scenario with commands");
    let ended = place.ended(&["run", SPEC, "--iterations", "1", "--trials", "2"]);
    let spoilers = each!(ended, TrialFinished(trial) => trial).into_iter().filter(|trial| trial.scenario == "spoils");
    let spoilers: Vec<_> = spoilers.map(|trial| (trial.verdict, trial.failure.as_deref())).collect();
    assert_eq!(spoilers, [(TrialVerdict::Satisfied, None); 2]);
    place.assert_nothing_runs();
}

/// From the start of the first trial of a suite to the end of its last, in milliseconds.
fn period(ended: &Ended, suite: Suite) -> (i64, i64) {
    let periods = ended.events.iter().filter_map(|event| match &event.body {
        Body::TrialFinished(trial) if trial.suite == suite => {
            let end = event.recorded_at.as_millisecond();
            Some((end - i64::try_from(trial.duration_ms).expect("a trial is short"), end))
        }
        _ => None,
    });
    periods.reduce(|all, one| (all.0.min(one.0), all.1.max(one.1))).expect("a suite has trials")
}

/// Decision 8: sandboxes share the kernel, so no subject of a holdout runs beside one whose failures are told.
#[test]
fn the_suites_of_a_run_are_never_graded_at_the_same_time() {
    let place = Workplace::init();
    let ended = place.ended(&["run", SPEC, "--iterations", "1"]);
    let (visible, holdout) = (period(&ended, Suite::Visible), period(&ended, Suite::Holdout));
    assert!(visible.1 <= holdout.0 || holdout.1 <= visible.0, "visible {visible:?}, holdout {holdout:?}");
    place.assert_nothing_runs();
}
