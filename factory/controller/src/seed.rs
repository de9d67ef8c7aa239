//! The seed: a spec compiled with everything that a run needs, checked before anything is spent.
//!
//! [`compile`] reads the repository and refuses what is wrong with `file:line:col`. [`Compiled::start`] copies it all
//! into the run's folder, so that a run never depends on files that change under it. [`Seed::open`] reads it back, on
//! this worker or the next.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Component, Path, PathBuf},
};

use harness::{Kind, LintContext, Scenario, SubjectConfig, Suite};
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
use store::{Expected, Store};
use uuid::Uuid;

use crate::{layout::RunDir, leak::Secret, repo};

/// The loop itself.
pub const FACTORY_FLOW: &str = include_str!("../flows/factory.yaml");
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
    visible: Suite,
    holdout: Suite,
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

/// Before anything in them is read: the mistake is the path in the spec, or a folder that was not committed yet.
fn check_folders(source: &Source, repository: &Path, spec: &Spec) -> Result<(), Diagnostics> {
    let mut wrong = Diagnostics::default();
    for (key, folder, whose) in [
        ("scenarios:", &spec.scenarios, "the agent reads them"),
        ("holdout:", &spec.holdout, "the agent never sees them"),
    ] {
        if !repository.join(folder).exists() {
            let place = source.text().find(key).map_or(Place::START, |offset| source.place_of_offset(offset));
            let error = source.diagnostic(place, format!("there is no folder `{folder}`"));
            wrong.push(error.hint(format!(
                "make it and put scenarios into it ({whose}), or name the right one; `factory init` writes examples"
            )));
        }
    }
    wrong.or(())
}

fn apply(spec: &mut Spec, overrides: &Overrides) {
    spec.budget.iterations = overrides.iterations.or(spec.budget.iterations);
    spec.budget.cost_usd_micros = overrides.cost_usd_micros.or(spec.budget.cost_usd_micros);
    spec.satisfaction.trials = overrides.trials.unwrap_or(spec.satisfaction.trials);
}

/// Loads and lints both suites; everything that is wrong with either is told at once.
fn suites(visible: &Path, holdout: &Path, spec: &Spec, subject: &SubjectConfig) -> Result<(Suite, Suite), Error> {
    let requirements = spec.requirement_ids();
    let context = LintContext { requirements: Some(&requirements), subject: Some(subject) };
    let load = |folder: &Path, kind| {
        let suite = Suite::load(&[folder.to_owned()], kind)?;
        suite.lint(context).map(|()| suite)
    };
    match (load(visible, Kind::Visible), load(holdout, Kind::Holdout)) {
        (Ok(visible), Ok(holdout)) => Ok((visible, holdout)),
        (visible, holdout) => {
            let wrong = visible.err().into_iter().chain(holdout.err()).flat_map(|errors| errors.0);
            Err(Error::Wrong(Diagnostics(wrong.collect())))
        }
    }
}

