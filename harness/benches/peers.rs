//! The harness beside its peers, as ratios of one run: the same HTTP suite as Hurl, a trial's own cost as Inspect AI's,
//! the start of the process, and the memory of many trials.
//!
//! Peers are found by `HURL` and `INSPECT_PYTHON` (a Python that has `inspect_ai`), else on the `PATH`; one that is not
//! there is said to be missing. Rounds alternate between the programs, so that a busy machine slows both.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark that cannot go on fails, and prints")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use axum::{Json, Router, extract::Path as UrlPath, routing::get};
use serde_json::json;

const FILES: usize = 100;
const ROUNDS: usize = 15;
const MANY_TRIALS: u32 = 100_000;
const INSPECT_SAMPLES: usize = 400;
const TICKS_PER_SECOND: f64 = 100.0; // of /proc; Linux has had no other value on this path for decades

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let base = serve();
    write_suites(folder.path());
    same_suite_as_hurl(folder.path(), &base);
    start();
    own_cost_beside_inspect(folder.path(), &base);
    many_trials(folder.path(), &base);
}

// --- what is measured ---------------------------------------------------------------------------------------------------

fn same_suite_as_hurl(folder: &Path, base: &str) {
    let ours = || harness(&["run", "scenarios", "--target", base, "--no-store"], folder);
    let stored = || harness(&["run", "scenarios", "--target", base], folder);
    let Some(hurl) = program("HURL", "hurl") else {
        println!("hurl: MISSING; set HURL to its binary to compare");
        let [ours] = alternate([&ours]);
        println!("{FILES} files, {} requests: {ours}", FILES * 2);
        return;
    };
    let files: Vec<_> = (0..FILES).map(|n| format!("hurl/{n}.hurl")).collect();
    let theirs = || {
        let mut command = Command::new(&hurl);
        command.args(["--test", "--variable", &format!("host={base}")]).args(&files).current_dir(folder);
        command
    };
    let [ours, stored, theirs] = alternate([&ours, &stored, &theirs]);
    println!("{FILES} files, {} requests", FILES * 2);
    println!("  harness             {ours}");
    println!("  harness, run stored {stored}");
    println!("  hurl                {theirs}");
    println!("  hurl : harness      wall {:.2}, CPU {:.2}", theirs.wall / ours.wall, theirs.cpu / ours.cpu);
    println!("  hurl : run stored   wall {:.2}, CPU {:.2}", theirs.wall / stored.wall, theirs.cpu / stored.cpu);
}

fn start() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("harness.yaml"), "subject: nothing\nscenarios: [a.yaml]\n").unwrap();
    fs::write(
        folder.path().join("a.yaml"),
        "scenario: a\ntitle: A\nsteps: [{ exec: { argv: [\"true\"] }, expect: { exit: 0 } }]\n",
    )
    .unwrap();
    let version = || harness(&["--version"], folder.path());
    let lint = || harness(&["lint"], folder.path());
    let run = || harness(&["run", "--no-store"], folder.path());
    let [version, lint, run] = alternate([&version, &lint, &run]);
    println!("start\n  --version           {version}\n  lint of one file    {lint}\n  run of one `true`   {run}");
}

fn own_cost_beside_inspect(folder: &Path, base: &str) {
    let trials = INSPECT_SAMPLES.to_string();
    let ours = || harness(&["run", "one.yaml", "--target", base, "--trials", &trials], folder);
    let one = || harness(&["run", "one.yaml", "--target", base], folder);
    let python = program("INSPECT_PYTHON", "python3").filter(|python| can_import_inspect(python));
    let Some(python) = python else {
        println!("inspect: MISSING; set INSPECT_PYTHON to a Python with inspect_ai to compare");
        return;
    };
    fs::write(folder.join("task.py"), INSPECT_TASK).unwrap();
    let theirs = |samples: usize| {
        let mut command = Command::new(&python);
        command.arg("task.py").arg(samples.to_string()).current_dir(folder);
        command
    };
    let (many, few) = (|| theirs(INSPECT_SAMPLES), || theirs(1));
    let [ours, one, many, few] = alternate([&ours, &one, &many, &few]);
    // The difference leaves the start of the process out.
    let each = |many: Cost, one: Cost| (many.cpu - one.cpu) / (INSPECT_SAMPLES - 1) as f64 * 1e6;
    let (ours, theirs) = (each(ours, one), each(many, few));
    println!(
        "own cost of a trial: harness {ours:.0} µs CPU, Inspect AI {theirs:.0} µs CPU, ratio {:.1}",
        theirs / ours
    );
}

fn many_trials(folder: &Path, base: &str) {
    for trials in [MANY_TRIALS / 100, MANY_TRIALS] {
        let mut child = harness(&["run", "one.yaml", "--target", base, "--trials", &trials.to_string()], folder)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (mut peak, started) = (0, Instant::now());
        let status = loop {
            peak = resident_kib(child.id()).unwrap_or(0).max(peak);
            match child.try_wait().unwrap() {
                Some(status) => break status,
                None => std::thread::sleep(Duration::from_millis(20)),
            }
        };
        assert!(status.success(), "{trials} trials ended with {status}");
        println!("{trials} trials: peak {} MiB, {:.1} s", peak / 1024, started.elapsed().as_secs_f64());
    }
}

