//! `harness.yaml` as it is written, what can be wrong with it, and its way into the checked form.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use located::{Diagnostics, Place, Source};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Build, ReadyCheck, ReadySign, Reset, SCENARIOS_DEFAULT, Start, SubjectConfig};
use crate::{
    expect::compile_regex,
    step::Prices,
    subject::{Isolation, twins},
    text::{Entries, Node, Period, Placed, Text, check_node, check_text},
};

const READY_WITHIN: Duration = Duration::from_secs(10);
const READY_WITHIN_MAX: Duration = Duration::from_mins(5);
const BUILD_TIMEOUT: Duration = Duration::from_mins(5);
const BUILD_TIMEOUT_MAX: Duration = Duration::from_hours(1);

/// The file as it is written.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "harness.yaml")]
pub(super) struct File {
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
    /// The name of a twin, or the path of a definition → its configuration.
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
    /// The port takes connections: the default.
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

impl File {
    /// The checked form. What is wrong is added to `wrong`, and stands for something harmless in the result.
    pub(super) fn lower(self, source: Source, wrong: &mut Diagnostics) -> SubjectConfig {
        self.check(&source, wrong);
        let ready = self.ready.as_ref().map_or_else(ReadyCheck::tcp, |ready| ready.lower(&source, wrong));
        let twins = twins::read(self.twins, &source, wrong);
        SubjectConfig {
            name: self.subject,
            further_ports: self.ports,
            reuse: self.reuse,
            reset: self.reset.and_then(|reset| reset.value.lower()),
            isolation: self.launcher,
            build: self.build.map(|build| Build {
                argv: build.argv,
                env: build.env,
                timeout: build.timeout.map_or(BUILD_TIMEOUT, |timeout| timeout.0),
            }),
            start: self.start.map(|start| Start { argv: start.argv, env: start.env }),
            ready,
            twins,
            scenarios: self.scenarios.unwrap_or_else(|| vec![SCENARIOS_DEFAULT.to_owned()]),
            env_allow: self.env_allow,
            origins: self.origins.iter().filter_map(|text| origin(text).ok()).collect(),
            prices: self.prices,
            source,
        }
    }

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
        self.twins.iter().for_each(|(_, config)| check_node(config, &known, &mut found));
        let hint = format!("here are {}", names.join(", "));
        wrong.extend(found.into_iter().map(|error| source.diagnostic(error.place, error.message).hint(&hint)));
        let timeout = self.build.as_ref().and_then(|build| build.timeout.as_ref());
        check_period(timeout, BUILD_TIMEOUT_MAX, source, wrong);
    }

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
            let place = start.env.iter().next().map_or(Place::START, |(name, _)| name.place);
            wrong.push(source.diagnostic(place, "the command of `start` is empty").hint("name a program in `argv`"));
        }
    }
}

impl ReadyCheck {
    fn tcp() -> Self {
        Self { sign: ReadySign::Tcp, within: READY_WITHIN }
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
            (None, None | Some(true), None, None) => ReadySign::Tcp,
            (None, None, None, Some(argv)) => ReadySign::Command(argv.clone()),
            (None, None, Some(pattern), None) => match compile_regex(pattern) {
                Ok(regex) => ReadySign::Log(regex),
                Err(message) => {
                    wrong.push(source.diagnostic(pattern.place, message));
                    ReadySign::Tcp
                }
            },
            _ => {
                let message = "give at most one of `http: /path`, `tcp: true`, `log: regex` and `argv: [command]`";
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

/// The scheme, host and port of a URL that has nothing else.
pub(super) fn origin(text: &str) -> Result<String, String> {
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

pub(crate) fn schema() -> schemars::Schema {
    schemars::schema_for!(File)
}
