//! `_suite.yaml`: what all scenarios of a folder, and of the folders below it, share.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::Arc,
};

use located::{Diagnostics, Source};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Library, Lower, Scene, StepFile, Variable, lower::phase, names::Names, parsed};
use crate::text::{Entries, Node, Period, Placed};

pub(super) const FILE: &str = "_suite.yaml";

/// Further up nobody would look for it.
const FOLDERS_MAX: usize = 16;

/// What the scenarios of a folder and of those below it share. The outer folder's part comes first.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Suite")]
pub(super) struct FolderFile {
    /// Added to the tags of every scenario.
    #[serde(default)]
    tags: Vec<String>,
    /// Of a scenario that gives none itself.
    #[serde(default)]
    timeout: Option<Placed<Period>>,
    /// Evaluated once per trial, before the scenario's own; a scenario can define one anew.
    #[serde(default)]
    vars: Entries<Node>,
    /// Before the scenario's own set-up.
    #[serde(default)]
    setup: Vec<Placed<StepFile>>,
    /// After the scenario's own teardown.
    #[serde(default)]
    teardown: Vec<Placed<StepFile>>,
}

/// One folder's part, checked.
#[derive(Debug)]
pub(super) struct Folder {
    pub(super) tags: Vec<String>,
    pub(super) timeout: Option<Placed<Period>>,
    pub(super) variables: Vec<Variable>,
    pub(super) setup: Arc<[Scene]>,
    pub(super) teardown: Arc<[Scene]>,
    /// What its scenarios can use.
    pub(super) known: BTreeSet<String>,
    pub(super) source: Source,
}

/// The folders of a suite; each file is read once.
#[derive(Default)]
pub(super) struct Folders(BTreeMap<PathBuf, Option<Arc<Folder>>>);

impl Folders {
    /// The parts that a scenario's file takes part in, outermost first.
    pub(super) fn above(
        &mut self,
        file: &Path,
        library: &mut Library,
        given: &BTreeSet<String>,
        wrong: &mut Diagnostics,
    ) -> Vec<Arc<Folder>> {
        let mut parts: Vec<Arc<Folder>> = Vec::new();
        for path in candidates(file) {
            let outer = parts.last().map_or(given, |folder| &folder.known).clone();
            let part = self.0.entry(path.clone()).or_insert_with(|| {
                load(&path, library, &outer, wrong).unwrap_or_else(|error| {
                    wrong.extend(error.0);
                    None
                })
            });
            parts.extend(part.clone());
        }
        parts
    }

    pub(super) fn sources(&self) -> impl Iterator<Item = &Source> {
        self.0.values().flatten().map(|folder| &folder.source)
    }
}

/// Where a `_suite.yaml` could be, outermost first: up to the folder that holds `harness.yaml` or a repository.
fn candidates(file: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let full = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    let mut shown = file.parent().map(Path::to_owned);
    for folder in full.ancestors().skip(1).take(FOLDERS_MAX) {
        // Shown as people typed it, as far up as that goes.
        let here = shown.take().unwrap_or_else(|| folder.to_owned());
        shown = here.parent().filter(|_| here != Path::new("")).map(Path::to_owned);
        found.push(here.join(FILE));
        if folder.join("harness.yaml").exists() || folder.join(".git").exists() {
            break;
        }
    }
    found.reverse();
    found
}

fn load(
    path: &Path,
    library: &mut Library,
    outer: &BTreeSet<String>,
    wrong: &mut Diagnostics,
) -> Result<Option<Arc<Folder>>, Diagnostics> {
    if !library.has(path) {
        return Ok(None);
    }
    let source = library.read(path)?;
    let (document, file): (_, FolderFile) = parsed(&source)?;
    library.named.note_templates(&source, &document);
    let known = file.check_names(&source, &document, outer, wrong);
    let mut lower = Lower::new(&source, library, wrong);
    lower.timeout(file.timeout.as_ref());
    let setup = phase(file.setup, document.get("setup"), &mut lower).into();
    let teardown = phase(file.teardown, document.get("teardown"), &mut lower).into();
    let variables = Variable::all(file.vars, &source);
    Ok(Some(Arc::new(Folder { tags: file.tags, timeout: file.timeout, variables, setup, teardown, known, source })))
}

impl FolderFile {
    fn check_names(
        &self,
        source: &Source,
        document: &Node,
        outer: &BTreeSet<String>,
        wrong: &mut Diagnostics,
    ) -> BTreeSet<String> {
        let mut names = Names::new(source, outer, wrong);
        names.variables(&self.vars);
        for (phase, steps) in [("setup", &self.setup), ("teardown", &self.teardown)] {
            names.steps(steps.iter().map(|step| &step.value), document.get(phase));
        }
        names.known()
    }
}
