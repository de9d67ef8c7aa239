//! Runs as they are kept: found again, checked, continued after a kill, forgotten in time.

use std::{
    fs::File,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use serde_json::Value as Json;

use crate::cli::{harness, text};

/// A repository whose subject is only commands.
pub(crate) fn tool(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("harness.yaml"), "subject: tool\n").unwrap();
    std::fs::create_dir(dir.path().join("scenarios")).unwrap();
    for (slug, rest) in files {
        write(dir.path(), slug, rest);
    }
    dir
}

fn write(dir: &Path, slug: &str, rest: &str) {
    let scenario = format!("scenario: {slug}\ntitle: {slug}\n{rest}\n");
    std::fs::write(dir.join(format!("scenarios/{slug}.yaml")), scenario).unwrap();
}

pub(crate) const PASSES: &str = "steps: [{ exec: { argv: [\"true\"] }, expect: { exit: 0 } }]";
pub(crate) const FAILS: &str = "steps: [{ exec: { argv: [\"false\"] }, expect: { exit: 0 } }]";

/// Its first trial ends at once, the others when the file `go` is there.
const WAITS: &str = "steps: [{ exec: { argv: [sh, -c, 'test {{ trial }} = 1 || while ! test -e go; do sleep 0.01; done'], timeout: 60s }, expect: { exit: 0 } }]";

fn ids(dir: &Path) -> Vec<String> {
    let lines: Json = serde_json::from_slice(&harness(dir, &["runs", "--json"]).stdout).unwrap();
    lines.as_array().unwrap().iter().map(|line| line["id"].as_str().unwrap().to_owned()).collect()
}

fn log(dir: &Path) -> String {
    std::fs::read_to_string(dir.join(".harness/latest/log.jsonl")).unwrap()
}

fn finished(log: &str) -> Vec<String> {
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Json>(line).ok());
    let records = lines.filter(|line| line["event"] == "trial_finished").map(|mut line| line["record"].take());
    records.map(|record| format!("{} {}", record["scenario"].as_str().unwrap(), record["trial"])).collect()
}

fn start(dir: &Path, arguments: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_harness"));
    command.args(arguments).current_dir(dir).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap()
}

fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let so = (0..4_000).any(|_| {
        is_so() || {
            std::thread::sleep(Duration::from_millis(5));
            false
        }
    });
    assert!(so, "it never happened: {what}");
}

#[test]
fn a_run_is_kept_listed_and_verified() {
    let dir = tool(&[("a", PASSES), ("b", FAILS)]);
    assert_eq!(text(&harness(dir.path(), &["runs"]).stdout), "no run is stored yet; `harness run` stores one\n");
    assert_eq!(harness(dir.path(), &["verify"]).status.code(), Some(2), "there is nothing to verify");
    harness(dir.path(), &["run", "--trials", "3", "--seed", "9"]);
    let lines: Json = serde_json::from_slice(&harness(dir.path(), &["runs", "--json"]).stdout).unwrap();
    let line = &lines[0];
    assert_eq!((&line["subject"], &line["seed"], &line["scenarios"]), (&"tool".into(), &9.into(), &2.into()));
    assert_eq!((&line["ended"]["satisfied"], &line["ended"]["valid"]), (&3.into(), &6.into()));
    let id = line["id"].as_str().unwrap();
    for name in [id, &id[..12], &id[20..], "latest", &format!(".harness/runs/{id}")] {
        let verified = harness(dir.path(), &["verify", name]);
        assert_eq!(text(&verified.stdout), format!("{id}: 6 records, each as it was written\n"), "{name}");
    }
    let listed = text(&harness(dir.path(), &["runs"]).stdout);
    assert!(listed.contains("tool: not satisfied, 3 of 6 trials, 2 scenarios"), "{listed}");
    assert_eq!(std::fs::read_to_string(dir.path().join(".harness/.gitignore")).unwrap(), "*\n");
}

