//! The user's git repository: where it is, what it holds at its head, and the branch that a run leaves.
//!
//! Never touches the user's working tree, index or current branch: commits are built in the object database.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use git2::{ErrorCode, Index, IndexEntry, IndexTime, Oid, Repository, Signature};

const FILE_MODE: u32 = 0o100_644;
const EXECUTABLE_MODE: u32 = 0o100_755;
const LINK_MODE: u32 = 0o120_000;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("`{}` is not inside a git repository: run `git init` and commit once", .0.display())]
    NotARepository(PathBuf),
    #[error("the git repository at `{}` has no work tree: clone it with one", .0.display())]
    Bare(PathBuf),
    #[error("git failed to {action}")]
    Git { action: &'static str, source: git2::Error },
    #[error("failed to read `{}` of the built tree", path.display())]
    Read { path: PathBuf, source: std::io::Error },
}

fn git(action: &'static str) -> impl FnOnce(git2::Error) -> Error {
    move |source| Error::Git { action, source }
}

/// The root of the work tree that `start` lies in.
pub fn root_of(start: &Path) -> Result<PathBuf, Error> {
    let repository = Repository::discover(start).map_err(|_| Error::NotARepository(start.to_owned()))?;
    repository.workdir().map(Path::to_owned).ok_or_else(|| Error::Bare(start.to_owned()))
}

/// The commit at the head, if there is one.
pub fn head(root: &Path) -> Result<Option<String>, Error> {
    let repository = Repository::open(root).map_err(git("open the repository"))?;
    match repository.head().and_then(|head| head.peel_to_commit()) {
        Ok(commit) => Ok(Some(commit.id().to_string())),
        Err(error) if matches!(error.code(), ErrorCode::UnbornBranch | ErrorCode::NotFound) => Ok(None),
        Err(error) => Err(git("read the head")(error)),
    }
}

/// A commit to be made on a branch of its own.
#[derive(Debug)]
pub struct BranchCommit<'a> {
    pub branch: &'a str,
    /// The commit that the run started from.
    pub base: Option<&'a str>,
    /// The folder that `tree` belongs in, relative to the root; `.` is the root.
    pub subject: &'a str,
    /// Paths of the tree that the run started from, relative to the subject: they make room for those of `tree`. What
    /// the builder never saw (holdouts among it) stays as the base commit has it.
    pub replaces: &'a [String],
    pub tree: &'a Path,
    pub message: &'a str,
}

/// Writes the branch and gives its commit. A second call with the same tree and message finds the first one's commit.
pub fn write_branch(root: &Path, wanted: &BranchCommit<'_>) -> Result<String, Error> {
    let repository = Repository::open(root).map_err(git("open the repository"))?;
    let base = wanted
        .base
        .map(|id| Oid::from_str(id).and_then(|id| repository.find_commit(id)))
        .transpose()
        .map_err(git("find the commit that the run started from"))?;
    let mut index = Index::new().map_err(git("make an index"))?;
    if let Some(base) = &base {
        let tree = base.tree().map_err(git("read the base tree"))?;
        index.read_tree(&tree).map_err(git("read the base tree"))?;
    }
    replace(&repository, &mut index, wanted)?;
    let tree = index.write_tree_to(&repository).map_err(git("write the tree"))?;
    let tree = repository.find_tree(tree).map_err(git("read the tree back"))?;
    let reference = format!("refs/heads/{}", wanted.branch);
    if let Ok(existing) = repository.find_reference(&reference).and_then(|found| found.peel_to_commit())
        && existing.tree_id() == tree.id()
        && existing.message() == Ok(wanted.message)
    {
        return Ok(existing.id().to_string());
    }
    let author = Signature::now("factory", "factory@localhost").map_err(git("sign the commit"))?;
    let parents: Vec<_> = base.iter().collect();
    let commit =
        repository.commit(None, &author, &author, wanted.message, &tree, &parents).map_err(git("write the commit"))?;
    repository.reference(&reference, commit, true, "factory: run").map_err(git("write the branch"))?;
    Ok(commit.to_string())
}

/// Whether git stores a file of this path: not one that some system reads as its own folder (`.GIT`, `git~1`).
pub fn takes(path: &str) -> bool {
    let added = Index::new().and_then(|mut index| index.add(&entry(path.to_owned(), FILE_MODE, Oid::ZERO_SHA1, 0)));
    added.is_ok()
}

