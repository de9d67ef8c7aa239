//! Which scenarios a command runs, and with which values.

use std::{collections::BTreeSet, path::Path};

use crate::{
    cli::{harness, text},
    stored_runs::{FAILS, PASSES, tool},
};

/// The names of the scenarios that were run.
fn ran(dir: &Path, arguments: &[&str]) -> BTreeSet<String> {
    let output = harness(dir, &[&["run", "--json"], arguments].concat());
    let report: harness::Report =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", text(&output.stderr)));
    report.scenarios.into_iter().filter(|scenario| scenario.executed > 0).map(|scenario| scenario.scenario).collect()
}

fn names<const N: usize>(names: [&str; N]) -> BTreeSet<String> {
    names.map(str::to_owned).into()
}

#[test]
fn tags_choose_and_exclude() {
    let tagged = |tags: &str| format!("tags: [{tags}]\n{PASSES}");
    let dir = tool(&[("a", &tagged("smoke")), ("b", &tagged("smoke, slow")), ("c", PASSES)]);
    assert_eq!(ran(dir.path(), &["--tag", "smoke"]), names(["a", "b"]));
    assert_eq!(ran(dir.path(), &["--tag", "smoke", "--tag", "!slow"]), names(["a"]));
    assert_eq!(harness(dir.path(), &["run", "--tag", "smok"]).status.code(), Some(2));
}

#[test]
fn what_failed_last_is_run_again() {
    let dir = tool(&[("a", PASSES), ("b", FAILS), ("c", FAILS)]);
    let first = harness(dir.path(), &["run", "--last-failed"]);
    assert!(text(&first.stderr).contains("no run is stored yet"), "{}", text(&first.stderr));
    assert_eq!(ran(dir.path(), &["--last-failed"]), names(["b", "c"]));
    assert_eq!(ran(dir.path(), &["--last-failed", "--filter", "[ac]"]), names(["c"]));
    let dir = tool(&[("a", PASSES)]);
    harness(dir.path(), &["run"]);
    assert_eq!(ran(dir.path(), &["--last-failed"]), names(["a"]), "nothing to run would be nothing shown");
}

#[test]
fn shards_together_are_the_whole_suite() {
    let slugs: Vec<_> = (0..12).map(|n| format!("s-{n}")).collect();
    let files: Vec<_> = slugs.iter().map(|slug| (slug.as_str(), PASSES)).collect();
    let dir = tool(&files);
    let parts = ["1/3", "2/3", "3/3"].map(|shard| ran(dir.path(), &["--shard", shard]));
    assert_eq!(parts.iter().map(BTreeSet::len).sum::<usize>(), 12, "no scenario is in two parts");
    assert_eq!(parts.into_iter().flatten().count(), 12);
    let empty = (1..=100).map(|n| format!("{n}/100")).map(|shard| harness(dir.path(), &["run", "--shard", &shard]));
    let empty = empty.into_iter().find(|output| output.stdout.is_empty()).unwrap();
    assert_eq!(empty.status.code(), Some(0));
    assert!(text(&empty.stderr).contains("nothing was run"), "{}", text(&empty.stderr));
}

#[test]
fn the_first_failure_can_end_the_run() {
    let dir = tool(&[("a", FAILS), ("b", PASSES), ("c", PASSES)]);
    assert_eq!(ran(dir.path(), &["--fail-fast", "--jobs", "1"]), names(["a"]));
    let again = ran(dir.path(), &["--last-failed"]);
    assert_eq!(again, names(["a", "b", "c"]), "what was not reached was not shown to be satisfied");
}

#[test]
fn values_from_outside_stand_in_for_those_of_the_file() {
    let wants = "vars: { word: no }\nsteps: [{ exec: { argv: [test, '{{ word }} {{ n + 1 }}', '=', 'yes 6'] }, expect: { exit: 0 } }]";
    let dir = tool(&[("a", wants)]);
    let unknown = harness(dir.path(), &["run"]);
    assert!(text(&unknown.stderr).contains("nothing defines `n`"), "{}", text(&unknown.stderr));
    let word = "word=\"yes\"";
    assert_eq!(harness(dir.path(), &["run", "--var", word, "--var", "n=5"]).status.code(), Some(0));
    assert_eq!(harness(dir.path(), &["run", "--var", word, "--var", "n=6"]).status.code(), Some(1));
    std::fs::write(dir.path().join("vars.yaml"), "word: \"yes\"\nn: 7\n").unwrap();
    assert_eq!(harness(dir.path(), &["run", "--vars-file", "vars.yaml"]).status.code(), Some(1));
    let both = harness(dir.path(), &["run", "--vars-file", "vars.yaml", "--var", "n=5"]);
    assert_eq!(both.status.code(), Some(0), "{}", text(&both.stdout));
    for wrong in ["--var=n", "--var=trial=1", "--vars-file=nowhere.yaml"] {
        assert_eq!(harness(dir.path(), &["run", wrong]).status.code(), Some(2), "{wrong}");
    }
}

#[test]
fn an_empty_shard_writes_all_its_reports() {
    let dir = tool(&[("good", PASSES)]);
    let formats = ["junit", "tap", "ctrf", "github", "markdown", "html", "json"];
    let outputs: Vec<_> =
        formats.iter().flat_map(|format| ["--report".to_owned(), format!("{format}=a.{format}")]).collect();
    let run = |shard: &str| {
        let mut arguments = vec!["run", "--shard", shard, "--jsonl", "a.jsonl", "--junit", "b.junit"];
        arguments.extend(outputs.iter().map(String::as_str));
        harness(dir.path(), &arguments)
    };
    let empty = |shard: &&str| text(&run(shard).stderr).contains("nothing was run");
    let shard = ["1/3", "2/3", "3/3"].into_iter().find(empty).expect("one scenario is in one shard");
    for name in std::fs::read_dir(dir.path()).unwrap().flatten().map(|entry| entry.path()) {
        if name.file_stem().is_some_and(|stem| stem == "a" || stem == "b") {
            std::fs::remove_file(name).unwrap();
        }
    }
    let ran = run(shard);
    assert_eq!((ran.status.code(), text(&ran.stdout).as_str()), (Some(0), ""));
    let read = |format: &str| std::fs::read_to_string(dir.path().join(format!("a.{format}"))).unwrap();
    assert!(read("junit").contains("<testsuites tests=\"0\" failures=\"0\""), "{}", read("junit"));
    assert_eq!(read("junit"), std::fs::read_to_string(dir.path().join("b.junit")).unwrap());
    assert_eq!(read("tap"), "TAP version 14\n1..0\n");
    let ctrf: serde_json::Value = serde_json::from_str(&read("ctrf")).unwrap();
    assert_eq!(ctrf["results"]["summary"]["tests"], 0);
    let report: harness::Report = serde_json::from_str(&read("json")).unwrap();
    assert_eq!((report.outcome, report.planned), (harness::Outcome::Satisfied, 0));
    assert!(read("html").contains("</html>"));
    assert_eq!((read("github"), read("jsonl")), (String::new(), String::new()));
    assert!(!read("markdown").is_empty());
}
