//! Subjects in sandboxes: what they reach, what they do not, and what is left of them. Whatever must not be possible is
//! tried by the same subject as a plain process first, where it is: a probe that never works would prove nothing.

use std::{
    net::TcpListener,
    os::{linux::net::SocketAddrExt as _, unix::net::UnixListener},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::Duration,
};

use harness::{Launcher, Plan, SubjectConfig, TrialRecord, Verdict};

use crate::kit::{Noted, config, plan, processes, report, scenario, subjects, suite, tls};

const HARNESS: &str = env!("CARGO_BIN_EXE_harness");

/// Tools that were installed without root rights live outside of the system's folders.
fn shown(more: &[&Path]) -> String {
    let tools = std::env::var("FACTORY_TOOLS_DIR").ok();
    let paths = tools.iter().map(String::as_str).chain(more.iter().map(|path| path.to_str().unwrap()));
    format!("{{ sandbox: {{ read: {:?} }} }}", paths.collect::<Vec<_>>())
}

fn subject(launcher: &str, mode: &str) -> SubjectConfig {
    config(&format!(
        "subject: boxed\nstart: {{ argv: [python3, boxed.py], env: {{ PORT: \"{{{{ port }}}}\", MODE: \"{mode}\" }} }}\n\
         ready: {{ tcp: true, within: 20s }}\nlauncher: {launcher}\n\
         twins: {{ slack: {{}}, stripe: {{ account: {{ secret_key: sk_test_kit }}, webhooks: [{{ to: /hook, secret: whsec_kit, events: ['*'] }}] }} }}\n"
    ))
}

fn launcher_of(config: &SubjectConfig) -> Box<dyn Launcher> {
    config.launcher(processes(), HARNESS.into()).unwrap_or_else(|error| panic!("{error}"))
}

async fn run_of(config: SubjectConfig, rest: &str) -> TrialRecord {
    let launcher = launcher_of(&config);
    report(plan(suite(vec![scenario("a", rest)]), config), launcher.as_ref()).await.records.remove(0)
}

async fn boxed(rest: &str) -> TrialRecord {
    let record = run_of(subject(&shown(&[]), ""), rest).await;
    assert_eq!(record.verdict, Verdict::Satisfied, "{:?}\n{}", record.failure, record.subject_log);
    record
}

/// What the subject says about each try, as `got: …` or `refused: …`.
async fn tries(launcher: &str, tries: &[String]) -> Vec<String> {
    let step = |what: &String| format!("  - http: {{ get: {what:?} }}\n    expect: {{ status: 200 }}\n");
    let steps: String = tries.iter().map(step).collect();
    let record = run_of(subject(launcher, ""), &format!("steps:\n{steps}")).await;
    assert_eq!(record.verdict, Verdict::Satisfied, "{:?}\n{}", record.failure, record.subject_log);
    let said = |step: &harness::StepRecord| {
        let body = step.evidence["response"]["body"].clone();
        let body = body.as_str().map_or_else(|| body.clone(), |text| serde_json::from_str(text).unwrap());
        let (word, what) = body.as_object().unwrap().iter().next().unwrap();
        format!("{word}: {}", what.as_str().unwrap_or_default())
    };
    record.steps.iter().map(said).collect()
}

/// Fails where a sandbox lets through what a plain process does, and where a plain process does not.
async fn is_kept_from(what: &[String]) {
    let open = tries("process", what).await;
    assert!(open.iter().all(|answer| answer.starts_with("got")), "the probes must work: {what:?} {open:?}");
    let kept = tries(&shown(&[]), what).await;
    assert!(kept.iter().all(|answer| answer.starts_with("refused")), "{what:?} {kept:?}");
}

/// A folder that is neither the subject's tree nor a temporary one of the machine.
fn home() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

