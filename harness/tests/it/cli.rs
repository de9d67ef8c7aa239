//! The binary `harness`, as a shell sees it.

use std::{
    path::Path,
    process::{Command, Output},
};

use crate::kit::{scenario, subjects};

const GREEN: &str =
    "requirements: [R1]\nsteps: [{ http: { get: /note }, expect: { status: 404, json: { error: no note } } }]";
const RED: &str = "tags: [slow]\nsteps: [{ http: { get: /note }, expect: { status: 200 } }]";

/// A repository with a subject and scenarios.
pub(crate) fn repository(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let config = "subject: notes\nstart: { argv: [python3, notes.py], env: { PORT: \"{{ port }}\", DATA_DIR: \"{{ data_dir }}\" } }\nready: { http: /health, within: 20s }\n";
    std::fs::write(dir.path().join("harness.yaml"), config).unwrap();
    std::fs::copy(subjects().join("notes.py"), dir.path().join("notes.py")).unwrap();
    std::fs::create_dir(dir.path().join("scenarios")).unwrap();
    for (slug, rest) in files {
        std::fs::write(dir.path().join(format!("scenarios/{slug}.yaml")), scenario(slug, rest).text()).unwrap();
    }
    dir
}

pub(crate) fn harness(dir: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_harness")).args(arguments).current_dir(dir).output().unwrap()
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn a_satisfied_run_is_quiet_and_exits_with_0() {
    let dir = repository(&[("good", GREEN)]);
    let output = harness(dir.path(), &["run", "--seed", "7", "--trials", "2"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
    assert!(output.stderr.is_empty(), "{}", text(&output.stderr));
    let stdout = text(&output.stdout);
    assert_eq!(stdout.lines().count(), 1);
    assert!(
        stdout.starts_with("satisfied: 2 of 2 trials, 1 scenario, at least 0.224 with 95 % confidence"),
        "{stdout}"
    );
}

#[test]
fn a_failing_run_shows_the_difference_and_exits_with_1() {
    let dir = repository(&[("good", GREEN), ("bad", RED)]);
    let output = harness(dir.path(), &["run", "--junit", "out.xml", "--jsonl", "out.jsonl"]);
    assert_eq!(output.status.code(), Some(1));
    let stdout = text(&output.stdout);
    assert!(
        stdout.contains(
            "failed bad: 0 of 1 trials satisfied\n  trial 1, step 1 \"GET /note\", scenarios/bad.yaml:4:9:\n  │ status: expected 200, got 404"
        ),
        "{stdout}"
    );
    assert!(!stdout.contains("failed good"), "what passes takes no line: {stdout}");
    assert!(std::fs::read_to_string(dir.path().join("out.xml")).unwrap().contains("<failure "));
    let events = std::fs::read_to_string(dir.path().join("out.jsonl")).unwrap();
    assert_eq!(events.matches("\"event\":\"trial_finished\"").count(), 2);
}

#[test]
fn a_run_can_be_filtered_and_read_by_machines() {
    let dir = repository(&[("good", GREEN), ("bad", RED)]);
    let output = harness(dir.path(), &["run", "--filter", "^R1$", "--json", "--jsonl", "out.jsonl", "--seed", "3"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let report: harness::Report = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((report.executed, report.seed), (1, 3));
    let events = std::fs::read_to_string(dir.path().join("out.jsonl")).unwrap();
    assert_eq!(events.matches("trial_started").count(), 1);
    assert_eq!(harness(dir.path(), &["run", "--filter", "none"]).status.code(), Some(2));
}

#[test]
fn wrong_files_and_wrong_use_exit_with_2() {
    let dir = repository(&[("a", "steps: [{ twin: strip, expect: { count: 1 } }]")]);
    for command in ["run", "lint", "prove"] {
        let output = harness(dir.path(), &[command]);
        assert_eq!(output.status.code(), Some(2), "{command}");
        let stderr = text(&output.stderr);
        assert!(stderr.contains("a.yaml:3:17: there is no twin `strip` [unknown-twin]"), "{stderr}");
        assert!(stderr.contains("hint: there are"), "{stderr}");
    }
    assert_eq!(harness(dir.path(), &["run", "--confidence", "1"]).status.code(), Some(2));
    assert_eq!(harness(dir.path(), &["run", "--subject", "nowhere"]).status.code(), Some(2));
    std::fs::remove_dir_all(dir.path().join("scenarios")).unwrap();
    assert_eq!(harness(dir.path(), &["run"]).status.code(), Some(2));
}

#[test]
fn a_missing_interpreter_exits_with_5() {
    let dir = repository(&[("good", GREEN)]);
    std::fs::write(dir.path().join("harness.yaml"), "subject: a\nstart: { argv: [no-such-interpreter] }\n").unwrap();
    let output = harness(dir.path(), &["run"]);
    assert_eq!(output.status.code(), Some(5));
    assert!(text(&output.stdout).contains("nothing can be concluded"), "{}", text(&output.stdout));
}

/// A subject speaks plain HTTP, so a machine without certificate authorities can test it.
#[test]
fn no_certificate_authority_is_needed() {
    let dir = repository(&[("good", GREEN)]);
    let mut command = Command::new(env!("CARGO_BIN_EXE_harness"));
    let output = command.arg("run").env("SSL_CERT_FILE", "/nowhere").current_dir(dir.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
}

#[test]
fn something_that_already_runs_can_be_the_target() {
    let dir = repository(&[("good", GREEN)]);
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut subject = Command::new("python3")
        .arg("notes.py")
        .env("PORT", port.to_string())
        .env("DATA_DIR", dir.path())
        .stderr(std::process::Stdio::null())
        .current_dir(dir.path())
        .spawn()
        .unwrap();
    let is_up = || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok();
    let up = (0..2_000).any(|_| {
        is_up() || {
            std::thread::sleep(std::time::Duration::from_millis(10));
            false
        }
    });
    let target = format!("http://127.0.0.1:{port}");
    let output = harness(dir.path(), &["run", "--target", &target]);
    subject.kill().unwrap();
    subject.wait().unwrap();
    assert!(up, "the subject never listened");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
}

#[test]
fn lint_tells_a_machine_what_it_tells_a_person() {
    let dir = repository(&[("good", GREEN)]);
    let said = |output: &std::process::Output| serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap();
    let good = harness(dir.path(), &["lint", "--json"]);
    assert_eq!((good.status.code(), said(&good)), (Some(0), serde_json::json!([])));
    let dir = repository(&[("bad", "stepz: []")]);
    let bad = harness(dir.path(), &["lint", "--json"]);
    assert_eq!((bad.status.code(), bad.stderr.len()), (Some(2), 0));
    let said = said(&bad);
    assert!(said[0]["file"].as_str().unwrap().ends_with("bad.yaml"), "{said}");
    assert!(said[0]["message"].as_str().unwrap().contains("unknown field `stepz`"), "{said}");
    assert!(said[0]["hint"].as_str().unwrap().contains("`steps`"), "{said}");
    assert!(said[0]["line"].is_u64() && said[0]["column"].is_u64() && said[0]["width"].is_u64(), "{said}");
}

#[test]
fn lint_prove_schema_and_completions_answer() {
    let dir = repository(&[("good", GREEN)]);
    assert_eq!(text(&harness(dir.path(), &["lint"]).stdout), "1 scenario is fine\n");
    let holdout = harness(dir.path(), &["lint", "--holdout"]);
    assert_eq!(holdout.status.code(), Some(2));
    assert_eq!(text(&harness(dir.path(), &["prove"]).stdout), "1 scenario is red on a nop and on a stub\n");
    let unsound = repository(&[("a", "steps: [{ http: { get: / }, expect: { status: 200 } }]")]);
    let output = harness(unsound.path(), &["prove"]);
    assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(1), "unsound a: it lets a stub pass\n"));
    let sql = "{ sql: { postgres: 'postgres://127.0.0.1:1/a', query: select 1 }, expect: { rows: 1 } }";
    let unproven = harness(repository(&[("a", &format!("steps: [{sql}]"))]).path(), &["prove"]);
    let told = text(&unproven.stdout);
    assert!(told.starts_with("unproven a: ") && !told.contains("red"), "what could not run is not red: {told}");
    assert_eq!(unproven.status.code(), Some(5));
    let schema: serde_json::Value = serde_json::from_slice(&harness(dir.path(), &["schema"]).stdout).unwrap();
    assert_eq!(schema["scenario"]["title"], "Scenario");
    assert!(text(&harness(dir.path(), &["completions", "bash"]).stdout).contains("_harness"));
}

/// Runs a command on a terminal, touches a file when the terminal has shown a text, and prints all that it showed.
const ON_A_TERMINAL: &str = r#"
import fcntl, os, pty, struct, sys, termios

seen, go, command = sys.argv[1].encode(), sys.argv[2], sys.argv[3:]
child, terminal = pty.fork()
if child == 0:
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 120, 0, 0))
    os.execv(command[0], command)
shown = b""
while True:
    try:
        part = os.read(terminal, 4096)
    except OSError:
        break
    if not part:
        break
    shown += part
    if seen in shown:
        open(go, "w").close()
sys.stdout.buffer.write(shown)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"#;

#[test]
fn a_terminal_shows_how_far_the_run_is_while_it_runs() {
    let waits = "steps: [{ exec: { argv: [sh, -c, 'test {{ trial }} = 1 || while ! test -e go; do sleep 0.01; done'], timeout: 60s }, expect: { exit: 0 } }]";
    let dir = crate::stored_runs::tool(&[("fails", crate::stored_runs::FAILS), ("waits", waits)]);
    let seen = "3/4 trials, 2 not satisfied";
    let run = [env!("CARGO_BIN_EXE_harness"), "run", "--trials", "2", "--jobs", "2"];
    let mut command = Command::new("python3");
    command.args(["-c", ON_A_TERMINAL, seen, "go"]).args(run).env("TERM", "xterm").current_dir(dir.path());
    let output = command.output().unwrap();
    let shown = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{shown}{}", text(&output.stderr));
    // Without it, the last trial would wait until its step times out.
    assert!(dir.path().join("go").exists() && shown.contains(seen), "{shown}");
    assert!(shown.contains(": 2 of 4 trials, 2 scenarios"), "{shown}");
}
