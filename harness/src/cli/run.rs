//! `harness run`.

use std::{
    collections::BTreeSet,
    io::{self, Write as _},
    num::NonZero,
    path::{Path, PathBuf},
};

use clap::Args;
use harness::{
    Gate, Launcher, Plan, ProcessLauncher, Report, SubjectConfig, Suite, UrlLauncher,
    journal::{KEEP_DEFAULT, RunId, RunLog, StoredRun},
    report::{Gallery, JsonLines, junit, terminal},
};
use reqwest::Url;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{
    Failed, STORE_DEFAULT, Selection, StoreArgs,
    asked::Asked,
    changed::changed_after,
    given::{Given, GivenArgs},
    progress::Followers,
    report::{Output, paint},
    runtime, say,
    select::{Choice, Chosen},
    server,
    watch::{self, Changes, Known},
};

const TRIALS_MAX: u32 = 100_000;
const JOBS_MAX: u16 = 256; // more subjects than that do not start any faster
const INTERRUPTED: u8 = 130; // 128 + SIGINT, as shells expect

/// Each of these would make a resumed run another one.
const NOT_WITH_RESUME: [&str; 15] = [
    "paths",
    "subject",
    "holdout",
    "target",
    "filter",
    "tags",
    "last_failed",
    "shard",
    "trials",
    "seed",
    "confidence",
    "target_satisfaction",
    "allow_invalid",
    "stop_early",
    "fail_fast",
];

#[derive(Args, Debug)]
pub(super) struct RunArgs {
    #[command(flatten)]
    pub(super) selection: Selection,
    #[command(flatten)]
    choice: Choice,
    /// Test what already runs here, instead of starting the subject
    #[arg(long, value_name = "URL", value_parser = server)]
    pub(super) target: Option<Url>,
    /// Let requests and redirects go to this origin too, besides the subject; may be repeated
    #[arg(long, value_name = "URL")]
    pub(super) allow_origin: Vec<String>,
    #[command(flatten)]
    given: GivenArgs,
    /// Trials of each scenario
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=i64::from(TRIALS_MAX)))]
    trials: u32,
    /// Trials that run at once [default: the number of cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=i64::from(JOBS_MAX)))]
    jobs: Option<u16>,
    /// Gives the same random values again [default: drawn, and printed]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Of intervals and bounds
    #[arg(long, value_name = "P", default_value_t = 0.95, value_parser = share)]
    confidence: f64,
    /// Satisfied when the lower bound of satisfaction reaches this, instead of when every trial passes
    #[arg(long, value_name = "P", value_parser = share)]
    target_satisfaction: Option<f64>,
    /// Share of each scenario's trials that may be invalid; with more, nothing is concluded [default: none]
    #[arg(long, value_name = "P", value_parser = share)]
    allow_invalid: Option<f64>,
    /// End the run when it cannot be satisfied any more
    #[arg(long)]
    pub(super) stop_early: bool,
    /// End the run at the first trial that is not satisfied
    #[arg(long, conflicts_with = "stop_early")]
    pub(super) fail_fast: bool,
    /// Go on where a stored run was interrupted
    #[arg(long, value_name = "RUN", num_args = 0..=1, default_missing_value = "latest", conflicts_with_all = NOT_WITH_RESUME)]
    resume: Option<String>,
    #[command(flatten)]
    store: StoreArgs,
    /// Run again what a change touches: a changed scenario, or all when the subject changed
    #[arg(long, conflicts_with_all = ["resume", "last_failed"])]
    watch: bool,
    /// Resume although files of the subject changed since
    #[arg(long, requires = "resume", help_heading = "Stored runs")]
    changed_subject: bool,
    /// Keep nothing of this run
    #[arg(long, help_heading = "Stored runs", conflicts_with = "resume")]
    no_store: bool,
    /// How many runs are kept, this one included
    #[arg(long, value_name = "N", default_value_t = KEEP_DEFAULT, help_heading = "Stored runs")]
    keep: usize,
    /// Print the report as JSON
    #[arg(long, help_heading = "Output")]
    json: bool,
    /// Append events and records, one JSON object a line
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    jsonl: Option<PathBuf>,
    /// Also write the report as FORMAT=FILE, or print it as FORMAT: terminal, json, junit, tap, ctrf, github, markdown
    /// or html; may be given several times
    #[arg(long = "report", value_name = "FORMAT[=FILE]", help_heading = "Output")]
    reports: Vec<Output>,
    #[arg(long, value_name = "FILE", help_heading = "Output", help = "Write JUnit XML")]
    junit: Option<PathBuf>,
}

