//! The shipped example is sound by itself: the script's first version fails exactly what it is meant to fail, each
//! repair mends exactly its own holdout, and the repairs do not depend on each other.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use e2e_tests::factory::binary;
use located::Source;
use serde::Deserialize;
use serde_json::{Map, Value};
use tempfile::TempDir;

const SCRIPT_FOLDER: &str = "specs/checkout";
const HOLDOUTS: &str = "holdout/checkout";
/// Trials at once. Most of a trial is waiting for time-outs.
const JOBS: &str = "8";

/// By name: what a tree consists of.
type Files = BTreeMap<String, String>;

#[derive(Deserialize)]
struct Script {
    turns: Vec<Turn>,
}

#[derive(Deserialize)]
struct Turn {
    #[serde(default)]
    calls: Vec<Map<String, Value>>,
}

/// One exact replacement.
struct Edit {
    path: String,
    old: String,
    new: String,
}

/// What the script holds, as far as it changes files.
struct Example {
    v1: Files,
    /// By the theme that the feedback must name.
    repairs: BTreeMap<String, Vec<Edit>>,
    /// Holdouts by theme.
    holdouts: BTreeMap<String, BTreeSet<String>>,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the workspace").to_owned()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text"))
}

impl Example {
    fn load() -> Self {
        let holdouts = holdouts();
        let source = Source::read(&root().join(SCRIPT_FOLDER).join("script.yaml")).expect("the script");
        let script: Script = located::yaml(&source).expect("a script");
        let mut example = Self { v1: Files::new(), repairs: BTreeMap::new(), holdouts };
        for call in script.turns.iter().flat_map(|turn| &turn.calls) {
            example.take(call);
        }
        example
    }

    fn take(&mut self, call: &Map<String, Value>) {
        if let Some(write) = call.get("write_file") {
            let file = root().join(SCRIPT_FOLDER).join(text(&write["content"]["file"]));
            self.v1.insert(text(&write["path"]).to_owned(), read(&file));
        }
        if let Some(edit) = call.get("edit_file") {
            let theme = self.theme(text(&call["when"]["user_matches"]));
            let [path, old, new] = ["path", "old_string", "new_string"].map(|field| text(&edit[field]).to_owned());
            self.repairs.entry(theme).or_default().push(Edit { path, old, new });
        }
    }

    /// The theme that a repair waits for; it must be one that feedback can name.
    fn theme(&self, pattern: &str) -> String {
        let named: Vec<&String> = self.holdouts.keys().filter(|theme| pattern.contains(theme.as_str())).collect();
        assert_eq!(named.len(), 1, "`{pattern}` waits for a theme that no holdout has, or for several");
        named[0].clone()
    }

    /// The first version with the repairs of `themes`, each applied as the agent's tool would: the passage is unique.
    fn repaired<'a>(&self, themes: impl IntoIterator<Item = &'a str>) -> Files {
        let mut files = self.v1.clone();
        for theme in themes {
            for edit in &self.repairs[theme] {
                let file = files.get_mut(&edit.path).unwrap_or_else(|| panic!("{theme}: no {}", edit.path));
                assert_eq!(file.matches(&edit.old).count(), 1, "{theme}: not unique in {}:\n{}", edit.path, edit.old);
                *file = file.replacen(&edit.old, &edit.new, 1);
            }
        }
        files
    }

    fn themes(&self) -> Vec<&str> {
        self.repairs.keys().map(String::as_str).collect()
    }
}

fn holdouts() -> BTreeMap<String, BTreeSet<String>> {
    #[derive(Deserialize)]
    struct Holdout {
        scenario: String,
        theme: String,
    }
    let mut themes: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in fs::read_dir(root().join(HOLDOUTS)).expect("holdouts").flatten() {
        let source = Source::read(&file.path()).expect("a holdout");
        let holdout: Holdout = located::yaml(&source).expect("a holdout");
        themes.entry(holdout.theme).or_default().insert(holdout.scenario);
    }
    themes
}