fn replace(repository: &Repository, index: &mut Index, wanted: &BranchCommit<'_>) -> Result<(), Error> {
    let prefix =
        if wanted.subject == "." { String::new() } else { format!("{}/", wanted.subject.trim_end_matches('/')) };
    for path in wanted.replaces {
        // By its exact name: `remove_all` would read `[id].tsx` as a pattern.
        match index.remove(Path::new(&format!("{prefix}{path}")), 0) {
            Err(error) if error.code() != ErrorCode::NotFound => return Err(git("remove a replaced file")(error)),
            _ => {}
        }
    }
    for file in files_below(wanted.tree)? {
        let relative = file.strip_prefix(wanted.tree).expect("found below it").to_string_lossy().into_owned();
        let read = |source| Error::Read { path: file.clone(), source };
        let meta = fs::symlink_metadata(&file).map_err(read)?;
        let read = |source| Error::Read { path: file.clone(), source };
        let (mode, bytes) = if meta.file_type().is_symlink() {
            (LINK_MODE, fs::read_link(&file).map_err(read)?.to_string_lossy().into_owned().into_bytes())
        } else {
            let executable = meta.permissions().mode() & 0o111 != 0;
            (if executable { EXECUTABLE_MODE } else { FILE_MODE }, fs::read(&file).map_err(read)?)
        };
        let id = repository.blob(&bytes).map_err(git("write a file"))?;
        index.add(&entry(format!("{prefix}{relative}"), mode, id, bytes.len())).map_err(git("add a file"))?;
    }
    Ok(())
}

fn entry(path: String, mode: u32, id: Oid, size: usize) -> IndexEntry {
    IndexEntry {
        ctime: IndexTime::new(0, 0),
        mtime: IndexTime::new(0, 0),
        dev: 0,
        ino: 0,
        mode,
        uid: 0,
        gid: 0,
        file_size: u32::try_from(size).unwrap_or(u32::MAX),
        id,
        flags: 0,
        flags_extended: 0,
        path: path.into_bytes(),
    }
}

fn files_below(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut files = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        let read = |source| Error::Read { path: folder.clone(), source };
        for entry in fs::read_dir(&folder).map_err(read)? {
            let read = |source| Error::Read { path: folder.clone(), source };
            let entry = entry.map_err(read)?;
            let read = |source| Error::Read { path: folder.clone(), source };
            if entry.file_type().map_err(read)?.is_dir() { open.push(entry.path()) } else { files.push(entry.path()) }
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repository() -> (tempfile::TempDir, String) {
        let dir = tempfile::tempdir().expect("temp");
        let git = Repository::init(dir.path()).expect("init");
        fs::create_dir_all(dir.path().join("app")).expect("mkdir");
        fs::write(dir.path().join("app/old.py"), "old").expect("write");
        fs::write(dir.path().join("app/unseen.py"), "unseen").expect("write");
        fs::write(dir.path().join("app/[u]*.py"), "a route, not a pattern").expect("write");
        fs::write(dir.path().join("README.md"), "readme").expect("write");
        let mut index = git.index().expect("index");
        index.add_all(["."], git2::IndexAddOption::DEFAULT, None).expect("add");
        let tree = git.find_tree(index.write_tree().expect("tree")).expect("tree");
        let me = Signature::now("a", "a@b").expect("signature");
        let head = git.commit(Some("HEAD"), &me, &me, "first", &tree, &[]).expect("commit");
        (dir, head.to_string())
    }

    #[test]
    fn a_branch_replaces_the_subject_and_leaves_the_work_tree_alone() {
        let (repo, base) = repository();
        let built = tempfile::tempdir().expect("temp");
        fs::write(built.path().join("new.py"), "new").expect("write");
        let wanted = BranchCommit {
            branch: "factory/shop/run_1",
            base: Some(&base),
            subject: "app",
            replaces: &["old.py".to_owned(), "[u]*.py".to_owned()],
            tree: built.path(),
            message: "shop\n\nFactory-Run: run_1\n",
        };
        let first = write_branch(repo.path(), &wanted).expect("writes");
        assert_eq!(write_branch(repo.path(), &wanted).expect("again"), first, "a second call changes nothing");

        let git = Repository::open(repo.path()).expect("open");
        let commit = git.find_commit(Oid::from_str(&first).expect("id")).expect("commit");
        let tree = commit.tree().expect("tree");
        assert!(tree.get_path(Path::new("app/new.py")).is_ok());
        assert!(tree.get_path(Path::new("app/old.py")).is_err());
        assert!(tree.get_path(Path::new("app/[u]*.py")).is_err(), "a name is no pattern");
        assert!(tree.get_path(Path::new("app/unseen.py")).is_ok(), "what the builder never saw stays");
        assert!(tree.get_path(Path::new("README.md")).is_ok());
        assert!(repo.path().join("app/old.py").exists());
        assert_eq!(head(repo.path()).expect("head"), Some(base));
    }

    #[test]
    fn outside_of_a_repository_the_way_out_is_told() {
        let dir = tempfile::tempdir().expect("temp");
        let error = root_of(dir.path()).expect_err("no repository").to_string();
        assert!(error.contains("run `git init`"), "{error}");
        Repository::init(dir.path()).expect("init");
        assert_eq!(head(dir.path()).expect("unborn"), None);
    }
}
