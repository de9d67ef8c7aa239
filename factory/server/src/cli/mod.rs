//! The command line: one file for each command.

mod audit;
mod doctor;
mod gc;
mod init;
mod lint;
pub(crate) mod run;
mod runs;
mod up;

use std::{path::PathBuf, process::ExitCode};

use clap::{CommandFactory as _, Parser, Subcommand};
use clap_complete::Shell;

use crate::{config::Config, exit, terminal};

/// Spec in, working software out: builds in a sandbox, grades on twins, repeats until satisfaction is shown.
#[derive(Debug, Parser)]
#[command(name = "factory", version, after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  factory init                                 set up specs/, scenarios/, holdout/ and harness.yaml here
  factory run specs/greeting.md                build it and show how it fares
  factory run specs/greeting.md --agent 'codex exec -'   let another agent build it
  factory resume                               go on with the last run that was interrupted
  factory up                                   dashboards at http://127.0.0.1:7700

Exit statuses of run and resume:
  0 satisfied   1 not satisfied   2 wrong input   3 budget   4 needs a person   5 infrastructure   6 cancelled";

#[derive(Debug, Subcommand)]
enum Command {
    /// Build a spec: seed, agent, scenarios, feedback, until satisfaction is shown.
    Run(run::RunArguments),
    /// Go on with a run that was interrupted or waits for a person.
    Resume(run::ResumeArguments),
    /// List runs, newest first.
    Runs(runs::RunsArguments),
    /// Start the dashboards, and perform runs that wait.
    Up(up::UpArguments),
    /// Free the workspaces and trees of finished runs; the log keeps everything.
    Gc(gc::GcArguments),
    /// Verify or anchor the audit trail.
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// Check a spec with its scenarios, or a flow, without running anything.
    Lint(lint::LintArguments),
    /// Tell what is present, what is missing, and the command that mends it.
    Doctor(doctor::DoctorArguments),
    /// Set up specs/, scenarios/, holdout/ and harness.yaml in a repository, with an example that runs.
    Init(init::InitArguments),
    /// Print completions for a shell.
    Completions { shell: Shell },
}

/// Runs a command; errors are printed with their causes.
pub(crate) async fn execute(arguments: Arguments) -> ExitCode {
    let config = Config::from_environment();
    let result = match arguments.command {
        Command::Run(arguments) => Box::pin(run::run(&config, arguments)).await,
        Command::Resume(arguments) => Box::pin(run::resume(&config, arguments)).await,
        Command::Runs(arguments) => runs::list(&config, &arguments).await,
        Command::Up(arguments) => Box::pin(up::up(&config, arguments)).await,
        Command::Gc(arguments) => gc::gc(&config, &arguments).await,
        Command::Audit(command) => audit::audit(&config, &command).await,
        Command::Lint(arguments) => lint::lint(&arguments),
        Command::Doctor(arguments) => doctor::doctor(&config, &arguments).await,
        Command::Init(arguments) => init::init(&arguments),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Arguments::command(), "factory", &mut std::io::stdout());
            Ok(0)
        }
    };
    match result {
        Ok(status) => ExitCode::from(status),
        Err(error) => terminal::fail(&error, status_of(&error)),
    }
}

/// Wrong input is 2; anything else that ends in an error is infrastructure.
fn status_of(error: &anyhow::Error) -> u8 {
    use controller::seed;
    let wrong_input = error.downcast_ref::<located::Diagnostics>().is_some()
        || matches!(
            error.downcast_ref::<seed::Error>(),
            Some(seed::Error::Wrong(_) | seed::Error::NoModel(_) | seed::Error::Repo(_) | seed::Error::Named(_))
        )
        || matches!(
            error.downcast_ref::<controller::Error>(),
            Some(
                controller::Error::NoSuchChoice { .. }
                    | controller::Error::NoQuestion { .. }
                    | controller::Error::NotARun(_)
                    | controller::Error::NotClaimable(_)
            )
        )
        || error.downcast_ref::<Wrong>().is_some();
    if wrong_input { exit::USAGE } else { exit::INFRASTRUCTURE }
}

/// What the person asked for cannot be done as asked.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Wrong(pub(crate) String);

/// The folder a command works in.
fn here(given: Option<&PathBuf>) -> PathBuf {
    given.cloned().unwrap_or_else(|| PathBuf::from("."))
}
