//! The seed: a spec compiled with everything that a run needs, checked before anything is spent.
//!
//! [`compile`] reads the repository and refuses what is wrong with `file:line:col`. [`Compiled::start`] copies it all
//! into the run's folder, so that a run never depends on files that change under it. [`Seed::open`] reads it back, on
//! this worker or the next.

mod checks;
mod files;

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use harness::{NamedFileError, Scenario, SubjectConfig, Suite, SuiteFile};
use jiff::Timestamp;
use located::{Diagnostics, Place, Source};
use model::{
    event::{
        Body, Draft, StreamId,
        run::{Created, SpecRef},
    },
    flow::Flow,
    hash::Digest,
    id::{RunId, WorkspaceId},
    run::{State, settle},
    spec::Spec,
};
use sandbox::{Exclude, Tree};
use serde::{Deserialize, Serialize};
use store::{Expected, Lease};
use uuid::Uuid;

use self::{
    checks::{check_apart, check_folders, check_whole, suites},
    files::{copy_files, judging, public, secrets, seed_digest},
};
use crate::{Factory, layout::RunDir, leak::Secret, repo, worker::LEASE_TTL};

/// The loop itself.
pub const FACTORY_FLOW: &str = include_str!("../../flows/factory.yaml");
/// Build output that neither enters a builder's tree nor leaves it.
const BUILD_OUTPUT: &[&str] = &["node_modules", "__pycache__", ".venv"];
/// Only the factory's own user may read holdouts.
const SEALED_MODE: u32 = 0o700;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{0}")]
    Wrong(#[from] Diagnostics),
    #[error("{0}")]
    NoModel(Box<located::Diagnostic>),
    #[error(transparent)]
    Repo(#[from] repo::Error),
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: std::io::Error },
    #[error(transparent)]
    Sandbox(#[from] sandbox::Error),
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error(transparent)]
    Append(#[from] store::AppendError),
    #[error(transparent)]
    Lease(#[from] store::LeaseError),
    #[error(transparent)]
    Named(#[from] NamedFileError),
    #[error("the seed of {run} is not what it was: expected {expected}, found {found}; start a new run")]
    Changed { run: RunId, expected: Digest, found: Digest },
    #[error("the settings of {0} cannot be read; it is from another version of the factory")]
    Settings(RunId),
}

fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Error + '_ {
    move |source| Error::Io { path: path.to_owned(), source }
}

/// What the person asked for on the command line, over what the spec says.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    pub agent_command: Option<String>,
    pub model: Option<String>,
    pub iterations: Option<u32>,
    pub cost_usd_micros: Option<u64>,
    pub trials: Option<u32>,
    /// Of twins and random data. Default: a fresh one.
    pub seed: Option<u64>,
}

/// What performers need to know of a run besides its files; stored in `run.created`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    pub repository: PathBuf,
    /// The commit the run started from; `None` in a repository without one.
    pub base: Option<String>,
    pub agent: AgentSetting,
    pub seed: u64,
    /// Of the subject's tree: what visible scenarios use and name outside of their own folder.
    #[serde(default)]
    pub shared: Vec<String>,
}

/// Who builds. Keys are never stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum AgentSetting {
    /// The built-in agent with a provider's model.
    Provider { provider: String, model: Option<String> },
    /// The built-in agent; a script plays the model.
    Script { path: PathBuf, model: Option<String>, profile: Option<String> },
    /// A command inside the sandbox.
    Command { command: String },
}

/// Everything that a run needs, in memory.
#[derive(Debug)]
pub struct Seed {
    pub spec: Spec,
    pub visible: Suite,
    pub holdout: Suite,
    pub subject: SubjectConfig,
    pub settings: Settings,
    pub digest: Digest,
    pub created_at: Timestamp,
    pub(crate) dir: RunDir,
    pub(crate) tree: Tree,
    /// Of the visible suite.
    pub(crate) shown: Vec<SuiteFile>,
    pub(crate) secrets: Vec<Secret>,
    /// Everything the builder may read, for the leak scanner.
    pub(crate) public: Vec<String>,
    /// Paths of the tree that say what the software must do; a builder may read them, not change them.
    pub(crate) judging: Vec<String>,
    /// Held by the one suite that is graded. Sandboxes share the kernel and the files of `/usr`, and a lock on one of
    /// those is a signal: a subject that sees a holdout must not live beside one whose failures are told.
    pub(crate) grading: tokio::sync::Mutex<()>,
}

