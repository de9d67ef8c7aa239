//! Subjects that go on running from one trial to the next, and what they are given.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{Router, routing::get, serve::ListenerExt as _};
use harness::{Plan, SubjectConfig, UrlLauncher, Verdict};

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
    assert!(message.contains("`false` to end with exit code 0 within 300ms"), "{message}");
}

/// Three trials, one after the other, against a server that was there before; and how many connections it was sent.
async fn three_trials_elsewhere(rest: &str) -> (Ran, usize) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&connections);
    let listener = listener.tap_io(move |_| {
        counted.fetch_add(1, Ordering::SeqCst);
    });
    let app = Router::new().route("/", get(|| async { "here" }));
    let server = tokio::spawn(async move { axum::serve(listener, app).await });
    let plan =
        Plan { trials: 3, jobs: 1, ..plan(suite(vec![scenario("a", rest)]), SubjectConfig::already_running(&url)) };
    let ran = report(plan, &UrlLauncher::new(url.parse().unwrap(), processes())).await;
    server.abort();
    (ran, connections.load(Ordering::SeqCst))
}

#[tokio::test]
async fn trials_against_what_runs_elsewhere_share_a_connection() {
    let rest = "steps: [{ http: { get: / }, expect: { body: here } }, { http: { get: / }, expect: { body: here } }]";
    let (ran, connections) = three_trials_elsewhere(rest).await;
    assert_eq!(verdicts(&ran), [Verdict::Satisfied; 3], "{:?}", ran.records[0].failure);
    assert_eq!(connections, 2, "one to see that it is there, and one for all requests");
}

#[tokio::test]
async fn trials_against_what_runs_elsewhere_do_not_find_each_others_files() {
    let rest = "steps: [{ exec: { argv: [sh, -c, 'ls \"$0\" && mkdir -p \"$0/left/behind\"', '{{ data_dir }}'] }, expect: { exit: 0, stdout: '' } }]";
    let (ran, _) = three_trials_elsewhere(rest).await;
    assert_eq!(verdicts(&ran), [Verdict::Satisfied; 3], "{:?}", ran.records.last().unwrap().failure);
}
