//! From paths to a checked suite.

use std::path::{Path, PathBuf};

use located::{Diagnostic, Diagnostics, Place, Source};

use super::{
    Kind, LintCode, Suite,
    format::ScenarioFile,
    lint::{lint_templates, lint_together},
    lower,
};
use crate::{arrange::Catalogue, text::Node};

const FILES_MAX: usize = 10_000; // of one suite
const DEPTH_MAX: usize = 16; // of folders

impl Suite {
    /// Reads scenario files; a folder stands for all `.yaml` and `.yml` files below it.
    ///
    /// # Errors
    /// Everything that is wrong in all files, each with its place. No scenario at all is an error too.
    pub fn load(paths: &[PathBuf], kind: Kind) -> Result<Self, Diagnostics> {
        Self::load_given(paths, kind, &[])
    }

    /// Like [`Self::load`], where the run will be given values of these names.
    ///
    /// # Errors
    /// Like [`Self::load`].
    pub fn load_given(paths: &[PathBuf], kind: Kind, given: &[String]) -> Result<Self, Diagnostics> {
        let mut wrong = Diagnostics::default();
        let mut files = Vec::new();
        for path in paths {
            collect(path, 0, &mut files).unwrap_or_else(|diagnostic| wrong.push(diagnostic));
        }
        files.sort();
        files.dedup();
        let mut sources = Vec::new();
        for file in files {
            match Source::read(&file) {
                Ok(source) => sources.push(source),
                Err(diagnostic) => wrong.push(diagnostic),
            }
        }
        if sources.is_empty() && wrong.0.is_empty() {
            wrong.push(empty(paths));
        }
        Self::checked(sources, kind, given, wrong)
    }

    /// Checks documents that were read elsewhere.
    ///
    /// # Errors
    /// Like [`Self::load`].
    pub fn from_sources(sources: Vec<Source>, kind: Kind) -> Result<Self, Diagnostics> {
        let none = if sources.is_empty() { empty(&[]).into() } else { Diagnostics::default() };
        Self::checked(sources, kind, &[], none)
    }

    fn checked(
        sources: Vec<Source>,
        kind: Kind,
        given: &[String],
        mut wrong: Diagnostics,
    ) -> Result<Self, Diagnostics> {
        let catalogue = Catalogue::new();
        let mut files: Vec<(Source, ScenarioFile)> = Vec::new();
        let mut documents = Vec::new();
        for source in sources {
            match read(&source, given, &mut wrong) {
                Ok((file, document)) => {
                    files.push((source, file));
                    documents.push(document);
                }
                Err(diagnostics) => wrong.extend(diagnostics.0),
            }
        }
        lint_together(&files, kind, &mut wrong);
        let lowered = files
            .into_iter()
            .zip(&documents)
            .map(|((source, file), document)| lower::scenario(source, file, document, &catalogue, &mut wrong).into());
        let scenarios = lowered.collect();
        wrong.0.sort_by(|a, b| (a.source.name(), a.place).cmp(&(b.source.name(), b.place)));
        wrong.or(Self { kind, scenarios })
    }

    /// Keeps the scenarios whose slug, tag or requirement matches.
    #[must_use]
    pub fn filtered(mut self, filter: &regex::Regex) -> Self {
        self.scenarios.retain(|scenario| {
            let mut words = scenario.tags.iter().chain(&scenario.requirements);
            filter.is_match(&scenario.slug) || words.any(|word| filter.is_match(word))
        });
        self
    }
}

/// The file twice: typed, and as a plain value whose templates are checked in one walk.
fn read(source: &Source, given: &[String], wrong: &mut Diagnostics) -> Result<(ScenarioFile, Node), Diagnostics> {
    let file: ScenarioFile = located::yaml(source)?;
    let document: Node = located::yaml(source)?;
    lint_templates(source, &file, &document, given, wrong);
    Ok((file, document))
}

fn collect(path: &Path, depth: usize, files: &mut Vec<PathBuf>) -> Result<(), Diagnostic> {
    if !path.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    let unreadable = |reason: String| {
        LintCode::UnreadableFile.at(&Source::new(path.display().to_string(), ""), Place::START, reason)
    };
    let entries = std::fs::read_dir(path).map_err(|error| unreadable(format!("cannot read the folder: {error}")))?;
    for entry in entries.flatten() {
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        // A link to a folder is not followed: it could lead back here.
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        let is_scenario = (name.ends_with(".yaml") || name.ends_with(".yml")) && path.is_file();
        if name.starts_with('.') || !(is_folder || is_scenario) {
            continue;
        }
        if depth == DEPTH_MAX || files.len() == FILES_MAX {
            return Err(unreadable(format!("more than {FILES_MAX} files, or folders deeper than {DEPTH_MAX}")));
        }
        collect(&path, depth + 1, files)?;
    }
    Ok(())
}

fn empty(paths: &[PathBuf]) -> Diagnostic {
    let list = paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ");
    let source = Source::new(if list.is_empty() { "scenarios" } else { &list }, "");
    LintCode::EmptySuite
        .at(&source, Place::START, "there is no scenario here")
        .hint("write one into a `.yaml` file; `harness schema` gives the format to editors")
}