#[test]
fn a_log_that_was_changed_is_refused_with_its_line() {
    let dir = tool(&[("a", PASSES), ("b", FAILS)]);
    harness(dir.path(), &["run", "--trials", "2", "--jobs", "1"]);
    let path = dir.path().join(".harness/latest/log.jsonl");
    let whole = log(dir.path());
    let changed = whole.replacen("\"verdict\":\"unsatisfied\"", "\"verdict\":\"satisfied\"", 1);
    let line = 1 + whole.lines().zip(changed.lines()).position(|(before, after)| before != after).unwrap();
    std::fs::write(&path, changed).unwrap();
    let refused = harness(dir.path(), &["verify"]);
    assert_eq!(refused.status.code(), Some(5));
    let stderr = text(&refused.stderr);
    assert!(stderr.contains(&format!("log.jsonl:{line}: the line, or one before it, was changed")), "{stderr}");
    assert_eq!(harness(dir.path(), &["run", "--resume"]).status.code(), Some(5), "nothing is built on it");
    std::fs::write(&path, &whole).unwrap();
    assert_eq!(harness(dir.path(), &["verify"]).status.code(), Some(0));
    let manifest = dir.path().join(".harness/latest/run.json");
    let told = std::fs::read_to_string(&manifest).unwrap();
    std::fs::write(&manifest, told.replace("\"trials\": 2", "\"trials\": 1")).unwrap();
    assert!(text(&harness(dir.path(), &["verify"]).stderr).contains("log.jsonl:1: "), "run.json is bound to it");
}

#[test]
fn a_killed_run_goes_on_where_it_was() {
    let dir = tool(&[("a", WAITS), ("b", WAITS)]);
    let mut running = start(dir.path(), &["run", "--trials", "3", "--jobs", "2"]);
    let log_path = dir.path().join(".harness/latest/log.jsonl");
    let is_begun = || std::fs::read_to_string(&log_path).is_ok_and(|log| finished(&log).len() == 2);
    wait_until("two trials are in the log", is_begun);
    let busy = harness(dir.path(), &["run", "--resume"]);
    assert_eq!(busy.status.code(), Some(2));
    assert!(text(&busy.stderr).contains("is being written by another process"), "{}", text(&busy.stderr));
    running.kill().unwrap();
    running.wait().unwrap();
    let cut = harness(dir.path(), &["report", "--format", "json"]);
    let cut: harness::Report = serde_json::from_slice(&cut.stdout).unwrap();
    assert!(cut.executed == 2 && cut.duration_ms > 0, "it ran until its last record: {cut:?}");
    let torn = format!("{}{{\"chain\":\"0123", log(dir.path()));
    std::fs::write(&log_path, torn).unwrap();
    std::fs::write(dir.path().join("go"), "").unwrap();
    let resumed = harness(dir.path(), &["run", "--resume", "latest", "--changed-subject", "--json"]);
    assert_eq!(resumed.status.code(), Some(0), "{}", text(&resumed.stderr));
    let report: harness::Report = serde_json::from_slice(&resumed.stdout).unwrap();
    assert_eq!((report.executed, report.planned), (6, 6));
    let mut trials = finished(&log(dir.path()));
    trials.sort();
    assert_eq!(trials, ["a 1", "a 2", "a 3", "b 1", "b 2", "b 3"], "no trial is run twice");
    assert_eq!(harness(dir.path(), &["verify"]).status.code(), Some(0), "the torn line is gone");
    assert_eq!(ids(dir.path()).len(), 1);
}

#[test]
fn a_run_is_not_resumed_as_another_one() {
    let wants = "steps: [{ exec: { argv: [test, '{{ word }}', '=', yes] }, expect: { exit: 0 } }]";
    let dir = tool(&[("a", wants)]);
    assert_eq!(harness(dir.path(), &["run", "--var", "word=\"yes\""]).status.code(), Some(0));
    let manifest = std::fs::read_to_string(dir.path().join(".harness/latest/run.json")).unwrap();
    assert!(!manifest.contains("yes"), "values may be secrets: {manifest}");
    harness(dir.path(), &["run", "scenarios", "--var", "word=no", "--seed", "3"]);
    let shown = text(&harness(dir.path(), &["report"]).stdout);
    let again = "again: harness run scenarios --var 'word=…' --filter '^a$' --seed 3 --trials 1\n";
    assert!(shown.contains(again), "{shown}");
    assert_eq!(harness(dir.path(), &["run", "--var", "word=\"yes\""]).status.code(), Some(0));
    let without = harness(dir.path(), &["run", "--resume"]);
    assert_eq!(without.status.code(), Some(2));
    assert!(text(&without.stderr).contains("give it again with --var word="), "{}", text(&without.stderr));
    assert_eq!(harness(dir.path(), &["run", "--resume", "--trials", "2"]).status.code(), Some(2), "it has its own");
    assert_eq!(harness(dir.path(), &["run", "--resume", "--var", "word=\"yes\""]).status.code(), Some(0));
    write(dir.path(), "a", &wants.replace("yes", "no"));
    let changed = harness(dir.path(), &["run", "--resume", "--var", "word=no"]);
    assert_eq!(changed.status.code(), Some(2));
    assert!(text(&changed.stderr).contains("are not what they were in the run"), "{}", text(&changed.stderr));
}

