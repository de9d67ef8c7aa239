//! `twins import`: the definition on standard output or in a file, what is missing in it on standard error.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use located::Source;
use twins::import::Imported;

use super::say;

#[derive(clap::Subcommand)]
pub(super) enum From {
    /// A definition with stateful operations from an `OpenAPI` 3.0 or 3.1 document.
    Openapi {
        file: PathBuf,
        /// Where to write it; standard output, where left out.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Stubs from a folder of `WireMock` mappings, with its `__files`.
    Wiremock {
        folder: PathBuf,
        /// Where to write it; standard output, where left out.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
}

pub(super) fn run(from: From) -> Result<()> {
    match from {
        From::Openapi { file, out } => write(&twins::import::openapi(&Source::read(&file)?)?, out.as_deref()),
        From::Wiremock { folder, out } => write(&twins::import::wiremock(&folder)?, out.as_deref()),
    }
}

fn write(imported: &Imported, out: Option<&Path>) -> Result<()> {
    for note in &imported.notes {
        say(&mut std::io::stderr(), &format!("not carried over: {note}"))?;
    }
    match out {
        None => say(&mut std::io::stdout(), imported.definition.trim_end()),
        Some(path) => {
            std::fs::write(path, &imported.definition).with_context(|| format!("cannot write {}", path.display()))
        }
    }
}
