//! `factory gc`: frees what finished runs left, and nothing else.

use std::{fs, path::PathBuf, process::Stdio, time::Instant};

use e2e_tests::factory::{PATIENCE, Workplace};
use model::{event::Body, id::RunId};
use serde_json::Value;

use super::{SPEC, said};

/// Enough for a removal that can be killed in its middle.
const FILES: usize = 40_000;
const FILES_PER_FOLDER: usize = 1_000;

fn built_once(place: &Workplace) -> RunId {
    place.ended(&["run", SPEC, "--agent", "true", "--iterations", "1", "--trials", "1"]).run()
}

fn folder(place: &Workplace, run: &RunId, name: &str) -> PathBuf {
    place.home().join("runs").join(run.as_str()).join(name)
}

fn gc(place: &Workplace, arguments: &[&str]) -> Value {
    let said = said(place, &[&["gc", "--json"], arguments].concat());
    assert_eq!(said.status, 0, "{said:?}");
    serde_json::from_str(&said.out).expect("JSON")
}

fn freed(report: &Value) -> Vec<&str> {
    report["runs"].as_array().expect("a list").iter().map(|run| run["run"].as_str().expect("an id")).collect()
}

#[test]
fn gc_frees_finished_runs_and_leaves_the_log_and_what_is_in_progress() {
    let place = Workplace::init();
    let (old, new) = (built_once(&place), built_once(&place));
    let mut running = place.start(&["run", SPEC]);
    running.until(|event| matches!(event.body, Body::TreeHydrated(_))).expect("a workspace");
    let open = running.kill().run();

    assert_eq!(freed(&gc(&place, &["--older-than", "1d"])), [] as [&str; 0]);
    let pretended = gc(&place, &["--keep", "1", "--dry-run"]);
    assert_eq!(freed(&pretended), [old.as_str()]);
    assert!(pretended["freed_bytes"].as_u64().is_some_and(|bytes| bytes > 10_000), "{pretended}");
    assert!(folder(&place, &old, "work").exists(), "a dry run removes nothing");

    let swept = gc(&place, &["--keep", "1"]);
    assert_eq!((freed(&swept), &swept["freed_bytes"]), (vec![old.as_str()], &pretended["freed_bytes"]));
    for name in ["work", "trees", "trials", "seed"] {
        assert!(!folder(&place, &old, name).exists(), "{name}");
    }
    for kept in [folder(&place, &old, "spec.md"), folder(&place, &old, "sealed"), folder(&place, &new, "work")] {
        assert!(kept.exists(), "{}", kept.display());
    }
    assert_eq!(freed(&gc(&place, &["--keep", "0"])), [new.as_str()], "once, and never what is in progress");

    place.ended(&["resume", open.as_str()]).expect_status(0);
    assert_eq!(place.runs().len(), 3);
    place.verified();
    let wrong = said(&place, &["gc", "--older-than", "a while"]);
    assert_eq!(wrong.status, 2);
    assert!(wrong.err.contains("expected a time such as 7d, 12h or 30m"), "{}", wrong.err);
    place.assert_nothing_runs();
}

#[test]
fn a_killed_gc_is_finished_by_the_next_one() {
    let place = Workplace::init();
    let run = built_once(&place);
    let work = folder(&place, &run, "work");
    for n in 0..FILES {
        let within = work.join(format!("many-{}", n / FILES_PER_FOLDER));
        if n % FILES_PER_FOLDER == 0 {
            fs::create_dir(&within).expect("a folder");
        }
        fs::write(within.join(n.to_string()), b"").expect("a file");
    }
    let folders = || fs::read_dir(&work).map_or(0, Iterator::count);
    let before = folders();
    let mut gc_process = place.factory(["gc", "--keep", "0"]).stdout(Stdio::null()).spawn().expect("starts");
    let deadline = Instant::now() + PATIENCE;
    while folders() == before {
        assert!(Instant::now() < deadline, "nothing is removed");
    }
    gc_process.kill().expect("it is our child");
    gc_process.wait().expect("it is our child");

    gc(&place, &["--keep", "0"]);
    assert!(!work.exists());
    assert_eq!(place.runs().len(), 1);
    place.verified();
    place.assert_nothing_runs();
}
