//! Subjects in Docker containers. The image is made of one static busybox, since no registry is asked.
//!
//! They run where `DOCKER_HOST` names an engine, or one is at its usual place; elsewhere each says aloud that it was
//! skipped, and fails where `HARNESS_TESTS_NEED_DOCKER` is set.

use std::{
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

use harness::{Launcher, Plan, SubjectConfig, TrialRecord, Verdict};
use located::Source;

use crate::kit::{plan, report, scenario, suite};

const IMAGE: &str = "harness-tests:busybox-2";

/// What the subject serves: a page, what its data folder holds, what a twin answers.
const SERVER: &str = r#"#!/bin/sh
mkdir -p "$DATA/www/cgi-bin" && cp "$TREE"/*.cgi "$DATA/www/cgi-bin/" && chmod +x "$DATA/www/cgi-bin/"*
echo hello > "$DATA/www/index.html"
echo "listening on $PORT"
exec httpd -f -p "0.0.0.0:$PORT" -h "$DATA/www"
"#;

/// Tries what must not be possible, one line each.
const ESCAPES: &str = r#"#!/bin/sh
printf 'Content-Type: text/plain\r\n\r\n'
touch "$TREE/x" 2>/dev/null && echo "wrote into the tree"
touch /x 2>/dev/null && echo "wrote into the root"
ls /proc/1/root/work /home/* >/dev/null 2>&1 && echo "saw the machine"
nc -w 1 1.1.1.1 80 </dev/null >/dev/null 2>&1 && echo "reached the internet"
(i=0; while [ $i -lt 40 ]; do sleep 2 & i=$((i+1)); done; echo "started 40 processes") 2>/dev/null
echo done
"#;

const CONFIG: &str = "subject: boxed
start:
  argv: [/bin/sh, server.sh]
  env: { PORT: \"{{ port }}\", DATA: \"{{ data_dir }}\", TREE: TREE_PATH, SLACK: \"{{ twins.slack.url }}\" }
ready: { http: /index.html, within: 30s }
twins: { slack: {} }
launcher: { container: { image: \"harness-tests:busybox-2\", memory_mib: 64, pids: 32 } }
";

/// The engine's address, or nothing and a loud word.
fn engine() -> Option<String> {
    let host = std::env::var("DOCKER_HOST").unwrap_or_else(|_| "unix:///var/run/docker.sock".to_owned());
    let answers = Path::new(host.trim_start_matches("unix://")).exists() && docker(&host, &["version"]).is_some();
    let busybox = ["/bin/busybox", "/usr/bin/busybox"].into_iter().find(|path| Path::new(path).exists());
    if answers && let Some(busybox) = busybox {
        make_image(&host, busybox);
        return Some(host);
    }
    assert!(std::env::var_os("HARNESS_TESTS_NEED_DOCKER").is_none(), "no Docker engine at {host}, or no busybox");
    let mut stderr = std::io::stderr();
    writeln!(stderr, "SKIPPED: no Docker engine at {host}, or no static busybox").unwrap();
    None
}

fn docker(host: &str, arguments: &[&str]) -> Option<String> {
    let mut command = Command::new("docker");
    let output = command.args(["--host", host]).args(arguments).stdin(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
}

fn make_image(host: &str, busybox: &str) {
    if docker(host, &["image", "inspect", IMAGE]).is_some() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let bin = dir.path().join("bin");
    std::fs::create_dir(&bin).unwrap();
    std::fs::copy(busybox, bin.join("busybox")).unwrap();
    for name in ["sh", "httpd", "mkdir", "cp", "chmod", "touch", "ls", "nc", "sleep", "wc", "cat", "true"] {
        std::os::unix::fs::symlink("busybox", bin.join(name)).unwrap();
    }
    let tar = dir.path().join("image.tar");
    let made = Command::new("tar").arg("-cf").arg(&tar).arg("-C").arg(dir.path()).arg("bin").status().unwrap();
    assert!(made.success());
    docker(host, &["import", tar.to_str().unwrap(), IMAGE]).expect("the image is imported");
}

/// A tree with a subject, and what starts it.
fn subject(host: &str, config: &str) -> (tempfile::TempDir, SubjectConfig, Box<dyn Launcher>) {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("server.sh"), SERVER).unwrap();
    std::fs::write(dir.path().join("escapes.cgi"), ESCAPES).unwrap();
    let twin = "#!/bin/sh\nprintf 'Content-Type: text/plain\\r\\n\\r\\n'\nat=${SLACK#http://}\nprintf 'GET /api/auth.test HTTP/1.0\\r\\n\\r\\n' | nc -w 5 ${at%:*} ${at#*:} 2>&1\n";
    std::fs::write(dir.path().join("twin.cgi"), twin).unwrap();
    let yaml = config.replace("TREE_PATH", dir.path().to_str().unwrap());
    let config = SubjectConfig::read(Source::new("harness.yaml", yaml)).unwrap_or_else(|error| panic!("{error}"));
    let processes = harness::ProcessLauncher::new([("DOCKER_HOST".to_owned(), host.to_owned())]);
    let launcher = config.launcher(processes, env!("CARGO_BIN_EXE_harness").into()).unwrap();
    (dir, config, launcher)
}

async fn trial(host: &str, config: &str, rest: &str) -> TrialRecord {
    let (dir, config, launcher) = subject(host, config);
    let plan = Plan { root: dir.path().to_owned(), ..plan(suite(vec![scenario("a", rest)]), config) };
    report(plan, launcher.as_ref()).await.records.remove(0)
}

#[tokio::test]
async fn a_subject_serves_from_a_container_and_comes_back_with_its_data() {
    let Some(host) = engine() else { return };
    let rest = r"
steps:
  - http: { get: /index.html }
    expect: { status: 200, body: { contains: hello } }
  - restart: { signal: kill }
  - http: { get: /index.html }
    expect: { status: 200 }
  - stop: { signal: term }
  - start: {}
  - exec: { argv: [/bin/cat, '{{ data_dir }}/www/index.html'] }
    expect: { stdout: { contains: hello } }
";
    let record = trial(&host, CONFIG, rest).await;
    assert_eq!(record.verdict, Verdict::Satisfied, "{:?}\n{}", record.failure, record.subject_log);
}

#[tokio::test]
async fn a_container_reaches_its_twins_and_nothing_else() {
    let Some(host) = engine() else { return };
    let rest = r"
steps:
  - http: { get: /cgi-bin/escapes.cgi, timeout: 20s }
    expect: { status: 200, body: { matches: '^done\n$' } }
  - http: { get: /cgi-bin/twin.cgi }
    expect: { body: { contains: 'not_authed' } }
";
    let record = trial(&host, CONFIG, rest).await;
    assert_eq!(record.verdict, Verdict::Satisfied, "{:?}\n{}", record.failure, record.subject_log);
    assert_eq!(record.twin_calls, 1, "the twin was asked by the container");
}

#[tokio::test]
async fn a_command_runs_in_a_container_of_its_own() {
    let Some(host) = engine() else { return };
    let config = "subject: tool\nlauncher: { container: { image: \"harness-tests:busybox-2\" } }\n";
    let rest = r"
steps:
  - exec: { argv: [/bin/sh, -c, 'cat; echo to stderr >&2; exit 3'], stdin: from stdin }
    expect: { exit: 3, stdout: { equals: from stdin }, stderr: { contains: to stderr } }
";
    let record = trial(&host, config, rest).await;
    assert_eq!(record.verdict, Verdict::Satisfied, "{:?}", record.failure);
    let late =
        trial(&host, config, "steps: [{ exec: { argv: [/bin/sleep, '60'], timeout: 1s }, expect: { exit: 0 } }]").await;
    assert!(late.failure.unwrap().message.contains("got a time-out"));
}

#[tokio::test]
async fn a_missing_image_and_a_missing_engine_are_the_machines_fault() {
    let Some(host) = engine() else { return };
    let config = CONFIG.replace("harness-tests:busybox-2", "harness-tests:absent");
    let record = trial(&host, &config, "steps: [{ http: { get: / }, expect: { status: 200 } }]").await;
    assert_eq!(record.verdict, Verdict::Infra);
    let message = record.failure.unwrap().message;
    assert!(message.contains("the image `harness-tests:absent` is not on this machine"), "{message}");
    let config = SubjectConfig::read(Source::new("harness.yaml", config)).unwrap();
    let nowhere = harness::ProcessLauncher::new([("DOCKER_HOST".to_owned(), "unix:///nowhere".to_owned())]);
    let refused = config.launcher(nowhere, env!("CARGO_BIN_EXE_harness").into()).err().unwrap().to_string();
    assert!(refused.contains("the Docker engine does not answer"), "{refused}");
}

#[tokio::test]
async fn no_container_is_left_behind() {
    let Some(host) = engine() else { return };
    let mine = || {
        docker(&host, &["ps", "--all", "--quiet", "--filter", &format!("label=harness.owner={}", std::process::id())])
    };
    let (dir, config, launcher) = subject(&host, CONFIG);
    let rest = "steps: [{ wait: { for: 60s } }, { http: { get: / }, expect: { status: 200 } }]";
    let plan = Plan { root: dir.path().to_owned(), ..plan(suite(vec![scenario("a", rest)]), config) };
    let unobserved = harness::Unobserved;
    crate::kit::tls();
    let running = harness::run(plan, launcher.as_ref(), None, &unobserved);
    let is_up = async {
        while mine().is_none_or(|ids| ids.is_empty()) {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::select! {
        report = running => panic!("it cannot end by itself: {report:?}"),
        () = is_up => {}
    }
    assert_eq!(mine().as_deref(), Some(""), "dropping the run removes its container");
}
