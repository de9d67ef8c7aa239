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
    let flood =
        "steps: [{ exec: { argv: [sh, -c, 'yes | head -c 1000000000'] }, expect: { stdout: { not_contains: n } } }]";
    let record = exec(flood).await;
    let message = record.failure.unwrap().message;
    assert_eq!(
        message,
        "output: expected at most 4194304 bytes in each stream, read to their end, got more; nothing of the rest was kept"
    );
    assert_eq!(record.steps[0].evidence["truncated"], true);
}

#[tokio::test]
async fn children_left_in_the_background_do_not_hold_the_step() {
    let record =
        exec("steps: [{ exec: { argv: [sh, -c, 'sleep 600 & echo done'] }, expect: { stdout: { contains: done } } }]")
            .await;
    assert_eq!(record.verdict, Verdict::Satisfied, "{:?}", record.failure);
}

#[tokio::test]
async fn files_that_a_command_wrote_are_checked() {
    let record = exec(
        r#"
steps:
  - exec: { argv: [sh, -c, 'cd "$D"; echo hi > a.txt; echo "{\"n\": [1, 2]}" > b.json; ln -s a.txt near'], env: { D: "{{ data_dir }}" } }
    expect:
      files:
        "{{ data_dir }}/a.txt": "hi\n"
        "{{ data_dir }}/near": { starts_with: h }
        "{{ data_dir }}/b.json": { json: { n: [1, 2] }, bytes: { lt: 100 } }
        "{{ data_dir }}/none": { exists: false }
        notes.py: { contains: BaseHTTPRequestHandler }
"#,
    )
    .await;
    assert_eq!(record.verdict, Verdict::Satisfied, "{:#?}", record.failure);
}

#[tokio::test]
async fn a_file_never_leads_out_of_the_tree_and_the_data_folder() {
    let record = exec(
        r#"
steps:
  - exec: { argv: [sh, -c, 'cd "$D"; ln -s /etc/passwd out; mkfifo pipe; mkdir dir; ln -s loop loop'], env: { D: "{{ data_dir }}" } }
    expect:
      files:
        "{{ data_dir }}/out": { exists: true }
        "{{ data_dir }}/pipe": { exists: true }
        "{{ data_dir }}/dir": { exists: true }
        "{{ data_dir }}/loop": { exists: true }
        "{{ data_dir }}/../x": { exists: false }
        "/etc/passwd": { exists: true }
        missing.txt: { contains: x }
"#,
    )
    .await;
    assert_eq!(record.verdict, Verdict::Unsatisfied);
    assert_eq!(record.steps[0].mismatches.len(), 7, "{:#?}", record.steps[0].mismatches);
}

#[tokio::test]
async fn a_process_that_escapes_its_command_is_killed_and_named() {
    let steps = "steps: [{ exec: { argv: [sh, -c, 'setsid sleep 600 & until grep -q sleep /proc/$!/comm; do :; done'] }, expect: { exit: 0 } }]";
    let record = exec(steps).await;
    assert_eq!(record.verdict, Verdict::Satisfied, "{:?}", record.failure);
    let [leaked] = &record.leaked[..] else { panic!("one process escaped: {:?}", record.leaked) };
    let pid = leaked.split(' ').next().unwrap();
    let state = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    assert!(state.is_empty() || state.contains(") Z "), "{state}");
}
