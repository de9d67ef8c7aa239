//! Processes that hide: none outlives the trial that left it.

use std::path::Path;

use harness::{TrialRecord, Verdict};

use crate::{
    cli::{harness, repository, text},
    kit::{python, python_trial},
    stored_runs::tool,
};

fn is_alive(leak: &str) -> bool {
    let pid = leak.split(' ').next().unwrap();
    // A zombie is dead: nobody has collected it yet.
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

fn leaks(dir: &Path) -> Vec<String> {
    let log = std::fs::read_to_string(dir.join(".harness/latest/log.jsonl")).unwrap();
    let events = log.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let records = events.filter(|event| event["event"] == "trial_finished");
    let records = records.map(|mut event| serde_json::from_value::<TrialRecord>(event["record"].take()).unwrap());
    records.flat_map(|record| record.leaked).collect()
}

#[tokio::test]
async fn a_daemon_with_a_living_ancestor_is_found_by_descent() {
    let record =
        python_trial(python("hides_a_daemon"), "steps: [{ http: { get: /note }, expect: { status: 404 } }]").await;
    assert_eq!(record.verdict, Verdict::Satisfied, "{:?}", record.failure);
    let [leak] = &record.leaked[..] else { panic!("one leak is expected: {:?}", record.leaked) };
    assert!(leak.ends_with(" sleep"), "{leak}");
}

#[test]
fn an_orphan_without_an_ancestor_is_adopted_and_killed() {
    let dir = repository(&[("a", "steps: [{ http: { get: /note }, expect: { status: 404 } }]")]);
    let config = std::fs::read_to_string(dir.path().join("harness.yaml")).unwrap();
    let config = config.replace("DATA_DIR:", "MODE: hides_an_orphan, DATA_DIR:");
    std::fs::write(dir.path().join("harness.yaml"), config).unwrap();
    let output = harness(dir.path(), &["run", "--trials", "3", "--jobs", "3"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
    let leaks = leaks(dir.path());
    assert_eq!(leaks.len(), 3, "{leaks:?}");
    assert!(leaks.iter().all(|leak| !is_alive(leak)), "{leaks:?}");
}

#[test]
fn what_a_command_leaves_behind_is_killed_with_it() {
    let command = "setsid sh -c 'touch $TMPDIR/gone; exec env -i sh -c \"(sleep 600 &) ; sleep 600\"' >&- 2>&- & \
                   while ! test -e $TMPDIR/gone; do sleep 0.01; done";
    let dir = tool(&[("a", &format!("steps: [{{ exec: {{ argv: [sh, -c, {command:?}] }}, expect: {{ exit: 0 }} }}]"))]);
    let output = harness(dir.path(), &["run"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
    let leaks = leaks(dir.path());
    assert!(!leaks.is_empty() && leaks.iter().all(|leak| !is_alive(leak)), "{leaks:?}");
}
