//! `factory lint`: everything that is wrong with a spec or a flow, without running anything.

use std::{io::Write as _, path::PathBuf};

use clap::Args;
use controller::seed::{self, Overrides};
use located::{Diagnostics, Source};
use model::flow::Flow;

#[derive(Debug, Args)]
pub(crate) struct LintArguments {
    /// Specs (.md) and flows (.yaml).
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

pub(crate) fn lint(arguments: &LintArguments) -> anyhow::Result<u8> {
    let mut out = std::io::stdout().lock();
    for file in &arguments.files {
        if file.extension().is_some_and(|extension| extension == "md") {
            let overrides = Overrides { agent_command: Some("true".to_owned()), ..Overrides::default() };
            seed::compile(file, &overrides, None)?;
        } else {
            Flow::parse(&Source::read(file).map_err(Diagnostics::from)?)?;
        }
        writeln!(out, "{}: sound", file.display())?;
    }
    Ok(0)
}
