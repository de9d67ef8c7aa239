//! `harness import`: what it writes is a scenario that runs, and it says what it could not carry over.

use std::{
    path::Path,
    process::{Command, Output},
};

fn harness(dir: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_harness")).args(arguments).current_dir(dir).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn hurl_files_become_scenarios_that_lint_accepts() {
    let dir = tempfile::tempdir().unwrap();
    let shop = "GET http://localhost:1/orders\nHTTP 200\n\nGET http://localhost:1/orders/{{id}}\nHTTP 404\n";
    std::fs::create_dir(dir.path().join("more")).unwrap();
    for name in ["shop.hurl", "more/shop.hurl"] {
        std::fs::write(dir.path().join(name), shop).unwrap();
    }
    std::fs::write(dir.path().join("harness.yaml"), "subject: a\nstart: { argv: [a] }\n").unwrap();
    let arguments = ["import", "hurl", "shop.hurl", "more/shop.hurl", "--out", "scenarios", "--strict"];
    let output = harness(dir.path(), &arguments);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    assert!(
        text(&output.stderr).contains("todo: shop.hurl:4:33: `id` is set outside this file"),
        "{}",
        text(&output.stderr)
    );
    assert!(
        text(&output.stdout).ends_with("2 scenario files written; 2 TODOs need a look\n"),
        "{}",
        text(&output.stdout)
    );
    let output = harness(dir.path(), &["lint"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));

    let output = harness(dir.path(), &[&arguments[..], &["--variable", "id=7"]].concat());
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("scenarios/shop.yaml is there already; nothing was written"));
    let output = harness(dir.path(), &[&arguments[..], &["--variable", "id=7", "--force"]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(std::fs::read_to_string(dir.path().join("scenarios/more-shop.yaml")).unwrap().contains("id: 7"));
}

#[test]
fn a_file_that_is_no_hurl_exits_with_2_and_its_place() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("a.hurl"), "GET http://a\nHTTP 200\n[Nonsense]\n").unwrap();
    let output = harness(dir.path(), &["import", "hurl", "a.hurl", "--out", "out"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        text(&output.stderr).contains("a.hurl:3:1: there is no section `Nonsense` here"),
        "{}",
        text(&output.stderr)
    );
    assert!(!dir.path().join("out").exists());
}
