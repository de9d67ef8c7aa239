//! Where the steps of one trial act: its values, its subject, its twins, its judges.

use std::{path::PathBuf, time::Duration};

use reqwest::Url;

use crate::{
    arrange::World,
    expect::Mismatch,
    step::{
        Halt, Prices, Session,
        http::{Clients, CookieJar},
        secrets::Secrets,
    },
    subject::{LaunchError, LaunchRequest, Launcher, Leaks, ReadyCheck, Running, Signal, tail, wait_ready},
    text::Scope,
};

/// To start something, not until it is ready: longer than any engine of containers thinks about a request.
const LAUNCH_WITHIN: Duration = Duration::from_secs(180);

/// The state of one trial while its steps run.
pub(crate) struct Stage<'a> {
    pub(crate) scope: Scope,
    pub(crate) cookies: CookieJar,
    /// Captured values that no record may hold.
    pub(crate) secrets: Secrets,
    pub(crate) subject: SubjectSlot<'a>,
    pub(crate) world: &'a World,
    pub(crate) actor: Actor<'a>,
    pub(crate) room: &'a Room,
    pub(crate) session: Session,
    /// Of harness.yaml.
    pub(crate) prices: &'a Prices,
    /// Names the trial in prompts and records.
    pub(crate) scenario: &'a str,
    /// Beside the subject, what requests may go to: `http://127.0.0.1:9000`.
    pub(crate) allowed_origins: &'a [String],
}

/// Where the requests of a trial may go.
#[derive(Clone)]
pub(crate) struct Origins<'a> {
    subject: Option<url::Origin>,
    listed: &'a [String],
}

impl Origins<'_> {
    pub(crate) fn allow(&self, url: &Url) -> bool {
        let origin = url.origin();
        self.subject.as_ref() == Some(&origin) || self.listed.contains(&origin.ascii_serialization())
    }
}

impl<'a> Stage<'a> {
    /// Loopback ports that a command of the scenario may reach: the twins' and the subject's.
    pub(crate) fn ports(&self) -> Vec<u16> {
        let subject = self.subject.base_url().and_then(loopback_port);
        self.world.ports().into_iter().chain(subject).collect()
    }

    /// What templates made of secrets is secret.
    pub(crate) fn learn_made(&mut self) {
        self.scope.take_made().iter().for_each(|made| self.secrets.learn(made));
    }

    pub(crate) fn origins(&self) -> Origins<'a> {
        Origins { subject: self.subject.base_url().map(Url::origin), listed: self.allowed_origins }
    }
}

/// The port of a URL of this machine.
fn loopback_port(url: &Url) -> Option<u16> {
    (url.host_str() == Some("127.0.0.1")).then(|| url.port()).flatten()
}

/// The folders of one trial.
#[derive(Debug)]
pub(crate) struct Room {
    /// The subject's tree.
    pub(crate) root: PathBuf,
    pub(crate) data_dir: PathBuf,
    pub(crate) log: PathBuf,
    pub(crate) env_allow: Vec<String>,
}

/// What every trial of a run shares.
#[derive(Clone, Copy)]
pub(crate) struct Actor<'a> {
    pub(crate) patience: Patience,
    /// For plain requests to a subject.
    pub(crate) http: &'a reqwest::Client,
    pub(crate) clients: &'a Clients,
    pub(crate) launcher: &'a dyn Launcher,
    pub(crate) ask: Option<&'a dyn judges::Ask>,
}

/// Whether time may make something better.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Patience {
    #[default]
    Real,
    /// The subject is a control: it will never do what it does not do at once.
    None,
}

impl Patience {
    pub(crate) fn grant(self, wished: Duration) -> Duration {
        match self {
            Self::Real => wished,
            Self::None => Duration::ZERO,
        }
    }
}

/// The subject of a trial, which a story may stop and start.
pub(crate) struct SubjectSlot<'a> {
    actor: Actor<'a>,
    ready: &'a ReadyCheck,
    subject: Subject,
}

