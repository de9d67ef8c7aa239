//! Lets a builder work: hydrates a workspace, runs the agent in a sandbox, kills it, and takes out what it left.
//!
//! The workspace outlives the process, so an interrupted session goes on where its events end. Nothing of a holdout
//! comes near: the tree was hydrated without them, and task and tree are scanned before the agent starts.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use agents::{Control, Environment, ExternalAgent, LocalEnvironment, Session, SessionConfig};
use async_trait::async_trait;
use model::{
    budget::{Budget, Spend},
    event::{
        Body,
        agent::{CommandExited, EndReason, SessionEnded, ToolReturned},
        run::{FailureClass, TreeExported, TreeHydrated},
    },
    hash::Digest,
    id::SessionId,
};
use sandbox::{Access, Changes, ExportLimits, Mount, Refusal, Sandbox, Spec, Tree};
use serde_json::json;
use uuid::Uuid;

use super::{Done, Failure, Job};
use crate::{
    leak::LeakScanner,
    model_hub, repo,
    runner::SandboxRunner,
    seed::{AgentSetting, builder_exclude},
    task::{self, TASK_DIR},
};

const HOME: &str = "/workspace";
/// An outside agent without a wall-time budget ends after this.
const COMMAND_TIME_DEFAULT: Duration = Duration::from_secs(60 * 60);

pub(super) async fn build(job: &Job) -> Result<Done, Failure> {
    let iteration = job.action.visit;
    let place = Workspace::prepare(job).await?;
    let task = task_text(job, iteration).await;
    check_for_leaks(job, &task, &place).await?;
    place.write_task(job, &task)?;
    let sandbox = Arc::new(place.sandbox(job).await?);
    let worked = match &job.seed.settings.agent {
        AgentSetting::Command { command } => command_works(job, command, &task, &place, &sandbox).await,
        AgentSetting::Provider { .. } | AgentSetting::Script { .. } => {
            session_works(job, &task, &place, &sandbox).await
        }
    };
    kill(sandbox).await?;
    let worked = worked?;
    let tree = export(job, &place).await?;
    let output = json!({ "tree": tree, "iteration": iteration, "ended": worked.ended });
    Ok(Done { output, spent: worked.spent })
}

/// How the agent's part ended.
struct Worked {
    ended: String,
    spent: Spend,
}

/// Nothing of the builder is alive when its tree is taken out.
async fn kill(sandbox: Arc<Sandbox>) -> Result<(), Failure> {
    match Arc::try_unwrap(sandbox) {
        Ok(sandbox) => sandbox.kill().await.map_err(Failure::transient),
        // Only a leaked task could hold it; dropping ours would leave the builder alive.
        Err(_) => Err(Failure::transient("the builder's sandbox is still in use")),
    }
}

async fn task_text(job: &Job, iteration: u32) -> String {
    let events = job.bodies().await;
    let feedback = events.iter().rev().find_map(|event| match event {
        Body::FeedbackComposed(feedback) => Some(&feedback.text),
        _ => None,
    });
    task::text(&job.seed.spec, iteration, feedback.map(String::as_str))
}

