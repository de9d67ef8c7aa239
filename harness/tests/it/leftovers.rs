//! What a killed harness leaves is removed by the next one, and by no other.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use crate::stored_runs::{PASSES, tool};

const WAITS: &str =
    "timeout: 60s\nsteps: [{ wait: { for: 60s } }, { exec: { argv: [echo, hi] }, expect: { stdout: hi } }]";
const SOON: Duration = Duration::from_secs(30);

fn command(dir: &Path, temporary: &Path, filter: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_harness"));
    command.args(["run", "--filter", filter]).current_dir(dir).env("TMPDIR", temporary);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn folders(of: &Path) -> Vec<PathBuf> {
    fs::read_dir(of).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn the_folders_of_a_killed_run_are_removed_by_the_next_one_and_those_of_a_living_one_stay() {
    let dir = tool(&[("passes", PASSES), ("waits", WAITS)]);
    let temporary = tempfile::tempdir().unwrap();
    let next = || assert!(command(dir.path(), temporary.path(), "passes").status().unwrap().success());

    let mut waiting = command(dir.path(), temporary.path(), "waits").spawn().unwrap();
    let deadline = Instant::now() + SOON;
    while folders(temporary.path()).is_empty() {
        assert!(Instant::now() < deadline, "the trial never began");
        std::thread::sleep(Duration::from_millis(5));
    }
    let left = folders(temporary.path());
    next();
    assert_eq!(folders(temporary.path()), left, "its owner lives");

    waiting.kill().unwrap();
    waiting.wait().unwrap();
    assert_eq!(folders(temporary.path()), left, "nobody could tidy up");
    next();
    assert_eq!(folders(temporary.path()), [] as [PathBuf; 0]);
}
