//! `harness record` as a process between a client and a server.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, ChildStderr, Command, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::{
    cli::{harness, repository, text},
    kit::tls,
};

struct KillOnDrop(Child);

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// The notes of the repository, served at the port.
fn notes(dir: &Path, data: &Path) -> (KillOnDrop, u16) {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut command = Command::new("python3");
    command.arg("notes.py").current_dir(dir).env("PORT", port.to_string()).env("DATA_DIR", data).stderr(Stdio::null());
    let server = KillOnDrop(command.spawn().unwrap());
    for _ in 0..4_000 {
        if TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return (server, port);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("the server never listened");
}

/// A recorder, its address and what else it says.
fn record(dir: &Path, port: u16) -> (KillOnDrop, String, BufReader<ChildStderr>) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_harness"));
    let target = format!("http://127.0.0.1:{port}");
    command.args(["record", "--target", &target, "--out", "scenarios/taken.yaml"]).current_dir(dir);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    stderr.read_line(&mut line).unwrap();
    let address = line.strip_prefix("recording ").unwrap_or_else(|| panic!("{line}")).split(' ').next().unwrap();
    (KillOnDrop(child), address.to_owned(), stderr)
}

fn end(mut recorder: KillOnDrop, signal: Signal) -> (Option<i32>, String) {
    kill_process(Pid::from_child(&recorder.0), signal).unwrap();
    let status = recorder.0.wait().unwrap();
    let mut said = String::new();
    recorder.0.stdout.take().unwrap().read_to_string(&mut said).unwrap();
    (status.code(), said)
}

#[tokio::test]
async fn what_was_recorded_is_run_again_and_holds_of_the_same_subject_only() {
    tls();
    let dir = repository(&[]);
    let data = tempfile::tempdir().unwrap();
    let (_server, port) = notes(dir.path(), data.path());
    let (recorder, address, _stderr) = record(dir.path(), port);
    let client = reqwest::Client::new();
    let note = format!("{address}/note");
    assert_eq!(client.get(&note).send().await.unwrap().status(), 404);
    assert_eq!(client.post(&note).json(&json!({ "text": "milk" })).send().await.unwrap().status(), 201);
    let answer = client.get(&note).send().await.unwrap();
    assert_eq!(answer.text().await.unwrap(), r#"{"text": "milk"}"#, "bodies pass through as they are");
    assert_eq!(end(recorder, Signal::INT), (Some(0), "scenarios/taken.yaml: 3 requests\n".to_owned()));

    let again = harness(dir.path(), &["run", "--no-store", "--json"]);
    assert_eq!(again.status.code(), Some(0), "{}{}", text(&again.stdout), text(&again.stderr));
    let report: harness::Report = serde_json::from_slice(&again.stdout).unwrap();
    assert_eq!((report.scenarios[0].scenario.as_str(), report.executed), ("taken", 1));
    let forgetful = std::fs::read_to_string(dir.path().join("notes.py")).unwrap().replace("note.write(", "(");
    std::fs::write(dir.path().join("notes.py"), forgetful).unwrap();
    assert_eq!(harness(dir.path(), &["run", "--no-store"]).status.code(), Some(1), "it asserts something");
}

#[tokio::test]
async fn nothing_is_written_over_and_nothing_is_written_of_nothing() {
    let dir = repository(&[]);
    let target = ["record", "--target", "http://127.0.0.1:1", "--out", "scenarios/taken.yaml"];
    let (recorder, _, mut stderr) = record(dir.path(), 1);
    assert_eq!(end(recorder, Signal::TERM), (Some(2), String::new()));
    let mut said = String::new();
    stderr.read_to_string(&mut said).unwrap();
    assert!(said.starts_with("nothing was recorded, so nothing was written\nhint: "), "{said}");
    let file = dir.path().join("scenarios/taken.yaml");
    assert!(!file.exists());
    std::fs::write(&file, "mine").unwrap();
    let refused = harness(dir.path(), &target);
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused.stderr).contains("scenarios/taken.yaml is there already\nhint: pass --force"));
    assert_eq!(std::fs::read_to_string(file).unwrap(), "mine");
}
