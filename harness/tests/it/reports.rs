//! Reports of stored runs: every format, made once more from the log; comparisons; what must not be shown.

use crate::cli::{harness, repository, text};

const GREEN: &str = "steps: [{ http: { get: /note }, expect: { status: 404 } }]";
const RED: &str = "steps: [{ http: { get: /note }, expect: { status: 200 } }]";
/// Takes a secret from one answer and sends it in the next request, which fails.
const SECRET: &str = r"
steps:
  - http: { post: /note, json: { token: sesame-93 } }
    expect: { status: 201 }
  - http: { get: /note }
    expect: { status: 200 }
    capture: { token: { jsonpath: $.token, redact: true } }
  - http: { get: '/note?key={{ token }}', headers: { authorization: 'Bearer {{ token }}' } }
    expect: { status: 418, json: { token: '{{ token }}x' } }
";
const FORMATS: [&str; 9] = ["terminal", "json", "jsonl", "junit", "tap", "ctrf", "github", "markdown", "html"];

fn reported(dir: &std::path::Path, arguments: &[&str]) -> String {
    let output = harness(dir, &[&["report"], arguments].concat());
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

#[test]
fn a_stored_run_is_reported_as_it_was_at_first() {
    let dir = repository(&[("good", GREEN), ("bad", RED)]);
    let run = harness(
        dir.path(),
        &["run", "--trials", "2", "--report", "html=a.html", "--report", "tap=a.tap", "--report", "json=a.json"],
    );
    assert_eq!(run.status.code(), Some(1), "{}", text(&run.stderr));
    for (format, file) in [("html", "a.html"), ("tap", "a.tap")] {
        let first = std::fs::read_to_string(dir.path().join(file)).unwrap();
        assert_eq!(reported(dir.path(), &["--format", format, "--out", "again"]), "");
        let again = std::fs::read_to_string(dir.path().join("again")).unwrap();
        assert!(without_nonce(&first) == without_nonce(&again), "{format} differs");
    }
    assert!(text(&run.stdout).starts_with("failed bad: 0 of 2 trials satisfied"), "{}", text(&run.stdout));
    let lines = reported(dir.path(), &["--format", "jsonl"]);
    assert_eq!((lines.matches("trial_finished").count(), lines.matches("run_finished").count()), (4, 1));
    let page = std::fs::read_to_string(dir.path().join("a.html")).unwrap().replace("&#x2f;", "/");
    assert!(
        page.contains("curl -i http://127.0.0.1:") && page.contains("scenarios/bad.yaml:3:9"),
        "the request is there"
    );
}

/// The nonce depends on when the run began, to more digits than a log keeps.
fn without_nonce(page: &str) -> String {
    regex::Regex::new("nonce[=-]\"?[0-9a-f]{32}").unwrap().replace_all(page, "nonce").into_owned()
}

#[test]
fn a_redacted_value_is_in_no_report() {
    let dir = repository(&[("secret", SECRET)]);
    // The secret stands in the scenario itself, so what is looked at is what was captured from then on.
    let run = harness(dir.path(), &["run"]);
    assert_eq!(run.status.code(), Some(1), "{}", text(&run.stderr));
    for format in FORMATS {
        let report = reported(dir.path(), &["--format", format]);
        let after = report.rsplit_once("[redacted]").map_or("", |(_, after)| after);
        assert!(!after.contains("sesame-93") && !report.contains("Bearer sesame"), "{format}: {report}");
    }
    assert!(reported(dir.path(), &["--format", "html"]).contains("Bearer [redacted]"));
}

#[test]
fn two_runs_are_compared() {
    let dir = repository(&[("good", GREEN), ("turns", RED)]);
    assert_eq!(harness(dir.path(), &["compare"]).status.code(), Some(2), "there is nothing to compare");
    harness(dir.path(), &["run", "--trials", "2"]);
    std::fs::write(dir.path().join("scenarios/turns.yaml"), format!("scenario: turns\ntitle: turns\n{GREEN}\n"))
        .unwrap();
    harness(dir.path(), &["run", "--trials", "2"]);
    let output = harness(dir.path(), &["compare"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let told = text(&output.stdout);
    assert!(
        told.contains("0/2 → 2/2") && told.contains("fixed  +1.000") && told.contains("1 scenario as before"),
        "{told}"
    );
    assert!(told.contains("no difference shown: satisfaction 0.500 → 1.000, +0.500"), "{told}");
    let json = harness(dir.path(), &["compare", "previous", "latest", "--json"]);
    let comparison: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!((&comparison["change"], &comparison["paired"]["better"]), (&"not_shown".into(), &1.into()));
}

#[test]
fn a_job_on_github_gets_annotations_and_a_summary() {
    let dir = repository(&[("bad", RED)]);
    let summary = dir.path().join("summary.md");
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_harness"))
        .args(["run", "--report", "github"])
        .env("GITHUB_STEP_SUMMARY", &summary)
        .current_dir(dir.path())
        .output()
        .unwrap();
    let stdout = text(&output.stdout);
    assert!(stdout.starts_with("::error file=scenarios/bad.yaml,line=3,title=failed bad%3A 0 of 1"), "{stdout}");
    assert!(stdout.contains("\nnot satisfied: "), "people read the same log: {stdout}");
    assert!(std::fs::read_to_string(summary).unwrap().starts_with("## ❌ notes: not satisfied"));
}

#[test]
fn an_unknown_format_is_wrong_use() {
    let dir = repository(&[("good", GREEN)]);
    for arguments in [["run", "--report", "pdf=a"], ["run", "--report", "html="], ["report", "--format", "pdf"]] {
        let output = harness(dir.path(), &arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    }
}