/// Every choice of some of `items`.
fn subsets<'a>(items: &[&'a str]) -> Vec<Vec<&'a str>> {
    let chosen =
        |mask: usize| items.iter().enumerate().filter(|(n, _)| mask & (1 << n) != 0).map(|(_, item)| *item).collect();
    (0..1 << items.len()).map(chosen).collect()
}

/// Issue 2, 8: the agent repairs what the feedback names and nothing else, so any subset may happen.
#[test]
fn every_choice_of_repairs_applies_and_compiles() {
    let example = Example::load();
    let choices = subsets(&example.themes());
    assert_eq!(choices.len(), 32, "five repairs: {:?}", example.themes());
    let versions: BTreeSet<(String, String)> = choices
        .into_iter()
        .flat_map(|themes| example.repaired(themes))
        .filter(|(path, _)| path.ends_with(".py"))
        .collect();
    let folder = tempfile::tempdir().expect("a folder");
    let mut python = Command::new("python3");
    python.args(["-m", "py_compile"]);
    for (n, (path, content)) in versions.iter().enumerate() {
        let file = folder.path().join(format!("{n}_{path}"));
        fs::write(&file, content).expect("space");
        python.arg(file);
    }
    assert!(python.status().expect("python runs").success());
}

/// A scenario that fails once more, on a busy machine for one, has its theme named once more. Then every edit must miss.
#[test]
fn a_repair_that_is_named_again_changes_nothing() {
    let example = Example::load();
    for themes in subsets(&example.themes()) {
        let files = example.repaired(themes.iter().copied());
        for edit in themes.iter().flat_map(|theme| &example.repairs[*theme]) {
            assert!(!files[&edit.path].contains(&edit.old), "after {themes:?}, still in {}:\n{}", edit.path, edit.old);
        }
    }
}

/// A tree as the agent leaves it, with what was there before it came.
fn tree(files: &Files) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let harness = root().join("examples/checkout/harness.yaml");
    fs::copy(harness, folder.path().join("harness.yaml")).expect("the subject's harness.yaml");
    for (path, content) in files {
        fs::write(folder.path().join(path), content).expect("space");
    }
    folder
}

/// The holdouts that are red, by the binary that everybody has.
fn red(files: &Files) -> BTreeSet<String> {
    let tree = tree(files);
    let mut harness = Command::new(binary("harness"));
    harness.args(["run", "--holdout", "--json", "--seed", "7", "--jobs", JOBS, "--subject"]).arg(tree.path());
    let done = harness.arg(root().join(HOLDOUTS)).output().expect("the binary can be started");
    let report: Value = serde_json::from_slice(&done.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&done.stderr)));
    let scenarios = report["scenarios"].as_array().expect("a list").iter();
    let judged = |scenario: &Value| assert_eq!(scenario["count"]["valid"], 1, "not judged: {scenario}");
    let red = scenarios.inspect(|scenario| judged(scenario)).filter(|scenario| scenario["count"]["satisfied"] == 0);
    red.map(|scenario| text(&scenario["scenario"]).to_owned()).collect()
}

/// FAC, "holdouts": a repair that mended two would make the feedback's theme say more than it should; one that mended
/// none would leave the run unsatisfied.
#[test]
fn each_repair_mends_exactly_its_own_holdout() {
    let example = Example::load();
    let themes = example.themes();
    let first = red(&example.v1);
    assert_eq!(first.len(), 5, "red at first: {first:?}");
    assert_eq!(red(&example.repaired(themes.iter().copied())), BTreeSet::new(), "with all repairs");
    let mut mended = BTreeSet::new();
    for missing in &themes {
        let others = themes.iter().copied().filter(|theme| theme != missing);
        let red = red(&example.repaired(others));
        assert_eq!(red.len(), 1, "without the repair of `{missing}`: {red:?}");
        assert!(red.is_subset(&example.holdouts[*missing]), "`{missing}` is not the theme of {red:?}");
        mended.extend(red);
    }
    assert_eq!(mended, first, "each repair has a holdout of its own");
}
