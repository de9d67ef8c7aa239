//! From paths to a checked suite.

use std::{
    num::NonZero,
    panic,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
};

use located::{Diagnostic, Diagnostics, Place, Source};

use super::{
    Kind, LintCode, Suite,
    folder::{self, Folders},
    format::ScenarioFile,
    fragment::Library,
    lint::lint_together,
    lower::{self, Document},
    plain,
};
use crate::{
    arrange::Catalogue,
    subject::SubjectConfig,
    text::{Node, typed},
};

const FILES_MAX: usize = 10_000; // of one suite
const DEPTH_MAX: usize = 16; // of folders
const FILES_PER_THREAD_MIN: usize = 16; // a thread costs about as much as parsing one

/// What is known of a run before its scenarios are read.
#[derive(Clone, Copy, Debug, Default)]
pub struct Given<'a> {
    /// The names of values that it will be given.
    pub values: &'a [String],
    /// Its twins have their names in scenarios.
    pub subject: Option<&'a SubjectConfig>,
}

impl Suite {
    /// Reads scenario files; a folder stands for all `.yaml` and `.yml` files below it.
    ///
    /// # Errors
    /// Everything that is wrong in all files, each with its place. No scenario at all is an error too.
    pub fn load(paths: &[PathBuf], kind: Kind) -> Result<Self, Diagnostics> {
        Self::load_given(paths, kind, Given::default())
    }

    /// Like [`Self::load`], with what is known of the run.
    ///
    /// # Errors
    /// Like [`Self::load`].
    pub fn load_given(paths: &[PathBuf], kind: Kind, given: Given<'_>) -> Result<Self, Diagnostics> {
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

    /// Checks documents that were read elsewhere. Fragments and `_suite.yaml` may be among them.
    ///
    /// # Errors
    /// Like [`Self::load`].
    pub fn from_sources(sources: Vec<Source>, kind: Kind) -> Result<Self, Diagnostics> {
        let none = if sources.is_empty() { empty(&[]).into() } else { Diagnostics::default() };
        Self::checked(sources, kind, Given::default(), none)
    }

    fn checked(
        sources: Vec<Source>,
        kind: Kind,
        given: Given<'_>,
        mut wrong: Diagnostics,
    ) -> Result<Self, Diagnostics> {
        let twins = given.subject.into_iter().flat_map(|subject| &subject.twins);
        let catalogue = Catalogue::new(twins.map(|given| Arc::clone(&given.twin)));
        let given = given.values.iter().cloned().collect();
        let mut library = Library::new(&sources, catalogue);
        let mut folders = Folders::default();
        let was_empty = sources.is_empty();
        let mut read = Vec::new();
        let parsed = read_all(&sources);
        for (source, parsed) in sources.into_iter().zip(parsed) {
            match parsed {
                Ok(Read::Scenario(file, document)) => read.push((source, *file, document)),
                Ok(Read::Fragment) => drop(library.fragment(Path::new(source.name()), &mut wrong)),
                Ok(Read::Folder | Read::Definition) => {}
                Err(diagnostics) => wrong.extend(diagnostics.0),
            }
        }
        lint_together(read.iter().map(|(source, file, _)| (source, file)), kind, &mut wrong);
        let (mut scenarios, mut skipped, mut sources) = (Vec::new(), Vec::new(), Vec::new());
        for (source, file, plain) in read {
            let above = folders.above(Path::new(source.name()), &mut library, &given, &mut wrong);
            sources.push(source.clone());
            library.named.note_templates(&source, &plain);
            let document = Document { source, file, plain: &plain, folders: above };
            let (told, left_out) = lower::scenarios(document, &given, &mut library, &mut wrong);
            scenarios.extend(told.into_iter().map(Into::into));
            skipped.extend(left_out);
        }
        if scenarios.is_empty() && wrong.0.is_empty() && !was_empty {
            wrong.push(nothing_to_run(skipped.len()));
        }
        sources.extend(library.sources().chain(folders.sources()).cloned());
        wrong.0.sort_by(|a, b| (a.source.name(), a.place).cmp(&(b.source.name(), b.place)));
        wrong.0.dedup();
        wrong.or(Self { kind, scenarios, skipped, sources, named: library.named })
    }

    /// Keeps the scenarios whose slug, tag or requirement matches.
    #[must_use]
    pub fn filtered(mut self, filter: &regex::Regex) -> Self {
        self.scenarios.retain(|scenario| {
            let mut words = scenario.tags.iter().chain(&scenario.requirements);
            filter.is_match(&scenario.slug) || words.any(|word| filter.is_match(word))
        });
        self.skipped.retain(|skipped| filter.is_match(&skipped.scenario));
        self
    }
}

/// What a file turned out to be.
enum Read {
    /// Typed, and as a plain value whose templates are checked in one walk.
    Scenario(Box<ScenarioFile>, Node),
    Fragment,
    Folder,
    /// Of a twin: read by whoever names it.
    Definition,
}

impl Read {
    fn of(source: &Source) -> Result<Self, Diagnostics> {
        if Path::new(source.name()).file_name().is_some_and(|name| name == folder::FILE) {
            return Ok(Self::Folder);
        }
        let document = plain(source)?;
        if document.get("steps_of").is_some() {
            return Ok(Self::Fragment);
        }
        if document.get("twin").is_some() && document.get("scenario").is_none() {
            return Ok(Self::Definition);
        }
        let file = typed(&document, source).map_err(LintCode::of_format)?;
        Ok(Self::Scenario(Box::new(file), document))
    }
}

/// Parses on all cores: it is most of what there is to do before the first trial.
fn read_all(sources: &[Source]) -> Vec<Result<Read, Diagnostics>> {
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let share = sources.len().div_ceil(cores).max(FILES_PER_THREAD_MIN);
    if sources.len() <= share {
        return sources.iter().map(Read::of).collect();
    }
    thread::scope(|scope| {
        let shares = sources.chunks(share);
        let reading = shares.map(|share| scope.spawn(|| share.iter().map(Read::of).collect::<Vec<_>>()));
        let reading: Vec<_> = reading.collect();
        reading.into_iter().flat_map(|share| share.join().unwrap_or_else(|cause| panic::resume_unwind(cause))).collect()
    })
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

fn nothing_to_run(skipped: usize) -> Diagnostic {
    let message = if skipped == 0 {
        "there is no scenario here, only what scenarios share".to_owned()
    } else {
        format!("all {skipped} scenarios are skipped")
    };
    LintCode::EmptySuite.at(&Source::new("scenarios", ""), Place::START, message).hint("a run needs a scenario to run")
}
