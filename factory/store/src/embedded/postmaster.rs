//! One server process: started, recognised, waited for, stopped.

use std::{
    fs::{self, File, OpenOptions},
    io::{Read, Seek, SeekFrom},
    os::unix::{
        fs::{MetadataExt, OpenOptionsExt},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Child, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use super::{Error, binaries::Binaries, during, identity::Identity, template::tail};

/// The start may replay a whole write-ahead log after a crash.
const START_TIMEOUT: Duration = Duration::from_secs(120);
/// A fast shutdown writes a checkpoint; past this the next start will have to recover.
const STOP_TIMEOUT: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(2);
const LOG_BYTES_MAX: u64 = 16 * 1024 * 1024; // beyond it the log begins anew at the next start
const LOG_TAIL_BYTES: usize = 2048; // what an error quotes

/// Small, private and durable. Everything else is Postgres' default.
const SETTINGS: &[&str] = &[
    "listen_addresses=",
    "port=5432",                 // names the socket
    "unix_socket_directories=.", // the data folder itself, mode 0700
    "fsync=on",
    "full_page_writes=on",
    "synchronous_commit=on",
    "shared_buffers=64MB",
    "max_connections=200", // several processes, each with a pool
    "max_wal_senders=0",
    "wal_level=minimal",
    "max_wal_size=512MB",
    "checkpoint_completion_target=0.9",
    "log_min_messages=warning",
    "log_timezone=UTC",
    "timezone=UTC",
    // A long writing transaction on the server holds back every reader of the global feed.
    "idle_in_transaction_session_timeout=60s",
];

/// What `postmaster.pid` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// No server owns the data folder. A file that a dead one left is the next start's to judge.
    Absent,
    /// Starting, recovering or stopping.
    Busy(Pid),
    Ready(Pid),
}

/// Reads the state of the server on `data`.
pub(super) fn state(data: &Path) -> State {
    let Ok(text) = fs::read_to_string(data.join("postmaster.pid")) else { return State::Absent };
    let mut lines = text.lines();
    let Some(pid) = lines.next().and_then(pid_of) else {
        return State::Absent;
    };
    if !is_server_on(pid, data) {
        return State::Absent;
    }
    match lines.nth(6) {
        Some(status) if status.trim() == "ready" => State::Ready(pid),
        _ => State::Busy(pid),
    }
}

/// A negative number is a process in single-user mode, which is nobody's server.
fn pid_of(text: &str) -> Option<Pid> {
    text.trim().parse().ok().filter(|number| *number > 0).and_then(Pid::from_raw)
}

/// Starts the server and waits until it answers.
pub(super) fn start(data: &Path, log_path: &Path, binaries: &Binaries, identity: &Identity) -> Result<Pid, Error> {
    let log = open_log(log_path)?;
    let quoted_from = log.metadata().map_err(during("look at the server's log"))?.len();
    let mut command = identity.command_on(data, binaries, "postgres", &[])?;
    for setting in SETTINGS {
        command.args(["-c", setting]);
    }
    // Its own process group: ctrl-c in the terminal of whoever started it must not stop the others' database.
    command.stderr(Stdio::from(log)).process_group(0);
    let mut child = command.spawn().map_err(during("run postgres"))?;
    match wait_until_ready(&mut child, data) {
        Ok(pid) => {
            reap_in_background(child);
            Ok(pid)
        }
        Err(why) => Err(not_started(why, log_path, quoted_from)),
    }
}

fn wait_until_ready(child: &mut Child, data: &Path) -> Result<Pid, String> {
    let deadline = Instant::now() + START_TIMEOUT;
    loop {
        if let State::Ready(pid) = state(data) {
            return Ok(pid);
        }
        match child.try_wait() {
            Ok(Some(status)) => return Err(status.to_string()),
            Err(error) => return Err(error.to_string()),
            Ok(None) if Instant::now() > deadline => {
                child.kill().and_then(|()| child.wait()).ok();
                return Err(format!("it was not ready within {} s", START_TIMEOUT.as_secs()));
            }
            Ok(None) => thread::sleep(POLL),
        }
    }
}

fn not_started(why: String, log_path: &Path, from: u64) -> Error {
    let log = read_from(log_path, from).unwrap_or_default();
    if log.contains("No space left on device") {
        return Error::DiskFull { what: "start Postgres".into() };
    }
    Error::NotStarted { why, log: tail(&log, LOG_TAIL_BYTES).to_owned(), log_path: log_path.to_owned() }
}

/// A child that nobody waits for stays as a zombie, and a zombie looks alive.
pub(super) fn reap_in_background(mut child: Child) {
    thread::spawn(move || child.wait());
}

/// Waits until a server that is starting or stopping has done so.
pub(super) fn settled(data: &Path) -> State {
    let deadline = Instant::now() + START_TIMEOUT;
    loop {
        match state(data) {
            State::Busy(_) if Instant::now() < deadline => thread::sleep(POLL),
            state => return state,
        }
    }
}

/// Fast shutdown: clients are disconnected, everything is written. Past its time, an immediate one.
pub(super) fn stop(data: &Path) {
    for signal in [Signal::INT, Signal::QUIT] {
        let (State::Ready(pid) | State::Busy(pid)) = state(data) else { return };
        kill_process(pid, signal).ok();
        if wait_while(STOP_TIMEOUT, || is_server_on(pid, data)) {
            return;
        }
        tracing::warn!(?signal, "the private Postgres did not stop in time");
    }
}

/// After `kill -9` of the server its children live on for a moment and hold its memory; a start would be refused.
pub(super) fn wait_for_orphans(data: &Path) {
    if !wait_while(STOP_TIMEOUT, || !servers_on(data).is_empty()) {
        tracing::warn!("processes of a killed Postgres are still alive");
    }
    // Their pid file names a process that is not a server: it has died, or its number went to a stranger, in which
    // case Postgres itself would refuse for ever. No process has the folder open, so nothing is lost with it.
    if servers_on(data).is_empty() {
        fs::remove_file(data.join("postmaster.pid")).ok();
    }
}

/// False when the time was up first.
fn wait_while(most: Duration, condition: impl Fn() -> bool) -> bool {
    let deadline = Instant::now() + most;
    while condition() {
        if Instant::now() > deadline {
            return false;
        }
        thread::sleep(POLL);
    }
    true
}

/// Whether `pid` is a process of a server on `data`, and not a stranger that got a dead one's number: a server works
/// in its data folder.
#[cfg(target_os = "linux")]
fn is_server_on(pid: Pid, data: &Path) -> bool {
    let place = |path: PathBuf| path.metadata().ok().map(|metadata| (metadata.dev(), metadata.ino()));
    let cwd = place(format!("/proc/{}/cwd", pid.as_raw_nonzero()).into());
    cwd.is_some() && cwd == place(data.to_owned())
}

#[cfg(target_os = "linux")]
fn servers_on(data: &Path) -> Vec<Pid> {
    let Ok(entries) = Path::new("/proc").read_dir() else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| pid_of(entry.file_name().to_str()?));
    pids.filter(|pid| is_server_on(*pid, data) && is_postgres(*pid)).collect()
}

