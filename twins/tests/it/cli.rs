//! The binary: one JSON line per twin, and a clean end on an interrupt.

use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::support::{answer, client};

fn twins() -> Command {
    Command::new(env!("CARGO_BIN_EXE_twins"))
}

#[tokio::test]
async fn serve_prints_one_json_line_per_twin_and_ends_on_an_interrupt() {
    let mut child = twins().args(["serve", "stripe", "slack", "--seed", "7"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = || -> Value { serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap() };
    let (stripe, slack) = (next(), next());
    assert_eq!((&stripe["name"], &slack["name"]), (&"stripe".into(), &"slack".into()));
    let charges = format!("{}/v1/charges", stripe["base_url"].as_str().unwrap());
    assert_eq!(answer(client().get(charges).bearer_auth("sk_test_twin")).await.0, 200);
    let calls = format!("{}/calls", stripe["admin_url"].as_str().unwrap());
    assert_eq!(answer(client().get(calls)).await.1[0]["operation"], "charges.list");
    // The shell's own `kill`: the program is not on every machine.
    let interrupted = Command::new("sh").arg("-c").arg(format!("kill -INT {}", child.id())).status().unwrap();
    assert!(interrupted.success());
    assert!(child.wait().unwrap().success());
}

#[test]
fn an_unknown_twin_and_a_bad_script_end_with_a_reason() {
    let failed = |args: &[&str]| {
        let output = twins().args(args).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(failed(&["serve", "stirpe"]).contains("unknown twin `stirpe`; there are anthropic"));
    assert!(failed(&["serve", "stripe=x"]).contains("`x` is no port"));
    assert!(failed(&["serve", "slack", "--config", "{\"stripe\": {}}"]).contains("not served"));
    assert!(failed(&["check", "/nowhere.yaml"]).contains("cannot read the file"));
}

#[test]
fn list_names_every_operation() {
    let output = twins().args(["list", "--json"]).output().unwrap();
    let twins: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(twins.len(), 4);
    assert!(twins.iter().all(|twin| !twin["operations"].as_array().unwrap().is_empty()));
}