async fn check_for_leaks(job: &Job, task: &str, place: &Workspace) -> Result<(), Failure> {
    let scanner = job.scanner();
    let mut surfaces = vec![("task".to_owned(), scanner.scan(task))];
    for path in place.base.entries.keys() {
        let bytes = fs::read(place.source.join(path)).unwrap_or_default();
        surfaces.push((path.clone(), scanner.scan(&String::from_utf8_lossy(&bytes))));
    }
    let leaks: Vec<_> = surfaces.into_iter().filter(|(_, held)| !held.is_empty()).collect();
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

/// A tree on the host that a sandbox sees as `/workspace`.
struct Workspace {
    tree: PathBuf,
    /// Where `base` was copied from. No builder has written there, so it may be read by path.
    source: PathBuf,
    /// What the builder started from.
    base: Tree,
    /// Whether an earlier worker has hydrated it.
    resumed: bool,
}

impl Workspace {
    async fn prepare(job: &Job) -> Result<Self, Failure> {
        let folder = job.dir().work(&job.action.id);
        let tree = folder.join("tree");
        let ready = folder.join("hydrated");
        let source = match job.built_tree().await {
            Ok(digest) => job.dir().tree(digest),
            Err(_) => job.dir().seed(),
        };
        let base = Tree::scan(&source, &builder_exclude()).map_err(Failure::transient)?;
        let resumed = ready.exists();
        if !resumed {
            let io = |error: std::io::Error| Failure::transient(format!("{}: {error}", folder.display()));
            if folder.exists() {
                fs::remove_dir_all(&folder).map_err(io)?;
            }
            fs::create_dir_all(&folder).map_err(io)?;
            sandbox::hydrate(&source, &tree, &builder_exclude()).map_err(Failure::transient)?;
            let hydrated = TreeHydrated {
                action: job.action.id.clone(),
                tree: digest_of(&base),
                files: base.entries.len() as u64,
                size_bytes: base.entries.values().map(|entry| entry.size_bytes).sum(),
            };
            job.journal.record(hydrated).await?;
            fs::write(&ready, b"").map_err(io)?;
        }
        Ok(Self { tree, source, base, resumed })
    }

    fn write_task(&self, job: &Job, task: &str) -> Result<(), Failure> {
        let folder = self.tree.join(TASK_DIR);
        let write = || -> std::io::Result<()> {
            make_anew(&folder)?;
            fs::create_dir(folder.join("scenarios"))?;
            fs::write(folder.join("TASK.md"), task)?;
            fs::copy(job.dir().spec(), folder.join("spec.md"))?;
            for scenario in fs::read_dir(job.dir().scenarios())? {
                let scenario = scenario?;
                fs::copy(scenario.path(), folder.join("scenarios").join(scenario.file_name()))?;
            }
            Ok(())
        };
        write().map_err(|error| Failure::transient(format!("{}: {error}", folder.display())))
    }

    async fn sandbox(&self, job: &Job) -> Result<Sandbox, Failure> {
        let spec = Spec {
            mounts: vec![Mount { host: self.tree.clone(), guest: HOME.into(), access: Access::ReadWrite }],
            env: BTreeMap::from([("PATH".to_owned(), job.factory.path.clone())]),
            tools: job.factory.tools.clone(),
            ..Spec::default()
        };
        job.factory.sandboxes.create(spec).await.map_err(Failure::transient)
    }

    fn environment(&self, job: &Job, runner: Arc<SandboxRunner>) -> Result<Arc<LocalEnvironment>, Failure> {
        let env = [("PATH".to_owned(), job.factory.path.clone())];
        LocalEnvironment::new(&self.tree, HOME, env, runner).map(Arc::new).map_err(Failure::transient)
    }
}

/// An interrupted builder may have put anything here, a link to a folder of the host too: nothing of it is written
/// through.
fn make_anew(folder: &Path) -> std::io::Result<()> {
    let removed = match fs::symlink_metadata(folder) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(folder),
        Ok(_) => fs::remove_file(folder),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => fs::create_dir(folder),
    }
}

/// What the run has left, so that a session ends before the run's budget does.
async fn budget_left(job: &Job) -> Budget {
    let state = job.journal.state().await;
    let elapsed = crate::journal::now().duration_since(state.created.created_at).as_millis();
    state.budget.less(&state.spent, u64::try_from(elapsed).unwrap_or_default())
}

async fn session_works(job: &Job, task: &str, place: &Workspace, sandbox: &Arc<Sandbox>) -> Result<Worked, Failure> {
    let events = job.bodies().await;
    let begun = Session::begun_by(&job.action.id, &events).filter(|_| place.resumed);
    if let Some(ended) = begun.as_ref().and_then(|session| ended(&events, session)) {
        return worked(ended);
    }
    let hub = model_hub::open(job).await?.ok_or_else(|| Failure::permanent("the run has no model"))?;
    let session = begun.unwrap_or_else(|| SessionId::from_uuid(Uuid::now_v7()));
    let mut config = SessionConfig::new(session, job.action.id.clone(), hub.profile);
    config.script.clone_from(&hub.script);
    config.budget = budget_left(job).await;
    let runner = Arc::new(SandboxRunner(Arc::clone(sandbox)));
    let environment: Arc<dyn Environment> = place.environment(job, runner)?;
    let session = Session::resume(config, Arc::clone(&hub.service), environment, task, &events);
    let journal = AgentJournal { job, canaries: job.canaries() };
    let ran = session.run(&journal, &Control::default()).await;
    hub.close().await;
    worked(&ran.map_err(|error| Failure::transient(&error))?)
}

fn ended<'a>(events: &'a [Body], session: &SessionId) -> Option<&'a SessionEnded> {
    events.iter().find_map(|event| match event {
        Body::SessionEnded(ended) if ended.session == *session => Some(ended),
        _ => None,
    })
}

/// Which endings the run goes on from: what a budget or a refusal left is graded like any other tree.
fn worked(ended: &SessionEnded) -> Result<Worked, Failure> {
    let failed = |class| Failure { class, message: ended.message.clone(), spent: ended.spent, error: None };
    match ended.reason {
        EndReason::Completed | EndReason::TurnLimit | EndReason::Refused => {
            Ok(Worked { ended: format!("{:?}", ended.reason).to_lowercase(), spent: ended.spent })
        }
        EndReason::Budget => {
            Err(Failure { message: "the builder used up the budget".to_owned(), ..failed(FailureClass::Budget) })
        }
        EndReason::ProviderFailed => Err(failed(FailureClass::Transient)),
        EndReason::Cancelled => Err(failed(FailureClass::Permanent)),
    }
}

