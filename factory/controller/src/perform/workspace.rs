//! The tree that a builder works in: hydrated once, seen by a sandbox as `/workspace`, taken out when it is dead.
//!
//! Once a builder has run, the tree is hostile: the host never again writes into it or reads it but through
//! [`sandbox::export`], which follows no link.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use agents::LocalEnvironment;
use model::{
    event::run::{TreeExported, TreeHydrated},
    hash::Digest,
};
use sandbox::{Access, Changes, ExportLimits, Mount, Refusal, Sandbox, Spec, Tree};
use uuid::Uuid;

use super::{Failure, Job, on_disk};
use crate::{repo, runner::SandboxRunner, seed::builder_exclude, task::TASK_DIR};

const HOME: &str = "/workspace";

/// One builder's workspace.
pub(super) struct Workspace {
    tree: PathBuf,
    /// What the builder started from, and where that stands.
    base: Tree,
    source: PathBuf,
    /// Whether an earlier worker has hydrated it.
    pub(super) resumed: bool,
}

impl Workspace {
    /// The workspace of this action, as an earlier worker left it or made anew.
    ///
    /// # Errors
    /// Where anything that the builder would read holds text of a holdout.
    pub(super) async fn prepare(job: &Job, task: &str) -> Result<Self, Failure> {
        let folder = job.dir().work(&job.action.id);
        let (tree, ready) = (folder.join("tree"), folder.join("hydrated"));
        let source = job.base_tree().await;
        let scanned = source.clone();
        let base = on_disk(move || Tree::scan(&scanned, &builder_exclude())).await?;
        let place = Self { tree, base, source, resumed: ready.exists() };
        if place.resumed {
            return Ok(place);
        }
        place.check_for_leaks(job, task).await?;
        let io = |error: std::io::Error| Failure::transient(format!("{}: {error}", folder.display()));
        if folder.exists() {
            fs::remove_dir_all(&folder).map_err(io)?;
        }
        fs::create_dir_all(&folder).map_err(io)?;
        let (source, target) = (place.source.clone(), place.tree.clone());
        on_disk(move || sandbox::hydrate(&source, &target, &builder_exclude())).await?;
        place.write_task(job, task).map_err(io)?;
        let hydrated = TreeHydrated {
            action: job.action.id.clone(),
            tree: digest_of(&place.base),
            files: place.base.entries.len() as u64,
            size_bytes: place.base.entries.values().map(|entry| entry.size_bytes).sum(),
        };
        job.journal.record(hydrated).await?;
        fs::write(&ready, b"").map_err(io)?;
        Ok(place)
    }

    async fn check_for_leaks(&self, job: &Job, task: &str) -> Result<(), Failure> {
        let leaks = self.leaks(job, task);
        for (surface, held) in &leaks {
            job.caught(surface, held.iter().cloned().collect()).await?;
        }
        match leaks.first() {
            None => Ok(()),
            Some((surface, _)) => Err(Failure::permanent(format!(
                "`{surface}` holds text of a holdout, so no builder was started; move it out of the builder's reach"
            ))),
        }
    }

    /// What people wrote is scanned for every secret line; what a builder wrote may resemble anything, and is scanned
    /// for canaries.
    fn leaks(&self, job: &Job, task: &str) -> Vec<(String, BTreeSet<String>)> {
        let (lines, canaries) = (job.scanner(), job.canaries());
        let mut surfaces = vec![("task".to_owned(), lines.scan(task))];
        for (path, entry) in &self.base.entries {
            let bytes = fs::read(self.source.join(path)).unwrap_or_default();
            let as_seeded = job.seed.tree.entries.get(path) == Some(entry);
            let scanner = if as_seeded { &lines } else { &canaries };
            surfaces.push((path.clone(), scanner.scan(&String::from_utf8_lossy(&bytes))));
        }
        // Their lines are public, but a canary in one of them is not.
        let spec = fs::read_to_string(job.dir().spec()).unwrap_or_default();
        surfaces.push((format!("{TASK_DIR}/spec.md"), lines.scan(&spec)));
        for file in &job.seed.shown {
            let name = format!("{TASK_DIR}/scenarios/{}", file.path.display());
            surfaces.push((name, lines.scan(&file.text())));
        }
        surfaces.into_iter().filter(|(_, held)| !held.is_empty()).collect()
    }

    fn write_task(&self, job: &Job, task: &str) -> std::io::Result<()> {
        let folder = self.tree.join(TASK_DIR);
        fs::create_dir_all(folder.join("scenarios"))?;
        fs::write(folder.join("TASK.md"), task)?;
        fs::copy(job.dir().spec(), folder.join("spec.md"))?;
        for file in &job.seed.shown {
            let path = folder.join("scenarios").join(&file.path);
            path.parent().map_or(Ok(()), fs::create_dir_all)?;
            fs::write(path, &file.content)?;
        }
        Ok(())
    }

    pub(super) async fn sandbox(&self, job: &Job) -> Result<Sandbox, Failure> {
        let spec = Spec {
            mounts: vec![Mount { host: self.tree.clone(), guest: HOME.into(), access: Access::ReadWrite }],
            env: BTreeMap::from([("PATH".to_owned(), job.factory.path.clone())]),
            tools: job.factory.tools.clone(),
            ..Spec::default()
        };
        job.factory.sandboxes.create(spec).await.map_err(Failure::transient)
    }

