//! The harness beside its peers, as ratios of one run: the same HTTP suite as Hurl, a trial's own cost as Inspect AI's,
//! the start of the process, and the memory of many trials.
//!
//! Peers are found by `HURL` and `INSPECT_PYTHON` (a Python that has `inspect_ai`), else on the `PATH`; one that is not
//! there is said to be missing. Rounds alternate between the programs, so that a busy machine slows both. Of
//! wall times the best round counts, because others on the machine can only make a round worse.
//!
//! `cargo bench -p harness --bench peers -- hurl start` measures only these parts; the others are `inspect` and `memory`.

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
/// Of what takes milliseconds; the kernel tells CPU time in hundredths of a second, so several starts are one round.
const SHORT: Effort = Effort { rounds: 15, starts: 5 };
/// Of what takes seconds.
const LONG: Effort = Effort { rounds: 4, starts: 1 };
const MANY_TRIALS: u32 = 100_000;
const TRIALS: usize = 4_000; // beside Inspect's samples, so that both take long enough to be measured
const INSPECT_SAMPLES: usize = 400;
const TICKS_PER_SECOND: f64 = 100.0; // of /proc; Linux has had no other value on this path for decades

/// Measures in a folder, against the server at a URL.
type Part = fn(&Path, &str);

/// The parts by the names that choose them.
const PARTS: [(&str, Part); 4] = [
    ("hurl", same_suite_as_hurl),
    ("start", |_, _| start()),
    ("inspect", own_cost_beside_inspect),
    ("memory", many_trials),
];

fn main() {
    let chosen: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let folder = tempfile::tempdir().unwrap();
    let base = serve();
    write_suites(folder.path());
    for (name, part) in PARTS {
        if chosen.is_empty() || chosen.iter().any(|word| word == name) {
            part(folder.path(), &base);
        }
    }
}

// --- what is measured ---------------------------------------------------------------------------------------------------

fn same_suite_as_hurl(folder: &Path, base: &str) {
    println!("{FILES} files, {} requests", FILES * 2);
    let suite = ["run", "scenarios", "--target", base];
    let ours = || harness(&[&suite[..], &["--no-store"]].concat(), folder);
    let one_by_one = || harness(&[&suite[..], &["--no-store", "--jobs", "1"]].concat(), folder);
    let stored = || harness(&suite, folder);
    let Some(hurl) = program("HURL", "hurl") else {
        let [ours] = alternate(SHORT, [&ours]);
        println!("  harness             {ours}\n  hurl                MISSING; set HURL to its binary to compare");
        return;
    };
    let files: Vec<_> = (0..FILES).map(|n| format!("hurl/{n}.hurl")).collect();
    let theirs = |options: &[&str]| {
        let mut command = Command::new(&hurl);
        command.args(["--test", "--variable", &format!("host={base}")]).args(options);
        command.args(&files).current_dir(folder);
        command
    };
    let (parallel, sequential) = (|| theirs(&[]), || theirs(&["--jobs", "1"]));
    let [ours, one_by_one, stored, parallel, sequential] =
        alternate(SHORT, [&ours, &one_by_one, &stored, &parallel, &sequential]);
    println!("  harness             {ours}");
    println!("  harness, run stored {stored}");
    println!("  harness, --jobs 1   {one_by_one}");
    println!("  hurl                {parallel}");
    println!("  hurl, --jobs 1      {sequential}");
    println!("  hurl : harness      {}", parallel.over(ours));
    println!("  hurl : run stored   {}", parallel.over(stored));
    println!("  both with --jobs 1  {}", sequential.over(one_by_one));
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
    let [version, lint, run] = alternate(SHORT, [&version, &lint, &run]);
    println!("start\n  --version           {version}\n  lint of one file    {lint}\n  run of one `true`   {run}");
}

