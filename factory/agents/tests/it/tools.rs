//! Each tool through the toolbox, as a session calls it.

use agents::{
    Profile,
    tools::{CallOutcome, Effect},
};
use serde_json::{Value, json};

use crate::support::Workspace;

async fn call(workspace: &Workspace, name: &str, arguments: Value) -> CallOutcome {
    Profile::ANTHROPIC.toolbox().call(name, arguments, &*workspace.environment).await
}

/// AOS-8: numbered lines, binary files refused, invalid UTF-8 readable.
#[tokio::test]
async fn read_file_shows_lines_and_refuses_binaries() {
    let workspace = Workspace::new();
    workspace.put("a.txt", "one\r\ntwo");
    workspace.put("b.bin", b"PK\0\x01");
    workspace.put("c.txt", b"caf\xe9\n");
    assert_eq!(call(&workspace, "read_file", json!({"path": "a.txt"})).await.output, "     1\tone\n     2\ttwo\n");
    let binary = call(&workspace, "read_file", json!({"path": "b.bin"})).await;
    assert_eq!(
        (binary.ok, binary.output.as_str()),
        (false, "`b.bin` is a binary file of 4 bytes; look at it with `shell`")
    );
    assert_eq!(call(&workspace, "read_file", json!({"path": "c.txt"})).await.output, "     1\tcaf\u{fffd}\n");
}

#[tokio::test]
async fn read_file_reads_two_thousand_lines_unless_told_otherwise() {
    let workspace = Workspace::new();
    workspace.put("long.txt", "x\n".repeat(3_000));
    let all = call(&workspace, "read_file", json!({"path": "long.txt"})).await.output;
    assert!(all.ends_with("  2000\tx\n(the file has 3000 lines; go on with offset 2001)"));
    let part = call(&workspace, "read_file", json!({"path": "long.txt", "offset": 2_999, "limit": 5})).await.output;
    assert_eq!(part, "  2999\tx\n  3000\tx\n");
}

/// The event keeps all, the model sees the limits of the definitions.
#[tokio::test]
async fn long_outputs_are_cut_for_the_model_only() {
    let workspace = Workspace::new();
    workspace.put("wide.txt", "y".repeat(60_000));
    let read = call(&workspace, "read_file", json!({"path": "wide.txt"})).await;
    assert!(read.output.len() > 60_000);
    let shown = read.shown.unwrap();
    assert!(shown.starts_with("     1\tyyy") && shown.contains("characters cut") && shown.len() < 50_200);
    let shell = call(&workspace, "shell", json!({"command": "seq 1 1000"})).await;
    let shown = shell.shown.unwrap();
    assert!(shown.contains("lines cut") && shown.ends_with("\n1000") && shown.lines().count() == 257);
    assert!(shell.output.contains("\n500\n"));
}

/// A flood costs bounded memory and a bounded event.
#[tokio::test]
async fn a_flood_of_output_is_bounded_in_the_event_too() {
    let workspace = Workspace::new();
    let shell =
        call(&workspace, "shell", json!({"command": "head -c 100000000 /dev/zero | tr '\\0' x; echo; echo end"})).await;
    assert!(shell.ok && shell.output.len() < 300_000 && shell.output.ends_with("end"), "{}", shell.output.len());
}

/// AOS-9.
#[tokio::test]
async fn write_file_makes_folders_and_replaces() {
    let workspace = Workspace::new();
    let made = call(&workspace, "write_file", json!({"path": "a/b/c.txt", "content": "1\n2\n"})).await;
    assert_eq!(made.output, "created `a/b/c.txt`: 2 lines, 4 bytes");
    let again = call(&workspace, "write_file", json!({"path": "a/b/c.txt", "content": "x"})).await;
    assert_eq!(
        (again.output.as_str(), workspace.text("a/b/c.txt").as_str()),
        ("replaced `a/b/c.txt`: 1 lines, 1 bytes", "x")
    );
    let outside = call(&workspace, "write_file", json!({"path": "/etc/x", "content": ""})).await;
    assert!(!outside.ok && outside.output.contains("is outside the workspace"));
}

/// AOS-10.
#[tokio::test]
async fn edit_file_changes_one_passage_and_shows_the_difference() {
    let workspace = Workspace::new();
    workspace.put("a.py", "def f():\r\n    return 1\r\n");
    let edit = json!({"path": "a.py", "old_string": "    return 1", "new_string": "    return 2"});
    let edited = call(&workspace, "edit_file", edit.clone()).await;
    assert!(edited.ok && edited.output.contains("-    return 1") && edited.output.contains("+    return 2"));
    assert_eq!(workspace.text("a.py"), "def f():\r\n    return 2\r\n");
    let again = call(&workspace, "edit_file", edit).await;
    assert!(!again.ok && again.output.starts_with("`a.py`: old_string is not in the file"), "{}", again.output);
    workspace.put("b.py", "x\nx\n");
    let ambiguous = call(&workspace, "edit_file", json!({"path": "b.py", "old_string": "x", "new_string": "y"})).await;
    assert!(!ambiguous.ok && ambiguous.output.contains("2 times, at lines 1, 2"));
    assert_eq!(workspace.text("b.py"), "x\nx\n");
    workspace.put("c.bin", b"\xff\xfe");
    let binary = call(&workspace, "edit_file", json!({"path": "c.bin", "old_string": "a", "new_string": "b"})).await;
    assert!(!binary.ok && binary.output.contains("not UTF-8"));
}