/// A probability strictly between 0 and 1.
fn share(text: &str) -> Result<f64, String> {
    let share = text.parse().ok().filter(|share| 0.0 < *share && *share < 1.0);
    share.ok_or_else(|| "write a number above 0 and below 1, like 0.95".to_owned())
}

pub(super) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get)
}

pub(super) fn run(arguments: &RunArgs) -> Result<u8, Failed> {
    let runtime = runtime()?;
    if arguments.watch {
        return runtime.block_on(watch(arguments));
    }
    let order = match &arguments.resume {
        Some(name) => arguments.resumed(name)?,
        None => arguments.fresh()?,
    };
    if order.say_notes_and_is_empty()? {
        arguments.show_nothing(&order.plan)?;
        return Ok(0);
    }
    let ended = runtime.block_on(async {
        let mut interrupts = Interrupts::new()?;
        perform(arguments, order, interrupts.next()).await
    });
    match ended? {
        Ended::Reported(status) => Ok(status),
        Ended::Stopped { id, .. } => {
            writeln!(io::stderr(), "interrupted; every subject that was started is dead")?;
            if let Some(id) = id {
                writeln!(io::stderr(), "hint: `harness run --resume {id}` goes on from here")?;
            }
            Ok(INTERRUPTED)
        }
    }
}

/// Runs until it is interrupted. Files that are wrong are shown, and read again when they change.
async fn watch(arguments: &RunArgs) -> Result<u8, Failed> {
    let mut changes = Changes::below(&arguments.selection.subject, &arguments.selection.paths)?;
    let mut interrupts = Interrupts::new()?;
    let mut known = Known::default();
    // What changed and was not run since; `None` before the first run, which is of all.
    let mut changed: Option<BTreeSet<PathBuf>> = None;
    loop {
        if let Some(suite) = arguments.all() {
            known.learn(&suite);
        }
        let is_done = match arguments.fresh() {
            Ok(mut order) => {
                if let Some(changed) = &changed {
                    let touched = known.touched(changed);
                    watch::say(&touched)?;
                    touched.keep(&mut order.plan.suite);
                }
                if !order.say_notes_and_is_empty()? {
                    let stop = async {
                        tokio::select! {
                            changed = changes.next() => Some(changed),
                            () = interrupts.next() => None,
                        }
                    };
                    match perform(arguments, order, stop).await {
                        Ok(Ended::Reported(_)) => {}
                        Ok(Ended::Stopped { by: None, .. }) => return Ok(INTERRUPTED),
                        // What was not finished is part of what is to be run now.
                        Ok(Ended::Stopped { by: Some(next), .. }) => {
                            if let Some(changed) = &mut changed {
                                changed.extend(next);
                            }
                            watch::clear()?;
                            continue;
                        }
                        Err(failed) => writeln!(io::stderr(), "{failed}")?,
                    }
                }
                true
            }
            // Perhaps half written: what was to be run is run when it can be read.
            Err(failed) => {
                writeln!(io::stderr(), "{failed}")?;
                false
            }
        };
        let next = tokio::select! {
            next = changes.next() => next,
            () = interrupts.next() => return Ok(INTERRUPTED),
        };
        match &mut changed {
            Some(changed) if !is_done => changed.extend(next),
            None if !is_done => {}
            changed => *changed = Some(next),
        }
        watch::clear()?;
    }
}

/// How a run ended: with a report, or because something else came first.
enum Ended<T> {
    Reported(u8),
    Stopped { by: T, id: Option<RunId> },
}

async fn perform<T>(arguments: &RunArgs, mut order: Order, stop: impl Future<Output = T>) -> Result<Ended<T>, Failed> {
    let lines = arguments.jsonl.as_deref().map(JsonLines::append_to).transpose()?;
    let (id, log) = order.open_log(arguments).await?.unzip();
    let planned = order.plan.suite.scenarios.len() as u64 * u64::from(order.plan.trials);
    let mut gallery = Gallery::default();
    let needs_gallery = arguments.reports.iter().any(Output::needs_gallery);
    if let Some(stored) = order.resumed.as_ref().filter(|_| needs_gallery) {
        stored.records()?.try_for_each(|record| record.map(|record| gallery.add(&record)))?;
    }
    let followers = Followers::new(planned, log, lines, needs_gallery.then_some(gallery));
    let logs = order.plan.logs.clone();
    let ended = tokio::select! {
        ended = order.run(&followers) => Ok(ended),
        stopped = stop => Err(stopped),
    };
    followers.clear();
    match ended {
        Ok(report) => {
            let report = report?;
            arguments.show(&report, &followers.into_gallery(), logs.as_deref())?;
            Ok(Ended::Reported(report.exit_code()))
        }
        Err(by) => Ok(Ended::Stopped { by, id }),
    }
}