#[tokio::test]
async fn a_subject_serves_from_a_sandbox_and_comes_back_with_its_data() {
    boxed(
        r#"
steps:
  - http: { get: "/write?of={{ data_dir }}/note" }
    expect: { json: { got: written } }
  - restart: { signal: kill }
  - http: { get: "/read?of={{ data_dir }}/note" }
    expect: { json: { got: written } }
  - stop: { signal: term }
  - start: {}
  - exec: { argv: [cat, "{{ data_dir }}/note"] }
    expect: { stdout: written }
  - exec: { argv: [python3, boxed.py, ask, "{{ subject.url }}/uid"] }
    expect: { stdout: { contains: '"got": 1000' } }
"#,
    )
    .await;
}

#[tokio::test]
async fn twins_are_reached_and_reach_the_subject() {
    let record = boxed(
        r#"
steps:
  - http: { get: "/fetch?of={{ twins.slack.url }}/api/auth.test" }
    expect: { jsonpath: [{ path: $.got, contains: not_authed }] }
  - exec: { argv: [python3, caller.py, "{{ twins.stripe.url }}/v1/payment_intents", "amount=100&currency=eur"] }
    expect: { exit: 0 }
  - http: { get: /hooks }
    retry: { until_pass_within: 10s }
    expect: { json: { got: [payment_intent.created] } }
"#,
    )
    .await;
    assert_eq!(record.twin_calls, 2);
}

#[tokio::test]
async fn a_file_outside_of_the_tree_does_not_exist_and_the_tree_is_read_only() {
    let home = home();
    let secret = home.path().join("secret");
    std::fs::write(&secret, "hunter2").unwrap();
    let temporary = tempfile::NamedTempFile::new().unwrap();
    let written = tempfile::NamedTempFile::new_in(subjects()).unwrap();
    is_kept_from(&[
        format!("/read?of={}", secret.display()),
        format!("/read?of={}", temporary.path().display()),
        format!("/write?of={}", written.path().display()),
        "/read?of=/etc/hostname".to_owned(),
        format!("/read?of=/proc/{}/status", std::process::id()),
    ])
    .await;
    let private = ["/write?of=/tmp/harness-test-note".to_owned(), format!("/write?of={}", "/home/subject/note")];
    assert_eq!(tries(&shown(&[]), &private).await, ["got: written", "got: written"]);
    assert!(!Path::new("/tmp/harness-test-note").exists(), "its /tmp is its own");
    let read = tries(&shown(&[home.path()]), &[format!("/read?of={}", secret.display())]).await;
    assert_eq!(read, ["got: hunter2"], "what harness.yaml names is shown");
}

#[tokio::test]
async fn a_port_of_the_machine_that_is_no_twin_is_out_of_reach() {
    let service = TcpListener::bind("127.0.0.1:0").unwrap();
    is_kept_from(&[format!("/connect?of={}", service.local_addr().unwrap().port())]).await;
}

#[tokio::test]
async fn a_unix_socket_of_the_machine_is_out_of_reach() {
    let home = home();
    let path = home.path().join("socket");
    let _named = UnixListener::bind(&path).unwrap();
    let name = format!("harness-tests-{}", std::process::id());
    let address = std::os::unix::net::SocketAddr::from_abstract_name(&name).unwrap();
    let _unnamed = UnixListener::bind_addr(&address).unwrap();
    is_kept_from(&[format!("/unix?of={}", path.display()), format!("/unix?of=@{name}")]).await;
}

#[tokio::test]
async fn the_terminal_that_the_harness_runs_on_is_out_of_reach() {
    for (launcher, word) in [("process", "got"), (shown(&[]).as_str(), "refused")] {
        let tree = tree_in(
            launcher,
            &format!(
                "scenario: a\ntitle: a\nsteps: [{{ http: {{ get: '/write?of=/dev/tty' }}, expect: {{ jsonpath: [{{ path: $.{word}, exists: true }}] }} }}]\n"
            ),
        );
        let subject = tree.path().to_str().unwrap();
        let rest = format!(
            "steps: [{{ exec: {{ argv: [{HARNESS:?}, run, --no-store, --subject, {subject:?}], pty: {{}}, timeout: 40s }}, expect: {{ exit: 0 }} }}]"
        );
        let record = run_of(config("subject: tool\n"), &rest).await;
        assert_eq!(record.verdict, Verdict::Satisfied, "{launcher}: {:?}", record.failure);
    }
}

