//! `harness run --watch`.

use std::{
    fs::File,
    path::Path,
    process::{Child, Command},
    time::Duration,
};

use crate::stored_runs::{FAILS, PASSES, tool};

/// Waits until the output of a run has all of these words after what was there before.
fn wait_for(output: &Path, words: &[&str], seen: &mut usize) {
    let mut text = String::new();
    for _ in 0..4_000 {
        text = std::fs::read_to_string(output).unwrap();
        if words.iter().all(|word| text[*seen..].contains(word)) {
            *seen = text.len();
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("{words:?} never came: {}", &text[*seen..]);
}

/// A watch never ends by itself, not even when its test has failed.
struct KillOnDrop(Child);

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

#[test]
fn a_change_runs_what_it_touches() {
    let dir = tool(&[("a", PASSES), ("b", PASSES)]);
    let output = dir.path().with_extension("output");
    let mut command = Command::new(env!("CARGO_BIN_EXE_harness"));
    command.args(["run", "--watch", "--seed", "1"]).current_dir(dir.path());
    let said = dir.path().with_extension("said");
    let spawned = command.stdout(File::create(&output).unwrap()).stderr(File::create(&said).unwrap()).spawn();
    let mut watching = KillOnDrop(spawned.unwrap());
    let (mut seen, mut said_seen) = (0, 0);
    wait_for(&output, &["2 scenarios,"], &mut seen);
    let file = |slug: &str, rest: &str| {
        std::fs::write(
            dir.path().join(format!("scenarios/{slug}.yaml")),
            format!("scenario: {slug}\ntitle: t\n{rest}\n"),
        )
    };
    file("b", FAILS).unwrap();
    wait_for(&output, &["failed b", "1 scenario,"], &mut seen);
    file("b", "steps: [nonsense").unwrap();
    wait_for(&said, &["scenarios/b.yaml:3:"], &mut said_seen);
    file("b", PASSES).unwrap();
    // Only what was touched is run, although its file could not be read meanwhile.
    wait_for(&output, &["satisfied", "1 scenario,"], &mut seen);
    std::fs::write(dir.path().join("app.py"), "").unwrap();
    wait_for(&output, &["2 scenarios,"], &mut seen);
    file("c", FAILS).unwrap();
    wait_for(&output, &["failed c", "1 scenario,"], &mut seen);
    let pid = rustix::process::Pid::from_child(&watching.0);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    assert_eq!(watching.0.wait().unwrap().code(), Some(130));
    for file in [output, said] {
        std::fs::remove_file(file).unwrap();
    }
}