/// What is to be run, and by whom.
struct Order {
    plan: Plan,
    launcher: Box<dyn Launcher>,
    asked: Asked,
    notes: Vec<String>,
    resumed: Option<StoredRun>,
}

impl Order {
    fn say_notes_and_is_empty(&self) -> io::Result<bool> {
        for note in &self.notes {
            writeln!(io::stderr(), "{note}")?;
        }
        Ok(self.plan.suite.scenarios.is_empty())
    }

    /// The log of this run; `None` where nothing is to be kept.
    async fn open_log(&mut self, arguments: &RunArgs) -> Result<Option<(RunId, RunLog)>, Failed> {
        if let Some(stored) = &self.resumed {
            let log = stored.resume().await?;
            let records = stored.records()?.map(|record| record.map_err(Into::into));
            self.plan.done = harness::Earlier::streamed(records);
            let id = stored.manifest().id.clone();
            self.plan.logs = Some(arguments.store.open().logs(&id));
            return Ok(Some((id, log)));
        }
        if arguments.no_store {
            return Ok(None);
        }
        let asked = serde_json::to_value(&self.asked).map_err(io::Error::from)?;
        let store = arguments.store.open();
        let (id, log) = store.begin(&self.plan, asked, arguments.keep)?;
        self.plan.logs = Some(store.logs(&id));
        Ok(Some((id, log)))
    }

    async fn run(self, followers: &Followers) -> Result<Report, Failed> {
        let report = harness::run(self.plan, self.launcher.as_ref(), None, followers).await?;
        if let Some(log) = followers.log() {
            log.end(&report).await?;
        }
        Ok(report)
    }
}

/// Ctrl-C, the request to end, and a terminal that was closed: subjects have groups of their own and would go on. Held for
/// as long as a command lives, so that none is lost between two runs.
struct Interrupts([Signal; 4]);

impl Interrupts {
    fn new() -> io::Result<Self> {
        let [interrupt, terminate] = [SignalKind::interrupt(), SignalKind::terminate()].map(signal);
        let [hangup, quit] = [SignalKind::hangup(), SignalKind::quit()].map(signal);
        Ok(Self([interrupt?, terminate?, hangup?, quit?]))
    }

    async fn next(&mut self) {
        let [interrupt, terminate, hangup, quit] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
            _ = quit.recv() => {}
        }
    }
}

impl RunArgs {
    fn fresh(&self) -> Result<Order, Failed> {
        let given = self.given.read()?;
        let asked = Asked::of(self, &given);
        let (subject, suite) = asked.load()?;
        let Chosen { suite, notes } = self.choice.of(suite, &self.store.open())?;
        let confidence = self.confidence;
        let gate = self
            .target_satisfaction
            .map_or(Gate::Every { confidence }, |target| Gate::LowerBound { target, confidence });
        let plan = Plan {
            trials: self.trials,
            seed: self.seed.unwrap_or_else(|| u64::from(rand::random::<u32>())),
            gate,
            allow_invalid: self.allow_invalid.unwrap_or(0.0),
            arguments: self.arguments(),
            ..self.plan(&asked, suite, subject, given)
        };
        Ok(Order { launcher: launcher(&asked, &plan.subject)?, plan, asked, notes, resumed: None })
    }

    /// All scenarios that are named; `None` where their files are wrong.
    fn all(&self) -> Option<Suite> {
        Asked::of(self, &self.given.read().ok()?).load().ok().map(|(_, suite)| suite)
    }

