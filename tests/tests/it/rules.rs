//! Project rules that are tests, not habits: who may import whom, and where dangerous words may stand.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

/// What each crate may import of ours. A crate that is missing here fails the test.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("located", &[]),
    ("openapi", &["located"]),
    ("factory-model", &["located"]),
    ("twins", &["located", "openapi"]),
    ("judges", &["located"]),
    ("factory-store", &["factory-model"]),
    ("factory-sandbox", &["factory-model"]),
    ("factory-agents", &["factory-model"]),
    ("dashboards", &["factory-model"]),
    ("harness", &["located", "openapi", "twins", "judges"]),
    (
        "factory-controller",
        &[
            "located",
            "factory-model",
            "factory-store",
            "factory-sandbox",
            "factory-agents",
            "harness",
            "judges",
            "twins",
        ],
    ),
];
/// These sit on top and may know everything.
const ON_TOP: &[&str] = &["factory-server", "e2e-tests"];
/// An outside crate by the start of its name, and the only crate of ours that may name it.
const ONLY_IN: &[(&str, &str)] = &[
    ("sqlx", "factory-store"),
    // A scenario's own statements, on a database of the subject: docs/decisions/0011.
    ("tokio-postgres", "harness"),
    ("rusqlite", "harness"),
    ("rig-", "factory-agents"),
    ("seccompiler", "factory-sandbox"),
    ("git2", "factory-controller"),
    ("serde-saphyr", "located"),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the workspace").to_owned()
}

/// Direct normal and build dependencies by crate of the workspace.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON");
    let packages = metadata["packages"].as_array().expect("packages").clone();
    packages
        .iter()
        .map(|package| {
            let dependencies = package["dependencies"].as_array().expect("dependencies");
            let normal = dependencies.iter().filter(|dependency| dependency["kind"] != "dev");
            let names = normal.map(|dependency| text(&dependency["name"])).collect();
            (text(&package["name"]), names)
        })
        .collect()
}

fn text(value: &Value) -> String {
    value.as_str().expect("a string").to_owned()
}

#[test]
fn crates_import_only_what_the_architecture_allows() {
    let dependencies = dependencies();
    let ours: BTreeSet<&String> = dependencies.keys().collect();
    let allowed: BTreeMap<&str, &[&str]> = MAY_IMPORT.iter().copied().collect();
    for (name, imports) in &dependencies {
        if ON_TOP.contains(&name.as_str()) {
            continue;
        }
        let allowed =
            allowed.get(name.as_str()).unwrap_or_else(|| panic!("say in MAY_IMPORT what `{name}` may import"));
        for import in imports.iter().filter(|import| ours.contains(import)) {
            assert!(allowed.contains(&import.as_str()), "`{name}` may not import `{import}`: see ARCHITECTURE.md");
        }
    }
}

#[test]
fn only_one_crate_speaks_sql_rig_git_yaml_or_seccomp() {
    for (name, imports) in &dependencies() {
        for (outside, home) in ONLY_IN {
            let named = imports.iter().any(|import| import.starts_with(outside));
            assert!(!named || name == home, "`{name}` may not depend on `{outside}…`: only `{home}` does");
        }
    }
}

#[test]
fn no_tls_library_but_ring_is_in_the_lock_file() {
    let lock = fs::read_to_string(root().join("Cargo.lock")).expect("Cargo.lock");
    for refused in ["aws-lc-rs", "aws-lc-sys", "openssl-sys", "native-tls"] {
        assert!(!lock.contains(&format!("name = \"{refused}\"")), "{refused} is in Cargo.lock: choose ring features");
    }
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("readable").map(|entry| entry.expect("readable").path()) {
        if entry.is_dir() {
            found.extend(rust_files(&entry));
        } else if entry.extension().is_some_and(|extension| extension == "rs") {
            found.push(entry);
        }
    }
    found
}

/// The sandbox names them once: to leave them out.
#[test]
fn agents_never_name_a_holdout_and_the_sandbox_only_to_leave_it_out() {
    let may_name = ["factory/sandbox/src/lib.rs", "factory/sandbox/src/tree.rs"].map(|file| root().join(file));
    for crate_folder in ["factory/sandbox/src", "factory/agents/src"] {
        for file in rust_files(&root().join(crate_folder)).into_iter().filter(|file| !may_name.contains(file)) {
            let code = fs::read_to_string(&file).expect("readable");
            assert!(!code.to_lowercase().contains("holdout"), "{} names a holdout", file.display());
        }
    }
}

#[test]
fn only_the_sandbox_may_call_the_kernel_unsafely() {
    for name in dependencies().keys() {
        let folder = if name == "e2e-tests" { "tests".to_owned() } else { name.replace("factory-", "factory/") };
        let manifest = fs::read_to_string(root().join(folder).join("Cargo.toml")).expect("a manifest");
        let own_lints = manifest.contains("[lints.rust]");
        assert_eq!(own_lints, name == "factory-sandbox", "{name}: use the workspace's lints, which forbid unsafe code");
    }
    let unsafe_files: Vec<_> = rust_files(&root().join("factory/sandbox/src"))
        .into_iter()
        .filter(|file| fs::read_to_string(file).expect("readable").contains("unsafe {"))
        .collect();
    assert_eq!(unsafe_files, [root().join("factory/sandbox/src/kernel.rs")]);
}

#[test]
fn sql_stands_in_the_store_only() {
    let refused = ["select ", "insert into ", "update evt_", "delete from "];
    for folder in ["factory/model", "factory/controller", "factory/server", "factory/agents", "dashboards", "judges"] {
        for file in rust_files(&root().join(folder).join("src")) {
            let code = fs::read_to_string(&file).expect("readable").to_lowercase();
            for word in refused {
                assert!(!code.contains(&format!("\"{word}")), "{} holds SQL", file.display());
            }
        }
    }
}

#[test]
fn the_event_catalogue_names_every_kind() {
    let catalogue = fs::read_to_string(root().join("docs/events.md")).expect("docs/events.md");
    let listed: BTreeSet<&str> =
        catalogue.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`').map(|(kind, _)| kind)).collect();
    let known: BTreeSet<&str> = model::event::Body::KINDS.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(listed, known, "docs/events.md and `event::Body` differ");
}
