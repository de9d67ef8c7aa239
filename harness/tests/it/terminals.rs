//! `exec` steps on a terminal: size, dialogue, screen, and commands that do not play along.

use harness::{TrialRecord, Verdict};

use crate::kit::{config, python_trial, refused};

async fn trial(steps: &str) -> TrialRecord {
    python_trial(config("subject: wizard\n"), steps).await
}

async fn failure(steps: &str) -> String {
    let record = trial(steps).await;
    assert_eq!(record.verdict, Verdict::Unsatisfied, "{record:?}");
    record.failure.unwrap().message
}

#[tokio::test]
async fn a_dialogue_is_held_on_a_terminal() {
    let record = trial(
        r#"
steps:
  - exec:
      argv: [python3, wizard.py]
      pty: {}
      type:
        - { expect: "name: ", send: "Ann {{ uid }}\r" }
        - { matches: "hello Ann \\w+\\nsure. ", send: "no\r" }
    expect: { exit: 4, stdout: { contains: "hello Ann {{ uid }}\nsure? " }, screen: { starts_with: "name: Ann" } }
    capture: { who: { regex: "hello (\\w+)" } }
  - exec: { argv: [python3, wizard.py, size], pty: { columns: 111, rows: 7 } }
    expect: { stdout: "111x7 xterm-256color True\n" }
"#,
    )
    .await;
    assert_eq!(record.verdict, Verdict::Satisfied, "{:#?}", record.failure);
}

#[tokio::test]
async fn a_full_screen_program_is_driven_by_what_it_shows() {
    let record = trial(
        r#"
steps:
  - exec:
      argv: [python3, wizard.py, menu]
      pty: { columns: 20, rows: 5 }
      type: [{ screen: "> small", send: "\e[B" }, { screen: "> large", send: "\r" }]
    expect: { stdout: { ends_with: "chosen large\n" }, screen: "  small\n> large\nchosen large" }
"#,
    )
    .await;
    assert_eq!(record.verdict, Verdict::Satisfied, "{:#?}", record.failure);
}

#[tokio::test]
async fn input_without_a_dialogue_is_typed_and_ctrl_c_reaches_the_command() {
    let record = trial(
        r#"
steps:
  - exec: { argv: [python3, wizard.py], pty: {}, stdin: "Bob\ryes\r" }
    expect: { exit: 0, stdout: { contains: hello Bob } }
  - exec: { argv: [sh, -c, 'trap "exit 9" INT; echo go; while :; do sleep 0.01; done'], pty: {}, type: [{ expect: go, send: "\x03" }] }
    expect: { exit: 9 }
"#,
    )
    .await;
    assert_eq!(record.verdict, Verdict::Satisfied, "{:#?}", record.failure);
}

#[tokio::test]
async fn a_sign_that_does_not_come_ends_the_step_and_shows_the_screen() {
    let turns = "type: [{ expect: 'name: ', send: x }, { expect: 'age: ', within: 50ms }]";
    let steps = format!(
        "steps: [{{ exec: {{ argv: [python3, wizard.py, deaf], pty: {{}}, {turns} }}, expect: {{ exit: 0 }} }}]"
    );
    assert_eq!(failure(&steps).await, "turn 2: expected \"age: \" within 50ms, got the screen:\nname: x");
    let early = "steps: [{ exec: { argv: ['true'], pty: {}, type: [{ expect: more }] }, expect: { exit: 0 } }]";
    assert_eq!(failure(early).await, "turn 1: expected \"more\" within 5s, got an empty screen");
}

#[tokio::test]
async fn a_flood_on_a_terminal_ends_and_is_no_pass() {
    let steps = "steps: [{ exec: { argv: [python3, wizard.py, flood], pty: {}, timeout: 1s }, expect: { stdout: { contains: y } } }]";
    assert!(failure(steps).await.starts_with("exit: expected exit code 0, got a time-out"));
}

#[test]
fn what_makes_no_sense_on_a_terminal_is_refused() {
    let exec = |rest: &str| refused(&format!("steps: [{{ exec: {{ argv: [a], {rest} }}, expect: {{ exit: 0 }} }}]"));
    assert!(exec("type: [{ send: x }]").contains("`type` needs a terminal"));
    assert!(exec("pty: {}, type: [{ expect: a, matches: b }]").contains("one of expect, matches and screen"));
    assert!(exec("pty: {}, type: [{ within: 1s }]").contains("sends something, or both"));
    assert!(exec("pty: { rows: 501 }").contains("at most 500"));
    assert!(exec("pty: { rows: 0 }").contains("nonzero"));
    assert!(exec("pty: {}, type: [{ matches: '[' }]").contains("no regular expression"));
    assert!(refused("steps: [{ exec: { argv: [a] }, expect: { screen: x } }]").contains("add `pty: {}`"));
}