async fn command_works(
    job: &Job,
    command: &str,
    task: &str,
    place: &Workspace,
    sandbox: &Arc<Sandbox>,
) -> Result<Worked, Failure> {
    let events = job.bodies().await;
    let exited = events.iter().find_map(|event| match event {
        Body::CommandExited(exited) if exited.action == job.action.id => Some(exited.clone()),
        _ => None,
    });
    let earlier = exited.filter(|_| place.resumed);
    let exited: CommandExited = match earlier {
        Some(exited) => exited,
        None => {
            let left = budget_left(job).await.wall_time_ms.map_or(COMMAND_TIME_DEFAULT, Duration::from_millis);
            let runner = Arc::new(SandboxRunner(Arc::clone(sandbox)));
            let agent = ExternalAgent {
                action: job.action.id.clone(),
                argv: vec!["/bin/sh".to_owned(), "-c".to_owned(), command.to_owned()],
                task: task.to_owned(),
                env: BTreeMap::from([("PATH".to_owned(), job.factory.path.clone())]),
                timeout: left,
                environment: place.environment(job, Arc::clone(&runner))?,
                runner,
            };
            let journal = AgentJournal { job, canaries: job.canaries() };
            agent.run(&journal, &Control::default()).await.map_err(Failure::transient)?
        }
    };
    Ok(Worked { ended: exited.status, spent: Spend::default() })
}

async fn export(job: &Job, place: &Workspace) -> Result<Digest, Failure> {
    let limits = ExportLimits { exclude: builder_exclude(), ..ExportLimits::default() };
    let changes = sandbox::export(&place.tree, &place.base, &limits).map_err(Failure::transient)?;
    let changes = refuse(changes, &job.seed.judging);
    let staging = job.dir().path().join("trees").join(format!("staging-{}", Uuid::now_v7()));
    let io = |error: std::io::Error| Failure::transient(format!("{}: {error}", staging.display()));
    fs::create_dir_all(job.dir().path().join("trees")).map_err(io)?;
    sandbox::hydrate(&place.source, &staging, &builder_exclude()).map_err(Failure::transient)?;
    changes.apply(&staging).map_err(Failure::transient)?;
    let tree = digest_of(&Tree::scan(&staging, &builder_exclude()).map_err(Failure::transient)?);
    keep(&staging, &job.dir().tree(tree)).map_err(io)?;
    job.journal.record(exported(job, place, changes, tree)).await?;
    Ok(tree)
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

fn exported(job: &Job, place: &Workspace, changes: Changes, tree: Digest) -> TreeExported {
    TreeExported {
        action: job.action.id.clone(),
        base: digest_of(&place.base),
        tree,
        added: changes.added.into_iter().map(|change| change.path).collect(),
        modified: changes.modified.into_iter().map(|change| change.path).collect(),
        deleted: changes.deleted,
        refused: changes.refused.into_iter().map(|refusal| format!("{}: {}", refusal.path, refusal.reason)).collect(),
    }
}

fn digest_of(tree: &Tree) -> Digest {
    tree.digest().parse().expect("a tree's digest is written as `b3:` and 64 digits")
}

/// Writes in the agent's name, and looks for canaries in what its tools return: one there means that a holdout is
/// within the agent's reach.
struct AgentJournal<'a> {
    job: &'a Job,
    canaries: LeakScanner,
}

#[async_trait]
impl agents::Journal for AgentJournal<'_> {
    async fn record(&self, body: Body) -> Result<(), agents::JournalError> {
        let held = match &body {
            Body::ToolReturned(ToolReturned { output, .. }) => self.canaries.scan(output),
            _ => std::collections::BTreeSet::new(),
        };
        let recorded = async {
            if !held.is_empty() {
                self.job.caught("tool output", held.into_iter().collect()).await?;
            }
            self.job.journal.record_by_agent("builder", body).await
        };
        recorded.await.map_err(|error| agents::JournalError(Box::new(error)))
    }
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

    #[test]
    fn a_task_is_never_written_through_a_link_that_a_builder_left() {
        let place = tempfile::tempdir().expect("temp");
        let (host, task) = (place.path().join("host"), place.path().join("task"));
        fs::create_dir(&host).expect("mkdir");
        fs::write(host.join("kept"), "x").expect("write");
        std::os::unix::fs::symlink(&host, &task).expect("link");
        make_anew(&task).expect("made");
        assert!(fs::symlink_metadata(&task).expect("there").is_dir());
        make_anew(&task).expect("made again");
        assert!(host.join("kept").exists(), "what the link named stays");
    }
}
