//! The command line. Each command is a module; what it prints on standard output is for programs as well as people.

mod config;
mod drift;
mod import;
mod proxy;
mod record;
mod serve;
mod verify;

use std::{io::Write, path::PathBuf, process::ExitCode};

use anyhow::Result;
use clap::{CommandFactory, Parser, Subcommand};

const EXAMPLES: &str = "\
Examples:
  twins serve stripe slack                         two twins on free ports
  twins serve stripe=4010 --seed 7 --json          a port of your choice, one JSON line per twin
  twins serve stripe --config twins.yaml           accounts, keys and webhooks from a file
  twins serve ./my.twin.yaml                       a twin of your own, from its definition
  twins import openapi api.json --out my.twin.yaml  a twin from an API description
  twins record --upstream https://api.example.com  a redacted recording, to serve with `twins serve ./recording.jsonl`
  twins proxy --ca-dir .ca --map api.stripe.com=stripe  a twin for clients that know only the real host
  twins serve stripe --space-header                isolated state per value of `x-twin-space`
  curl ADMIN/journal/export > calls.jsonl && twins verify calls.jsonl";

#[derive(Parser)]
#[command(
    name = "twins",
    version,
    about = "Digital twins of outside services, on loopback, deterministic",
    after_help = EXAMPLES
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serves twins until interrupted.
    Serve(serve::Options),
    /// Lists the twins with their operations.
    List {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Checks a script of the LLM twins, or the definition of a twin of your own, without serving it.
    Check { file: PathBuf },
    /// Makes a definition from what others have written.
    #[command(subcommand)]
    Import(import::From),
    /// Compares what an SDK's types, recordings and a twin say of the same answers; ends with 1 where they part.
    Drift(drift::Options),
    /// Serves twins behind the names of real hosts, for clients that have no option for a base URL.
    Proxy(proxy::Options),
    /// Passes requests on to a real service and writes a recording without secrets.
    Record(record::Options),
    /// Prints what the answers of recordings look like, by operation and status.
    Shapes {
        #[arg(required = true, value_name = "RECORDING")]
        files: Vec<PathBuf>,
        /// A path whose ids look like words, with its parameters: `/repos/{owner}/{repo}`; can be given again.
        #[arg(long = "path", value_name = "TEMPLATE")]
        paths: Vec<String>,
    },
    /// Checks the hash chain of an exported journal; ends with 1 where it was changed.
    Verify {
        /// A file of JSON lines, or `-` for standard input.
        file: PathBuf,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Prints the JSON schema of what the admin API takes, or of definitions.
    Schema { of: Schema },
    /// Prints completions for a shell.
    Completions { shell: clap_complete::Shell },
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Schema {
    FaultRule,
    CallQuery,
    /// Of twins of your own.
    Definition,
}

pub(crate) async fn run(cli: Cli) -> Result<ExitCode> {
    let mut out = std::io::stdout();
    match cli.command {
        Command::Serve(options) => serve::run(options).await?,
        Command::List { json } => list(json)?,
        Command::Check { file } if twins::definition::is_one(&file) => {
            twins::definition::check(&file)?;
            say(&mut out, "the definition is fine")?;
        }
        Command::Check { file } => {
            twins::script::check(&file)?;
            say(&mut out, "the script is fine")?;
        }
        Command::Import(from) => import::run(from)?,
        Command::Drift(options) => return drift::run(options),
        Command::Proxy(options) => proxy::run(options).await?,
        Command::Record(options) => record::run(options).await?,
        Command::Shapes { files, paths } => record::shapes(&files, &paths)?,
        Command::Verify { file, json } => return verify::run(&file, json),
        Command::Schema { of } => {
            let schema = match of {
                Schema::FaultRule => schemars::schema_for!(twins::FaultRule),
                Schema::CallQuery => schemars::schema_for!(twins::CallQuery),
                Schema::Definition => twins::definition::schema(),
            };
            say(&mut out, &serde_json::to_string_pretty(&schema)?)?;
        }
        Command::Completions { shell } => clap_complete::generate(shell, &mut Cli::command(), "twins", &mut out),
    }
    Ok(ExitCode::SUCCESS)
}

fn list(as_json: bool) -> Result<()> {
    let mut out = std::io::stdout();
    if as_json {
        return say(&mut out, &serde_json::to_string_pretty(&twins::catalogue())?);
    }
    for twin in twins::catalogue() {
        say(&mut out, &format!("{} ({})", twin.name, twin.api_version))?;
        for route in twin.routes {
            say(&mut out, &format!("  {:<32} {:<6} {}", route.operation, route.method, route.path))?;
        }
    }
    Ok(())
}

pub(crate) fn say(out: &mut impl Write, line: &str) -> Result<()> {
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_contradicts_itself_nowhere() {
        Cli::command().debug_assert();
    }
}