/// A spec that is sound, not started yet.
#[derive(Debug)]
pub struct Compiled {
    pub spec: Spec,
    spec_path: PathBuf,
    spec_text: String,
    visible: Vec<SuiteFile>,
    holdout: Vec<SuiteFile>,
    flow: Flow,
    repository: PathBuf,
    base: Option<String>,
    agent: AgentSetting,
    /// A fresh one where nobody asked for one.
    seed: Option<u64>,
}

/// Reads a spec and everything it names.
///
/// # Errors
/// All that is wrong, before anything is spent.
pub fn compile(spec_path: &Path, overrides: &Overrides, provider: Option<&str>) -> Result<Compiled, Error> {
    let source = Source::read(spec_path).map_err(Diagnostics::from)?;
    let mut spec = Spec::parse(&source)?;
    apply(&mut spec, overrides);
    let start = spec_path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    let repository = repo::root_of(start)?;
    let repository = repository.canonicalize().map_err(io(&repository))?;
    let shown = shown_from_here(&repository);
    let subject = SubjectConfig::load(&shown.join(&spec.subject))?;
    check_folders(&source, &shown, &spec)?;
    let (visible, holdout) = suites(&shown.join(&spec.scenarios), &shown.join(&spec.holdout), &spec, &subject)?;
    check_whole(&source, &spec, &subject, &visible, &holdout)?;
    let (visible, holdout) = (visible.files()?, holdout.files()?);
    check_apart(&source, &shown, &spec, &visible)?;
    let agent = agent_setting(&repository, &source, &spec, overrides, provider)?;
    let flow = Flow::parse(&Source::new("factory.yaml", FACTORY_FLOW))?;
    let base = repo::head(&repository)?;
    let (seed, spec_text) = (overrides.seed, source.text().to_owned());
    Ok(Compiled {
        spec,
        spec_path: spec_path.to_owned(),
        spec_text,
        visible,
        holdout,
        flow,
        repository,
        base,
        agent,
        seed,
    })
}

/// The repository as a person in the current folder would write it, so that errors name short paths.
fn shown_from_here(repository: &Path) -> PathBuf {
    let here = std::env::current_dir().and_then(|here| here.canonicalize());
    match here {
        Ok(here) if here == repository => PathBuf::new(),
        _ => repository.to_owned(),
    }
}

fn apply(spec: &mut Spec, overrides: &Overrides) {
    spec.budget.iterations = overrides.iterations.or(spec.budget.iterations);
    spec.budget.cost_usd_micros = overrides.cost_usd_micros.or(spec.budget.cost_usd_micros);
    spec.satisfaction.trials = overrides.trials.unwrap_or(spec.satisfaction.trials);
}

fn agent_setting(
    repository: &Path,
    source: &Source,
    spec: &Spec,
    overrides: &Overrides,
    provider: Option<&str>,
) -> Result<AgentSetting, Error> {
    let model = overrides.model.clone().or_else(|| spec.agent.model.clone());
    let profile = spec.agent.profile.clone();
    if let Some(command) = overrides.agent_command.clone().or_else(|| spec.agent.command.clone()) {
        return Ok(AgentSetting::Command { command });
    }
    if let Some(provider) = provider {
        // The spec's model is one of the spec's profile; another provider has never heard of it.
        let speaks = profile.as_deref().unwrap_or("anthropic") == provider;
        let model = overrides.model.clone().or_else(|| model.filter(|_| speaks));
        return Ok(AgentSetting::Provider { provider: provider.to_owned(), model });
    }
    let Some(script) = &spec.agent.script else {
        let error = source.diagnostic(Place::START, "there is no model: no key is set and the spec names no script");
        let hint =
            "set ANTHROPIC_API_KEY, OPENAI_API_KEY, GEMINI_API_KEY or OLLAMA_BASE_URL, or pass --agent 'command …'";
        return Err(Error::NoModel(Box::new(error.hint(hint))));
    };
    twins::script::check(&shown_from_here(repository).join(script))?;
    Ok(AgentSetting::Script { path: repository.join(script), model, profile })
}