// --- how ----------------------------------------------------------------------------------------------------------------

/// Median wall time and mean CPU time of one execution, in seconds.
#[derive(Clone, Copy)]
struct Cost {
    wall: f64,
    cpu: f64,
}

impl std::fmt::Display for Cost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "wall {:7.2} ms, CPU {:7.2} ms", self.wall * 1e3, self.cpu * 1e3)
    }
}

fn alternate<const N: usize>(programs: [&dyn Fn() -> Command; N]) -> [Cost; N] {
    let mut walls = [const { Vec::new() }; N];
    let mut cpu = [0.0; N];
    for round in 0..=ROUNDS {
        for (n, program) in programs.iter().enumerate() {
            let (before, started) = (children_cpu(), Instant::now());
            let output = program().output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            // The first round warms caches.
            if round > 0 {
                walls[n].push(started.elapsed().as_secs_f64());
                cpu[n] += children_cpu() - before;
            }
        }
    }
    std::array::from_fn(|n| {
        walls[n].sort_by(f64::total_cmp);
        Cost { wall: walls[n][ROUNDS / 2], cpu: cpu[n] / ROUNDS as f64 }
    })
}

/// User and system time of all children that have ended, in seconds.
fn children_cpu() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<_> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    fields[13..15].iter().map(|ticks| ticks.parse::<f64>().unwrap()).sum::<f64>() / TICKS_PER_SECOND
}

fn resident_kib(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?.split_whitespace().next()?.parse().ok()
}

fn harness(arguments: &[&str], folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_harness"));
    command.args(arguments).current_dir(folder);
    command
}

fn program(variable: &str, name: &str) -> Option<PathBuf> {
    if let Some(path) = std::env::var_os(variable) {
        return Some(path.into());
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}

fn can_import_inspect(python: &Path) -> bool {
    Command::new(python).args(["-c", "import inspect_ai"]).output().is_ok_and(|output| output.status.success())
}

/// A server of two endpoints, in a thread of this process: it costs both programs the same and is in nobody's CPU time.
fn serve() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            let list = || async { Json(json!({ "items": [{ "id": 1, "name": "mug" }, { "id": 2, "name": "cap" }] })) };
            let item =
                |UrlPath(id): UrlPath<u64>| async move { Json(json!({ "id": id, "name": "mug", "price": 1200 })) };
            let router = Router::new().route("/items", get(list)).route("/items/{id}", get(item));
            axum::serve(tokio::net::TcpListener::from_std(listener).unwrap(), router).await.unwrap();
        });
    });
    base
}

/// The same suite twice: two requests a file, a capture from the first into the second, six checks.
fn write_suites(folder: &Path) {
    fs::create_dir_all(folder.join("scenarios")).unwrap();
    fs::create_dir_all(folder.join("hurl")).unwrap();
    for n in 0..FILES {
        fs::write(folder.join(format!("scenarios/{n}.yaml")), SCENARIO.replace("NUMBER", &n.to_string())).unwrap();
        fs::write(folder.join(format!("hurl/{n}.hurl")), HURL.replace("NUMBER", &n.to_string())).unwrap();
    }
    fs::write(folder.join("one.yaml"), ONE).unwrap();
}

const SCENARIO: &str = r"scenario: item-NUMBER
title: An item of the list can be read
steps:
  - http: { get: '/items?n=NUMBER' }
    expect:
      status: 200
      headers: { content-type: { contains: json } }
      jsonpath: [{ path: '$.items', length: 2 }]
    capture: { id: '$.items[0].id' }
  - http: { get: '/items/{{ id }}' }
    expect:
      status: 200
      jsonpath: [{ path: '$.name', equals: mug }, { path: '$.price', gt: 1000 }]
";

const HURL: &str = r#"GET {{host}}/items?n=NUMBER
HTTP 200
[Captures]
id: jsonpath "$.items[0].id"
[Asserts]
header "content-type" contains "json"
jsonpath "$.items" count == 2

GET {{host}}/items/{{id}}
HTTP 200
[Asserts]
jsonpath "$.name" == "mug"
jsonpath "$.price" > 1000
"#;

const ONE: &str = r"scenario: one
title: One request
steps:
  - http: { get: '/items/1' }
    expect: { status: 200, jsonpath: [{ path: '$.name', equals: mug }] }
";

/// Inspect's own mock model and its cheapest scorer, no display, logs where it wants them.
const INSPECT_TASK: &str = r#"import sys
from inspect_ai import Task, eval
from inspect_ai.dataset import Sample
from inspect_ai.scorer import includes
from inspect_ai.solver import generate

samples = [Sample(input="say it", target="Default") for _ in range(int(sys.argv[1]))]
eval(Task(dataset=samples, solver=generate(), scorer=includes()), model="mockllm/model", display="none", log_dir="inspect-logs")
"#;
