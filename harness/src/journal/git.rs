//! The commit that a tree is at, read from git's own files: no process is started for it.

use std::path::{Path, PathBuf};

/// The commit that is checked out around `dir`; `None` outside a repository or before the first commit.
pub(super) fn head(dir: &Path) -> Option<String> {
    let dir = std::path::absolute(dir).ok()?;
    let git = dir.ancestors().map(|dir| dir.join(".git")).find(|git| git.exists())?;
    let git = folder(&git)?;
    let head = read(&git.join("HEAD"))?;
    let Some(name) = head.strip_prefix("ref: ") else { return Some(head) };
    // A linked worktree has its own HEAD; branches are in the common folder.
    let common = read(&git.join("commondir")).map_or_else(|| git.clone(), |common| git.join(common));
    read(&common.join(name)).or_else(|| packed(&common, name))
}

/// `.git` is a folder, or a file that names it.
fn folder(git: &Path) -> Option<PathBuf> {
    if git.is_dir() {
        return Some(git.to_owned());
    }
    let target = read(git)?;
    Some(git.parent()?.join(target.strip_prefix("gitdir: ")?))
}

fn packed(git: &Path, name: &str) -> Option<String> {
    let refs = std::fs::read_to_string(git.join("packed-refs")).ok()?;
    refs.lines().find_map(|line| line.split_once(' ').filter(|(_, known)| *known == name).map(|(id, _)| id.to_owned()))
}

fn read(path: &Path) -> Option<String> {
    std::fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use std::{fs, process::Command};

    use super::head;

    fn git(dir: &std::path::Path, arguments: &[&str]) -> String {
        let identity = ["-c", "user.name=a", "-c", "user.email=a@localhost", "-c", "commit.gpgsign=false"];
        let output = Command::new("git").args(identity).args(arguments).current_dir(dir).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    #[test]
    fn the_commit_is_found_loose_packed_detached_and_in_a_worktree() {
        let dir = tempfile::tempdir().unwrap();
        let main = dir.path().join("main");
        fs::create_dir_all(main.join("below")).unwrap();
        assert_eq!(head(&main), None);
        git(&main, &["init", "--quiet"]);
        assert_eq!(head(&main), None, "there is no commit yet");
        git(&main, &["commit", "--quiet", "--allow-empty", "--message", "a"]);
        let commit = git(&main, &["rev-parse", "HEAD"]);
        assert_eq!(head(&main.join("below")).as_deref(), Some(commit.as_str()));
        git(&main, &["pack-refs", "--all"]);
        assert_eq!(head(&main).as_deref(), Some(commit.as_str()), "packed");
        git(&main, &["worktree", "add", "--quiet", "-b", "other", "../other"]);
        assert_eq!(head(&dir.path().join("other")).as_deref(), Some(commit.as_str()), "a worktree");
        git(&main, &["checkout", "--quiet", "--detach"]);
        assert_eq!(head(&main).as_deref(), Some(commit.as_str()), "detached");
    }
}
