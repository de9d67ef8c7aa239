//! `harness.yaml`: what the subject is and how it is started. Here is what is known of it once it is read; `file` has
//! what people write, and what can be wrong with it.

mod file;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    time::Duration,
};

use located::{Diagnostics, Place, Source};

pub(crate) use file::schema;

use self::file::{File, origin};
use super::{
    Isolation, LaunchError, Launcher, ProcessLauncher,
    container::{ContainerLauncher, SOCKET_DEFAULT},
    sandbox::SandboxLauncher,
    twins::GivenTwin,
};
use crate::{
    step::Prices,
    text::{Entries, Text},
};

const FILE: &str = "harness.yaml";
const SCENARIOS_DEFAULT: &str = "scenarios";
const WAYS_IN: &str = "it says how the subject is started: `harness init` writes one, `--subject DIR` names another \
    tree, and `harness run --target URL` needs none";
const ELSEWHERE_WITHIN: Duration = Duration::from_secs(2); // what runs already needs no time to start

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
    pub(crate) twins: Vec<GivenTwin>,
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
        if !root.is_dir() {
            let what =
                if root.exists() { "this is a file, where a folder is needed" } else { "there is no such folder" };
            let hint = "`--subject` names the subject's tree, with harness.yaml at its root";
            return Err(Source::new(root.display().to_string(), "").diagnostic(Place::START, what).hint(hint).into());
        }
        Self::read(Source::read(&root.join(FILE)).map_err(|error| error.hint(WAYS_IN))?)
    }

    pub fn read(source: Source) -> Result<Self, Diagnostics> {
        let file: File = located::yaml(&source)?;
        let mut wrong = Diagnostics::default();
        let config = file.lower(source, &mut wrong);
        wrong.0.sort_by_key(|diagnostic| diagnostic.place);
        wrong.or(config)
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
            twins: Vec::new(),
            scenarios: vec![SCENARIOS_DEFAULT.to_owned()],
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
        let Self { start, build, twins, isolation, further_ports, reuse, .. } = other;
        Self { start, build, twins, isolation, further_ports, reuse, ready, ..self }
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
        self.twins.iter().map(|given| given.twin.name()).collect()
    }

    /// The definitions of twins in its tree, relative to its root.
    pub fn definitions(&self) -> impl Iterator<Item = &Path> {
        self.twins.iter().filter_map(|given| given.definition.as_deref())
    }
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
        assert_eq!(config.twins.len(), 1);
    }

    #[test]
    fn a_subject_that_runs_elsewhere_keeps_what_steps_go_by() {
        let yaml = "subject: shop\nbuild: { argv: [make] }\nstart: { argv: [app] }\nreuse: true\ntwins: { stripe: {} }\n\
                    env_allow: [A]\norigins: [\"http://127.0.0.1:9000\"]\nprices: { m: { input_usd: 1, output_usd: 2 } }\n";
        let config = read(yaml).unwrap().elsewhere("http://127.0.0.1:1");
        assert_eq!((config.origins.len(), config.prices.iter().count(), config.env_allow.len()), (1, 1, 1));
        assert!(config.is_elsewhere() && config.build.is_none() && config.twins.is_empty() && !config.reuse);
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
        assert!(read("subject: a\nready: { http: /, tcp: true }\n").unwrap_err().contains("at most one of"));
        assert!(read("subject: a\nready: { tcp: false }\n").unwrap_err().contains("harness.yaml:2:8"));
        let ready = read("subject: a\nready: { within: 1s }\n").unwrap().ready;
        assert!(matches!(ready.sign, ReadySign::Tcp) && ready.within.as_secs() == 1, "its port is its sign by default");
    }
}