impl Compiled {
    /// Copies the seed into the run's folder, appends `run.created`, and claims the run: whoever starts a run performs it,
    /// with the keys and programs that are at hand where it was started. No lease where a `factory resume` was faster.
    pub async fn start(self, factory: &Factory) -> Result<(RunId, Option<Lease>), Error> {
        let Factory { store, home, worker, .. } = factory;
        let run = RunId::from_uuid(Uuid::now_v7());
        let seed = self.seed.unwrap_or_else(fresh_seed);
        let settings = Settings {
            repository: self.repository.clone(),
            base: self.base.clone(),
            agent: self.agent.clone(),
            seed,
            shared: self.shared(),
        };
        let dir = RunDir::new(home, &run);
        let tree = self.copy_into(&dir)?;
        let digest = seed_digest(&self.spec, &self.visible, &self.holdout, &tree);
        let workspace = WorkspaceId::from_uuid(Uuid::nil());
        let created = Created {
            run: run.clone(),
            workspace: workspace.clone(),
            spec: SpecRef {
                id: self.spec.id.clone(),
                title: self.spec.title.clone(),
                path: relative(&self.spec_path, &settings.repository),
                digest: self.spec.digest,
            },
            seed: digest,
            flow: self.flow.clone(),
            budget: self.spec.budget,
            settings: serde_json::to_value(StoredSettings { settings, satisfaction: self.spec.satisfaction })
                .expect("plain data serialises"),
            created_at: Timestamp::now(),
        };
        let mut state = State::new(created.clone());
        let first = settle(&mut state, Body::RunCreated(created));
        let drafts: Vec<Draft> = first.into_iter().map(|body| Draft::service("controller", body)).collect();
        store.append(&StreamId::run(&run), Expected::default(), &drafts).await?;
        let lease = store.enqueue_claimed(&run, &workspace, worker, LEASE_TTL).await?;
        Ok((run, lease))
    }

    /// What of the subject's tree visible scenarios are made of, besides their own folder. The log tells it, so it names
    /// nothing of a holdout; what only holdouts use must not be in the tree at all.
    fn shared(&self) -> Vec<String> {
        let [subject, scenarios] = [&self.spec.subject, &self.spec.scenarios].map(|folder| {
            let folder = self.repository.join(folder);
            folder.canonicalize().unwrap_or(folder)
        });
        let inside = |file: &SuiteFile| {
            let path = file.origin.canonicalize().ok().filter(|path| !path.starts_with(&scenarios))?;
            Some(path.strip_prefix(&subject).ok()?.display().to_string())
        };
        self.visible.iter().filter_map(inside).collect()
    }

    fn copy_into(&self, dir: &RunDir) -> Result<Tree, Error> {
        let make = |path: &Path| fs::create_dir_all(path).map_err(io(path));
        make(dir.path())?;
        make(&dir.sealed())?;
        fs::set_permissions(dir.sealed(), fs::Permissions::from_mode(SEALED_MODE)).map_err(io(&dir.sealed()))?;
        make(&dir.scenarios())?;
        fs::write(dir.spec(), &self.spec_text).map_err(io(&dir.spec()))?;
        copy_files(&self.visible, &dir.scenarios())?;
        copy_files(&self.holdout, &dir.sealed())?;
        let subject = self.repository.join(&self.spec.subject);
        Ok(sandbox::hydrate(&subject, &dir.seed(), &self.exclude())?)
    }

