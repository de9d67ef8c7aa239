//! Plain processes: time-outs kill the whole group, nothing is left behind, no pipe is waited for.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use agents::{
    CommandRunner, ProcessRunner,
    command::{CHUNKS_MAX, Captured, Command, Exit, Finished, capture},
};
use rustix::process::{Pid, test_kill_process};
use tokio::sync::mpsc;

const SOON: Duration = Duration::from_secs(20);

fn shell(line: &str, timeout: Duration) -> Command {
    let path = std::env::var("PATH").unwrap();
    Command {
        argv: ["/bin/sh", "-c", line].map(str::to_owned).into(),
        env: BTreeMap::from([("PATH".to_owned(), path)]),
        cwd: "/".into(),
        stdin: b"typed in".to_vec(),
        timeout,
    }
}

async fn run(line: &str, timeout: Duration) -> (Finished, Captured) {
    let (sender, receiver) = mpsc::channel(CHUNKS_MAX);
    let (finished, captured) = tokio::join!(ProcessRunner.run(shell(line, timeout), sender), capture(receiver, 4096));
    (finished.unwrap(), captured)
}

/// The process is gone, or a zombie that its new parent has not collected.
fn dead(pid: &str) -> bool {
    let pid = Pid::from_raw(pid.trim().parse().unwrap()).unwrap();
    if test_kill_process(pid).is_err() {
        return true;
    }
    let status = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).unwrap_or_default();
    status.is_empty() || status.contains(") Z ")
}

async fn until_dead(pid: &str) {
    let started = Instant::now();
    while !dead(pid) {
        assert!(started.elapsed() < SOON, "process {pid} lives");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn input_output_and_exit_code_come_back() {
    let (finished, captured) = run("cat; echo err >&2; exit 7", SOON).await;
    assert_eq!(finished.exit, Exit::Code(7));
    assert_eq!((captured.stdout.as_str(), captured.stderr.as_str()), ("typed in", "err\n"));
}

#[tokio::test]
async fn a_time_out_kills_the_whole_group() {
    let (finished, captured) = run("sleep 600 & echo $!; sleep 600", Duration::from_millis(100)).await;
    assert_eq!(finished.exit, Exit::TimedOut);
    until_dead(&captured.stdout).await;
}

#[tokio::test]
async fn a_command_that_ignores_the_polite_signal_is_killed() {
    let (finished, _) = run("trap '' TERM; while :; do sleep 1; done", Duration::from_millis(100)).await;
    assert_eq!(finished.exit, Exit::TimedOut);
}

#[tokio::test]
async fn what_a_finished_command_left_running_is_killed() {
    let (finished, captured) = run("sleep 600 & echo $!", SOON).await;
    assert_eq!(finished.exit, Exit::Code(0));
    until_dead(&captured.stdout).await;
}

/// A process that left the group holds the pipes: nobody waits for it.
#[tokio::test]
async fn a_held_pipe_is_not_waited_for() {
    let (finished, captured) = run("setsid sh -c 'echo $$; exec sleep 600' & sleep 0.2", SOON).await;
    assert_eq!(finished.exit, Exit::Code(0));
    let pid = captured.stdout.trim();
    assert!(!dead(pid));
    // Ours to end: no group reaches it.
    rustix::process::kill_process(Pid::from_raw(pid.parse().unwrap()).unwrap(), rustix::process::Signal::KILL).unwrap();
}

#[tokio::test]
async fn dropping_the_future_kills_the_command() {
    let (sender, mut receiver) = mpsc::channel(CHUNKS_MAX);
    let running = tokio::spawn(ProcessRunner.run(shell("echo $$; exec sleep 600", SOON), sender));
    let pid = String::from_utf8(receiver.recv().await.unwrap().bytes).unwrap();
    running.abort();
    until_dead(&pid).await;
}

#[tokio::test]
async fn a_program_that_is_not_there_is_named() {
    let (sender, _receiver) = mpsc::channel(CHUNKS_MAX);
    let mut command = shell("", SOON);
    command.argv = vec!["/no/such/program".to_owned()];
    let error = ProcessRunner.run(command, sender).await.unwrap_err().to_string();
    assert!(error.starts_with("start `/no/such/program`: "), "{error}");
}
