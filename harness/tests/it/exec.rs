//! `exec` steps: subjects that are command lines.

use harness::Verdict;

use crate::kit::{config, python_trial};

async fn exec(steps: &str) -> harness::TrialRecord {
    python_trial(config("subject: tool\n"), steps).await
}

#[tokio::test]
async fn a_command_is_judged_by_exit_and_output() {
    let record = exec(
        r#"
vars: { word: "{{ random.word }}" }
steps:
  - exec: { argv: [cat], stdin: "{{ word }}" }
    expect: { exit: 0, stdout: "{{ word }}", stderr: "" }
    capture: { back: { regex: "(.+)" } }
  - exec: { argv: [sh, -c, 'echo "$GREETING" >&2; exit 3'], env: { GREETING: "hi {{ back }}" } }
    expect: { exit: 3, stderr: { starts_with: "hi {{ word }}" } }
  - exec: { argv: [echo, '{"a": [1]}'] }
    expect: { json: { a: [1] }, jsonpath: [{ path: "$.a", length: 1 }] }
  - exec: { argv: [test, -f, notes.py], cwd: . }
"#,
    )
    .await;
    assert_eq!(record.verdict, Verdict::Satisfied, "{:?}", record.failure);
}

#[tokio::test]
async fn without_an_expectation_a_command_must_still_succeed() {
    let record = exec("steps: [{ exec: { argv: [sh, -c, 'echo oops >&2; false'] } }, { exec: { argv: ['true'] }, expect: { exit: 0 } }]").await;
    assert_eq!(record.failure.unwrap().message, "exit: expected exit code 0, got exit code 1, stderr: oops");
}

#[tokio::test]
async fn a_command_that_hangs_or_floods_ends() {
    let record = exec("steps: [{ exec: { argv: [sleep, '600'], timeout: 50ms }, expect: { exit: 0 } }]").await;
    assert_eq!(record.failure.unwrap().message, "exit: expected exit code 0, got a time-out");
    let flood = "steps: [{ exec: { argv: [sh, -c, 'yes | head -c 20000000'] }, expect: { stdout: { length: { gte: 4194304 } } } }]";
    let record = exec(flood).await;
    assert_eq!(record.verdict, Verdict::Satisfied, "{:?}", record.failure.map(|failure| failure.expected));
    assert_eq!(record.steps[0].evidence["truncated"], true);
}

#[tokio::test]
async fn children_left_in_the_background_do_not_hold_the_step() {
    let record =
        exec("steps: [{ exec: { argv: [sh, -c, 'sleep 600 & echo done'] }, expect: { stdout: { contains: done } } }]")
            .await;
    assert_eq!(record.verdict, Verdict::Satisfied, "{:?}", record.failure);
}
