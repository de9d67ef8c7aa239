//! `harness.yaml`: what the subject is and how it is started.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    time::Duration,
};

use located::{Diagnostics, Source};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    Isolation, LaunchError, Launcher, ProcessLauncher,
    container::{ContainerLauncher, SOCKET_DEFAULT},
    sandbox::SandboxLauncher,
};
use crate::{
    arrange::check_config,
    expect::compile_regex,
    step::Prices,
    text::{Entries, Node, Period, Placed, Text, check_node, check_text},
};

const FILE: &str = "harness.yaml";
const READY_WITHIN: Duration = Duration::from_secs(10);
const READY_WITHIN_MAX: Duration = Duration::from_mins(5);
const ELSEWHERE_WITHIN: Duration = Duration::from_secs(2); // what runs already needs no time to start
const BUILD_TIMEOUT: Duration = Duration::from_mins(5);
const BUILD_TIMEOUT_MAX: Duration = Duration::from_hours(1);

/// A subject, read and checked.
#[derive(Clone, Debug)]
pub struct SubjectConfig {
    pub name: String,
    pub(crate) build: Option<Build>,
    /// `None` for a subject that is only commands (`exec` steps).
    pub(crate) start: Option<Start>,
    pub(crate) ready: ReadyCheck,
    /// Names of the ports that it is given besides `port`.
    pub(crate) further_ports: Vec<Text>,
    /// Whether it goes on running from one trial to the next.
    pub(crate) reuse: bool,
    pub(crate) reset: Option<Reset>,
    pub(crate) isolation: Isolation,
    /// The twins that a trial is given, each with its own configuration.
    pub(crate) twins: Entries<Node>,
    /// Where scenarios are by default, relative to the tree.
    pub scenarios: Vec<String>,
    pub(crate) env_allow: Vec<String>,
    /// Beside the subject, what requests of scenarios may go to: `http://127.0.0.1:9000`.
    pub(crate) origins: Vec<String>,
    pub(crate) prices: Prices,
    pub(crate) source: Source,
}

#[derive(Clone, Debug)]
pub(crate) struct Build {
    pub(crate) argv: Vec<String>,
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) timeout: Duration,
}

#[derive(Clone, Debug)]
pub(crate) struct Start {
    /// Empty for a subject that somebody else started.
    pub(crate) argv: Vec<Text>,
    pub(crate) env: Entries<Text>,
}

/// What brings a subject that goes on running back to where a trial may start.
#[derive(Clone, Debug)]
pub(crate) enum Reset {
    /// `POST` to this path is answered 2xx.
    Http(Text),
    /// A command in the subject's tree ends with 0.
    Command(Vec<Text>),
}

/// How it is known that the subject can be used.
#[derive(Clone, Debug)]
pub(crate) struct ReadyCheck {
    pub(crate) sign: ReadySign,
    pub(crate) within: Duration,
}

#[derive(Clone, Debug)]
pub(crate) enum ReadySign {
    /// A path that answers 2xx.
    Http(String),
    /// The port takes connections.
    Tcp,
    /// A line of the log.
    Log(regex::Regex),
    /// A command in the subject's tree ends with 0.
    Command(Vec<String>),
    /// It is never waited for.
    Nothing,
}

impl SubjectConfig {
    /// Reads `harness.yaml` at the root of a subject's tree.
    ///
    /// # Errors
    /// All that is wrong in it, each with its place.
    pub fn load(root: &Path) -> Result<Self, Diagnostics> {
        Self::read(Source::read(&root.join(FILE)).map_err(|error| {
            error.hint("a subject's tree has a `harness.yaml` at its root that says how it is started")
        })?)
    }

