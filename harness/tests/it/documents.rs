//! The documents are tried out: every example is read, and the guide's commands are run.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use harness::{Kind, Suite};
use located::Source;

struct Block {
    language: String,
    /// What follows the language on the fence: mostly a file's name.
    name: String,
    text: String,
}

fn blocks(document: &str) -> Vec<Block> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("docs").join(document);
    let text = std::fs::read_to_string(path).unwrap();
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for line in text.lines() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(fence)) => {
                let (language, name) = fence.split_once(' ').unwrap_or((fence, ""));
                open = Some(Block { language: language.to_owned(), name: name.to_owned(), text: String::new() });
            }
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some(block), None) => block.text.push_str(&format!("{line}\n")),
            (None, None) => {}
        }
    }
    blocks
}

/// A whole file, or steps that are put into one that defines what they use.
fn as_sources(block: &Block, n: usize) -> Vec<Source> {
    let name = |name: &str| format!("example-{n}/{name}");
    let green = "scenario: green\ntitle: green\nsteps: [{ http: { get: / }, expect: { status: 200 } }]\n";
    if block.name == "_suite.yaml" {
        return vec![Source::new(name("_suite.yaml"), block.text.as_str()), Source::new(name("a.yaml"), green)];
    }
    if block.text.starts_with("- ") {
        let indented: String = block.text.lines().map(|line| format!("  {line}\n")).collect();
        let head = "scenario: steps\ntitle: steps\nvars: { email: a, token: b, order: c, text: d }\nsteps:\n";
        let tail = "  - { http: { get: / }, expect: { status: 200 } }\n";
        return vec![Source::new(name("a.yaml"), format!("{head}{indented}{tail}"))];
    }
    vec![Source::new(name("f.yaml"), block.text.as_str()), Source::new(name("a.yaml"), green)]
}

#[test]
fn every_example_of_the_reference_is_well_formed() {
    let examples = blocks("reference/scenario.md");
    let examples: Vec<_> =
        examples.iter().filter(|block| block.language == "yaml" && block.name != "partial").collect();
    assert!(examples.len() >= 12, "{}", examples.len());
    for (n, block) in examples.into_iter().enumerate() {
        let read = Suite::from_sources(as_sources(block, n), Kind::Visible);
        assert!(read.is_ok(), "{}\n{}", block.text, read.unwrap_err());
    }
}

fn run(line: &str, folder: &Path) -> (i32, String) {
    let binaries = Path::new(env!("CARGO_BIN_EXE_harness")).parent().unwrap();
    let path = std::env::join_paths(
        [binaries.to_owned()].into_iter().chain(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())),
    );
    let output = Command::new("sh").args(["-c", line]).current_dir(folder).env("PATH", path.unwrap()).output().unwrap();
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    (output.status.code().unwrap_or(-1), said)
}

/// Files are written and commands run in their order; a command ends with 0, or as `# exit N` says.
#[test]
fn the_first_scenario_can_be_followed_to_its_end() {
    let dir = tempfile::tempdir().unwrap();
    let mut commands = 0;
    for block in blocks("guides/first-scenario.md") {
        if block.language != "sh" {
            let path: PathBuf = dir.path().join(&block.name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, block.text).unwrap();
            continue;
        }
        for line in block.text.lines() {
            let expected = line.split_once("# exit ").map_or(0, |(_, code)| code.trim().parse().unwrap());
            let (code, said) = run(line, dir.path());
            assert_eq!(code, expected, "{line}\n{said}");
            assert!(expected == 0 || said.contains("refuses[none]"), "{said}");
            commands += 1;
        }
    }
    assert!(commands >= 10, "{commands}");
    for file in ["report.html", "junit.xml", ".harness/scenario.schema.json"] {
        assert!(dir.path().join(file).exists(), "{file}");
    }
}