/// What one more trial costs, the start of the process left out. Ours is a whole one: a request over a socket, its
/// checks, its evidence, its line in the log on the disk. Inspect's has a model in memory that answers at once.
fn own_cost_beside_inspect(folder: &Path, base: &str) {
    let python = program("INSPECT_PYTHON", "python3").filter(|python| can_import_inspect(python));
    let Some(python) = python else {
        println!("inspect: MISSING; set INSPECT_PYTHON to a Python with inspect_ai to compare");
        return;
    };
    fs::write(folder.join("task.py"), INSPECT_TASK).unwrap();
    let ours = |trials: usize| harness(&["run", "one.yaml", "--target", base, "--trials", &trials.to_string()], folder);
    let theirs = |samples: usize| {
        let mut command = Command::new(&python);
        command.arg("task.py").arg(samples.to_string()).current_dir(folder);
        command
    };
    let [one, all] = alternate(LONG, [&|| ours(1), &|| ours(TRIALS)]);
    let [first, samples] = alternate(LONG, [&|| theirs(1), &|| theirs(INSPECT_SAMPLES)]);
    let each = |all: Cost, one: Cost, count: usize| (all.cpu - one.cpu) / (count - 1) as f64 * 1e6;
    let (ours, theirs) = (each(all, one, TRIALS), each(samples, first, INSPECT_SAMPLES));
    println!("one more trial, CPU: harness {ours:.0} µs, Inspect AI {theirs:.0} µs, ratio {:.1}", theirs / ours);
}

fn many_trials(folder: &Path, base: &str) {
    for trials in [MANY_TRIALS / 100, MANY_TRIALS / 10, MANY_TRIALS] {
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
        println!("{trials:7} trials: peak {:.1} MiB, {:.1} s", peak as f64 / 1024.0, started.elapsed().as_secs_f64());
    }
}

// --- how ----------------------------------------------------------------------------------------------------------------

/// The wall time of one execution in the best round, and its CPU time over all rounds, in seconds.
#[derive(Clone, Copy)]
struct Cost {
    wall: f64,
    cpu: f64,
}

impl Cost {
    fn over(self, other: Self) -> String {
        format!("wall {:.2}, CPU {:.2}", self.wall / other.wall, self.cpu / other.cpu)
    }
}

impl std::fmt::Display for Cost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "wall {:7.2} ms, CPU {:7.2} ms", self.wall * 1e3, self.cpu * 1e3)
    }
}

#[derive(Clone, Copy)]
struct Effort {
    rounds: usize,
    /// Of each program in a round.
    starts: usize,
}

fn alternate<const N: usize>(effort: Effort, programs: [&dyn Fn() -> Command; N]) -> [Cost; N] {
    let mut best = [Cost { wall: f64::INFINITY, cpu: 0.0 }; N];
    for round in 0..=effort.rounds {
        for (best, program) in best.iter_mut().zip(programs) {
            let cost = measured(effort.starts, program);
            // The first round warms caches.
            if round > 0 {
                best.wall = best.wall.min(cost.wall);
                best.cpu += cost.cpu / effort.rounds as f64;
            }
        }
    }
    best
}

fn measured(starts: usize, program: &dyn Fn() -> Command) -> Cost {
    let (before, started) = (children_cpu(), Instant::now());
    for _ in 0..starts {
        let output = program().output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let each = |seconds: f64| seconds / starts as f64;
    Cost { wall: each(started.elapsed().as_secs_f64()), cpu: each(children_cpu() - before) }
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

/// Inspect's own mock model and its cheapest scorer, no display, logs where it wants them. The answers come with their
/// usage, which Inspect would otherwise count with a tokenizer from the internet.
const INSPECT_TASK: &str = r#"import sys
from inspect_ai import Task, eval
from inspect_ai.dataset import Sample
from inspect_ai.model import ModelOutput, ModelUsage, get_model
from inspect_ai.scorer import includes
from inspect_ai.solver import generate

def answers():
    while True:
        answer = ModelOutput.from_content("mockllm", "Default output from mockllm/model")
        answer.usage = ModelUsage(input_tokens=3, output_tokens=6, total_tokens=9)
        yield answer

count = int(sys.argv[1])
task = Task(dataset=[Sample(input="say it", target="Default") for _ in range(count)], solver=generate(), scorer=includes())
model = get_model("mockllm/model", custom_outputs=answers())
[log] = eval(task, model=model, display="none", log_dir="inspect-logs")
assert log.status == "success" and log.results.completed_samples == count, log.error
"#;
