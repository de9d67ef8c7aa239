//! `factory init`: a first spec with scenarios, holdouts and a harness.yaml that run as they are.

use std::{fs, io::Write as _, path::PathBuf};

use anyhow::Context as _;
use clap::Args;
use rust_embed::RustEmbed;

use super::{Wrong, here};

#[derive(RustEmbed)]
#[folder = "templates/init"]
struct Templates;

#[derive(Debug, Args)]
pub(crate) struct InitArguments {
    /// The repository [default: the current folder].
    folder: Option<PathBuf>,
}

/// Writes nothing where one of the files is there already.
pub(crate) fn init(arguments: &InitArguments) -> anyhow::Result<u8> {
    let folder = here(arguments.folder.as_ref());
    let files: Vec<_> = Templates::iter().map(|name| (folder.join(&*name), name)).collect();
    if let Some((taken, _)) = files.iter().find(|(path, _)| path.exists()) {
        let message =
            format!("{} is there already; init does not overwrite: move it away, or init elsewhere", taken.display());
        return Err(Wrong(message).into());
    }
    let mut out = std::io::stdout().lock();
    for (path, name) in &files {
        let content = Templates::get(name).context("an embedded file is missing")?;
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).with_context(|| parent.display().to_string())?;
        }
        fs::write(path, content.data).with_context(|| path.display().to_string())?;
        writeln!(out, "wrote {}", path.display())?;
    }
    if controller::repo::root_of(&folder).is_err() {
        writeln!(out, "\nnext: git init && git add -A && git commit -m 'first spec'")?;
    } else {
        writeln!(out, "\nnext: git add -A && git commit -m 'first spec'")?;
    }
    writeln!(out, "then: factory run specs/greeting.md")?;
    Ok(0)
}
