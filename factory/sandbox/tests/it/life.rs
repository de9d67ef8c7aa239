//! A sandbox's life (BS-23, FAC-14): create, run, spawn, doors, kill, and what is left of it.

use std::net::SocketAddr;
use std::time::Duration;

use factory_sandbox::{Access, Command, Egress, Error, Exit, Mount, Options, Sandboxes, Signal, Spec};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{Maker, alive, eventually, helper, host_pid_of, sh, text, uid_of, unique_nap};

/// Counts them; `pgrep` is not on every machine.
const SLEEPERS: &str = "grep -lx sleep /proc/[0-9]*/comm 2>/dev/null | wc -l";

#[tokio::test]
async fn command_runs_and_reports_output_and_status() {
    let maker = Maker::new();
    let sandbox = maker.create().await;
    let output = sh(&sandbox, "echo out; echo err >&2; exit 3").await;
    assert_eq!((output.status, text(&output.stdout), text(&output.stderr)), (Exit::Code(3), "out", "err"));
    let output = sandbox.run(Command::new(["cat"]).stdin("hello")).await.unwrap();
    assert_eq!((text(&output.stdout), output.truncated), ("hello", false));
    let output = sh(&sandbox, "kill -TERM $$").await;
    assert_eq!(output.status, Exit::Signal(15));
}

#[tokio::test]
async fn streams_can_be_reopened_by_name() {
    let maker = Maker::new();
    let sandbox = maker.create().await;
    let output = sh(&sandbox, "echo out > /dev/stdout; echo err > /dev/stderr").await;
    assert_eq!((text(&output.stdout), text(&output.stderr)), ("out", "err"));
}

#[tokio::test]
async fn command_that_cannot_run_says_why() {
    let maker = Maker::new();
    let sandbox = maker.create().await;
    let error = sandbox.run(Command::new(["no-such-program"])).await.unwrap_err().to_string();
    assert!(error.contains("no-such-program") && error.contains("No such file"), "{error}");
    let error = sandbox.run(Command::new(["true"]).cwd("/nowhere")).await.unwrap_err().to_string();
    assert!(error.contains("/nowhere"), "{error}");
    assert!(matches!(sandbox.run(Command::new(Vec::<String>::new())).await, Err(Error::Start(_))));
    let huge = "x".repeat(1024 * 1024);
    let error = sandbox.run(Command::new(["true", &huge])).await.unwrap_err().to_string();
    assert!(error.contains("shorten the arguments"), "{error}");
    // None of these has harmed the sandbox.
    assert!(sh(&sandbox, "true").await.status.is_success());
}

#[tokio::test]
async fn output_beyond_the_limit_is_read_and_dropped() {
    let maker = Maker::new();
    let sandbox = maker.create().await;
    let command = Command::new(["sh", "-c", "head -c 3000000 /dev/zero; echo done >&2"]).output_bytes_max(1000);
    let output = sandbox.run(command).await.unwrap();
    assert_eq!((output.status, output.stdout.len(), output.truncated), (Exit::Code(0), 1000, true));
    assert_eq!(text(&output.stderr), "done");
}

#[tokio::test]
async fn large_input_and_output_flow_at_the_same_time() {
    let maker = Maker::new();
    let sandbox = maker.create().await;
    let bytes: Vec<u8> = (0..3_000_000u32).map(|i| i.to_le_bytes()[1]).collect();
    let output = sandbox.run(Command::new(["cat"]).stdin(bytes.clone())).await.unwrap();
    assert!(output.stdout == bytes, "{} bytes came back", output.stdout.len());
    // Input that nobody reads neither blocks nor fails.
    assert!(sandbox.run(Command::new(["true"]).stdin(bytes)).await.unwrap().status.is_success());
}

#[tokio::test]
async fn command_that_runs_too_long_is_killed_even_if_it_resists() {
    let maker = Maker::new();
    let sandbox = maker.create().await;
    let script = "trap '' TERM; echo started; while :; do sleep 100; done";
    let command = Command::new(["sh", "-c", script]).timeout(Duration::from_millis(200));
    let output = sandbox.run(command).await.unwrap();
    assert_eq!((output.status, text(&output.stdout)), (Exit::TimedOut, "started"));
    eventually("no sleeper", async || text(&sh(&sandbox, SLEEPERS).await.stdout) == "0").await;
}

#[tokio::test]
async fn background_process_neither_blocks_run_nor_loses_output() {
    let maker = Maker::new();
    let sandbox = maker.create().await;
    // The sleeper holds standard output open.
    let output = sh(&sandbox, "sleep 1000 & head -c 60000 /dev/zero").await;
    assert_eq!((output.status, output.stdout.len()), (Exit::Code(0), 60_000));
    assert_eq!(text(&sh(&sandbox, SLEEPERS).await.stdout), "1");
}

