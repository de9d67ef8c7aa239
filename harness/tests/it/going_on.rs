//! Subjects that go on running from one trial to the next, and what they are given.

use std::collections::BTreeSet;

use harness::{Plan, SubjectConfig, Verdict};

use crate::kit::{Ran, config, plan, processes, report, scenario, suite};

const WRITES_ONCE: &str = "steps:
  - http: { get: /note }
    expect: { status: 404 }
  - http: { post: /note, json: { text: a } }
    expect: { status: 201 }
  - http: { get: /pid }
    expect: { status: 200 }";

/// The Python subject with more lines in its `harness.yaml`.
fn notes(more: &str) -> SubjectConfig {
    config(&format!(
        "subject: notes\nstart: {{ argv: [python3, notes.py], env: {{ PORT: \"{{{{ port }}}}\", DATA_DIR: \"{{{{ data_dir }}}}\", ADMIN: \"port {{{{ ports.admin }}}}\" }} }}\n\
         ports: [admin]\n{more}\n"
    ))
}

async fn three_trials(more: &str, rest: &str) -> Ran {
    let ready = if more.contains("ready:") { "" } else { "ready: { http: /health, within: 20s }\n" };
    let subject = notes(&format!("{ready}{more}"));
    let plan = Plan { trials: 3, jobs: 1, ..plan(suite(vec![scenario("a", rest)]), subject) };
    report(plan, &processes()).await
}

fn verdicts(ran: &Ran) -> Vec<Verdict> {
    ran.records.iter().map(|record| record.verdict).collect()
}

fn pids(ran: &Ran) -> BTreeSet<String> {
    let pid = |record: &harness::TrialRecord| record.steps.last().unwrap().evidence["response"]["body"].to_string();
    ran.records.iter().map(pid).collect()
}

#[tokio::test]
async fn a_subject_is_fresh_in_each_trial_unless_it_is_reused_and_reset() {
    use Verdict::{Satisfied, Unsatisfied};
    let fresh = three_trials("", WRITES_ONCE).await;
    assert_eq!((verdicts(&fresh), pids(&fresh).len()), (vec![Satisfied; 3], 3));
    let reset = "reuse: true\nreset: { argv: [rm, -f, '{{ data_dir }}/note.json'] }";
    let reused = three_trials(reset, WRITES_ONCE).await;
    assert_eq!((verdicts(&reused), pids(&reused).len()), (vec![Satisfied; 3], 1));
    let dirty = three_trials("reuse: true", WRITES_ONCE).await;
    assert_eq!(verdicts(&dirty), [Satisfied, Unsatisfied, Satisfied], "what failed is not met by another trial");
}

#[tokio::test]
async fn a_request_can_reset_a_subject_and_where_it_cannot_be_reset_it_is_started_afresh() {
    let rest = "steps: [{ http: { get: /pid }, expect: { status: 200 } }]";
    // The subject takes any POST as a note, which this story does not mind.
    for (reset, started) in [("{ http: /reset }", 1), ("{ argv: [\"false\"] }", 3)] {
        let ran = three_trials(&format!("reuse: true\nreset: {reset}"), rest).await;
        assert_eq!((verdicts(&ran), pids(&ran).len()), (vec![Verdict::Satisfied; 3], started), "{reset}");
    }
}

#[tokio::test]
async fn a_subject_is_given_more_ports() {
    let rest = "steps: [{ http: { get: /env }, expect: { jsonpath: [{ path: $.ADMIN, equals: 'port {{ ports.admin }}' }, \
                { path: $.ADMIN, not_contains: '{{ subject.port }}' }] } }]";
    let ran = three_trials("", rest).await;
    assert_eq!(verdicts(&ran), [Verdict::Satisfied; 3], "{:?}", ran.records[0].failure);
}

#[tokio::test]
async fn a_command_can_say_that_a_subject_is_ready() {
    let wait = "steps: [{ http: { get: /note }, expect: { status: 404 }, retry: { until_pass_within: 20s } }]";
    let ran = three_trials("ready: { argv: [sh, -c, 'test -d \"$DATA_DIR\"'] }", wait).await;
    assert_eq!(verdicts(&ran), [Verdict::Satisfied; 3], "{:?}", ran.records[0].failure);
    let never = three_trials("ready: { argv: [\"false\"], within: 300ms }", wait).await;
    let message = &never.records[0].failure.as_ref().unwrap().message;
    assert!(message.contains("`false` to end with exit code 0 within 300 ms"), "{message}");
}
