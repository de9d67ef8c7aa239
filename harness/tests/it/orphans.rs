//! Processes that hide: none outlives the trial that left it.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use harness::{TrialRecord, Verdict};
use rustix::process::{Pid, Signal, kill_process};

use crate::{
    cli::{harness, repository, text},
    kit::{python, python_trial},
    stored_runs::{PASSES, tool},
};

fn is_alive(leak: &str) -> bool {
    let pid = leak.split(' ').next().unwrap();
    // A zombie is dead: nobody has collected it yet.
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

/// It was killed; how soon it is buried is the kernel's business.
fn dies(leak: &str) -> bool {
    let deadline = Instant::now() + Duration::from_secs(30);
    while is_alive(leak) && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(2));
    }
    !is_alive(leak)
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
    assert!(leaks.iter().all(|leak| dies(leak)), "{leaks:?}");
}

#[test]
fn what_a_command_leaves_behind_is_killed_with_it() {
    let command = "setsid sh -c 'touch $TMPDIR/gone; exec env -i sh -c \"(sleep 600 &) ; sleep 600\"' >&- 2>&- & \
                   while ! test -e $TMPDIR/gone; do sleep 0.01; done";
    let dir = tool(&[("a", &format!("steps: [{{ exec: {{ argv: [sh, -c, {command:?}] }}, expect: {{ exit: 0 }} }}]"))]);
    let output = harness(dir.path(), &["run"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
    let leaks = leaks(dir.path());
    assert!(!leaks.is_empty() && leaks.iter().all(|leak| dies(leak)), "{leaks:?}");
}

/// A run whose command has left a process, of which the number stands in the file `left`.
fn waiting(dir: &Path) -> (Child, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_harness"));
    let quiet = command.arg("run").current_dir(dir).env("TMPDIR", dir).stdout(Stdio::null()).stderr(Stdio::null());
    let mut run = quiet.spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let left = std::fs::read_to_string(dir.join("left")).unwrap_or_default();
        if left.ends_with('\n') {
            return (run, left.trim().to_owned());
        }
        assert!(Instant::now() < deadline && run.try_wait().unwrap().is_none(), "the trial never began");
        std::thread::sleep(Duration::from_millis(5));
    }
}

const LEAVES_ONE: &str = "timeout: 60s\nsteps: [{ exec: { argv: [sh, -c, \"setsid sh -c 'echo $$ > left; exec sleep 600' & sleep 600\"], timeout: 60s }, expect: { exit: 0 } }]";

#[test]
fn an_interrupted_run_leaves_nothing_whatever_interrupts_it() {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP, Signal::QUIT] {
        let dir = tool(&[("a", LEAVES_ONE)]);
        let (mut run, left) = waiting(dir.path());
        kill_process(Pid::from_child(&run), signal).unwrap();
        assert_eq!(run.wait().unwrap().code(), Some(130), "{signal:?}");
        assert!(dies(&left), "{signal:?}");
    }
}

#[test]
fn an_early_end_leaves_nothing() {
    let fails = "steps: [{ exec: { argv: [sh, -c, 'while ! test -s left; do sleep 0.01; done; exit 1'], timeout: 60s }, expect: { exit: 0 } }]";
    let dir = tool(&[("a", LEAVES_ONE), ("b", fails)]);
    let output = harness(dir.path(), &["run", "--fail-fast", "--jobs", "2"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stdout));
    assert!(dies(std::fs::read_to_string(dir.path().join("left")).unwrap().trim()));
}

#[test]
fn what_a_killed_run_left_running_is_killed_by_the_next_one() {
    let dir = tool(&[("a", LEAVES_ONE)]);
    let (mut run, left) = waiting(dir.path());
    run.kill().unwrap();
    run.wait().unwrap();
    assert!(is_alive(&left), "nobody could tidy up");
    std::fs::write(dir.path().join("scenarios/a.yaml"), format!("scenario: a\ntitle: a\n{PASSES}\n")).unwrap();
    let mut next = Command::new(env!("CARGO_BIN_EXE_harness"));
    assert!(next.arg("run").current_dir(dir.path()).env("TMPDIR", dir.path()).output().unwrap().status.success());
    assert!(dies(&left));
}