#[tokio::test]
async fn the_harness_inside_cannot_be_looked_into() {
    let environments = ["/read?of=/proc/self/environ", "/read?of=/proc/1/environ"].map(str::to_owned);
    let said = tries(&shown(&[]), &environments).await;
    assert!(said[0].starts_with("got: ") && said[1].contains("Permission denied"), "{said:?}");
}

#[tokio::test]
async fn a_door_that_was_made_a_link_leads_nowhere() {
    let home = home();
    let path = home.path().join("socket");
    let socket = UnixListener::bind(&path).unwrap();
    socket.set_nonblocking(true).unwrap();
    let rest = format!(
        "steps:\n  - http: {{ get: '/replace?of={}' }}\n    expect: {{ json: {{ got: replaced }} }}\n  \
         - http: {{ get: /uid, timeout: 5s }}\n    expect: {{ status: 200 }}\n",
        path.display()
    );
    let record = run_of(subject(&shown(&[]), ""), &rest).await;
    assert_eq!(record.failure.map(|failure| failure.step), Some(2), "its own door is shut");
    let knocked = socket.accept().map(drop).map_err(|error| error.kind());
    assert_eq!(knocked, Err(std::io::ErrorKind::WouldBlock), "the harness was led to a socket of the machine");
}

#[tokio::test]
async fn only_the_environment_that_was_asked_for_is_passed() {
    let record = boxed("steps: [{ http: { get: /env }, expect: { status: 200 } }]").await;
    let body = record.steps[0].evidence["response"]["body"].to_string();
    assert!(!body.contains("CARGO_"), "{body}");
    for own in ["/home/subject", "TMPDIR", "PATH"] {
        assert!(body.contains(own), "{body}");
    }
}

/// Commands of this machine's processes that contain `mark`.
fn alive(mark: &str) -> Vec<String> {
    let commands = std::fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| {
        let command = std::fs::read(entry.path().join("cmdline")).ok()?;
        Some(String::from_utf8_lossy(&command).replace('\0', " "))
    });
    commands.filter(|command| command.contains(mark)).collect()
}

async fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    for _ in 0..2_000 {
        if is_so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("{what} never came");
}

/// A command line that no other process has.
fn unique_seconds() -> String {
    format!("6000.{}", uuid::Uuid::new_v4().as_u128())
}

#[tokio::test]
async fn what_a_subject_leaves_is_dead_when_the_trial_has_ended() {
    let seconds = unique_seconds();
    boxed(&format!(
        "steps:\n  - http: {{ get: '/daemon?of={seconds}' }}\n    expect: {{ json: {{ got: started }} }}\n  \
         - exec: {{ argv: [sh, -c, 'setsid env -i sleep {seconds} & exit 0'] }}\n    expect: {{ exit: 0 }}\n"
    ))
    .await;
    assert_eq!(alive(&seconds), [""; 0], "nothing has to be waited for");
}

#[tokio::test]
async fn what_runs_in_a_sandbox_dies_with_the_run_and_with_the_harness() {
    let seconds = unique_seconds();
    let rest = format!(
        "steps:\n  - http: {{ get: '/daemon?of={seconds}' }}\n    expect: {{ status: 200 }}\n  - wait: {{ for: 60s }}\n"
    );
    let config = subject(&shown(&[]), "");
    let launcher = launcher_of(&config);
    tls();
    let noted = Noted::default();
    tokio::select! {
        ended = harness::run(plan(suite(vec![scenario("a", &rest)]), config), launcher.as_ref(), None, &noted) => panic!("{ended:?}"),
        () = wait_until("the daemon", || !alive(&seconds).is_empty()) => {}
    }
    wait_until("the daemon's end", || alive(&seconds).is_empty()).await;

    let tree = tree(&format!("scenario: a\ntitle: a\n{rest}"));
    let mut harness = command(&tree, HARNESS.as_ref()).spawn().unwrap();
    wait_until("the daemon", || !alive(&seconds).is_empty()).await;
    harness.kill().unwrap();
    harness.wait().unwrap();
    wait_until("the daemon's end", || alive(&seconds).is_empty()).await;
}

