//! Subjects in Docker containers. The image is made of one busybox, since no registry is asked.
//!
//! They run on the engine of `DOCKER_HOST` or of the usual place; where there is none and the tests run as root, each
//! starts one of its own. An ordinary user without an engine gets a loud word instead, here and from `bin/test`.

use std::{
    fs::File,
    io::Write as _,
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use harness::{Launcher, Plan, SubjectConfig, TrialRecord, Verdict};
use located::Source;

use crate::kit::{plan, report, scenario, suite};

const HARNESS: &str = env!("CARGO_BIN_EXE_harness");
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
at=${SLACK#http://}
nc -w 1 "${at%:*}" "$OTHER_PORT" </dev/null >/dev/null 2>&1 && echo "reached a port that is no twin"
(i=0; while [ $i -lt 40 ]; do sleep 2 & i=$((i+1)); done; echo "started 40 processes") 2>/dev/null
echo done
"#;

const CONFIG: &str = "subject: boxed
start:
  argv: [/bin/sh, server.sh]
  env: { PORT: \"{{ port }}\", DATA: \"{{ data_dir }}\", TREE: TREE_PATH, SLACK: \"{{ twins.slack.url }}\", OTHER_PORT: \"1\" }
ready: { http: /index.html, within: 30s }
twins: { slack: {} }
launcher: { container: { image: \"harness-tests:busybox-2\", memory_mib: 64, pids: 32 } }
";

/// Where an engine may be that somebody else started.
const USUAL: &str = "unix:///var/run/docker.sock";
const CURE: &str = "install docker.io, or set HARNESS_TESTS_WITHOUT_DOCKER=1 to leave these tests out";
const READY_TRIES: u32 = 600; // with the pause: a minute
const PAUSE: Duration = Duration::from_millis(100);

/// A Docker engine.
struct Engine {
    host: String,
    own: Option<Own>,
}

/// One that lives as long as its test.
struct Own {
    daemon: Child,
    folder: tempfile::TempDir,
    /// Held by one test at a time: two engines would give their networks the same addresses.
    _turn: File,
}

/// An engine with the image, or nothing and a loud word.
fn engine() -> Option<Engine> {
    let host = std::env::var("DOCKER_HOST").unwrap_or_else(|_| USUAL.to_owned());
    let engine = if docker(&host, &["version"]).is_some() {
        Engine { host, own: None }
    } else if rustix::process::getuid().is_root() && std::env::var_os("HARNESS_TESTS_WITHOUT_DOCKER").is_none() {
        Engine::start()
    } else {
        let mut stderr = std::io::stderr();
        writeln!(stderr, "SKIPPED: no Docker engine at {host}, and only root can start one").unwrap();
        return None;
    };
    engine.make_image();
    Some(engine)
}

impl Engine {
    fn start() -> Self {
        let turn = File::create(std::env::temp_dir().join("harness-tests-docker.lock")).unwrap();
        turn.lock().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let host = format!("unix://{}", folder.path().join("socket").display());
        let log = File::create(folder.path().join("log")).unwrap();
        // Should the test be killed, the engine is told to end.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "TERM", "dockerd", "--host", &host, "--storage-driver", "vfs"]);
        for (option, name) in [("--data-root", "data"), ("--exec-root", "exec"), ("--pidfile", "pid")] {
            command.arg(option).arg(folder.path().join(name));
        }
        // Nothing of this machine's own network is changed.
        command.args(["--bridge", "none", "--iptables=false", "--ip6tables=false", "--ip-forward=false"]);
        let path = format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", std::env::var("PATH").unwrap_or_default());
        let daemon = command.env("PATH", path).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn();
        let own =
            Own { daemon: daemon.unwrap_or_else(|error| panic!("setpriv: {error}; {CURE}")), folder, _turn: turn };
        let mut engine = Self { host, own: Some(own) };
        engine.wait_ready();
        engine
    }

    fn wait_ready(&mut self) {
        for _ in 0..READY_TRIES {
            if docker(&self.host, &["version"]).is_some() {
                return;
            }
            let own = self.own.as_mut().unwrap();
            if own.daemon.try_wait().unwrap().is_some() {
                break;
            }
            std::thread::sleep(PAUSE);
        }
        let log = std::fs::read_to_string(self.own.as_ref().unwrap().folder.path().join("log")).unwrap();
        let from = log.len().saturating_sub(2_000);
        panic!("the Docker engine does not start; {CURE}\n{}", &log[log.ceil_char_boundary(from)..]);
    }

    fn make_image(&self) {
        if docker(&self.host, &["image", "inspect", IMAGE]).is_some() {
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let busybox = ["/bin/busybox", "/usr/bin/busybox"].into_iter().find(|path| Path::new(path).exists());
        let busybox = busybox.expect("busybox is missing; install busybox-static");
        // Debian's other busybox is linked to a few libraries.
        let linked = Command::new("ldd").arg(busybox).output().unwrap().stdout;
        let linked = String::from_utf8(linked).unwrap();
        for library in linked.split_whitespace().filter(|word| word.starts_with('/')) {
            let copy = dir.path().join(library.trim_start_matches('/'));
            std::fs::create_dir_all(copy.parent().unwrap()).unwrap();
            std::fs::copy(library, copy).unwrap();
        }
        let bin = dir.path().join("bin");
        std::fs::create_dir_all(&bin).unwrap();
        std::fs::copy(busybox, bin.join("busybox")).unwrap();
        for name in ["sh", "httpd", "mkdir", "cp", "chmod", "touch", "ls", "nc", "sleep", "wc", "cat", "true"] {
            std::os::unix::fs::symlink("busybox", bin.join(name)).unwrap();
        }
        let tar = dir.path().with_extension("tar");
        let made = Command::new("tar").arg("-cf").arg(&tar).arg("-C").arg(dir.path()).arg(".").status().unwrap();
        assert!(made.success());
        docker(&self.host, &["import", tar.to_str().unwrap(), IMAGE]).expect("the image is imported");
        std::fs::remove_file(tar).unwrap();
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let Some(own) = &mut self.own else { return };
        // Otherwise its bridge would stay on this machine.
        docker(&self.host, &["network", "rm", "harness-subjects"]);
        let daemon = rustix::process::Pid::from_child(&own.daemon);
        rustix::process::kill_process(daemon, rustix::process::Signal::TERM).ok();
        for _ in 0..READY_TRIES {
            if !matches!(own.daemon.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(PAUSE);
        }
        own.daemon.kill().ok();
        own.daemon.wait().ok();
    }
}

fn docker(host: &str, arguments: &[&str]) -> Option<String> {
    let mut command = Command::new("docker");
    let output = command.args(["--host", host]).args(arguments).stdin(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
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
    let launcher = config.launcher(processes, HARNESS.into()).unwrap();
    (dir, config, launcher)
}

async fn trial(host: &str, config: &str, rest: &str) -> TrialRecord {
    let (dir, config, launcher) = subject(host, config);
    let plan = Plan { root: dir.path().to_owned(), ..plan(suite(vec![scenario("a", rest)]), config) };
    report(plan, launcher.as_ref()).await.records.remove(0)
}

#[tokio::test]
async fn a_subject_serves_from_a_container_and_comes_back_with_its_data() {
    let Some(engine) = engine() else { return };
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
    let record = trial(&engine.host, CONFIG, rest).await;
    assert_eq!(record.verdict, Verdict::Satisfied, "{:?}\n{}", record.failure, record.subject_log);
}

#[tokio::test]
async fn a_container_reaches_its_twins_and_nothing_else() {
    let Some(engine) = engine() else { return };
    let rest = r"
steps:
  - http: { get: /cgi-bin/twin.cgi }
    expect: { body: { contains: 'not_authed' } }
  - http: { get: /cgi-bin/escapes.cgi, timeout: 20s }
    expect: { status: 200, body: { matches: '^done\n$' } }
";
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let config =
        CONFIG.replace("OTHER_PORT: \"1\"", &format!("OTHER_PORT: \"{}\"", other.local_addr().unwrap().port()));
    let record = trial(&engine.host, &config, rest).await;
    assert_eq!(record.verdict, Verdict::Satisfied, "{:?}\n{}", record.failure, record.subject_log);
    assert_eq!(record.twin_calls, 1, "the twin was asked by the container");
    let internal = docker(&engine.host, &["network", "inspect", "--format", "{{.Internal}}", "harness-subjects"]);
    assert_eq!(internal.unwrap().trim(), "true", "nothing beyond this machine is reached");
}

#[tokio::test]
async fn a_command_runs_in_a_container_of_its_own() {
    let Some(engine) = engine() else { return };
    let config = "subject: tool\nlauncher: { container: { image: \"harness-tests:busybox-2\" } }\n";
    let rest = r"
steps:
  - exec: { argv: [/bin/sh, -c, 'cat; echo to stderr >&2; exit 3'], stdin: from stdin }
    expect: { exit: 3, stdout: { equals: from stdin }, stderr: { contains: to stderr } }
";
    let record = trial(&engine.host, config, rest).await;
    assert_eq!(record.verdict, Verdict::Satisfied, "{:?}", record.failure);
    let late = trial(
        &engine.host,
        config,
        "steps: [{ exec: { argv: [/bin/sleep, '60'], timeout: 1s }, expect: { exit: 0 } }]",
    )
    .await;
    assert!(late.failure.unwrap().message.contains("got a time-out"));
}

#[tokio::test]
async fn a_missing_image_and_a_missing_engine_are_the_machines_fault() {
    let Some(engine) = engine() else { return };
    let config = CONFIG.replace("harness-tests:busybox-2", "harness-tests:absent");
    let record = trial(&engine.host, &config, "steps: [{ http: { get: / }, expect: { status: 200 } }]").await;
    assert_eq!(record.verdict, Verdict::Infra);
    let message = record.failure.unwrap().message;
    assert!(message.contains("the image `harness-tests:absent` is not on this machine"), "{message}");
    let config = SubjectConfig::read(Source::new("harness.yaml", config)).unwrap();
    let nowhere = harness::ProcessLauncher::new([("DOCKER_HOST".to_owned(), "unix:///nowhere".to_owned())]);
    let refused = config.launcher(nowhere, HARNESS.into()).err().unwrap().to_string();
    assert!(refused.contains("the Docker engine does not answer"), "{refused}");
}

#[tokio::test]
async fn no_container_is_left_behind() {
    let Some(engine) = engine() else { return };
    let mine = || {
        docker(
            &engine.host,
            &["ps", "--all", "--quiet", "--filter", &format!("label=harness.owner={}", std::process::id())],
        )
    };
    let (dir, config, launcher) = subject(&engine.host, CONFIG);
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