#[test]
fn a_run_is_not_resumed_with_other_fragments_or_another_subject() {
    let dir = tool(&[("a", "steps: [{ use: ../shared/f.yaml }]")]);
    let fragment = dir.path().join("shared/f.yaml");
    std::fs::create_dir_all(fragment.parent().unwrap()).unwrap();
    let write = |exit| {
        let text = format!("steps_of: f\nsteps: [{{ exec: {{ argv: ['true'] }}, expect: {{ exit: {exit} }} }}]\n");
        std::fs::write(&fragment, text).unwrap();
    };
    write(0);
    let begun = harness(dir.path(), &["run"]);
    assert_eq!(begun.status.code(), Some(0), "{}", text(&begun.stderr));
    assert_eq!(harness(dir.path(), &["run", "--resume"]).status.code(), Some(0));
    let app = dir.path().join("app.py");
    let later = std::time::SystemTime::now() + std::time::Duration::from_secs(60);
    File::create(&app).unwrap().set_modified(later).unwrap();
    let changed = harness(dir.path(), &["run", "--resume"]);
    assert_eq!(changed.status.code(), Some(2));
    assert!(text(&changed.stderr).contains("app.py was changed after the run"), "{}", text(&changed.stderr));
    assert_eq!(harness(dir.path(), &["run", "--resume", "--changed-subject"]).status.code(), Some(0));
    write(1);
    let other = harness(dir.path(), &["run", "--resume", "--changed-subject"]);
    assert_eq!(other.status.code(), Some(2));
    assert!(text(&other.stderr).contains("are not what they were in the run"), "{}", text(&other.stderr));
}

#[test]
fn old_runs_are_forgotten_and_none_is_kept_on_request() {
    let dir = tool(&[("a", PASSES)]);
    harness(dir.path(), &["run", "--no-store"]);
    assert!(!dir.path().join(".harness").exists());
    for _ in 0..3 {
        harness(dir.path(), &["run", "--keep", "2"]);
    }
    let kept = ids(dir.path());
    assert_eq!(kept.len(), 2);
    assert!(kept.is_sorted());
    let latest = std::fs::read_link(dir.path().join(".harness/latest")).unwrap();
    assert!(latest.ends_with(&kept[1]), "{latest:?}");
}

/// Five of six trials lost are no proof, in the run and in every report of it.
#[test]
fn lost_trials_leave_the_verdict_open() {
    let loses = "setup: [{ exec: { argv: [test, '{{ trial }}', '=', '1'] }, expect: { exit: 0 } }]\nsteps: [{ exec: { argv: [\"true\"] }, expect: { exit: 0 } }]";
    let dir = tool(&[("a", loses), ("b", PASSES)]);
    let ran = harness(dir.path(), &["run", "--trials", "6", "--report", "junit=out.xml"]);
    let told = text(&ran.stdout);
    assert_eq!(ran.status.code(), Some(5), "{told}");
    assert!(told.contains("nothing can be concluded: 7 of 7 trials, 2 scenarios, 5 trials not counted"), "{told}");
    assert!(told.contains("every planned trial must be valid; mend"), "{told}");
    let junit = std::fs::read_to_string(dir.path().join("out.xml")).unwrap();
    assert!(junit.contains("tests=\"2\" failures=\"0\" errors=\"1\""), "{junit}");
    let report = || -> Json {
        serde_json::from_slice(&harness(dir.path(), &["report", "latest", "--format", "json"]).stdout).unwrap()
    };
    assert_eq!(report()["outcome"], "infra");
    let hopeless = harness(dir.path(), &["run", "--trials", "600", "--jobs", "1", "--stop-early"]);
    assert_eq!(hopeless.status.code(), Some(5));
    assert!(report()["executed"].as_u64().unwrap() < 10, "one that is lost cannot be won back: {:#}", report());
    assert_eq!(harness(dir.path(), &["run", "--trials", "6", "--allow-invalid", "0.9"]).status.code(), Some(0));
    assert_eq!(report()["outcome"], "satisfied", "what is allowed is kept with the run");
}
