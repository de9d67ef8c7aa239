//! A bad script is refused before anything runs, with the place of each error.

use located::Diagnostics;

fn errors(script: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("script.yaml");
    std::fs::write(&path, script).unwrap();
    let found: Diagnostics = twins::script::check(&path).expect_err("the script is wrong");
    found.to_string().replace(&format!("{}/", folder.path().display()), "")
}

#[test]
fn every_error_is_found_at_its_place() {
    let script = r#"script: s
model: claude-sonnet-4-6
turns:
  - turn: a
    when: { user_matches: "(" }
    say: "{{ oops"
  - turn: a
    calls:
      - write_file: { path: x, content: { file: gone.py } }
      - write_file: { path: y, content: { file: ../secret } }
      - shell: ls
  - turn: nothing
"#;
    insta::assert_snapshot!(errors(script));
}

#[test]
fn an_unknown_condition_is_named() {
    insta::assert_snapshot!(errors(
        "script: s\nmodel: m\nturns:\n  - turn: a\n    when: { usr_matches: x }\n    say: hi\n"
    ));
}

#[test]
fn a_call_names_one_tool() {
    insta::assert_snapshot!(errors(
        "script: s\nmodel: m\nturns:\n  - turn: a\n    calls:\n      - shell: {}\n        grep: {}\n"
    ));
}

#[test]
fn a_script_needs_a_turn_and_a_file() {
    assert!(errors("script: s\nmodel: m\nturns: []\n").contains("at least one turn"));
    let missing = twins::script::check(std::path::Path::new("/nowhere/script.yaml")).unwrap_err().to_string();
    assert!(missing.contains("cannot read the file"));
}