/// A person's shell may stand in the data folder too.
#[cfg(target_os = "linux")]
fn is_postgres(pid: Pid) -> bool {
    fs::read_to_string(format!("/proc/{}/comm", pid.as_raw_nonzero())).is_ok_and(|name| name.trim() == "postgres")
}

#[cfg(not(target_os = "linux"))]
fn is_server_on(pid: Pid, _: &Path) -> bool {
    rustix::process::test_kill_process(pid).is_ok()
}

#[cfg(not(target_os = "linux"))]
fn servers_on(data: &Path) -> Vec<Pid> {
    let text = fs::read_to_string(data.join("postmaster.pid")).unwrap_or_default();
    let pid = text.lines().next().and_then(pid_of);
    pid.into_iter().filter(|pid| is_server_on(*pid, data)).collect()
}

fn open_log(path: &Path) -> Result<File, Error> {
    let too_long = path.metadata().is_ok_and(|metadata| metadata.len() > LOG_BYTES_MAX);
    if too_long {
        fs::remove_file(path).map_err(during("begin a new server log"))?;
    }
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)
        .map_err(during(format!("write {}", path.display())))
}

fn read_from(path: &Path, from: u64) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.take(LOG_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stranger_with_a_dead_servers_number_is_not_taken_for_it() {
        let data = tempfile::tempdir().unwrap();
        let me = std::process::id();
        fs::write(data.path().join("postmaster.pid"), format!("{me}\n/d\n0\n5432\n.\n\n 1 2\nready\n")).unwrap();
        assert_eq!(state(data.path()), State::Absent);
    }

    #[test]
    fn a_missing_or_broken_pid_file_is_no_server() {
        let data = tempfile::tempdir().unwrap();
        assert_eq!(state(data.path()), State::Absent);
        fs::write(data.path().join("postmaster.pid"), "-3\n").unwrap();
        assert_eq!(state(data.path()), State::Absent);
    }
}
