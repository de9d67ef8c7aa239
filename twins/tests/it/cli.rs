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
    end(child, "INT");
}

/// Sends the signal and waits for a clean end.
fn end(mut child: std::process::Child, signal: &str) {
    // The shell's own `kill`: the program is not on every machine.
    let sent = Command::new("sh").arg("-c").arg(format!("kill -{signal} {}", child.id())).status().unwrap();
    assert!(sent.success());
    assert!(child.wait().unwrap().success());
}

#[tokio::test]
async fn serve_keeps_spaces_apart_by_header_and_ends_on_a_termination() {
    let mut child = twins().args(["serve", "slack", "--space-header"]).stdout(Stdio::piped()).spawn().unwrap();
    let line = BufReader::new(child.stdout.take().unwrap()).lines().next().unwrap().unwrap();
    let slack: Value = serde_json::from_str(&line).unwrap();
    let base = slack["base_url"].as_str().unwrap();
    let ask = client().post(format!("{base}/api/auth.test")).bearer_auth("xoxb-twin").header("x-twin-space", "a");
    assert_eq!(answer(ask).await.0, 200);
    let admin = slack["admin_url"].as_str().unwrap().strip_suffix("/slack").unwrap();
    assert_eq!(answer(client().get(format!("{admin}/spaces"))).await.1[0]["name"], "a");
    assert_eq!(answer(client().get(format!("{admin}/spaces/a/slack/calls"))).await.1[0]["space"], "a");
    end(child, "TERM");
}

#[tokio::test]
async fn a_journal_is_exported_and_verified_from_outside() {
    let mut child = twins().args(["serve", "slack"]).stdout(Stdio::piped()).spawn().unwrap();
    let line = BufReader::new(child.stdout.take().unwrap()).lines().next().unwrap().unwrap();
    let slack: Value = serde_json::from_str(&line).unwrap();
    let base = slack["base_url"].as_str().unwrap();
    answer(client().post(format!("{base}/api/auth.test")).bearer_auth("xoxb-twin")).await;
    let admin = slack["admin_url"].as_str().unwrap().strip_suffix("/slack").unwrap();
    let exported = client().get(format!("{admin}/journal/export")).send().await.unwrap().text().await.unwrap();
    end(child, "TERM");
    let folder = tempfile::tempdir().unwrap();
    let verify = |text: &str| {
        let file = folder.path().join("calls.jsonl");
        std::fs::write(&file, text).unwrap();
        let output = twins().arg("verify").arg(file).output().unwrap();
        (output.status.code(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
    };
    let (code, said) = verify(&exported);
    assert_eq!((code, said.lines().next()), (Some(0), Some("1 call from the first on, unchanged")));
    let (code, said) = verify(&exported.replace("auth.test", "auth.tset"));
    assert_eq!((code, said.contains("line 1: call 1 was changed")), (Some(1), true), "{said}");
}

#[test]
fn a_mistake_in_the_configuration_is_shown_in_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |text: &str| {
        let file = folder.path().join("twins.yaml");
        std::fs::write(&file, text).unwrap();
        let output = twins().args(["serve", "slack", "--config"]).arg(&file).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        String::from_utf8(output.stderr).unwrap()
    };
    let unknown = refused("slack:\n  bot_token: xoxb-1\n  chanels: [general]\n");
    assert!(unknown.contains("twins.yaml:3:3: twin `slack`: unknown field `chanels`"), "{unknown}");
    assert!(unknown.contains("^^^^^^^"), "{unknown}");
    let kind = refused("slack:\n  channels: 7\n");
    assert!(kind.contains("twins.yaml:2:3: twin `slack`: invalid type"), "{kind}");
    assert!(refused("slack: {}\nstripe:\n  account: {}\n").contains("twins.yaml:3:3: `stripe` is configured"));
    assert!(refused("slack: [\n").contains("twins.yaml:"), "no YAML");
    assert!(refused("{\"slack\": {\"chanels\": []}}").contains("twins.yaml:1:13: twin `slack`"));
}

#[test]
fn a_taken_port_says_so_with_the_way_out() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let wanted = format!("slack={}", taken.local_addr().unwrap().port());
    let output = twins().args(["serve", &wanted]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("cannot listen on port") && said.contains("0 for a free one"), "{said}");
    assert!(said.contains("in use"), "{said}");
}

#[test]
fn help_schemas_and_completions_are_printed() {
    let printed = |args: &[&str]| String::from_utf8(twins().args(args).output().unwrap().stdout).unwrap();
    assert!(printed(&["--help"]).contains("twins serve stripe=4010 --seed 7 --json"));
    assert!(printed(&["completions", "bash"]).contains("_twins"));
    let schema: Value = serde_json::from_str(&printed(&["schema", "fault-rule"])).unwrap();
    assert!(schema["properties"]["lag_calls"].is_object());
    assert!(printed(&["schema", "call-query"]).contains("after_seq"));
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
    assert!(failed(&["check", "/nowhere.yaml"]).contains("there is no such file"));
}

#[test]
fn list_names_every_operation() {
    let output = twins().args(["list", "--json"]).output().unwrap();
    let twins: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(twins.len(), twins::catalogue().len());
    assert!(twins.iter().all(|twin| !twin["operations"].as_array().unwrap().is_empty()));
}
