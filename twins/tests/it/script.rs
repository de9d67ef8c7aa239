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
    insta::assert_snapshot!(errors(script), @r#"
    script.yaml:5:27: the pattern does not compile: unclosed group
       |
     5 |     when: { user_matches: "(" }
       |                           ^^^

    script.yaml:6:10: the text is no template: syntax error: unexpected end of input, expected end of variable block (in a/say:1)
       |
     6 |     say: "{{ oops"
       |          ^^^^^^^^^
      hint: write {% raw %} … {% endraw %} around braces that are meant literally

    script.yaml:7:11: a turn named `a` stands above
       |
     7 |   - turn: a
       |           ^
      hint: names tell turns apart in reports; choose another

    script.yaml:9:21: cannot read `gone.py`: No such file or directory (os error 2)
       |
     9 |       - write_file: { path: x, content: { file: gone.py } }
       |                     ^

    script.yaml:10:21: `../secret` leaves the script's folder; keep its files beside it
        |
     10 |       - write_file: { path: y, content: { file: ../secret } }
        |                     ^

    script.yaml:11:16: the input of `shell` is not a mapping
        |
     11 |       - shell: ls
        |                ^^
      hint: tools take named arguments: { path: app.py }

    script.yaml:12:11: turn `nothing` answers nothing
        |
     12 |   - turn: nothing
        |           ^^^^^^^
      hint: give it `say`, `think` or `calls`
    "#);
}

#[test]
fn an_unknown_condition_is_named() {
    let script = "script: s\nmodel: m\nturns:\n  - turn: a\n    when: { usr_matches: x }\n    say: hi\n";
    insta::assert_snapshot!(errors(script), @r"
    script.yaml:5:13: unknown field `usr_matches`
       |
     5 |     when: { usr_matches: x }
       |             ^^^^^^^^^^^
      hint: did you mean `user_matches`?
    ");
}

#[test]
fn a_call_names_one_tool() {
    let script = "script: s\nmodel: m\nturns:\n  - turn: a\n    calls:\n      - shell: {}\n        grep: {}\n";
    insta::assert_snapshot!(errors(script), @r"
    script.yaml:6:9: a call names one tool; write a list item for each
       |
     6 |       - shell: {}
       |         ^
    ");
}

#[test]
fn a_script_needs_a_turn_and_a_file() {
    assert!(errors("script: s\nmodel: m\nturns: []\n").contains("at least one turn"));
    let missing = twins::script::check(std::path::Path::new("/nowhere/script.yaml")).unwrap_err().to_string();
    assert!(missing.contains("there is no such file"));
}
