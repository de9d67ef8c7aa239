//! `--agent 'command'`: any coding tool as the builder, inside the sandbox and on the record.

use std::net::TcpListener;

use e2e_tests::factory::{Ended, Workplace};
use model::{
    event::{
        Body,
        agent::{CommandExited, CommandPrinted},
        run::TreeExported,
    },
    id::RunId,
};

use super::SPEC;

/// Of one command's output in the log, as `docs/events.md` and the agents crate have it, and some JSON around it.
const LOGGED_BYTES_MAX: usize = 1024 * 1024;

/// Looks around, and builds what the spec asks for.
const BUILDER: &str = r#"
import os, socket, sys, time

task = sys.stdin.read()
with open(os.environ["FACTORY_TASK_FILE"]) as file:
    print("the same task in the file:", file.read() == task)
print("the task holds the spec:", "GET /hello" in task)
for name, path in (("the home", sys.argv[1]), ("holdouts", "holdout"), ("history", ".git"), ("the script", "specs/greeting")):
    print(f"{name} is there:", os.path.exists(path))
for name, address in (("the host", ("127.0.0.1", int(sys.argv[2]))), ("the internet", ("192.0.2.1", 80))):
    try:
        socket.create_connection(address, timeout=5).close()
        print(f"{name} answers")
    except OSError as error:
        print(f"{name}: {error.strerror}")
print("secrets:", [name for name in os.environ if "FACTORY_HOME" in name or "KEY" in name])
print("this goes to the other stream", file=sys.stderr)

with open("app.py", "w") as file:
    file.write('''@APP@''')
"#;

/// The template's service, with its one mistake mended.
pub(super) fn mended_app() -> String {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the workspace");
    let app = root.join("factory/server/templates/init/specs/greeting/app/app.py");
    let app = std::fs::read_to_string(app).expect("the template");
    let mended = app.replace("len(name) >= NAME_CHARS_MAX", "len(name) > NAME_CHARS_MAX");
    assert_ne!(app, mended, "the template's mistake has moved");
    mended
}

