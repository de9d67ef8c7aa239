//! Copying trees in and changes out (BS-24, BS-25, FAC-5): what is left out, what is refused, and that a round trip is exact.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;

use factory_sandbox::{
    Access, Changes, Error, Exclude, ExportLimits, HydrateLimits, Kind, Mount, Spec, Tree, export, hydrate,
    hydrate_within,
};

use crate::support::{Maker, sh};

fn write(root: &Path, path: &str, content: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

fn paths(tree: &Tree) -> Vec<&str> {
    tree.entries.keys().map(String::as_str).collect()
}

fn refusals(changes: &Changes) -> Vec<(&str, &str)> {
    changes.refused.iter().map(|refusal| (refusal.path.as_str(), refusal.reason.as_str())).collect()
}

/// A source tree, and its hydrated copy.
fn hydrated(dir: &Path) -> (std::path::PathBuf, Tree) {
    let source = dir.join("source");
    write(&source, "README.md", "hello");
    write(&source, "src/main.rs", "fn main() {}");
    write(&source, "src/target/mod.rs", "not build output");
    write(&source, "run.sh", "#!/bin/sh\n");
    fs::set_permissions(source.join("run.sh"), fs::Permissions::from_mode(0o700)).unwrap();
    symlink("../README.md", source.join("src/readme")).unwrap();
    let target = dir.join("work");
    let tree = hydrate(&source, &target, &Exclude::default()).unwrap();
    (target, tree)
}

#[test]
fn hydrated_tree_is_exact_without_what_must_stay_out() {
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("source");
    for path in
        ["holdout/a.yaml", "specs/x/holdout/a.yaml", ".git/config", "sub/.git/config", "target/debug/app", ".factory/x"]
    {
        write(&source, path, "must not be copied");
    }
    symlink("/etc/passwd", source.join("absolute")).unwrap();
    symlink("../../secret", source.join("sub/climbing")).unwrap();
    let (work, tree) = hydrated(dir.path());
    assert_eq!(paths(&tree), ["README.md", "run.sh", "src/main.rs", "src/readme", "src/target/mod.rs"]);
    assert_eq!(tree.entries["run.sh"].kind, Kind::Executable);
    assert_eq!(tree.entries["src/readme"].kind, Kind::Symlink);
    assert_eq!(fs::read_link(work.join("src/readme")).unwrap(), Path::new("../README.md"));
    assert_eq!(fs::metadata(work.join("run.sh")).unwrap().permissions().mode() & 0o777, 0o755);
    // What is on disk is what the manifest says, and nothing more.
    assert_eq!(Tree::scan(&work, &Exclude::nothing()).unwrap(), tree);
    assert_eq!(Tree::scan(&work, &Exclude::nothing()).unwrap().digest(), tree.digest());
}

#[test]
fn hydrate_is_bounded_and_wants_an_empty_target() {
    let dir = tempfile::tempdir().unwrap();
    let (source, target) = (dir.path().join("source"), dir.path().join("target"));
    write(&source, "a", "0123456789");
    write(&source, "b", "0123456789");
    let attempt = |name: &str, limits: HydrateLimits| {
        hydrate_within(&source, &dir.path().join(name), &Exclude::default(), &limits).map(|tree| tree.entries.len())
    };
    let plenty = HydrateLimits::default();
    assert!(matches!(
        attempt("1", HydrateLimits { files: 1, ..plenty.clone() }),
        Err(Error::TooLarge { unit: "entries", .. })
    ));
    assert!(matches!(
        attempt("2", HydrateLimits { bytes: 15, ..plenty.clone() }),
        Err(Error::TooLarge { unit: "bytes", .. })
    ));
    assert!(matches!(attempt("3", HydrateLimits { file_bytes: 9, ..plenty.clone() }), Err(Error::Copy { .. })));
    assert_eq!(attempt("4", HydrateLimits { files: 2, bytes: 20, file_bytes: 10 }).unwrap(), 2);
    write(&target, "old", "x");
    assert!(hydrate(&source, &target, &Exclude::default()).unwrap_err().to_string().contains("not empty"));
}

#[tokio::test]
async fn changes_of_a_command_are_exported_and_applied_elsewhere() {
    let maker = Maker::new();
    let (work, base) = hydrated(maker.path("").as_path());
    let mounts = vec![Mount { host: work.clone(), guest: "/work".into(), access: Access::ReadWrite }];
    let sandbox = maker.create_with(Spec { mounts, ..Spec::default() }).await;
    // A file becomes a directory, a directory a file, a script loses its bit, a link changes.
    let script = "cd /work && rm README.md && mkdir README.md && echo new > README.md/index && rm -r src/target \
                  && echo flat > src/target && chmod -x run.sh && ln -sfn main.rs src/readme && umask 077 \
                  && echo built > private && mkdir target && echo x > target/app";
    assert!(sh(&sandbox, script).await.status.is_success());
    sandbox.kill().await.unwrap();
    let changes = export(&work, &base, &ExportLimits::default()).unwrap();
    let named = |list: &[factory_sandbox::Change]| list.iter().map(|change| change.path.clone()).collect::<Vec<_>>();
    assert_eq!(named(&changes.added), ["README.md/index", "private", "src/target"]);
    assert_eq!(named(&changes.modified), ["run.sh", "src/readme"]);
    assert_eq!(changes.deleted, ["README.md", "src/target/mod.rs"]);
    assert_eq!(changes.refused, []);

    let elsewhere = maker.path("elsewhere");
    hydrate(&maker.path("source"), &elsewhere, &Exclude::default()).unwrap();
    changes.apply(&elsewhere).unwrap();
    let result = Tree::scan(&elsewhere, &Exclude::default()).unwrap();
    assert_eq!(result, Tree::scan(&work, &Exclude::default()).unwrap());
    // The way back is the reverse difference; applying twice changes nothing.
    changes.apply(&elsewhere).unwrap();
    assert!(export(&elsewhere, &result, &ExportLimits::default()).unwrap().is_empty());
}

#[test]
fn export_refuses_by_name_what_must_not_leave() {
    let dir = tempfile::tempdir().unwrap();
    let (work, base) = hydrated(dir.path());
    fs::write(dir.path().join("secret"), "outside").unwrap();
    symlink("../secret", work.join("escape")).unwrap();
    symlink("/etc/passwd", work.join("src/absolute")).unwrap();
    symlink("src/../../secret", work.join("roundabout")).unwrap();
    rustix::fs::mknodat(rustix::fs::CWD, work.join("pipe"), rustix::fs::FileType::Fifo, 0o644.into(), 0).unwrap();
    let _socket = UnixListener::bind(work.join("socket")).unwrap();
    fs::File::create(work.join("sparse")).unwrap().set_len(1 << 40).unwrap();
    fs::write(work.join("allowed"), "fine").unwrap();
    let changes = export(&work, &base, &ExportLimits::default()).unwrap();
    let leaves = "it is a symbolic link that leaves the tree";
    let expected = [
        ("escape", leaves),
        ("pipe", "it is a named pipe"),
        ("roundabout", leaves),
        ("socket", "it is a socket"),
        ("sparse", "it is larger than 33554432 bytes"),
        ("src/absolute", leaves),
    ];
    assert_eq!(refusals(&changes), expected);
    assert_eq!(changes.added.len(), 1);
    assert_eq!(changes.added[0].bytes, b"fine");
    assert!(Tree::scan(&work, &Exclude::default()).is_err(), "a scan does not name and go on");
}

/// A sparse file costs an attacker nothing, and would fill the reader's memory.
#[test]
fn scan_refuses_a_file_that_is_too_large_to_be_held() {
    let dir = tempfile::tempdir().unwrap();
    let beyond = HydrateLimits::default().file_bytes + 1;
    fs::File::create(dir.path().join("sparse")).unwrap().set_len(beyond).unwrap();
    let refused = Tree::scan(dir.path(), &Exclude::default()).unwrap_err().to_string();
    assert!(refused.contains("sparse") && refused.contains("larger than 268435456 bytes"), "{refused}");
}

#[test]
fn replaced_directory_is_not_followed() {
    let dir = tempfile::tempdir().unwrap();
    let (work, base) = hydrated(dir.path());
    write(&dir.path().join("outside"), "main.rs", "stolen");
    fs::remove_dir_all(work.join("src")).unwrap();
    symlink("../outside", work.join("src")).unwrap();
    let changes = export(&work, &base, &ExportLimits::default()).unwrap();
    assert_eq!(changes.added, []);
    assert_eq!(changes.modified, []);
    assert_eq!(changes.deleted, ["src/main.rs", "src/readme", "src/target/mod.rs"]);
    assert_eq!(refusals(&changes), [("src", "it is a symbolic link that leaves the tree")]);
}

#[test]
fn export_is_bounded() {
    let dir = tempfile::tempdir().unwrap();
    let (work, base) = hydrated(dir.path());
    write(&work, "one", "0123456789");
    write(&work, "two", "0123456789");
    let attempt = |limits: ExportLimits| export(&work, &base, &limits).map(|changes| changes.added.len());
    let plenty = ExportLimits::default();
    assert!(matches!(
        attempt(ExportLimits { changes: 1, ..plenty.clone() }),
        Err(Error::TooLarge { unit: "changes", .. })
    ));
    assert!(matches!(attempt(ExportLimits { bytes: 19, ..plenty.clone() }), Err(Error::TooLarge { .. })));
    assert!(matches!(attempt(ExportLimits { entries: 5, ..plenty }), Err(Error::TooLarge { unit: "entries", .. })));
    assert_eq!(attempt(ExportLimits { changes: 2, bytes: 20, entries: 9, ..ExportLimits::default() }).unwrap(), 2);
}

#[test]
fn apply_passes_through_no_link() {
    let dir = tempfile::tempdir().unwrap();
    let (work, base) = hydrated(dir.path());
    write(&work, "src/main.rs", "changed");
    let changes = export(&work, &base, &ExportLimits::default()).unwrap();
    let (target, outside) = (dir.path().join("target"), dir.path().join("outside"));
    write(&outside, "main.rs", "untouched");
    fs::create_dir(&target).unwrap();
    symlink("../outside", target.join("src")).unwrap();
    assert!(changes.apply(&target).is_err());
    assert_eq!(fs::read_to_string(outside.join("main.rs")).unwrap(), "untouched");
    // The same change where `src` is a directory.
    fs::remove_file(target.join("src")).unwrap();
    changes.apply(&target).unwrap();
    assert_eq!(fs::read_to_string(target.join("src/main.rs")).unwrap(), "changed");
}
