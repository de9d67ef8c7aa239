//! Twins of a definition: given to a subject by its path, named and checked in scenarios.

use std::{fs, path::Path};

use harness::{Given, Kind, SubjectConfig, Suite};

use crate::{
    cli::{harness, text},
    kit::subjects,
};

const DEFINITION: &str = "\
twin: parcels
tables: { parcels: { id: { prefix: par_ } } }
operations:
  parcels.create: { route: POST /v1/parcels, create: parcels }
  parcels.get: { route: \"GET /v1/parcels/{id}\", get: parcels }
";

const SUBJECT: &str = "subject: caller\ntwins: { twins/parcels.twin.yaml: { rows: { parcels: [{ id: par_1 }] } } }\n";

const STORY: &str = r#"
scenario: ships
title: A parcel is sent
steps:
  - fault: parcels
    rule: { operation: parcels.create, first: 1, kind: status, status: 503 }
  - exec: { argv: [python3, caller.py, "{{ twins.parcels.url }}/v1/parcels", '{"weight": 2}'] }
    expect: { exit: 1 }
  - exec: { argv: [python3, caller.py, "{{ twins.parcels.url }}/v1/parcels", '{"weight": 2}'] }
    expect: { exit: 0 }
  - twin: parcels
    calls: { operation: parcels.create, where: { $.request.json.weight: 2 } }
    expect: { count: 2, state: [{ path: "$.parcels[0].id", equals: par_1 }, { path: "$.parcels[1].weight", equals: 2 }] }
"#;

fn tree(scenario: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let files = [("twins/parcels.twin.yaml", DEFINITION), ("harness.yaml", SUBJECT), ("scenarios/a.yaml", scenario)];
    files.iter().for_each(|(path, text)| write(dir.path(), path, text));
    fs::copy(subjects().join("caller.py"), dir.path().join("caller.py")).unwrap();
    dir
}

fn write(root: &Path, path: &str, text: &str) {
    fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
    fs::write(root.join(path), text).unwrap();
}

fn refused(dir: &tempfile::TempDir) -> String {
    let output = harness(dir.path(), &["lint"]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stdout));
    text(&output.stderr)
}

#[test]
fn a_subject_is_given_the_twin_of_a_definition_and_scenarios_call_it_by_its_name() {
    let dir = tree(STORY);
    let output = harness(dir.path(), &["run", "--seed", "7", "--trials", "2"]);
    assert_eq!(output.status.code(), Some(0), "{}{}", text(&output.stdout), text(&output.stderr));
}

#[test]
fn operations_and_actions_of_a_definition_are_checked_where_scenarios_name_them() {
    let story = STORY.replace("rule: { operation: parcels.create", "rule: { operation: parcels.sent");
    let told = refused(&tree(&(story + "  - act: ../twins/parcels.twin.yaml\n    do: { lose: {} }\n")));
    assert!(
        told.contains("scenarios/a.yaml:6:24: the twin `parcels` has no operation `parcels.sent` [unknown-operation]"),
        "{told}"
    );
    assert!(told.contains("hint: it has parcels.create, parcels.get"), "{told}");
    assert!(told.contains("scenarios/a.yaml:15:9: the twin `parcels` has no action `lose`"), "{told}");
    let told = refused(&tree(&STORY.replace("status: 503", "statuss: 503")));
    assert!(told.contains("scenarios/a.yaml:6:11:") && told.contains("[unknown-fault]"), "{told}");
}

#[test]
fn a_definition_that_is_wrong_or_missing_is_told_with_its_place() {
    let dir = tree(STORY);
    write(dir.path(), "twins/parcels.twin.yaml", &DEFINITION.replace("get: parcels", "get: parcel"));
    assert!(refused(&dir).contains("twins/parcels.twin.yaml:5:"), "{}", refused(&dir));
    fs::remove_file(dir.path().join("twins/parcels.twin.yaml")).unwrap();
    let told = refused(&dir);
    assert!(
        told.contains("harness.yaml:2:10: there is no definition of a twin at `twins/parcels.twin.yaml`"),
        "{told}"
    );
    let told = refused(&tree(&STORY.replace("twin: parcels", "twin: ../twins/parcel.twin.yaml")));
    assert!(told.contains("scenarios/a.yaml:11:11: there is no definition of a twin at"), "{told}");
}

#[test]
fn a_definition_lies_in_the_tree_and_its_name_is_given_once() {
    let dir = tree(STORY);
    write(dir.path(), "harness.yaml", "subject: a\ntwins: { ../parcels.twin.yaml: {} }\n");
    assert!(refused(&dir).contains("harness.yaml:2:10: the definition `../parcels.twin.yaml` lies outside"));
    write(dir.path(), "twins/other.twin.yaml", DEFINITION);
    write(
        dir.path(),
        "harness.yaml",
        "subject: a\ntwins: { ./twins/parcels.twin.yaml: {}, twins/other.twin.yaml: {} }\n",
    );
    let told = refused(&dir);
    assert!(told.contains("harness.yaml:2:41: the twin `parcels` is given twice"), "{told}");
    write(dir.path(), "harness.yaml", "subject: a\ntwins: { twins/parcels.twin.yaml: { row: 1 } }\n");
    assert!(refused(&dir).contains("harness.yaml:2:10: the configuration of twin `parcels` does not fit"));
}

#[test]
fn a_definition_that_a_scenario_names_goes_where_its_suite_goes() {
    let dir = tree(&STORY.replace("fault: parcels", "fault: ../twins/parcels.twin.yaml"));
    let subject = SubjectConfig::load(dir.path()).unwrap();
    assert_eq!(subject.definitions().collect::<Vec<_>>(), [Path::new("twins/parcels.twin.yaml")]);
    let given = Given { subject: Some(&subject), ..Given::default() };
    let suite = Suite::load_given(&[dir.path().join("scenarios")], Kind::Visible, given).unwrap();
    let paths: Vec<_> = suite.files().unwrap().into_iter().map(|file| file.path).collect();
    assert_eq!(paths, [Path::new("scenarios/a.yaml"), Path::new("twins/parcels.twin.yaml")]);
    // Without the subject, names of its own twins say nothing.
    let told = Suite::load(&[dir.path().join("scenarios")], Kind::Visible).unwrap_err().to_string();
    assert!(told.contains("there is no twin `parcels` [unknown-twin]") && told.contains("named by its path"), "{told}");
}

#[test]
fn a_definition_may_lie_beside_scenarios() {
    let dir = tree(STORY);
    fs::rename(dir.path().join("twins/parcels.twin.yaml"), dir.path().join("scenarios/parcels.twin.yaml")).unwrap();
    write(dir.path(), "harness.yaml", &SUBJECT.replace("twins/parcels", "scenarios/parcels"));
    let output = harness(dir.path(), &["lint"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
}