/// Issue 2, 9: what an outside agent does is graded and on record like the built-in one's work.
#[test]
fn an_outside_agent_gets_the_task_builds_in_the_sandbox_and_is_graded() {
    let place = Workplace::init();
    place.write("build.py", &BUILDER.replace("@APP@", &mended_app()));
    place.commit("an agent");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let (home, port) = (place.home(), listener.local_addr().expect("bound").port());
    let command = format!("python3 build.py {} {port}", home.display());
    let ended = place.ended(&["run", SPEC, "--agent", &command]);
    ended.expect_status(0);
    assert_eq!(ended.said("iterations"), 1, "the feedback was not needed");

    let started = ended.all(|body| if let Body::CommandStarted(started) = body { Some(started) } else { None });
    assert_eq!(started.len(), 1);
    assert_eq!(started[0].argv, ["/bin/sh", "-c", &command]);
    insta::assert_snapshot!(printed(&ended), @r"
    stdout:
    the same task in the file: True
    the task holds the spec: True
    the home is there: False
    holdouts is there: False
    history is there: False
    the script is there: False
    the host: Connection refused
    the internet: Network is unreachable
    secrets: []
    stderr:
    this goes to the other stream
    ");
    let exited = exits(&ended);
    assert_eq!((exited[0].status.as_str(), exited[0].success), ("exit 0", true));
    let exported = ended.all(|body| if let Body::TreeExported(exported) = body { Some(exported) } else { None });
    assert_eq!(exported[0].added, ["app.py"], "nothing of the task's own files is part of the work");
    assert!(no_model_was_asked(&ended));
    assert!(listener.set_nonblocking(true).is_ok() && listener.accept().is_err(), "something of the sandbox came out");
    place.verified();
    place.assert_nothing_runs();
}

fn no_model_was_asked(ended: &Ended) -> bool {
    ended
        .events
        .iter()
        .all(|event| !event.body.kind().starts_with("session.") && !event.body.kind().starts_with("turn."))
}

/// What the command printed, by stream.
fn printed(ended: &Ended) -> String {
    let mut text = String::new();
    for stream in ["stdout", "stderr"] {
        let pieces = ended.all(|body| match body {
            Body::CommandPrinted(CommandPrinted { stream: of, text, .. }) if name(of) == stream => Some(text.as_str()),
            _ => None,
        });
        text.push_str(&format!("{stream}:\n{}", pieces.concat()));
    }
    text
}

fn name(stream: &impl serde::Serialize) -> String {
    serde_json::to_value(stream).expect("a name").as_str().expect("a name").to_owned()
}

fn exits(ended: &Ended) -> Vec<&CommandExited> {
    ended.all(|body| if let Body::CommandExited(exited) = body { Some(exited) } else { None })
}

/// One build by `command` in a home that is there already.
fn built_once(place: &Workplace, command: &str) -> Ended {
    place.ended(&["run", SPEC, "--agent", command, "--iterations", "1", "--trials", "1"])
}

/// The outcome is the tree's, never the agent's word: each of these is graded, and no run hangs.
#[test]
fn an_agent_that_fails_does_nothing_or_leaves_a_daemon_ends_in_a_verdict() {
    let place = Workplace::init();
    let cases = [
        ("echo 'no idea' >&2; exit 3", "exit 3", "stdout:\nstderr:\nno idea\n"),
        ("true", "exit 0", "stdout:\nstderr:\n"),
        ("no-such-agent", "exit 127", "stdout:\nstderr:\n/bin/sh: 1: no-such-agent: not found\n"),
        ("kill -9 $$", "signal 9", "stdout:\nstderr:\n"),
        // It holds the output open: only the end of the sandbox ends it.
        ("setsid sleep 86399 & echo left", "exit 0", "stdout:\nleft\nstderr:\n"),
    ];
    for (command, status, output) in cases {
        let ended = built_once(&place, command);
        ended.expect_status(1);
        assert_eq!(exits(&ended)[0].status, status, "{command}");
        assert_eq!(printed(&ended), output, "{command}");
        let changed =
            ended.all(|body| if let Body::TreeExported(exported) = body { Some(changes(exported)) } else { None });
        assert_eq!(changed, [0], "{command}");
        assert_eq!(ended.said("gate")["visible"]["satisfied"], 0, "{command}");
    }
    place.assert_nothing_runs();
    assert_eq!(sleepers(), 0, "the daemon outlived its sandbox");
}

fn changes(exported: &TreeExported) -> usize {
    exported.added.len() + exported.modified.len() + exported.deleted.len()
}

/// Processes with the number that only the daemon above sleeps for.
fn sleepers() -> usize {
    let processes = std::fs::read_dir("/proc").expect("/proc").flatten();
    let arguments = processes.filter_map(|process| std::fs::read(process.path().join("cmdline")).ok());
    arguments.filter(|arguments| arguments == b"sleep\x0086399\0").count()
}

/// FAC: everything is bounded. The rest of the output is dropped, not the run.
#[test]
fn a_hundred_megabytes_of_output_leave_one_in_the_log() {
    let place = Workplace::init();
    let ended = built_once(&place, "head -c 100000000 /dev/zero | tr '\\0' x");
    ended.expect_status(1);
    let logged = printed(&ended).len();
    assert!(logged > LOGGED_BYTES_MAX / 2, "a useful part is kept: {logged}");
    assert!(logged < LOGGED_BYTES_MAX + 200, "{logged}");
    assert_eq!(exits(&ended)[0].status, "exit 0");
    assert!(workspace_is_bounded(&place, &ended.run()));
    place.assert_nothing_runs();
}

fn workspace_is_bounded(place: &Workplace, run: &RunId) -> bool {
    let folder = place.home().join("runs").join(run.as_str());
    let output = std::process::Command::new("du").arg("-sb").arg(&folder).output().expect("du runs");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let bytes: u64 = text.split_whitespace().next().and_then(|bytes| bytes.parse().ok()).expect("a number of bytes");
    bytes < 10 * 1024 * 1024
}