    /// Where the agent's tools act.
    pub(super) fn environment(&self, job: &Job, runner: Arc<SandboxRunner>) -> Result<Arc<LocalEnvironment>, Failure> {
        let env = [("PATH".to_owned(), job.factory.path.clone())];
        LocalEnvironment::new(&self.tree, HOME, env, runner).map(Arc::new).map_err(Failure::transient)
    }

    /// Takes out what the builder left. Call it when nothing of the builder is alive.
    pub(super) async fn export(&self, job: &Job) -> Result<Digest, Failure> {
        let trees = job.dir().trees();
        let staging = trees.join(format!("staging-{}", Uuid::now_v7()));
        let io = |error: std::io::Error| Failure::transient(format!("{}: {error}", trees.display()));
        fs::create_dir_all(&trees).map_err(io)?;
        let (workspace, base, source) = (self.tree.clone(), self.base.clone(), self.source.clone());
        let (target, judging) = (staging.clone(), job.seed.judging.clone());
        let (changes, tree) = on_disk(move || {
            let limits = ExportLimits { exclude: builder_exclude(), ..ExportLimits::default() };
            let changes = refuse(sandbox::export(&workspace, &base, &limits)?, &judging);
            sandbox::hydrate(&source, &target, &builder_exclude())?;
            changes.apply(&target)?;
            Ok((changes, Tree::scan(&target, &builder_exclude())?))
        })
        .await?;
        let tree = digest_of(&tree);
        keep(&staging, &job.dir().tree(tree)).map_err(io)?;
        job.journal.record(self.exported(job, changes, tree)).await?;
        Ok(tree)
    }

    fn exported(&self, job: &Job, changes: Changes, tree: Digest) -> TreeExported {
        TreeExported {
            action: job.action.id.clone(),
            base: digest_of(&self.base),
            tree,
            added: changes.added.into_iter().map(|change| change.path).collect(),
            modified: changes.modified.into_iter().map(|change| change.path).collect(),
            deleted: changes.deleted,
            refused: changes
                .refused
                .into_iter()
                .map(|refused| format!("{}: {}", refused.path, refused.reason))
                .collect(),
        }
    }
}

/// Takes out what git would not store, and what a builder is judged by: a person who merges the branch must not get
/// weaker scenarios with it.
fn refuse(mut changes: Changes, judging: &[String]) -> Changes {
    let judges = |path: &str| judging.iter().any(|kept| Path::new(path).starts_with(kept));
    let mut refused = Vec::new();
    let mut allowed = |path: &str| {
        let reason = match path {
            _ if judges(path) => "the software is judged by it; only a person changes it",
            _ if !repo::takes(path) => "git does not take this name",
            _ => return true,
        };
        refused.push(Refusal { path: path.to_owned(), reason: reason.to_owned() });
        false
    };
    changes.added.retain(|change| allowed(&change.path));
    changes.modified.retain(|change| allowed(&change.path));
    changes.deleted.retain(|path| allowed(path));
    changes.refused.extend(refused);
    changes
}

/// The same tree may stand there already: from an earlier iteration, or from before a crash.
fn keep(staging: &Path, place: &Path) -> std::io::Result<()> {
    if place.exists() { fs::remove_dir_all(staging) } else { fs::rename(staging, place) }
}

fn digest_of(tree: &Tree) -> Digest {
    tree.digest().parse().expect("a tree's digest is written as `b3:` and 64 digits")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_judges_a_builder_and_what_git_refuses_does_not_leave_its_workspace() {
        let workspace = tempfile::tempdir().expect("temp");
        let write = |path: &str| {
            let path = workspace.path().join(path);
            fs::create_dir_all(path.parent().expect("below")).expect("mkdir");
            fs::write(path, "seed").expect("write");
        };
        ["app.py", "harness.yaml", "scenarios/pays.yaml"].into_iter().for_each(write);
        let base = Tree::scan(workspace.path(), &builder_exclude()).expect("scan");
        fs::remove_file(workspace.path().join("harness.yaml")).expect("remove");
        std::os::unix::fs::symlink("app.py", workspace.path().join("harness.yaml")).expect("link");
        fs::remove_file(workspace.path().join("scenarios/pays.yaml")).expect("remove");
        ["scenarios/easy.yaml", "scenarios.md", ".GIT/config", "sub/git~1/config", "new.py"]
            .into_iter()
            .for_each(write);

        let changes = sandbox::export(workspace.path(), &base, &ExportLimits::default()).expect("export");
        let changes = refuse(changes, &["harness.yaml".to_owned(), "scenarios".to_owned()]);
        let added: Vec<_> = changes.added.iter().map(|change| change.path.as_str()).collect();
        assert_eq!(added, ["new.py", "scenarios.md"]);
        assert_eq!((changes.modified.len(), changes.deleted.len()), (0, 0));
        let refused: Vec<_> = changes.refused.iter().map(|refusal| refusal.path.as_str()).collect();
        let expected =
            [".GIT/config", "scenarios/easy.yaml", "sub/git~1/config", "harness.yaml", "scenarios/pays.yaml"];
        assert_eq!(refused, expected);
    }
}
