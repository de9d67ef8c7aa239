//! No path leaves the workspace, whatever it is made of.

use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use agents::environment::{FileError, GlobQuery, GrepQuery, Tree, WorkspacePath, Written};

use crate::support::Workspace;

fn path(text: &str) -> WorkspacePath {
    WorkspacePath::parse(text, "/workspace").unwrap()
}

fn tree(workspace: &Workspace) -> Tree {
    Tree::open(workspace.path()).unwrap()
}

/// A workspace beside a secret, with links to it.
fn beside_a_secret() -> (Workspace, tempfile::TempDir) {
    let (workspace, outside) = (Workspace::new(), tempfile::tempdir().unwrap());
    std::fs::write(outside.path().join("secret.txt"), "CANARY\n").unwrap();
    symlink(outside.path().join("secret.txt"), workspace.path().join("absolute.txt")).unwrap();
    symlink(outside.path(), workspace.path().join("folder")).unwrap();
    let name = outside.path().file_name().unwrap();
    symlink(std::path::Path::new("..").join(name).join("secret.txt"), workspace.path().join("relative.txt")).unwrap();
    symlink("/proc/self/root", workspace.path().join("magic")).unwrap();
    (workspace, outside)
}

#[test]
fn links_out_of_the_workspace_are_refused_for_reading_and_writing() {
    let (workspace, outside) = beside_a_secret();
    let tree = tree(&workspace);
    for name in ["absolute.txt", "relative.txt", "folder/secret.txt", "magic/etc/passwd"] {
        assert!(matches!(tree.read(&path(name), 1024), Err(FileError::Escapes(_))), "{name}");
        assert!(matches!(tree.write(&path(name), b"x"), Err(FileError::Escapes(_))), "{name}");
        assert!(matches!(tree.stat(&path(name)), Err(FileError::Escapes(_))), "{name}");
    }
    assert!(matches!(tree.list(&path("folder")), Err(FileError::Escapes(_))));
    assert!(matches!(tree.remove(&path("folder/secret.txt")), Err(FileError::Escapes(_))));
    assert!(matches!(tree.write(&path("folder/new/deep.txt"), b"x"), Err(FileError::Escapes(_))));
    assert_eq!(std::fs::read_to_string(outside.path().join("secret.txt")).unwrap(), "CANARY\n");
    assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 1, "nothing was made outside");
}

#[tokio::test]
async fn searching_never_shows_what_is_outside() {
    let (workspace, _outside) = beside_a_secret();
    workspace.put("inside.txt", "CANARY of my own\n");
    let query = GrepQuery {
        pattern: "CANARY".to_owned(),
        path: WorkspacePath::root(),
        glob: None,
        ignore_case: false,
        context: 0,
        hits_max: 10,
    };
    let hits = workspace.environment.grep(query).await.unwrap().found;
    assert_eq!(hits.iter().map(|hit| hit.path.as_str()).collect::<Vec<_>>(), ["inside.txt"]);
    let query = GlobQuery { pattern: "**/*.txt".to_owned(), path: WorkspacePath::root(), found_max: 10 };
    let found = workspace.environment.glob(query).await.unwrap().found;
    assert_eq!(found.iter().map(|found| found.path.as_str()).collect::<Vec<_>>(), ["inside.txt"]);
}

#[test]
fn links_that_stay_inside_work() {
    let workspace = Workspace::new();
    workspace.put("real/a.txt", "1");
    symlink("real/a.txt", workspace.path().join("link.txt")).unwrap();
    symlink("real", workspace.path().join("dir")).unwrap();
    let tree = tree(&workspace);
    assert_eq!(tree.read(&path("link.txt"), 9).unwrap(), b"1");
    assert_eq!(tree.write(&path("link.txt"), b"2").unwrap(), Written::Replaced);
    assert_eq!(tree.write(&path("dir/b.txt"), b"3").unwrap(), Written::Created);
    assert_eq!((workspace.text("real/a.txt").as_str(), workspace.text("real/b.txt").as_str()), ("2", "3"));
    assert!(workspace.path().join("link.txt").is_symlink(), "the link is still one");
}

#[test]
fn a_write_keeps_the_mode_and_leaves_nothing_beside_the_file() {
    let workspace = Workspace::new();
    workspace.put("run.sh", "old");
    std::fs::set_permissions(workspace.path().join("run.sh"), std::fs::Permissions::from_mode(0o755)).unwrap();
    tree(&workspace).write(&path("run.sh"), b"new").unwrap();
    let mode = std::fs::metadata(workspace.path().join("run.sh")).unwrap().permissions().mode();
    assert_eq!((workspace.text("run.sh").as_str(), mode & 0o777), ("new", 0o755));
    assert_eq!(std::fs::read_dir(workspace.path()).unwrap().count(), 1);
}

/// A sandbox's tree belongs to the sandbox's user, also where root writes into it.
#[test]
fn what_is_written_belongs_to_the_owner_of_the_folder() {
    let workspace = Workspace::new();
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(workspace.path(), Some(12_345), Some(12_345)).unwrap();
    }
    tree(&workspace).write(&path("new/file.txt"), b"x").unwrap();
    let owner = |path: &str| std::fs::metadata(workspace.path().join(path)).unwrap().uid();
    assert_eq!((owner("new"), owner("new/file.txt")), (owner("."), owner(".")));
}

#[test]
fn large_files_fifos_and_folders_are_named_for_what_they_are() {
    let workspace = Workspace::new();
    let tree = tree(&workspace);
    std::fs::File::create(workspace.path().join("huge")).unwrap().set_len(1 << 30).unwrap();
    assert!(
        matches!(tree.read(&path("huge"), 1024), Err(FileError::TooLarge { size_bytes, .. }) if size_bytes == 1 << 30)
    );
    rustix::fs::mknodat(
        rustix::fs::CWD,
        workspace.path().join("pipe"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    assert!(matches!(tree.read(&path("pipe"), 9), Err(FileError::Special(_))));
    assert!(matches!(tree.write(&path("pipe"), b"x"), Err(FileError::Special(_))));
    std::fs::create_dir(workspace.path().join("dir")).unwrap();
    assert!(matches!(tree.read(&path("dir"), 9), Err(FileError::IsFolder(_))));
    assert!(matches!(tree.write(&path("dir"), b"x"), Err(FileError::IsFolder(_))));
    workspace.put("file", "x");
    assert!(matches!(tree.write(&path("file/below"), b"x"), Err(FileError::NotFolder(_))));
}