#[tokio::test]
async fn a_subject_that_listens_nowhere_is_not_ready_and_one_that_ends_leaves_its_words() {
    let step = "steps: [{ http: { get: /uid }, expect: { status: 200 } }]";
    let deaf = format!(
        "subject: boxed\nstart: {{ argv: [python3, boxed.py], env: {{ MODE: deaf }} }}\nready: {{ tcp: true, within: 500ms }}\nlauncher: {}\n",
        shown(&[])
    );
    let message = run_of(config(&deaf), step).await.failure.unwrap().message;
    assert!(message.contains("the port to take connections within 500ms"), "{message}");
    assert!(message.ends_with("thinking"), "{message}");
    let message = run_of(subject(&shown(&[]), "exits_early"), step).await.failure.unwrap().message;
    assert!(message.contains("ended early with exit code 3; the end of its log:\ncannot open the ledger"), "{message}");
    let crash =
        "steps: [{ http: { get: '/crash?of=7' }, expect: { status: 200 }, retry: { until_pass_within: 500ms } }]";
    let message = run_of(subject(&shown(&[]), ""), crash).await.failure.unwrap().message;
    assert!(message.ends_with("the subject has ended by itself with exit code 7"), "{message}");
    assert!(message.contains("refused"), "its port is closed: {message}");
}

#[tokio::test]
async fn commands_have_input_output_an_end_and_a_terminal() {
    let tool = || config(&format!("subject: tool\nlauncher: {}\n", shown(&[])));
    let rest = r#"
steps:
  - exec: { argv: [sh, -c, 'cat; echo to stderr >&2; exit 3'], stdin: from stdin }
    expect: { exit: 3, stdout: { equals: from stdin }, stderr: { contains: to stderr } }
  - exec: { argv: [python3, wizard.py, size], pty: { columns: 111, rows: 7 } }
    expect: { stdout: "111x7 xterm-256color True\n" }
  - exec:
      argv: [sh, -c, 'trap "exit 9" INT; echo go; while :; do sleep 0.01; done']
      pty: {}
      type: [{ expect: go, send: "\x03", within: 20s }]
    expect: { exit: 9 }
"#;
    let record = run_of(tool(), rest).await;
    assert_eq!(record.verdict, Verdict::Satisfied, "{:?}", record.failure);
    for (step, said) in [
        ("{ exec: { argv: [sleep, '60'], timeout: 300ms } }", "got a time-out"),
        ("{ exec: { argv: [sleep, '60'], pty: {}, timeout: 300ms } }", "got a time-out"),
        ("{ exec: { argv: [sh, -c, 'kill -9 $$'] } }", "got death by signal 9"),
        ("{ exec: { argv: [./absent] } }", "cannot start `./absent`: No such file"),
    ] {
        let failed = run_of(tool(), &format!("steps: [{}]", step.replace("} }", "}, expect: { exit: 0 } }"))).await;
        assert_eq!(failed.verdict, Verdict::Unsatisfied, "{failed:?}");
        let message = failed.failure.unwrap().message;
        assert!(message.contains(said), "{message}");
    }
    let absent = run_of(tool(), "steps: [{ exec: { argv: [no-such-tool] }, expect: { exit: 0 } }]").await;
    assert_eq!(absent.verdict, Verdict::Infra, "a tool that the sandbox does not show is not the subject's fault");
    assert!(absent.failure.unwrap().message.contains("read: [/opt/tools]"));
}