/// What only shows when spec, subject and scenarios are looked at together.
fn check_whole(
    source: &Source,
    spec: &Spec,
    subject: &SubjectConfig,
    visible: &Suite,
    holdout: &Suite,
) -> Result<(), Diagnostics> {
    let mut wrong = Diagnostics::default();
    let place = |text: &str| source.text().find(text).map_or(Place::START, |offset| source.place_of_offset(offset));
    let named: BTreeSet<&String> =
        visible.scenarios.iter().chain(&holdout.scenarios).flat_map(|scenario| &scenario.requirements).collect();
    for requirement in spec.requirements.iter().filter(|requirement| !named.contains(&requirement.id)) {
        let error =
            source.diagnostic(place(&format!("{}:", requirement.id)), format!("no scenario names {}", requirement.id));
        wrong.push(
            error.hint("add it to the `requirements` of a scenario that shows it, or it can never have evidence"),
        );
    }
    let given = subject.twin_names();
    for twin in spec.twins.iter().filter(|twin| !given.contains(twin.as_str())) {
        let error = source.diagnostic(place("twins:"), format!("the subject is given no twin `{twin}`"));
        wrong.push(error.hint("configure it below `twins` in the subject's harness.yaml, or take it out of the spec"));
    }
    if let Some(profile) = spec.agent.profile.as_ref().filter(|profile| agents::Profile::named(profile).is_none()) {
        let known: Vec<&str> = agents::Profile::ALL.iter().map(|profile| profile.name).collect();
        let error = source.diagnostic(place("profile:"), format!("there is no agent profile `{profile}`"));
        wrong.push(error.hint(format!("use {}", known.join(", "))));
    }
    wrong.or(())
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
    /// Copies the seed into the run's folder and appends `run.created`. The run is then ready to be claimed.
    pub async fn start(self, store: &Store, home: &Path) -> Result<RunId, Error> {
        let run = RunId::from_uuid(Uuid::now_v7());
        let seed = self.seed.unwrap_or_else(fresh_seed);
        let settings =
            Settings { repository: self.repository.clone(), base: self.base.clone(), agent: self.agent.clone(), seed };
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
        store.enqueue(&run, &workspace).await?;
        Ok(run)
    }

    fn copy_into(&self, dir: &RunDir) -> Result<Tree, Error> {
        let make = |path: &Path| fs::create_dir_all(path).map_err(io(path));
        make(dir.path())?;
        make(&dir.sealed())?;
        fs::set_permissions(dir.sealed(), fs::Permissions::from_mode(SEALED_MODE)).map_err(io(&dir.sealed()))?;
        make(&dir.scenarios())?;
        fs::write(dir.spec(), &self.spec_text).map_err(io(&dir.spec()))?;
        copy_suite(&self.visible, &dir.scenarios())?;
        copy_suite(&self.holdout, &dir.sealed())?;
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

/// What scenarios share is copied with them, so that the copies load like the originals.
fn copy_suite(suite: &Suite, folder: &Path) -> Result<(), Error> {
    for (path, source) in suite.files() {
        let path = folder.join(path);
        let parent = path.parent().unwrap_or(folder);
        fs::create_dir_all(parent).map_err(io(parent))?;
        fs::write(&path, source.text()).map_err(io(&path))?;
    }
    Ok(())
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

/// What the run builds from: spec, scenarios, holdouts, tree.
fn seed_digest(spec: &Spec, visible: &Suite, holdout: &Suite, tree: &Tree) -> Digest {
    let mut digest = Digest::ZERO.chain(spec.digest.as_bytes());
    for (_, source) in visible.files().into_iter().chain(holdout.files()) {
        digest = digest.chain(source.text().as_bytes());
    }
    digest.chain(tree.digest().to_string().as_bytes())
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
        let digest = seed_digest(&spec, &visible, &holdout, &tree);
        if digest != created.seed {
            return Err(Error::Changed { run: created.run.clone(), expected: created.seed, found: digest });
        }
        let secrets = secrets(&holdout);
        let public = public(&spec_source, &visible, &holdout, &dir);
        let (settings, created_at) = (stored.settings, created.created_at);
        let judging = judging(&spec, &created.spec.path);
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

/// `harness.yaml`, and what the spec names, relative to the subject's folder.
fn judging(spec: &Spec, spec_path: &str) -> Vec<String> {
    let plain =
        |path: &str| -> PathBuf { Path::new(path).components().filter(|part| *part != Component::CurDir).collect() };
    let subject = plain(&spec.subject);
    let named = [spec_path, &spec.scenarios, &spec.holdout].into_iter().map(plain);
    let inside = named.filter_map(|path| path.strip_prefix(&subject).ok().map(|path| path.display().to_string()));
    std::iter::once("harness.yaml".to_owned()).chain(inside.filter(|path| !path.is_empty())).collect()
}

fn secrets(holdout: &Suite) -> Vec<Secret> {
    let secret = |(n, scenario): (usize, &std::sync::Arc<Scenario>)| Secret {
        alias: format!("holdout-{}", n + 1),
        canary: scenario.canary.clone().unwrap_or_default(),
        text: scenario.sources().into_iter().map(located::Source::text).collect::<Vec<_>>().join("\n"),
    };
    holdout.scenarios.iter().enumerate().map(secret).collect()
}

/// Themes are public: they are what a builder may be told.
fn public(spec: &Source, visible: &Suite, holdout: &Suite, dir: &RunDir) -> Vec<String> {
    let themes =
        holdout.scenarios.iter().filter_map(|scenario| scenario.theme.as_ref().map(|theme| format!("theme: {theme}")));
    let scenarios = visible.files().into_iter().map(|(_, source)| source.text().to_owned());
    let harness = fs::read_to_string(dir.seed().join("harness.yaml")).ok();
    std::iter::once(spec.text().to_owned()).chain(scenarios).chain(harness).chain(themes).collect()
}
