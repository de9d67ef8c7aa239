//! `harness init`, and what commands tell machines.

use std::{path::Path, process::Output};

use serde_json::{Value as Json, json};

use crate::{
    cli::{harness, repository, text},
    stored_runs::{FAILS, PASSES, tool},
};

const SERVER: &str = "import http.server, os\n\
    http.server.HTTPServer((\"127.0.0.1\", int(os.environ[\"PORT\"])), http.server.SimpleHTTPRequestHandler).serve_forever()\n";

fn told(output: &Output) -> Json {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", text(&output.stderr)))
}

fn passes(dir: &Path) {
    for command in ["lint", "run"] {
        let output = harness(dir, &[command]);
        assert_eq!(output.status.code(), Some(0), "{}{}", text(&output.stdout), text(&output.stderr));
    }
}

#[test]
fn a_server_that_is_recognised_passes_its_first_scenario() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("app.py"), SERVER).unwrap();
    let output = harness(dir.path(), &["init", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let told = told(&output);
    assert_eq!((&told["recognised"], &told["next"]), (&json!("app.py"), &json!("harness run")));
    assert_eq!(told["written"], json!(["harness.yaml", "scenarios/first.yaml"]));
    passes(dir.path());
}

#[test]
fn a_tree_that_says_nothing_gets_a_file_to_fill_in() {
    let dir = tempfile::tempdir().unwrap();
    let output = harness(dir.path(), &["init"]);
    assert!(text(&output.stdout).contains("next: say in harness.yaml how it is started"), "{}", text(&output.stdout));
    assert!(std::fs::read_to_string(dir.path().join("harness.yaml")).unwrap().contains("# start: { argv:"));
    passes(dir.path());
}

#[test]
fn no_file_is_written_over() {
    let dir = tool(&[("a", PASSES)]);
    let before = std::fs::read_to_string(dir.path().join("harness.yaml")).unwrap();
    let told = told(&harness(dir.path(), &["init", "--json"]));
    assert_eq!((&told["written"], &told["kept"]), (&json!([]), &json!(["harness.yaml"])));
    assert_eq!(std::fs::read_to_string(dir.path().join("harness.yaml")).unwrap(), before);
    std::fs::remove_file(dir.path().join("harness.yaml")).unwrap();
    let told = crate::init::told(&harness(dir.path(), &["init", "--json"]));
    assert_eq!((&told["written"], &told["kept"]), (&json!(["harness.yaml"]), &json!(["scenarios"])));
    assert!(!dir.path().join("scenarios/first.yaml").exists());
    assert_eq!(harness(dir.path(), &["init", "nowhere"]).status.code(), Some(2));
}

#[test]
fn prove_and_verify_tell_machines() {
    let dir = repository(&[("a", "steps: [{ http: { get: / }, expect: { status: 200 } }]")]);
    let output = harness(dir.path(), &["prove", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let results = told(&output);
    assert!(
        results
            .as_array()
            .unwrap()
            .iter()
            .any(|result| result["control"] == "stub" && result["verdict"] == "satisfied"),
        "{results}"
    );
    let dir = tool(&[("a", PASSES), ("b", FAILS)]);
    harness(dir.path(), &["run"]);
    let intact = harness(dir.path(), &["verify", "--json"]);
    assert_eq!(
        (intact.status.code(), &told(&intact)["wrong"], &told(&intact)["ended"]),
        (Some(0), &Json::Null, &json!(true))
    );
    let log = dir.path().join(".harness/latest/log.jsonl");
    let forged = std::fs::read_to_string(&log).unwrap().replace("unsatisfied", "satisfied");
    std::fs::write(&log, forged).unwrap();
    let broken = harness(dir.path(), &["verify", "--json"]);
    assert_eq!(broken.status.code(), Some(5));
    assert!(told(&broken)["wrong"].as_str().is_some_and(|wrong| !wrong.is_empty()), "{}", told(&broken));
}

#[test]
fn what_is_missing_is_said_with_the_way_out() {
    let dir = tempfile::tempdir().unwrap();
    let said = |arguments: &[&str]| {
        let output = harness(dir.path(), arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        text(&output.stderr)
    };
    for command in ["run", "lint", "prove"] {
        let said = said(&[command]);
        assert!(said.starts_with("./harness.yaml: there is no such file\n  hint: it says how the subject is started: `harness init` writes one"), "{said}");
    }
    assert!(said(&["run", "--subject", "nowhere"]).starts_with("nowhere: there is no such folder\n"));
    std::fs::write(dir.path().join("file"), "").unwrap();
    assert!(said(&["run", "--subject", "file"]).starts_with("file: this is a file, where a folder is needed\n"));
    std::fs::create_dir(dir.path().join("harness.yaml")).unwrap();
    assert!(said(&["run"]).starts_with("./harness.yaml: this is a folder, where a file is needed\n"));
}

#[test]
fn a_pipe_is_not_waited_for() {
    let dir = tool(&[("a", PASSES)]);
    for name in ["named.yaml", "scenarios/pipe.yaml", "scenarios/body"] {
        rustix::fs::mknodat(rustix::fs::CWD, dir.path().join(name), rustix::fs::FileType::Fifo, 0o600.into(), 0)
            .unwrap();
    }
    let named = harness(dir.path(), &["run", "named.yaml"]);
    assert_eq!(named.status.code(), Some(2));
    assert!(
        text(&named.stderr).starts_with("named.yaml: this is a pipe or a device, where a file is needed"),
        "{}",
        text(&named.stderr)
    );
    std::fs::write(
        dir.path().join("scenarios/b.yaml"),
        "scenario: b\ntitle: b\nsteps: [{ exec: { argv: [echo, \"{{ file('body') }}\"] }, expect: { exit: 0 } }]\n",
    )
    .unwrap();
    let read = harness(dir.path(), &["run"]);
    assert_ne!(read.status.code(), Some(0));
    assert!(text(&read.stdout).contains("it is no regular file"), "{}{}", text(&read.stdout), text(&read.stderr));
}
