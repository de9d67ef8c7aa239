//! The commands that set up and inspect: `init`, `lint`, `doctor`, `completions`, `runs`, `audit`.

use std::{fs, path::Path, process::Command};

use e2e_tests::factory::Workplace;
use serde_json::Value;

use super::{SPEC, Said, finished, said};

/// Issue 2, 12, and `docs/guides`: from nothing to a satisfied spec with three commands.
#[test]
fn init_in_an_empty_repository_makes_an_example_that_ends_satisfied() {
    let place = Workplace::empty();
    let init = said(&place, &["init"]);
    assert_eq!((init.status, init.err.as_str()), (0, ""));
    insta::assert_snapshot!(init.out, @r"
    wrote ./harness.yaml
    wrote ./holdout/greeting/longest-name.yaml
    wrote ./holdout/greeting/odd-names.yaml
    wrote ./scenarios/greeting/greets-by-name.yaml
    wrote ./scenarios/greeting/greets-the-world.yaml
    wrote ./specs/greeting/app/app.py
    wrote ./specs/greeting/script.yaml
    wrote ./specs/greeting.md

    next: git add -A && git commit -m 'first spec'
    then: factory run specs/greeting.md
    ");
    place.commit("first spec");

    assert_eq!(said(&place, &["lint", SPEC]).out, "specs/greeting.md: sound\n");
    assert_eq!(said(&place, &["runs"]).out, "no runs yet; start one with `factory run specs/NAME.md`\n");
    let run = said(&place, &["run", SPEC]);
    assert_eq!(run.status, 0, "{}", run.err);
    assert!(run.out.contains("satisfied: "), "{}", run.out);
    assert!(run.err.contains("a script plays the model: specs/greeting/script.yaml"), "{}", run.err);

    let runs = said(&place, &["runs", "--json"]);
    let listed: Vec<Value> = runs.out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(listed.len(), 1, "{runs:?}");
    assert_eq!((&listed[0]["spec"], &listed[0]["verdict"]), (&"greeting".into(), &"satisfied".into()));
    let branch = format!("factory/greeting/{}", listed[0]["run"].as_str().expect("an id"));
    assert!(place.git(["show", "--stat", &branch]).contains("app.py"));

    let again = said(&place, &["init"]);
    assert_eq!((again.status, again.out.as_str()), (2, ""));
    insta::assert_snapshot!(again.err, @"error: ./harness.yaml is there already; init does not overwrite: move it away, or init elsewhere");
    assert_eq!(place.git(["status", "--porcelain"]), "", "a refused init changes nothing");
    place.assert_nothing_runs();
}

#[test]
fn completions_are_a_script_that_the_shell_accepts() {
    let place = Workplace::empty();
    for (shell, check) in [("bash", "bash"), ("zsh", ""), ("fish", "")] {
        let said = said(&place, &["completions", shell]);
        assert_eq!(said.status, 0);
        assert!(said.out.contains("factory") && said.out.contains("resume"), "{shell}");
        if !check.is_empty() {
            place.write("completions", &said.out);
            let checked = Command::new(check).arg("-n").arg(place.repository().join("completions")).status();
            assert!(checked.expect("the shell runs").success());
        }
    }
    assert!(fs::read_dir(place.home()).expect("the home").next().is_none(), "no database for that");
}

fn check<'a>(checks: &'a Value, name: &str) -> &'a Value {
    let found = checks.as_array().expect("a list").iter().find(|check| check["name"] == name);
    found.unwrap_or_else(|| panic!("no check `{name}` in {checks}"))
}

fn doctor(place: &Workplace, path: Option<&Path>) -> (Said, Value) {
    let mut command = place.factory(["doctor", "--json"]);
    if let Some(path) = path {
        command.env("PATH", path);
    }
    let said = finished(place, command);
    let checks = serde_json::from_str(&said.out).unwrap_or_else(|error| panic!("{error}: {said:?}"));
    (said, checks)
}

#[test]
fn doctor_lists_every_need_and_its_status_tells_whether_one_is_missing() {
    let place = Workplace::empty();
    let (fine, checks) = doctor(&place, None);
    assert_eq!(fine.status, 0, "{checks:#}");
    for name in ["home", "disk", "database", "isolation", "git", "python3", "model"] {
        check(&checks, name);
    }
    assert_eq!(check(&checks, "model")["needed"], false, "a script plays where there is no key");
    let text = said(&place, &["doctor"]);
    assert!(text.out.contains("✓ database"), "{}", text.out);
    place.assert_nothing_runs();
}

/// A broken `DATABASE_URL` stands for every database that cannot be had; each other need is still checked.
#[test]
fn doctor_names_what_is_missing_and_the_command_that_mends_it() {
    let place = Workplace::empty();
    let mut command = place.factory(["doctor", "--json"]);
    command.env("DATABASE_URL", "postgres://nobody@127.0.0.1:1/none").env("PATH", place.repository());
    let said = finished(&place, command);
    assert_eq!(said.status, 5, "{said:?}");
    let checks: Value = serde_json::from_str(&said.out).expect("JSON");
    let database = check(&checks, "database");
    assert_eq!((&database["ok"], &database["needed"]), (&false.into(), &true.into()));
    assert!(database["mend"].as_str().is_some_and(|mend| mend.contains("DATABASE_URL")), "{database}");
    let git = check(&checks, "git");
    assert_eq!((&git["ok"], &git["found"]), (&false.into(), &"not on PATH".into()));
    assert!(git["mend"].as_str().is_some_and(|mend| mend.starts_with("apt-get install git")), "{git}");
}

/// Design, "The store": an intruder with the superuser's password is found out, and the first bad row is named.
#[test]
fn a_row_that_was_changed_behind_the_factory_breaks_the_audit() {
    let place = Workplace::init();
    let run = place.ended(&["run", SPEC, "--agent", "true", "--iterations", "1", "--trials", "1"]).run();
    let anchor = said(&place, &["audit", "anchor", "--json"]);
    let anchored: Value = serde_json::from_str(&anchor.out).unwrap_or_else(|error| panic!("{error}: {anchor:?}"));
    let verified = place.verified();
    assert_eq!(verified["anchored_events"], anchored["events"], "{verified} {anchored}");

    let change =
        "update evt_events set data = (replace(data::text, 'exit 0', 'exit 1'))::json where kind = 'command.exited'";
    place.superuser(&format!("set session_replication_role = replica; {change}"));
    let broken = said(&place, &["audit", "verify"]);
    assert_eq!(broken.status, 1, "{broken:?}");
    let told = broken.out.replace(run.as_str(), "[run]");
    insta::assert_snapshot!(told, @"broken: [run] event 15: the event is not the one that was written, or not at its place");
    let json: Value = serde_json::from_str(&said(&place, &["audit", "verify", "--json"]).out).expect("JSON");
    assert_eq!(json["first_bad"]["stream"], run.as_str(), "{json}");
    place.assert_nothing_runs();
}
