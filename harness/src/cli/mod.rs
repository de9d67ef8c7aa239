//! The command line: arguments in, text and an exit status out. All of the work is the library's.
//!
//! Exit status: 0 satisfied, 1 not satisfied, 2 wrong use or wrong files, 5 nothing can be concluded.

mod progress;
mod run;

use std::{
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
};

use clap::{Args, CommandFactory as _, Parser, Subcommand};
use harness::{Kind, LintContext, RunError, SubjectConfig, Suite, Verdict, controls, schemas};
use located::Diagnostics;

const WRONG_USE: u8 = 2;
const INFRA: u8 = 5;

/// Runs scenarios against a subject: k trials each, on fresh digital twins, with honest statistics.
#[derive(Debug, Parser)]
#[command(name = "harness", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run scenarios and say whether they are satisfied
    Run(Box<run::RunArgs>),
    /// Check scenario files and harness.yaml without running anything
    Lint(Selection),
    /// Run scenarios against subjects that do nothing right; every one must be red
    Prove(Selection),
    /// Print the JSON Schemas of the files, for editors
    Schema,
    /// Print a completion script
    Completions { shell: clap_complete::Shell },
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
        let named = || subject.scenarios.iter().map(|path| self.subject.join(path)).collect();
        let paths = if self.paths.is_empty() { named() } else { self.paths.clone() };
        let suite = Suite::load(&paths, self.kind())?;
        suite.lint(LintContext { requirements: None, subject: Some(subject) })?;
        Ok(suite)
    }
}

/// What ends a command early.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error("{0}")]
    Files(#[from] Diagnostics),
    #[error("{0}")]
    Run(#[from] RunError),
    #[error("{0}")]
    Use(String),
    #[error("{0}")]
    Machine(#[from] io::Error),
}

impl Failed {
    fn status(&self) -> u8 {
        match self {
            Self::Files(_) | Self::Use(_) | Self::Run(RunError::Lint(_) | RunError::Empty { .. }) => WRONG_USE,
            Self::Run(RunError::Observer(_) | RunError::Client(_) | RunError::Launch(_)) | Self::Machine(_) => INFRA,
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
        Command::Lint(selection) => lint(&selection),
        Command::Prove(selection) => prove(&selection),
        Command::Schema => {
            say(&serde_json::to_string_pretty(&schemas()).map_err(io::Error::from)?)?;
            Ok(0)
        }
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "harness", &mut io::stdout());
            Ok(0)
        }
    }
}

fn lint(selection: &Selection) -> Result<u8, Failed> {
    let suite = selection.suite(&SubjectConfig::load(&selection.subject)?)?;
    say(&format!("{} scenarios are fine", suite.scenarios.len()))?;
    Ok(0)
}

fn prove(selection: &Selection) -> Result<u8, Failed> {
    let subject = SubjectConfig::load(&selection.subject)?;
    let suite = selection.suite(&subject)?;
    let results = runtime()?.block_on(controls::prove(&suite, &subject, run::cores()))?;
    for result in results.iter().filter(|result| result.is_unsound()) {
        let name = serde_json::to_string(&result.control).map_err(io::Error::from)?;
        say(&format!("unsound {}: it lets a {} pass", result.scenario, name.trim_matches('"')))?;
    }
    for result in results.iter().filter(|result| result.verdict == Verdict::Infra) {
        say(&format!("unproven {}: {}", result.scenario, result.message))?;
    }
    let unsound = results.iter().any(controls::ControlResult::is_unsound);
    if !unsound {
        say(&format!("{} scenarios are red on a nop and on a stub", suite.scenarios.len()))?;
    }
    Ok(u8::from(unsound))
}

fn say(text: &str) -> io::Result<()> {
    writeln!(io::stdout(), "{text}")
}

fn runtime() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()
}