    pub fn read(source: Source) -> Result<Self, Diagnostics> {
        let file: File = located::yaml(&source)?;
        let mut wrong = Diagnostics::default();
        file.check(&source, &mut wrong);
        let ready = file.ready.as_ref().map_or_else(ReadyCheck::tcp, |ready| ready.lower(&source, &mut wrong));
        wrong.0.sort_by_key(|diagnostic| diagnostic.place);
        wrong.or(Self {
            name: file.subject,
            further_ports: file.ports,
            reuse: file.reuse,
            reset: file.reset.and_then(|reset| reset.value.lower()),
            isolation: file.launcher,
            build: file.build.map(|build| Build {
                argv: build.argv,
                env: build.env,
                timeout: build.timeout.map_or(BUILD_TIMEOUT, |timeout| timeout.0),
            }),
            start: file.start.map(|start| Start { argv: start.argv, env: start.env }),
            ready,
            twins: file.twins,
            scenarios: file.scenarios.unwrap_or_else(|| vec!["scenarios".to_owned()]),
            env_allow: file.env_allow,
            origins: file.origins.iter().filter_map(|text| origin(text).ok()).collect(),
            prices: file.prices,
            source,
        })
    }

    /// A subject that already runs somewhere: nothing is built or started, and no twin can be given to it.
    pub fn already_running(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            build: None,
            start: Some(Start { argv: Vec::new(), env: Entries::default() }),
            ready: ReadyCheck { sign: ReadySign::Tcp, within: ELSEWHERE_WITHIN },
            further_ports: Vec::new(),
            reuse: false,
            reset: None,
            isolation: Isolation::Process,
            twins: Entries::default(),
            scenarios: vec!["scenarios".to_owned()],
            env_allow: Vec::new(),
            origins: Vec::new(),
            prices: Prices::default(),
            source: Source::new(name, ""),
        }
    }

    /// The same subject where it runs already: nothing is built or started, and no twin can be given to it.
    #[must_use]
    pub fn elsewhere(self, name: &str) -> Self {
        let ready = ReadyCheck { within: self.ready.within.min(ELSEWHERE_WITHIN), ..self.ready };
        let is_seen = matches!(ready.sign, ReadySign::Http(_) | ReadySign::Tcp);
        let other = Self::already_running(name);
        let ready = if is_seen { ready } else { other.ready };
        Self { name: self.name, ready, reset: self.reset, scenarios: self.scenarios, source: self.source, ..other }
    }

    /// Whether all trials meet the same running subject, which is reset before each: then they cannot overlap.
    pub(crate) fn is_one_for_all(&self) -> bool {
        self.reset.is_some() && self.is_elsewhere()
    }

    /// Whether somebody else started it.
    pub(crate) fn is_elsewhere(&self) -> bool {
        self.start.as_ref().is_some_and(|start| start.argv.is_empty())
    }

    /// Whether it goes on running when a trial ends well.
    pub(crate) fn goes_on(&self) -> bool {
        self.reuse || self.is_elsewhere()
    }

    /// What starts it, as its `launcher:` says. `processes` are for what needs no isolation; `harness` is the binary of
    /// that name, which a sandbox runs inside itself ([`super::inside_sandbox`]).
    ///
    /// # Errors
    /// Where this machine lacks what that needs.
    pub fn launcher(&self, processes: ProcessLauncher, harness: PathBuf) -> Result<Box<dyn Launcher>, LaunchError> {
        match &self.isolation {
            Isolation::Process => Ok(Box::new(processes)),
            Isolation::Sandbox(options) => Ok(Box::new(SandboxLauncher::new(options, processes.into_env(), harness)?)),
            Isolation::Container(options) => {
                let env = processes.into_env();
                let socket = env.get("DOCKER_HOST").map_or(SOCKET_DEFAULT, String::as_str).to_owned();
                Ok(Box::new(ContainerLauncher::new(&socket, options.clone(), env)?))
            }
        }
    }

    /// The same subject, to be played by a control: nothing is built and nothing is waited for.
    pub(crate) fn without_build_and_ready(&self) -> Self {
        let ready = ReadyCheck { sign: ReadySign::Nothing, within: Duration::ZERO };
        Self { build: None, ready, reuse: false, reset: None, ..self.clone() }
    }

    /// Lets requests go to one more origin: `https://pay.example`.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn allow_origin(&mut self, text: &str) -> Result<(), String> {
        self.origins.push(origin(text)?);
        Ok(())
    }

    /// The twins that every trial is given.
    pub fn twin_names(&self) -> BTreeSet<&str> {
        self.twins.iter().map(|(name, _)| name.as_str()).collect()
    }
}

