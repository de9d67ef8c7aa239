//! The command line: arguments in, text and an exit status out. All of the work is the library's.
//!
//! Exit status: see [`EXIT_STATUS`].

mod asked;
mod changed;
mod given;
mod import;
mod init;
mod progress;
mod record;
mod report;
mod run;
mod runs;
mod select;
mod watch;

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Args, CommandFactory as _, Parser, Subcommand};
use harness::{
    Given, Kind, LaunchError, LintContext, RunError, SubjectConfig, Suite,
    controls::{self, Soundness},
    journal::{JournalError, RunStore},
    report::plural,
    schemas,
};
use located::{Diagnostic, Diagnostics};

const UNSATISFIED: u8 = 1;
const WRONG_USE: u8 = 2;
const INFRA: u8 = 5;

const EXIT_STATUS: &str = "Exit status:
    0  satisfied, or done
    1  not satisfied
    2  wrong use or wrong files
    5  nothing can be concluded: the machine failed, or a stored run is no evidence any more
  130  interrupted; nothing is left running";

const RUN_EXAMPLES: &str = "Examples:
  harness run                                   all scenarios that harness.yaml names, once
  harness run scenarios/pay.yaml --trials 20    one file, twenty trials of each scenario
  harness run --target http://localhost:8080 --var user=ann
                                                what already runs, with a value for {{ user }}
  harness run --trials 30 --target-satisfaction 0.9
                                                satisfied when 90 % is shown with 95 % confidence
  harness run --last-failed --fail-fast         again what failed, up to the first failure
  harness run --shard 2/4 --junit out.xml       a quarter of all scenarios, for CI
  harness run --resume                          on where the last run was interrupted";

const INIT_EXAMPLES: &str = "Examples:
  harness init                          here; then `harness run`
  harness init services/shop --json     for a tree elsewhere, told to a machine";

const LINT_EXAMPLES: &str = "Examples:
  harness lint                          all scenarios that harness.yaml names
  harness lint holdout/ --holdout       holdouts, which need a theme and a canary each
  harness lint --json | jq '.[].file' for editors and CI";

const PROVE_EXAMPLES: &str = "Examples:
  harness prove                         which scenarios pass where nothing works?
  harness prove --json | jq '.[] | select(.verdict == \"satisfied\").scenario'";

const RUNS_EXAMPLES: &str = "Examples:
  harness runs                          the stored runs, the oldest first
  harness runs --json | jq '.[-1].ended'";

const VERIFY_EXAMPLES: &str = "Examples:
  harness verify                        the last run
  harness verify 20261120T15            the run of that name, or with that beginning";

const REPORT_EXAMPLES: &str = "Examples:
  harness report                                      the last run, once more
  harness report --format html --out report.html      as one page for a browser
  harness report previous --format junit --out r.xml  the one before, for CI
  harness report --format jsonl | jq .record.verdict  every trial";

const COMPARE_EXAMPLES: &str = "Examples:
  harness compare                       the run before the last one with the last one
  harness compare 20261120T15 latest    two runs by name
  harness compare --json | jq .change";

