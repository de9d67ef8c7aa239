//! Files that a scenario names: beside it or in a folder below, never anywhere else.

use std::path::{Component, Path, PathBuf};

use crate::{
    step::Halt,
    text::{RenderError, Scope, Text},
};

/// A file's name as it is written, and where it is looked for.
#[derive(Clone, Debug)]
pub(super) struct Beside {
    folder: PathBuf,
    name: Text,
}

impl Beside {
    pub(super) fn new(folder: PathBuf, name: Text) -> Self {
        Self { folder, name }
    }

    /// What is wrong with the name, as far as it is known before a trial.
    pub(super) fn problem(&self) -> Option<String> {
        if self.name.contains("{{") {
            return None;
        }
        match within(&self.folder, &self.name) {
            Err(message) => Some(message),
            Ok(path) => (!path.is_file()).then(|| format!("there is no file {}", path.display())),
        }
    }

    pub(super) fn name(&self) -> &Text {
        &self.name
    }

    pub(super) fn path(&self, scope: &Scope) -> Result<PathBuf, Halt> {
        let name = scope.text(&self.name)?;
        within(&self.folder, &name).map_err(|message| RenderError { place: self.name.place, message }.into())
    }
}

fn within(folder: &Path, name: &str) -> Result<PathBuf, String> {
    let is_below = Path::new(name).components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    if is_below && !name.is_empty() {
        Ok(folder.join(name))
    } else {
        Err(format!("`{name}` must be a file beside the scenario or in a folder below"))
    }
}

/// A file that cannot be read is the author's or the machine's, never the subject's.
pub(super) fn unreadable(path: &Path, error: &std::io::Error) -> Halt {
    Halt::Infra(format!("cannot read {}: {error}", path.display()))
}