    /// The order of a stored run, which must still be what it was.
    fn resumed(&self, name: &str) -> Result<Order, Failed> {
        let stored = self.store.open().open(name)?;
        let manifest = stored.manifest();
        let asked = Asked::read(manifest)?;
        let given = self.given.read()?;
        asked.check_vars(&given)?;
        let (subject, mut suite) = asked.load()?;
        let slugs: Vec<_> = manifest.roster.scenarios.iter().map(|entry| entry.scenario.as_str()).collect();
        suite.scenarios.retain(|scenario| slugs.contains(&scenario.slug.as_str()));
        let roster = &manifest.roster;
        let plan = Plan {
            trials: roster.trials,
            seed: roster.seed,
            gate: roster.gate,
            allow_invalid: roster.allow_invalid,
            arguments: roster.arguments.clone(),
            ..self.plan(&asked, suite, subject, given)
        };
        if !stored.is_same_suite(&plan) {
            let id = &manifest.id;
            let message =
                format!("the scenarios or harness.yaml are not what they were in the run {id}; start a new run");
            return Err(Failed::Use(message));
        }
        if asked.target.is_none()
            && !self.changed_subject
            && let Some(path) = changed_after(&asked.subject, stored.last_written()?)
        {
            return Err(Failed::Use(format!(
                "{} was changed after the run {} had stopped: its trials would be of two builds; start a new run, or \
                 resume it with --changed-subject",
                path.display(),
                manifest.id
            )));
        }
        let has_ended = stored.ending().is_some();
        let notes = has_ended
            .then(|| format!("the run {} ended by itself; this is its report", manifest.id))
            .into_iter()
            .collect();
        Ok(Order { launcher: launcher(&asked, &plan.subject)?, plan, asked, notes, resumed: Some(stored) })
    }

    fn plan(&self, asked: &Asked, suite: Suite, subject: SubjectConfig, given: Given) -> Plan {
        Plan {
            jobs: self.jobs.map_or_else(cores, usize::from),
            stop_early: asked.stop_early(),
            vars: given.vars,
            secrets: given.secrets,
            ..Plan::new(suite, subject, asked.subject.clone())
        }
    }

    /// What to write after `harness run` to select the same again. Values may be secrets, so they are left out.
    fn arguments(&self) -> Vec<String> {
        let path = |path: &Path| path.display().to_string();
        let mut words: Vec<_> = self.selection.paths.iter().map(|file| path(file)).collect();
        let mut add = |name: &str, value: Option<String>| {
            words.extend(value.into_iter().flat_map(|value| [name.to_owned(), value]));
        };
        let (subject, store) = (&self.selection.subject, &self.store.store);
        add("--subject", (subject != Path::new(".")).then(|| path(subject)));
        add("--target", self.target.as_ref().map(Url::to_string));
        self.allow_origin.iter().for_each(|origin| add("--allow-origin", Some(origin.clone())));
        self.given.words().into_iter().for_each(|(name, value)| add(name, Some(value)));
        add("--store", (store != Path::new(STORE_DEFAULT)).then(|| path(store)));
        words.extend(self.selection.holdout.then(|| "--holdout".to_owned()));
        words
    }

    /// Whoever asked for reports gets them, also of an empty part of a suite: a CI system collects the files of all.
    fn show_nothing(&self, plan: &Plan) -> Result<(), Failed> {
        self.write_reports(&Report::of_nothing(plan), &Gallery::default())?;
        self.jsonl.as_deref().map(JsonLines::append_to).transpose()?;
        Ok(())
    }

    fn show(&self, report: &Report, gallery: &Gallery, logs: Option<&Path>) -> Result<(), Failed> {
        self.write_reports(report, gallery)?;
        if !self.json && !self.reports.iter().any(Output::is_printed) {
            say(terminal(report, paint(true)).trim_end())?;
            if let Some(logs) = logs.filter(|logs| logs.exists()) {
                say(&format!("  whole logs of the subject: {}", logs.display()))?;
            }
        }
        Ok(())
    }

    fn write_reports(&self, report: &Report, gallery: &Gallery) -> Result<(), Failed> {
        for output in &self.reports {
            output.write(report, gallery)?;
        }
        if let Some(path) = &self.junit {
            std::fs::write(path, junit(report))?;
        }
        if self.json {
            say(&serde_json::to_string_pretty(report).map_err(io::Error::from)?)?;
        }
        Ok(())
    }
}

fn launcher(asked: &Asked, subject: &SubjectConfig) -> Result<Box<dyn Launcher>, Failed> {
    let processes = ProcessLauncher::new(std::env::vars_os().filter_map(|(name, value)| {
        // A name or value that is not UTF-8 cannot stand in harness.yaml either.
        Some((name.into_string().ok()?, value.into_string().ok()?))
    }));
    let processes = processes.adopting();
    match &asked.target {
        Some(url) => Ok(Box::new(UrlLauncher::new(url.clone(), processes))),
        None => Ok(subject.launcher(processes, std::env::current_exe()?)?),
    }
}