#[tokio::test]
async fn spawned_process_streams_takes_signals_and_can_be_awaited_twice() {
    let maker = Maker::new();
    let sandbox = maker.create().await;
    let mut process = sandbox.spawn(&Command::new(["cat"])).await.unwrap();
    let (mut stdin, mut stdout) = (process.stdin.take().unwrap(), process.stdout.take().unwrap());
    let mut answer = [0; 4];
    stdin.write_all(b"ping").await.unwrap();
    stdout.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"ping");
    process.signal(Signal::Interrupt).await.unwrap();
    assert_eq!(process.wait().await.unwrap(), Exit::Signal(2));
    assert_eq!(process.kill().await.unwrap(), Exit::Signal(2));
}

#[tokio::test]
async fn dropped_process_is_killed_with_its_group() {
    let maker = Maker::new();
    let sandbox = maker.create().await;
    let process = sandbox.spawn(&Command::new(["sh", "-c", "sleep 1000 & sleep 1000"])).await.unwrap();
    eventually("two sleepers", async || text(&sh(&sandbox, SLEEPERS).await.stdout) == "2").await;
    drop(process);
    eventually("no sleeper", async || text(&sh(&sandbox, SLEEPERS).await.stdout) == "0").await;
}

#[tokio::test]
async fn environment_is_layered_and_nothing_is_inherited() {
    let maker = Maker::new();
    let env = [("A", "spec"), ("B", "spec")].map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let sandbox = maker.create_with(Spec { env, ..Spec::default() }).await;
    let output = sandbox.run(Command::new(["env"]).env("B", "command")).await.unwrap();
    let mut lines: Vec<&str> = text(&output.stdout).lines().collect();
    lines.sort_unstable();
    let path = "PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin";
    assert_eq!(lines, ["A=spec", "B=command", "HOME=/home/user", "LANG=C.UTF-8", path, "USER=user"]);
}

#[tokio::test]
async fn mounts_appear_with_their_access_and_files_come_back() {
    let maker = Maker::new();
    let (input, work) = (maker.path("input"), maker.path("work"));
    std::fs::create_dir_all(&input).unwrap();
    std::fs::create_dir_all(work.join("deep")).unwrap();
    std::fs::write(input.join("a"), "given").unwrap();
    std::fs::write(work.join("deep/b"), "old").unwrap();
    let mounts = vec![
        Mount { host: input.clone(), guest: "/input".into(), access: Access::ReadOnly },
        Mount { host: work.clone(), guest: "/srv/work".into(), access: Access::ReadWrite },
    ];
    let tools = vec![input.clone()];
    let sandbox = maker.create_with(Spec { mounts, tools, ..Spec::default() }).await;
    let output = sandbox.run(Command::new(["sh", "-c", "cat /input/a > deep/b && mkdir new"]).cwd("/srv/work")).await;
    assert!(output.unwrap().status.is_success());
    assert_eq!(std::fs::read_to_string(work.join("deep/b")).unwrap(), "given");
    let output = sh(&sandbox, "echo x > /input/a").await;
    assert!(text(&output.stderr).contains("Read-only"), "{}", text(&output.stderr));
    let output = sh(&sandbox, &format!("cat {}/a; echo $PATH", input.display())).await;
    assert!(text(&output.stdout).starts_with(&format!("given{}:", input.display())), "{}", text(&output.stdout));
}

#[tokio::test]
async fn exposed_port_reaches_a_server_inside_and_closes_when_there_is_none() {
    let maker = Maker::new();
    let sandbox = maker.create().await;
    let address = sandbox.expose(80).await.unwrap();
    // Nobody listens yet: accepted outside, then closed without a byte.
    let mut early = TcpStream::connect(address).await.unwrap();
    assert_eq!(early.read(&mut [0; 8]).await.unwrap_or(0), 0);
    let server = r#"
        use IO::Socket::INET;
        my $listener = IO::Socket::INET->new(LocalAddr => "127.0.0.1", LocalPort => 80, Listen => 8) or die "$!";
        print "listening\n"; STDOUT->flush;
        while (my $peer = $listener->accept) { my $line = <$peer>; print $peer "you said $line"; close $peer }"#;
    let mut process = sandbox.spawn(&Command::new(["perl", "-e", server])).await.unwrap();
    let mut ready = [0; 9];
    process.stdout.as_mut().unwrap().read_exact(&mut ready).await.unwrap();
    for word in ["one\n", "two\n"] {
        assert_eq!(talk(address, word).await, format!("you said {word}"));
    }
}

