//! Subjects and shortcuts of the tests.

use std::{
    net::Ipv4Addr,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use axum::Router;
use harness::{
    ExecOutput, ExecRequest, Kind, LaunchError, LaunchRequest, Launcher, Leaks, Observer, ObserverError, Plan,
    ProcessLauncher, Report, Running, Signal, SubjectConfig, Suite, TrialRecord, run,
};
use located::{Diagnostics, Source};
use tokio::task::JoinHandle;

/// Far beyond what any test needs; a hang fails instead of blocking the suite.
const NO_HANG: Duration = Duration::from_secs(60);

pub(crate) fn tls() {
    rustls::crypto::ring::default_provider().install_default().ok();
}

/// A scenario with a header and the given steps.
pub(crate) fn scenario(slug: &str, rest: &str) -> Source {
    Source::new(format!("{slug}.yaml"), format!("scenario: {slug}\ntitle: {slug}\n{rest}"))
}

pub(crate) fn suite(sources: Vec<Source>) -> Suite {
    Suite::from_sources(sources, Kind::Visible).unwrap_or_else(|error| panic!("{error}"))
}

pub(crate) fn refused(rest: &str) -> String {
    refusal(vec![scenario("a", rest)]).to_string()
}

pub(crate) fn refusal(sources: Vec<Source>) -> Diagnostics {
    Suite::from_sources(sources, Kind::Visible).expect_err("the files are wrong")
}

/// A subject whose server runs in this process.
pub(crate) fn in_process() -> SubjectConfig {
    config("subject: kit\nstart: { argv: [kit] }\nready: { tcp: true, within: 5s }\n")
}

pub(crate) fn config(yaml: &str) -> SubjectConfig {
    SubjectConfig::read(Source::new("harness.yaml", yaml)).unwrap_or_else(|error| panic!("{error}"))
}

/// The Python subject; `more` is appended to its `env`.
pub(crate) fn python(mode: &str) -> SubjectConfig {
    python_ready(mode, "{ http: /health, within: 20s }")
}

pub(crate) fn python_ready(mode: &str, ready: &str) -> SubjectConfig {
    config(&format!(
        "subject: notes\nstart: {{ argv: [python3, notes.py], env: {{ PORT: \"{{{{ port }}}}\", DATA_DIR: \"{{{{ data_dir }}}}\", MODE: {mode:?} }} }}\nready: {ready}\n"
    ))
}

pub(crate) fn subjects() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/subjects")
}

pub(crate) fn processes() -> ProcessLauncher {
    ProcessLauncher::new(std::env::vars())
}

pub(crate) fn plan(suite: Suite, subject: SubjectConfig) -> Plan {
    Plan { seed: 7, jobs: 2, ..Plan::new(suite, subject, subjects()) }
}

/// A report with the records that it was made from, in the order of the suite.
pub(crate) struct Ran {
    pub(crate) report: Report,
    pub(crate) records: Vec<TrialRecord>,
}

impl std::ops::Deref for Ran {
    type Target = Report;

    fn deref(&self) -> &Report {
        &self.report
    }
}

/// Runs a plan without judges.
pub(crate) async fn report(plan: Plan, launcher: &dyn Launcher) -> Ran {
    report_judged(plan, launcher, None).await
}

pub(crate) async fn report_judged(plan: Plan, launcher: &dyn Launcher, ask: Option<Arc<dyn judges::Ask>>) -> Ran {
    tls();
    let noted = Noted::default();
    let running = run(plan, launcher, ask, &noted);
    let ended = tokio::time::timeout(NO_HANG, running).await.expect("the run hangs");
    let report = ended.unwrap_or_else(|error| panic!("{error}"));
    let mut records = noted.records.into_inner().unwrap();
    let position = |slug: &str| report.scenarios.iter().position(|scenario| scenario.scenario == slug);
    records.sort_by_key(|record| (position(&record.scenario), record.trial));
    Ran { report, records }
}

/// One trial of one scenario against a router.
pub(crate) async fn trial(app: Router, rest: &str) -> TrialRecord {
    let plan = plan(suite(vec![scenario("a", rest)]), in_process());
    report(plan, &InProcess(app)).await.records.remove(0)
}

/// The message of a trial that failed.
pub(crate) async fn failure(app: Router, rest: &str) -> String {
    let record = trial(app, rest).await;
    assert_eq!(record.verdict, harness::Verdict::Unsatisfied, "{record:?}");
    record.failure.unwrap().message
}

/// One trial of one scenario against the Python subject.
pub(crate) async fn python_trial(subject: SubjectConfig, rest: &str) -> TrialRecord {
    report(plan(suite(vec![scenario("a", rest)]), subject), &processes()).await.records.remove(0)
}

/// Serves a router at the port that the harness asks for.
pub(crate) struct InProcess(pub(crate) Router);

struct Serving {
    port: u16,
    task: Option<JoinHandle<()>>,
}

#[async_trait]
impl Launcher for InProcess {
    async fn launch(&self, request: LaunchRequest) -> Result<Box<dyn Running>, LaunchError> {
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, request.port)).await.unwrap();
        let app = self.0.clone();
        let task = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Ok(Box::new(Serving { port: request.port, task: Some(task) }))
    }

    async fn exec(&self, request: ExecRequest) -> Result<ExecOutput, LaunchError> {
        processes().exec(request).await
    }
}

#[async_trait]
impl Running for Serving {
    fn base_url(&self) -> reqwest::Url {
        format!("http://127.0.0.1:{}", self.port).parse().unwrap()
    }

    async fn stop(&mut self, _: Signal) -> Result<(), LaunchError> {
        if let Some(task) = self.task.take() {
            task.abort();
            task.await.ok();
        }
        Ok(())
    }

    fn try_exit(&mut self) -> Option<String> {
        None
    }

    async fn close(mut self: Box<Self>) -> Leaks {
        self.stop(Signal::Kill).await.unwrap();
        Leaks::default()
    }
}

/// Keeps what it is told; refuses to keep the n-th record.
#[derive(Default)]
pub(crate) struct Noted {
    pub(crate) lines: Arc<Mutex<Vec<String>>>,
    pub(crate) records: Mutex<Vec<TrialRecord>>,
    pub(crate) refuse: Option<usize>,
}

#[async_trait]
impl Observer for Noted {
    async fn trial_started(&self, trial: &harness::TrialId) {
        self.lines.lock().unwrap().push(format!("started {} {}", trial.scenario, trial.trial));
    }

    async fn step_finished(&self, trial: &harness::TrialId, step: &harness::StepRecord) {
        self.lines.lock().unwrap().push(format!("step {} {}", trial.scenario, step.name));
    }

    async fn trial_finished(&self, record: &TrialRecord) -> Result<(), ObserverError> {
        self.records.lock().unwrap().push(record.clone());
        let mut lines = self.lines.lock().unwrap();
        lines.push(format!("finished {} {}", record.scenario, record.trial));
        let finished = lines.iter().filter(|line| line.starts_with("finished")).count();
        if self.refuse == Some(finished) { Err("the disk is full".into()) } else { Ok(()) }
    }
}