    /// What of the repository the builder must not find in its tree, besides what no builder ever gets.
    fn exclude(&self) -> Exclude {
        let mut hidden: Vec<PathBuf> = vec![self.repository.join(&self.spec.holdout)];
        // Whoever builds: a script and its folder hold the finished work.
        if let Some(script) = &self.spec.agent.script {
            let path = self.repository.join(script);
            // A folder named `specs` holds everybody's specs.
            let folder = path.parent().filter(|folder| folder.file_name().is_some_and(|name| name != "specs"));
            hidden.push(folder.unwrap_or(&path).to_owned());
        }
        let subject = self.repository.join(&self.spec.subject);
        let subject = subject.canonicalize().unwrap_or(subject);
        let inside = hidden.iter().filter_map(|path| path.strip_prefix(&subject).ok());
        let mut exclude = builder_exclude();
        exclude.top.extend(inside.map(|path| path.display().to_string()));
        exclude
    }
}

/// What no builder gets and no export takes: history, holdouts, the task's own files, build output.
pub(crate) fn builder_exclude() -> Exclude {
    Exclude::with(BUILD_OUTPUT.iter().copied())
}

#[derive(Serialize, Deserialize)]
struct StoredSettings {
    #[serde(flatten)]
    settings: Settings,
    satisfaction: model::spec::Satisfaction,
}

fn relative(path: &Path, root: &Path) -> String {
    let full = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    full.strip_prefix(root).unwrap_or(&full).display().to_string()
}

/// Nothing that a subject can see leads to it: who knows the seed knows every random value of a scenario.
fn fresh_seed() -> u64 {
    let (high, low) = Uuid::new_v4().as_u64_pair();
    high ^ low
}

impl Seed {
    /// Reads a started run's seed back.
    ///
    /// # Errors
    /// Where it is not what `run.created` says it was.
    pub fn open(home: &Path, created: &Created) -> Result<Self, Error> {
        let dir = RunDir::new(home, &created.run);
        let spec_source = Source::read(&dir.spec()).map_err(Diagnostics::from)?;
        let stored: StoredSettings =
            serde_json::from_value(created.settings.clone()).map_err(|_| Error::Settings(created.run.clone()))?;
        let spec = Spec { budget: created.budget, satisfaction: stored.satisfaction, ..Spec::parse(&spec_source)? };
        let subject = SubjectConfig::load(&dir.seed())?;
        let (visible, holdout) = suites(&dir.scenarios(), &dir.sealed(), &spec, &subject)?;
        let tree = Tree::scan(&dir.seed(), &builder_exclude())?;
        let (shown, hidden) = (visible.files()?, holdout.files()?);
        let digest = seed_digest(&spec, &shown, &hidden, &tree);
        if digest != created.seed {
            return Err(Error::Changed { run: created.run.clone(), expected: created.seed, found: digest });
        }
        let secrets = secrets(&holdout)?;
        let public = public(&spec_source, &shown, &holdout, &subject, &dir);
        let (settings, created_at) = (stored.settings, created.created_at);
        let mut judging = judging(&spec, &created.spec.path, &subject);
        judging.extend(settings.shared.iter().cloned());
        let grading = tokio::sync::Mutex::default();
        Ok(Self {
            spec,
            visible,
            holdout,
            subject,
            settings,
            digest,
            created_at,
            dir,
            tree,
            shown,
            secrets,
            public,
            judging,
            grading,
        })
    }

    /// What a holdout is called in the run's own stream.
    pub fn alias(&self, scenario: &str) -> Option<&str> {
        let position = self.holdout.scenarios.iter().position(|known| known.slug == scenario)?;
        Some(&self.secrets[position].alias)
    }

    /// The holdout behind an alias.
    pub fn holdout(&self, alias: &str) -> Option<&Scenario> {
        let position = self.secrets.iter().position(|secret| secret.alias == alias)?;
        self.holdout.scenarios.get(position).map(AsRef::as_ref)
    }
}
