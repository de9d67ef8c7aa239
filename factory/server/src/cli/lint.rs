//! `factory lint`: everything that is wrong with a spec or a flow, without running anything.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
};

use clap::Args;
use controller::seed::{self, Overrides};
use located::{Diagnostics, Source};
use model::flow::Flow;

use crate::exit;

#[derive(Debug, Args)]
pub(crate) struct LintArguments {
    /// Specs (.md) and flows (.yaml).
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

pub(crate) fn lint(arguments: &LintArguments) -> anyhow::Result<u8> {
    let mut wrong = 0;
    for file in &arguments.files {
        match check(file) {
            Ok(()) => writeln!(std::io::stdout(), "{}: sound", file.display())?,
            Err(error) => {
                wrong += 1;
                writeln!(std::io::stderr(), "{error}\n")?;
            }
        }
    }
    Ok(if wrong == 0 { 0 } else { exit::USAGE })
}

fn check(file: &Path) -> Result<(), seed::Error> {
    if file.extension().is_some_and(|extension| extension == "md") {
        let scripted = seed::compile(file, &Overrides::default(), None);
        // A spec without a script is sound for whoever has a key.
        return match scripted {
            Err(seed::Error::NoModel(_)) => Ok(()),
            other => other.map(drop),
        };
    }
    Flow::parse(&Source::read(file).map_err(Diagnostics::from)?)?;
    Ok(())
}