impl ReadyCheck {
    fn tcp() -> Self {
        Self { sign: ReadySign::Tcp, within: READY_WITHIN }
    }
}

/// The file as it is written.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "harness.yaml")]
struct File {
    /// The subject's name, for reports.
    subject: String,
    /// A command that is run once per tree, before any trial.
    #[serde(default)]
    build: Option<BuildFile>,
    /// The command that serves. Left out for a subject of `exec` steps only.
    #[serde(default)]
    start: Option<StartFile>,
    /// Default: the port takes connections within 10 s.
    #[serde(default)]
    ready: Option<Placed<ReadyFile>>,
    /// Names of further ports, for what it serves besides: `{{ ports.NAME }}`.
    #[serde(default)]
    ports: Vec<Text>,
    /// Start it once and let it run from one trial to the next, as long as trials are satisfied. It is a fresh one for
    /// each trial otherwise. Default false.
    #[serde(default)]
    reuse: bool,
    /// Between the trials of a subject that goes on running (`reuse`, or `--target URL`).
    #[serde(default)]
    reset: Option<Placed<ResetFile>>,
    /// What keeps it apart from this machine: `process` (nothing but a process group), `sandbox` (namespaces), or
    /// `{container: {image: …}}`. Default `process`.
    #[serde(default)]
    launcher: Isolation,
    /// Twin name → its configuration.
    #[serde(default)]
    twins: Entries<Node>,
    /// Folders or files of scenarios. Default: `scenarios`.
    #[serde(default)]
    scenarios: Option<Vec<String>>,
    /// Names of the host's environment that are passed through.
    #[serde(default)]
    env_allow: Vec<String>,
    /// Beside the subject, what `http` steps may address and be redirected to: `https://pay.example`. Default: nothing.
    #[serde(default)]
    origins: Vec<Text>,
    /// Language models by name, in US dollars per million tokens, for `budget` steps; `*` is for every other.
    #[serde(default)]
    prices: Prices,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct BuildFile {
    argv: Vec<String>,
    /// Besides PATH, HOME, LANG and what `env_allow` names.
    #[serde(default)]
    env: BTreeMap<String, String>,
    /// Default 5m, at most 1h.
    #[serde(default)]
    timeout: Option<Placed<Period>>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct StartFile {
    argv: Vec<Text>,
    /// May use `{{ host }}`, `{{ port }}`, `{{ ports.NAME }}`, `{{ data_dir }}`, `{{ twins.NAME.url }}`, `{{ uid }}` and `{{ trial }}`.
    #[serde(default)]
    env: Entries<Text>,
}

/// `{http: /reset}` or `{argv: [./reset.sh]}`
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ResetFile {
    /// A path; `POST` to it must be answered 2xx within 30 s.
    #[serde(default)]
    http: Option<Text>,
    /// A command; it must end with 0 within 30 s.
    #[serde(default)]
    argv: Option<Vec<Text>>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ReadyFile {
    #[serde(default)]
    http: Option<String>,
    #[serde(default)]
    tcp: Option<bool>,
    /// A regular expression that matches somewhere in the log.
    #[serde(default)]
    log: Option<Text>,
    /// A command in the subject's tree that ends with 0.
    #[serde(default)]
    argv: Option<Vec<String>>,
    /// Default 10s, at most 5m.
    #[serde(default)]
    within: Option<Placed<Period>>,
}

/// The scheme, host and port of a URL that has nothing else.
fn origin(text: &str) -> Result<String, String> {
    let refused =
        || format!("`{text}` is no origin; write a scheme, a host and, if need be, a port: https://pay.example");
    let url: url::Url = text.parse().map_err(|_| refused())?;
    let is_bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    if is_bare && ["http", "https"].contains(&url.scheme()) {
        Ok(url.origin().ascii_serialization())
    } else {
        Err(refused())
    }
}

impl File {
    fn check(&self, source: &Source, wrong: &mut Diagnostics) {
        let origins = self.origins.iter().filter_map(|text| origin(text).err().map(|message| (text.place, message)));
        wrong.extend(origins.map(|(place, message)| source.diagnostic(place, message)));
        let names = ["host", "port", "ports", "data_dir", "twins", "uid", "trial"];
        let known: BTreeSet<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut found = Vec::new();
        if let Some(start) = &self.start {
            let texts = start.argv.iter().chain(start.env.iter().map(|(_, value)| value));
            found.extend(texts.filter_map(|text| check_text(text, text.place, &known).err()));
        }
        self.check_going_on(source, wrong);
        for (name, config) in self.twins.iter() {
            check_node(config, &known, &mut found);
            let written = config.written();
            if !written.to_string().contains("{{")
                && let Err(message) = check_config(name, written)
            {
                wrong.push(source.diagnostic(name.place, message));
            }
        }
        let hint = format!("here are {}", names.join(", "));
        wrong.extend(found.into_iter().map(|error| source.diagnostic(error.place, error.message).hint(&hint)));
        let timeout = self.build.as_ref().and_then(|build| build.timeout.as_ref());
        check_period(timeout, BUILD_TIMEOUT_MAX, source, wrong);
    }
}

impl File {
    /// Ports, and what concerns subjects that go on running.
    fn check_going_on(&self, source: &Source, wrong: &mut Diagnostics) {
        let mut seen = BTreeSet::new();
        for name in &self.ports {
            let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic())
                && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            if !is_name || !seen.insert(name.as_str()) {
                let message = format!("`{}` cannot name a port here", name.value);
                wrong.push(source.diagnostic(name.place, message).hint("use letters, digits and _, each name once"));
            }
        }
        if let Some(reset) = self.reset.as_ref().filter(|reset| reset.http.is_some() == reset.argv.is_some()) {
            let message = "give exactly one of `http: /path` and `argv: [command]`";
            wrong.push(source.diagnostic(reset.place, message));
        }
        if let Some(start) = self.start.as_ref().filter(|start| start.argv.is_empty()) {
            let place = start.env.iter().next().map_or(located::Place::START, |(name, _)| name.place);
            wrong.push(source.diagnostic(place, "the command of `start` is empty").hint("name a program in `argv`"));
        }
    }
}

impl ResetFile {
    fn lower(self) -> Option<Reset> {
        self.http.map(Reset::Http).or_else(|| self.argv.map(Reset::Command))
    }
}

impl Placed<ReadyFile> {
    fn lower(&self, source: &Source, wrong: &mut Diagnostics) -> ReadyCheck {
        check_period(self.within.as_ref(), READY_WITHIN_MAX, source, wrong);
        let within = self.within.as_ref().map_or(READY_WITHIN, |within| within.0);
        let sign = match (&self.http, self.tcp, &self.log, &self.argv) {
            (Some(path), None, None, None) => ReadySign::Http(path.clone()),
            (None, Some(true), None, None) => ReadySign::Tcp,
            (None, None, None, Some(argv)) => ReadySign::Command(argv.clone()),
            (None, None, Some(pattern), None) => match compile_regex(pattern) {
                Ok(regex) => ReadySign::Log(regex),
                Err(message) => {
                    wrong.push(source.diagnostic(pattern.place, message));
                    ReadySign::Tcp
                }
            },
            _ => {
                let message = "give exactly one of `http: /path`, `tcp: true`, `log: regex` and `argv: [command]`";
                wrong.push(source.diagnostic(self.place, message));
                ReadySign::Tcp
            }
        };
        ReadyCheck { sign, within }
    }
}

fn check_period(period: Option<&Placed<Period>>, most: Duration, source: &Source, wrong: &mut Diagnostics) {
    if let Some(period) = period.filter(|period| period.0 > most) {
        wrong.push(source.diagnostic(period.place, format!("at most {} is allowed here", Period(most))));
    }
}

pub(crate) fn schema() -> schemars::Schema {
    schemars::schema_for!(File)
}

#[cfg(test)]
mod tests {
    use located::Source;

    use super::{Isolation, ReadySign, SubjectConfig};

    fn read(yaml: &str) -> Result<SubjectConfig, String> {
        SubjectConfig::read(Source::new("harness.yaml", yaml)).map_err(|error| error.to_string())
    }

    #[test]
    fn a_whole_file_is_read() {
        let config = read(
            "subject: shop\nbuild: { argv: [make], timeout: 2m }\nstart: { argv: [python3, app.py], env: { PORT: \"{{ port }}\" } }\n\
             ready: { http: /health, within: 5s }\ntwins: { stripe: { account: { secret_key: k } } }\nenv_allow: [JAVA_HOME]\n",
        )
        .unwrap();
        assert!(matches!(config.ready.sign, ReadySign::Http(path) if path == "/health"));
        assert_eq!(config.scenarios, ["scenarios"]);
        assert_eq!(config.twins.0.len(), 1);
    }

    #[test]
    fn all_that_is_wrong_is_said_at_once() {
        let error = read(
            "subject: shop\nbuild: { argv: [make], timeout: 2h }\nstart: { argv: [\"{{ prot }}\"] }\nready: { log: \"[\", within: 10m }\n",
        )
        .unwrap_err();
        insta::assert_snapshot!(error, @r#"
        harness.yaml:2:33: at most 60m is allowed here
           |
         2 | build: { argv: [make], timeout: 2h }
           |                                 ^^

        harness.yaml:3:17: nothing defines `prot` before this place
           |
         3 | start: { argv: ["{{ prot }}"] }
           |                 ^^^^^^^^^^^^
          hint: here are host, port, ports, data_dir, twins, uid, trial

        harness.yaml:4:15: `[` is no regular expression: regex parse error:
            [
            ^
        error: unclosed character class
           |
         4 | ready: { log: "[", within: 10m }
           |               ^^^

        harness.yaml:4:28: at most 5m is allowed here
           |
         4 | ready: { log: "[", within: 10m }
           |                            ^^^
        "#);
    }

    #[test]
    fn a_launcher_is_a_name_or_a_name_with_options() {
        let launcher = |yaml: &str| read(&format!("subject: a\nlauncher: {yaml}\n")).map(|config| config.isolation);
        assert!(matches!(launcher("process"), Ok(Isolation::Process)));
        assert!(matches!(launcher("sandbox"), Ok(Isolation::Sandbox(options)) if options.read.is_empty()));
        assert!(
            matches!(launcher("{ sandbox: { read: [/opt] } }"), Ok(Isolation::Sandbox(options)) if options.read.len() == 1)
        );
        assert!(matches!(launcher("{ container: { image: a } }"), Ok(Isolation::Container(_))));
        for (yaml, words) in [
            ("container", "a container needs an image"),
            ("jail", "unknown variant `jail`"),
            ("{ jail: {} }", "unknown variant `jail`"),
            ("{ sandbox: { read: [opt] } }", "`opt` is no absolute path; begin with /"),
            ("{ sandbox: { write: [/opt] } }", "unknown field `write`"),
            ("{ sandbox: {}, container: { image: a } }", "a subject has one launcher"),
        ] {
            let error = launcher(yaml).unwrap_err();
            assert!(error.contains(words) && error.contains("harness.yaml:2:"), "{error}");
        }
    }

    #[test]
    fn a_ready_check_has_one_sign() {
        assert!(read("subject: a\nready: { http: /, tcp: true }\n").unwrap_err().contains("exactly one of"));
        assert!(read("subject: a\nready: { within: 1s }\n").unwrap_err().contains("harness.yaml:2:8"));
    }
}