#[tokio::test]
async fn egress_reaches_exactly_the_listed_targets() {
    let maker = Maker::new();
    let (first, second) = (echo_server().await, echo_server().await);
    let egress = vec![Egress { inner_port: 8001, target: first }];
    let sandbox = maker.create_with(Spec { egress, ..Spec::default() }).await;
    let ask = async |port: u16| {
        let script = format!("exec 3<>/dev/tcp/127.0.0.1/{port} && echo hello >&3 && head -n 1 <&3");
        sandbox.run(Command::new(["bash", "-c", &script])).await.unwrap()
    };
    assert_eq!(text(&ask(8001).await.stdout), "hello");
    // The target's own port does not exist inside, nor does the other door yet.
    for port in [first.port(), second.port(), 8002] {
        let output = ask(port).await;
        assert!(text(&output.stderr).contains("refused"), "{port}: {}", text(&output.stderr));
    }
    sandbox.allow(Egress { inner_port: 8002, target: second }).await.unwrap();
    assert_eq!(text(&ask(8002).await.stdout), "hello");
    let taken = sandbox.allow(Egress { inner_port: 8002, target: second }).await.unwrap_err();
    assert!(matches!(taken, Error::Port { port: 8002, .. }), "{taken}");
    let far = Egress { inner_port: 8003, target: "192.0.2.1:80".parse().unwrap() };
    assert!(matches!(sandbox.allow(far).await, Err(Error::Spec(_))));
}

#[tokio::test]
async fn kill_leaves_nothing_alive_not_even_a_daemon() {
    let maker = Maker::new();
    let sandbox = maker.create().await;
    // A double fork into a session of its own: no process group, no parent, all streams closed.
    let nap = unique_nap();
    let output = sh(&sandbox, &format!("(setsid sleep {nap} >/dev/null 2>&1 </dev/null &) ; true")).await;
    assert!(output.status.is_success());
    eventually("the daemon", async || host_pid_of(&nap).is_some()).await;
    let daemon = host_pid_of(&nap).unwrap();
    let address = sandbox.expose(80).await.unwrap();
    sandbox.kill().await.unwrap();
    assert!(!alive(daemon));
    eventually("closed door", async || TcpStream::connect(address).await.is_err()).await;
    assert_eq!(maker.records(), Vec::<String>::new());
}

#[tokio::test]
async fn dropped_sandbox_dies() {
    let maker = Maker::new();
    let sandbox = maker.create().await;
    let nap = unique_nap();
    let mut process = sandbox.spawn(&Command::new(["sleep", &nap])).await.unwrap();
    let pid = host_pid_of(&nap).unwrap();
    drop(sandbox);
    assert!(matches!(process.wait().await, Err(Error::Gone)));
    eventually("death", async || !alive(pid)).await;
}

#[tokio::test]
async fn sandboxes_are_strangers_to_each_other() {
    let maker = Maker::new();
    let (one, other) = (maker.create().await, maker.create().await);
    assert!(sh(&one, "echo secret > /tmp/a && echo secret > /dev/shm/a").await.status.is_success());
    let naps = [unique_nap(), unique_nap()];
    let _sleeper = one.spawn(&Command::new(["sleep", &naps[0]])).await.unwrap();
    assert_eq!(text(&sh(&other, &format!("ls /tmp /dev/shm; {SLEEPERS}")).await.stdout), "/dev/shm:\n\n/tmp:\n0");
    if rustix::process::geteuid().is_root() {
        let _other_sleeper = other.spawn(&Command::new(["sleep", &naps[1]])).await.unwrap();
        let uids = naps.each_ref().map(|nap| uid_of(host_pid_of(nap).unwrap()));
        assert!(uids[0] != uids[1] && uids.iter().all(|uid| *uid >= 100_000), "{uids:?}");
    }
}

#[tokio::test]
async fn leftovers_of_a_dead_owner_are_reaped_and_those_of_a_live_one_are_not() {
    let maker = Maker::new();
    let _living = maker.create().await;
    let [record] = maker.records().try_into().unwrap();
    let base = maker.path("base");
    let text = std::fs::read_to_string(base.join(&record)).unwrap();
    // A record of an owner whose pid now belongs to another process, and whose watchdog is gone.
    let mut json: serde_json::Value = serde_json::from_str(&text).unwrap();
    for process in ["owner", "watchdog"] {
        json[process]["started_ticks"] = 1.into();
    }
    std::fs::write(base.join("dead.json"), json.to_string()).unwrap();
    assert_eq!(maker.sandboxes.reap().unwrap(), 1);
    assert_eq!(maker.records(), [record]);
}

#[tokio::test]
async fn probe_agrees_with_what_happens() {
    let maker = Maker::new();
    let probe = tokio::task::spawn_blocking({
        let sandboxes = maker.sandboxes.clone();
        move || sandboxes.probe()
    });
    let probe = probe.await.unwrap();
    assert_eq!(probe.unavailable, None);
    assert_eq!(probe.helper, helper());
    assert_eq!(probe.separate_uids, rustix::process::geteuid().is_root());
}

#[test]
fn missing_helper_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { helper: Some("/nowhere/helper".into()), ..Options::new(dir.path()) };
    let error = Sandboxes::new(options).unwrap_err().to_string();
    assert!(error.contains("/nowhere/helper") && error.contains("install"), "{error}");
}

async fn talk(address: SocketAddr, word: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(word.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

async fn echo_server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut from, mut to) = stream.split();
                tokio::io::copy(&mut from, &mut to).await
            });
        }
    });
    address
}