#[tokio::test]
async fn a_build_writes_into_the_tree_and_nothing_else_does() {
    let tree = tempfile::tempdir().unwrap();
    let yaml = format!("subject: tool\nbuild: {{ argv: [sh, -c, 'echo made > made'] }}\nlauncher: {}\n", shown(&[]));
    let config = config(&yaml);
    let launcher = launcher_of(&config);
    let rest =
        "steps: [{ exec: { argv: [sh, -c, 'cat made; echo more > made'] }, expect: { exit: 2, stdout: \"made\\n\" } }]";
    let plan = Plan { root: tree.path().to_owned(), ..plan(suite(vec![scenario("a", rest)]), config) };
    let record = report(plan, launcher.as_ref()).await.records.remove(0);
    assert_eq!(record.verdict, Verdict::Satisfied, "{:?}", record.failure);
}

/// A subject's tree with one scenario, for the command line.
fn tree(scenario: &str) -> tempfile::TempDir {
    tree_in(&shown(&[]), scenario)
}

fn tree_in(launcher: &str, scenario: &str) -> tempfile::TempDir {
    let tree = tempfile::tempdir().unwrap();
    let config = format!(
        "subject: boxed\nstart: {{ argv: [python3, boxed.py], env: {{ PORT: \"{{{{ port }}}}\" }} }}\nready: {{ tcp: true, within: 20s }}\nlauncher: {launcher}\n"
    );
    std::fs::write(tree.path().join("harness.yaml"), config).unwrap();
    std::fs::create_dir(tree.path().join("scenarios")).unwrap();
    std::fs::write(tree.path().join("scenarios/a.yaml"), scenario).unwrap();
    std::fs::copy(subjects().join("boxed.py"), tree.path().join("boxed.py")).unwrap();
    tree
}

fn command(tree: &tempfile::TempDir, program: &Path) -> Command {
    let mut command = Command::new(program);
    command.args(["run", "--no-store"]).current_dir(tree.path()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

const UID: &str = "scenario: a\ntitle: a\nsteps: [{ http: { get: /uid }, expect: { json: { got: 1000 } } }]\n";

fn words(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).concat()
}

#[test]
fn the_command_line_runs_sandboxes_as_it_is_and_as_an_ordinary_user() {
    let tree = tree(UID);
    let output = command(&tree, HARNESS.as_ref()).output().unwrap();
    assert!(output.status.success(), "{}", words(&output));
    if !rustix::process::getuid().is_root() {
        return; // that was the ordinary user
    }
    let folder = tempfile::tempdir().unwrap();
    let harness = folder.path().join("harness");
    std::fs::copy(HARNESS, &harness).unwrap();
    for open in [folder.path(), tree.path()] {
        let everybody = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(open, everybody).unwrap();
    }
    let mut as_nobody = Command::new("setpriv");
    as_nobody.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]).arg(harness).args(["run", "--no-store"]);
    let output = as_nobody.current_dir(tree.path()).env("HOME", "/nonexistent").output().unwrap();
    assert!(output.status.success(), "{}", words(&output));
}

#[test]
fn where_no_sandbox_can_be_made_the_cure_is_said() {
    let tree = tree(UID);
    let nowhere = PathBuf::from("/nonexistent");
    let output = command(&tree, HARNESS.as_ref()).env("PATH", nowhere).output().unwrap();
    let said = words(&output);
    assert_eq!(output.status.code(), Some(5), "{said}");
    assert!(said.contains("no sandbox can be made: there is no `bwrap` on PATH\nhint: install bubblewrap"), "{said}");

    let forbid = "echo 0 > /proc/sys/user/max_user_namespaces && exec \"$0\" run --no-store";
    let mut refused = Command::new("unshare");
    refused.args(["--user", "--map-root-user", "sh", "-c", forbid, HARNESS]).current_dir(tree.path());
    let output = refused.output().unwrap();
    let said = words(&output);
    assert_ne!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("no sandbox can be made: bwrap: "), "{said}");
    assert!(said.contains("user.max_user_namespaces"), "{said}");
}
