//! A sandbox dies with those who keep it: its owner, its watchdog. Even SIGKILL, which nobody can handle, leaves nothing.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use factory_sandbox::{Command, Options, Sandboxes, Spec};
use rustix::process::{Pid, Signal, kill_process};

use crate::support::{Maker, alive, eventually, helper, host_pid_of, unique_nap};

/// Names the base directory, for the process that plays the owner.
const OWNER: &str = "SANDBOX_TESTS_OWNER_OF";
/// Names the `sleep` that this process shall run inside.
const NAP: &str = "SANDBOX_TESTS_NAP";

#[tokio::test]
async fn killed_owner_leaves_nothing_alive() {
    if let Some(base) = std::env::var_os(OWNER) {
        return play_owner(base.into()).await;
    }
    let maker = Maker::new();
    let nap = unique_nap();
    let mut owner = start_owner(&maker, &nap);
    let inside = host_pid_of(&nap).expect("the owner has started it");
    kill(owner.id());
    owner.wait().unwrap();
    eventually("death of what was inside", async || !alive(inside)).await;
    // What the dead owner could not remove is removed by the next one; its watchdog may take a moment to end.
    assert_eq!(maker.records().len(), 1);
    eventually("reaping", async || maker.sandboxes.reap().unwrap() == 1).await;
    assert_eq!(maker.records(), Vec::<String>::new());
}

#[tokio::test]
async fn killed_watchdog_takes_the_sandbox_with_it() {
    let maker = Maker::new();
    let sandbox = maker.create().await;
    let nap = unique_nap();
    let mut process = sandbox.spawn(&Command::new(["sleep", &nap])).await.unwrap();
    let inside = host_pid_of(&nap).unwrap();
    let watchdog = parent_of(parent_of(inside));
    assert_ne!(watchdog, std::process::id());
    kill(watchdog);
    assert!(process.wait().await.is_err());
    eventually("death of what was inside", async || !alive(inside)).await;
    sandbox.ended().await;
}

/// Runs this test binary as the owner of one sandbox, in which a marked `sleep` runs.
fn start_owner(maker: &Maker, nap: &str) -> Child {
    let mut owner = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture", "death::killed_owner_leaves_nothing_alive"])
        .env(OWNER, maker.path("base"))
        .env(NAP, nap)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(owner.stdout.take().unwrap()).lines();
    assert!(lines.map_while(Result::ok).any(|line| line.contains("sandbox is ready")), "the owner failed");
    owner
}

async fn play_owner(base: std::path::PathBuf) {
    let sandboxes = Sandboxes::new(Options { helper: Some(helper()), ..Options::new(base) }).unwrap();
    let sandbox = sandboxes.create(Spec::default()).await.unwrap();
    let nap = std::env::var(NAP).unwrap();
    // Deaf to everything polite.
    let script = format!("trap '' HUP TERM INT PIPE; exec sleep {nap}");
    let _process = sandbox.spawn(&Command::new(["sh", "-c", &script])).await.unwrap();
    eventually("the process inside", async || host_pid_of(&nap).is_some()).await;
    #[expect(clippy::print_stdout, reason = "tells the test that starts this process to go on")]
    {
        println!("sandbox is ready");
    }
    std::future::pending().await
}

fn kill(pid: u32) {
    kill_process(Pid::from_raw(pid.cast_signed()).unwrap(), Signal::KILL).unwrap();
}

fn parent_of(pid: u32) -> u32 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    status.lines().find_map(|line| line.strip_prefix("PPid:")).unwrap().trim().parse().unwrap()
}