/// A subject, running or not, between those who use it.
#[derive(Default)]
pub(crate) struct Subject {
    /// `None` where it is only commands.
    pub(crate) request: Option<LaunchRequest>,
    running: Option<Box<dyn Running>>,
    base_url: Option<Url>,
    leaks: Leaks,
}

impl Subject {
    pub(crate) fn new(request: Option<LaunchRequest>) -> Self {
        Self { request, ..Self::default() }
    }

    pub(crate) fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// How it ended, if it ended by itself.
    pub(crate) fn exit(&mut self) -> Option<String> {
        self.running.as_mut().and_then(|running| running.try_exit())
    }

    /// Kills what is left; the base URL stays known.
    pub(crate) async fn close(&mut self) {
        if let Some(running) = self.running.take() {
            self.leaks.processes.extend(running.close().await.processes);
        }
    }

    pub(crate) fn take_leaks(&mut self) -> Leaks {
        std::mem::take(&mut self.leaks)
    }
}

impl<'a> SubjectSlot<'a> {
    pub(crate) fn new(actor: Actor<'a>, ready: &'a ReadyCheck, subject: Subject) -> Self {
        Self { actor, ready, subject }
    }

    pub(crate) fn into_subject(self) -> Subject {
        self.subject
    }

    /// Where it listens or, while it is stopped, listened.
    pub(crate) fn base_url(&self) -> Option<&Url> {
        self.subject.base_url.as_ref()
    }

    pub(crate) fn is_running(&self) -> bool {
        self.subject.is_running()
    }

    /// How it ended, if it ended by itself.
    pub(crate) fn exit(&mut self) -> Option<String> {
        self.subject.exit()
    }

    /// What a command of the scenario left behind.
    pub(crate) fn note_leaks(&mut self, leaks: Leaks) {
        self.subject.leaks.processes.extend(leaks.processes);
    }

    /// Launches it without waiting. What ran before is closed first.
    pub(crate) async fn launch(&mut self) -> Result<(), Halt> {
        let Some(request) = self.subject.request.clone() else { return Ok(()) };
        self.subject.close().await;
        let launched = tokio::time::timeout(LAUNCH_WITHIN, self.actor.launcher.launch(request)).await;
        let late =
            |_| Halt::Infra(format!("nothing was started within {LAUNCH_WITHIN:?}; is the disk or the engine stuck?"));
        let running = launched.map_err(late)?.map_err(halt)?;
        self.subject.base_url = Some(running.base_url());
        self.subject.running = Some(running);
        Ok(())
    }

    pub(crate) async fn wait_ready(&mut self) -> Result<(), Halt> {
        let Subject { running: Some(running), request: Some(request), .. } = &mut self.subject else { return Ok(()) };
        let log = request.log.clone();
        let (http, launcher) = (self.actor.http, self.actor.launcher);
        let Err(not_ready) = wait_ready(running.as_mut(), self.ready, request, http, launcher).await else {
            return Ok(());
        };
        // Closed first, so that the last words are in the log.
        self.subject.close().await;
        let observed = match tail(&log).trim() {
            "" => not_ready.observed,
            words => format!("{}; the end of its log:\n{words}", not_ready.observed),
        };
        Err(Halt::Failed(Mismatch::new("subject", not_ready.expected, observed)))
    }

    pub(crate) async fn stop(&mut self, how: Signal) -> Result<(), Halt> {
        if let Some(running) = &mut self.subject.running {
            running.stop(how).await.map_err(halt)?;
        }
        self.subject.close().await;
        Ok(())
    }
}

fn halt(error: LaunchError) -> Halt {
    if error.is_infra() {
        Halt::Infra(error.to_string())
    } else {
        Halt::Failed(Mismatch::new("subject", "to start", error.to_string()))
    }
}