/// AOS-12: exit code, both streams, folder, and an environment without secrets.
#[tokio::test]
async fn shell_tells_exit_code_and_both_streams() {
    let workspace = Workspace::new();
    workspace.put("sub/x", "");
    let outcome = call(&workspace, "shell", json!({"command": "ls; echo bad >&2; exit 3", "cwd": "sub"})).await;
    assert!(
        !outcome.ok
            && outcome.output.starts_with("exit 3 after ")
            && outcome.output.ends_with("stdout:\nx\nstderr:\nbad")
    );
    let env = call(&workspace, "shell", json!({"command": "env"})).await;
    assert!(env.output.contains("PATH=") && !env.output.contains("sk-leak"));
    let killed = call(&workspace, "shell", json!({"command": "kill -9 $$"})).await;
    assert!(!killed.ok && killed.output.starts_with("signal 9"));
}

/// AOS-13.
#[tokio::test]
async fn grep_honours_ignore_files_globs_and_limits() {
    let workspace = Workspace::new();
    workspace.put(".gitignore", "target/\n");
    workspace.put("target/out.rs", "needle\n");
    workspace.put(".git/config", "needle\n");
    workspace.put("src/a.rs", "a\nNeedle\nb\n");
    workspace.put("src/b.py", "needle\n");
    workspace.put("data.bin", b"needle\0\n");
    assert_eq!(call(&workspace, "grep", json!({"pattern": "needle"})).await.output, "src/b.py:1:needle\n");
    let both = json!({"pattern": "needle", "ignore_case": true, "glob": "*.rs", "context": 1});
    assert_eq!(call(&workspace, "grep", both).await.output, "src/a.rs-1-a\nsrc/a.rs:2:Needle\nsrc/a.rs-3-b\n");
    assert_eq!(call(&workspace, "grep", json!({"pattern": "no such"})).await.output, "no match");
    let bad = call(&workspace, "grep", json!({"pattern": "("})).await;
    assert!(!bad.ok && bad.output.starts_with("the pattern is no regular expression"));
    workspace.put("many.txt", "hit\n".repeat(150));
    let many = call(&workspace, "grep", json!({"pattern": "hit", "path": "many.txt"})).await.output;
    assert_eq!(many.lines().count(), 101);
    assert!(many.ends_with("(there are more than 100 matches; narrow the pattern, the path or the glob)"));
}

/// AOS-14.
#[tokio::test]
async fn glob_lists_the_newest_first() {
    let workspace = Workspace::new();
    for (name, age) in [("old.rs", 300), ("src/new.rs", 100), ("src/middle.rs", 200), ("src/x.py", 50)] {
        workspace.put(name, "");
        let file = std::fs::File::options().write(true).open(workspace.path().join(name)).unwrap();
        file.set_modified(std::time::SystemTime::now() - std::time::Duration::from_secs(age)).unwrap();
    }
    assert_eq!(
        call(&workspace, "glob", json!({"pattern": "*.rs"})).await.output,
        "src/new.rs\nsrc/middle.rs\nold.rs\n"
    );
    assert_eq!(
        call(&workspace, "glob", json!({"pattern": "*.rs", "path": "src"})).await.output,
        "src/new.rs\nsrc/middle.rs\n"
    );
    assert_eq!(call(&workspace, "glob", json!({"pattern": "*.go"})).await.output, "no file fits");
}

#[tokio::test]
async fn ls_lists_one_folder() {
    let workspace = Workspace::new();
    workspace.put("b.txt", "12345");
    workspace.put("a/x", "");
    assert_eq!(call(&workspace, "ls", json!({})).await.output, "a/\nb.txt 5\n");
    assert_eq!(call(&workspace, "ls", json!({"path": "none"})).await.output, "`none` does not exist");
}

/// What providers need: an object with properties, described; and a class for each tool.
#[test]
fn every_tool_has_a_schema_and_an_effect() {
    let toolbox = Profile::OPENAI.toolbox();
    for definition in toolbox.definitions() {
        assert_eq!(definition.parameters["type"], "object", "{}", definition.name);
        assert_eq!(definition.parameters["additionalProperties"], false, "{}", definition.name);
        assert!(
            !definition.parameters["properties"]["path"].is_null() || definition.name == "shell",
            "{}",
            definition.name
        );
    }
    let of = |effect| toolbox.names().filter(|name| toolbox.effect(name) == effect).collect::<Vec<_>>();
    assert_eq!(of(Effect::Mutating), ["edit_file", "shell"]);
    assert_eq!(of(Effect::Repeatable), ["write_file"]);
}