const IMPORT_EXAMPLES: &str = "Examples:
  harness import hurl tests/*.hurl --out scenarios
  harness import openapi api.yaml --out scenarios/api
  harness import postman shop.postman_collection.json --environment local.json --out scenarios";
const RECORD_EXAMPLES: &str = "Examples:
  harness record --target http://localhost:8080 --listen 127.0.0.1:9090 --out scenarios/buy.yaml";

const SCHEMA_EXAMPLES: &str = "Examples:
  harness schema scenario > .harness/scenario.schema.json
  # yaml-language-server: $schema=../.harness/scenario.schema.json     as the first line of a scenario";

const COMPLETIONS_EXAMPLES: &str = "Examples:
  harness completions bash > ~/.local/share/bash-completion/completions/harness
  harness completions fish > ~/.config/fish/completions/harness.fish
  harness completions zsh > \"${fpath[1]}/_harness\"";

/// Runs scenarios against a subject: k trials each, on fresh digital twins, with honest statistics.
#[derive(Debug, Parser)]
#[command(name = "harness", version, arg_required_else_help = true, after_help = EXIT_STATUS)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write a harness.yaml and a first scenario, never over a file
    #[command(after_help = INIT_EXAMPLES)]
    Init(init::InitArgs),
    /// Run scenarios and say whether they are satisfied
    #[command(after_help = RUN_EXAMPLES, after_long_help = format!("{RUN_EXAMPLES}\n\n{EXIT_STATUS}"))]
    Run(Box<run::RunArgs>),
    /// Check scenario files and harness.yaml without running anything
    #[command(after_help = LINT_EXAMPLES)]
    Lint(LintArgs),
    /// Run scenarios against subjects that do nothing right; every one must be red
    #[command(after_help = PROVE_EXAMPLES)]
    Prove(ProveArgs),
    /// List the stored runs
    #[command(after_help = RUNS_EXAMPLES)]
    Runs(runs::RunsArgs),
    /// Show a stored run in any format
    #[command(after_help = REPORT_EXAMPLES)]
    Report(report::ReportArgs),
    /// Compare two stored runs: which build is better, and is that shown?
    #[command(after_help = COMPARE_EXAMPLES)]
    Compare(report::CompareArgs),
    /// Check that a stored run is as it was written
    #[command(after_help = VERIFY_EXAMPLES)]
    Verify(runs::VerifyArgs),
    #[command(about = "Write scenarios from Hurl files, OpenAPI descriptions or Postman collections", after_help = IMPORT_EXAMPLES)]
    Import(import::ImportArgs),
    /// Pass traffic on to a server, and write it as a scenario
    #[command(after_help = RECORD_EXAMPLES)]
    Record(record::RecordArgs),
    /// Print the JSON Schemas of the files, for editors
    #[command(after_help = SCHEMA_EXAMPLES)]
    Schema {
        /// Of this file only
        file: Option<SchemaOf>,
    },
    /// What a sandbox runs inside itself
    #[command(hide = true)]
    InsideSandbox,
    /// Print a completion script
    #[command(after_help = COMPLETIONS_EXAMPLES)]
    Completions { shell: clap_complete::Shell },
}

/// Which kind of file a schema is of.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum SchemaOf {
    Scenario,
    /// Steps for `use:`
    Fragment,
    /// `_suite.yaml`
    Suite,
    /// `harness.yaml`
    Harness,
}

impl SchemaOf {
    fn name(self) -> &'static str {
        match self {
            Self::Scenario => "scenario",
            Self::Fragment => "fragment",
            Self::Suite => "suite",
            Self::Harness => "harness",
        }
    }
}

#[derive(Debug, Args)]
struct LintArgs {
    #[command(flatten)]
    selection: Selection,
    /// Print what is wrong as a JSON list: file, line, column, width, message, hint
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct ProveArgs {
    #[command(flatten)]
    selection: Selection,
    /// Print each scenario's verdict on each control as a JSON list
    #[arg(long)]
    json: bool,
}

/// Which files.
#[derive(Debug, Args)]
struct Selection {
    /// Scenario files or folders [default: those that harness.yaml names]
    paths: Vec<PathBuf>,
    /// The subject's tree, with harness.yaml at its root
    #[arg(long, value_name = "DIR", default_value = ".")]
    subject: PathBuf,
    /// These are holdouts: each needs a theme and a canary
    #[arg(long)]
    holdout: bool,
}

impl Selection {
    fn kind(&self) -> Kind {
        if self.holdout { Kind::Holdout } else { Kind::Visible }
    }

    /// The suite, fitting `subject`. Everything that is wrong is in the error.
    fn suite(&self, subject: &SubjectConfig) -> Result<Suite, Diagnostics> {
        load_suite(&self.paths, &self.subject, self.kind(), &[], subject)
    }
}

/// The scenarios at `paths`, or those that the subject's `harness.yaml` names, fitting the subject.
fn load_suite(
    paths: &[PathBuf],
    root: &Path,
    kind: Kind,
    given: &[String],
    subject: &SubjectConfig,
) -> Result<Suite, Diagnostics> {
    let named: Vec<_> = subject.scenarios.iter().map(|path| root.join(path)).collect();
    let given = Given { values: given, subject: Some(subject) };
    let suite = Suite::load_given(if paths.is_empty() { &named } else { paths }, kind, given)?;
    suite.lint(LintContext { requirements: None, subject: Some(subject) })?;
    Ok(suite)
}

const STORE_DEFAULT: &str = ".harness";

/// Where runs are kept.
#[derive(Args, Debug)]
struct StoreArgs {
    /// Where runs are kept
    #[arg(long, value_name = "DIR", default_value = STORE_DEFAULT, help_heading = "Stored runs")]
    store: PathBuf,
}

impl StoreArgs {
    fn open(&self) -> RunStore {
        RunStore::at(&self.store)
    }
}

/// The address of a server that speaks HTTP.
fn server(text: &str) -> Result<reqwest::Url, String> {
    let url = text.parse().ok().filter(|url: &reqwest::Url| ["http", "https"].contains(&url.scheme()));
    url.ok_or_else(|| "write the address of a server, like http://localhost:8080".to_owned())
}

/// What ends a command early.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error("{0}")]
    Files(#[from] Diagnostics),
    #[error("{0}")]
    Run(#[from] RunError),
    #[error("{0}")]
    Journal(#[from] JournalError),
    #[error("{0}")]
    Launch(#[from] LaunchError),
    #[error("{0}")]
    Use(String),
    #[error("{0}")]
    Machine(#[from] io::Error),
}

impl Failed {
    fn status(&self) -> u8 {
        match self {
            Self::Files(_) | Self::Use(_) | Self::Run(RunError::Lint(_) | RunError::Empty { .. }) => WRONG_USE,
            Self::Journal(error) if error.is_wrong_use() => WRONG_USE,
            Self::Run(RunError::Observer(_) | RunError::Earlier(_) | RunError::Client(_) | RunError::Launch(_))
            | Self::Journal(_)
            | Self::Launch(_)
            | Self::Machine(_) => INFRA,
        }
    }
}

pub(crate) fn main() -> ExitCode {
    match perform(Cli::parse().command) {
        Ok(status) => status.into(),
        // The reader of a pipe has enough: not an error.
        Err(Failed::Machine(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(failed) => {
            // Nowhere is left to say that standard error is closed.
            writeln!(io::stderr(), "{failed}").ok();
            failed.status().into()
        }
    }
}

fn perform(command: Command) -> Result<u8, Failed> {
    match command {
        Command::Run(arguments) => run::run(&arguments),
        Command::Init(arguments) => init::init(&arguments),
        Command::Lint(arguments) => lint(&arguments),
        Command::Prove(arguments) => prove(&arguments),
        Command::Runs(arguments) => runs::list(&arguments),
        Command::Report(arguments) => report::report(&arguments),
        Command::Compare(arguments) => report::compare(&arguments),
        Command::Verify(arguments) => runs::verify(&arguments),
        Command::Import(arguments) => import::import(&arguments),
        Command::Record(arguments) => record::record(&arguments),
        Command::Schema { file } => {
            let (all, name) = (schemas(), file.map(SchemaOf::name));
            let asked = name.map_or(&all, |name| &all[name]);
            say(&serde_json::to_string_pretty(asked).map_err(io::Error::from)?)?;
            Ok(0)
        }
        Command::InsideSandbox => {
            harness::inside_sandbox()?;
            Ok(0)
        }
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "harness", &mut io::stdout());
            Ok(0)
        }
    }
}

fn lint(arguments: &LintArgs) -> Result<u8, Failed> {
    let LintArgs { selection, json } = arguments;
    let suite = SubjectConfig::load(&selection.subject).and_then(|subject| selection.suite(&subject));
    if *json {
        let wrong = suite.err().map_or_else(Vec::new, |wrong| wrong.0);
        say(&serde_json::to_string_pretty(&wrong.iter().map(as_json).collect::<Vec<_>>()).map_err(io::Error::from)?)?;
        return Ok(if wrong.is_empty() { 0 } else { WRONG_USE });
    }
    let suite = suite?;
    let scenarios = suite.scenarios.len();
    say(&format!("{} {} fine", plural(scenarios, "scenario"), if scenarios == 1 { "is" } else { "are" }))?;
    Ok(0)
}

fn as_json(wrong: &Diagnostic) -> serde_json::Value {
    let Diagnostic { source, place, message, hint } = wrong;
    serde_json::json!({
        "file": source.name(), "line": place.line, "column": place.column, "width": place.width,
        "message": message, "hint": hint,
    })
}

fn prove(arguments: &ProveArgs) -> Result<u8, Failed> {
    let ProveArgs { selection, json } = arguments;
    let subject = SubjectConfig::load(&selection.subject)?;
    let suite = selection.suite(&subject)?;
    let results = runtime()?.block_on(controls::prove(&suite, &subject, run::cores()))?;
    let has = |wanted| results.iter().any(|result| result.soundness() == wanted);
    let status = match (has(Soundness::Unsound), has(Soundness::Unproven)) {
        (true, _) => UNSATISFIED,
        (false, true) => INFRA,
        (false, false) => 0,
    };
    if *json {
        say(&serde_json::to_string_pretty(&results).map_err(io::Error::from)?)?;
        return Ok(status);
    }
    for result in &results {
        let name = serde_json::to_string(&result.control).map_err(io::Error::from)?;
        match result.soundness() {
            Soundness::Sound => {}
            Soundness::Unsound => {
                say(&format!("unsound {}: it lets a {} pass", result.scenario, name.trim_matches('"')))?;
            }
            Soundness::Unproven => say(&format!("unproven {}: {}", result.scenario, result.message))?,
        }
    }
    if status == 0 {
        let scenarios = suite.scenarios.len();
        let are = if scenarios == 1 { "is" } else { "are" };
        say(&format!("{} {are} red on a nop and on a stub", plural(scenarios, "scenario")))?;
    }
    Ok(status)
}

fn say(text: &str) -> io::Result<()> {
    writeln!(io::stdout(), "{text}")
}

/// Of one thread: trials are futures of one task, and handing each request to another thread and its answer back costs
/// more than the work itself. What needs the other cores are the subjects.
fn runtime() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}
