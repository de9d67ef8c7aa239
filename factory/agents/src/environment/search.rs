//! Searching a tree with ripgrep's own parts, honouring its ignore files.
//!
//! The walk only finds names; every file is opened through [`Tree`], so that a folder swapped for a symlink in the
//! middle of a walk shows nothing.

use std::{fs::File, path::Path};

use globset::{Glob, GlobMatcher};
use grep_regex::RegexMatcherBuilder;
use grep_searcher::{BinaryDetection, Searcher, SearcherBuilder, Sink, SinkContext, SinkMatch};
use ignore::WalkBuilder;

use super::{FileError, Kind, Tree, WorkspacePath};

const FILES_MAX: usize = 100_000; // a walk that long is no longer a search in a workspace
const LINE_CHARS_MAX: usize = 500; // minified code would drown the rest
const REGEX_BYTES_MAX: usize = 4 * 1024 * 1024;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrepQuery {
    /// A regular expression in ripgrep's syntax.
    pub pattern: String,
    /// A file or a folder.
    pub path: WorkspacePath,
    /// Only files that fit, such as `*.rs` or `src/**/*.py`.
    pub glob: Option<String>,
    pub ignore_case: bool,
    /// Lines shown before and after each match.
    pub context: usize,
    pub hits_max: usize,
}

/// A line that matches, or stands beside one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    pub path: String,
    /// From 1.
    pub line: u64,
    pub text: String,
    pub is_match: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GlobQuery {
    /// Against the path relative to `path`; without a `/`, against the name at any depth.
    pub pattern: String,
    pub path: WorkspacePath,
    pub found_max: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub path: String,
    pub modified_ns: i128,
}

/// What was found, and whether there was more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Searched<T> {
    pub found: Vec<T>,
    pub more: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    #[error("the pattern is no regular expression: {0}")]
    Pattern(String),
    #[error("the glob is not valid: {0}")]
    Glob(#[from] globset::Error),
    #[error(transparent)]
    File(#[from] FileError),
}

pub(super) fn grep(tree: &Tree, query: &GrepQuery) -> Result<Searched<Hit>, SearchError> {
    let matcher = RegexMatcherBuilder::new()
        .case_insensitive(query.ignore_case)
        .size_limit(REGEX_BYTES_MAX)
        .line_terminator(Some(b'\n'))
        .build(&query.pattern)
        .map_err(|error| SearchError::Pattern(error.to_string()))?;
    let wanted = query.glob.as_deref().map(matcher_of).transpose()?;
    let mut searcher = SearcherBuilder::new()
        .binary_detection(BinaryDetection::quit(0))
        .before_context(query.context)
        .after_context(query.context)
        .line_number(true)
        .build();
    let mut hits = Hits { found: Vec::new(), matches: 0, matches_max: query.hits_max, path: String::new() };
    for path in files(tree, &query.path)? {
        let shown = path.to_string();
        if wanted.as_ref().is_some_and(|wanted| !wanted.is_match(&shown)) {
            continue;
        }
        // Gone, unreadable, or not what the walk saw: no hit.
        let Ok(file) = tree.open_file(&path) else { continue };
        hits.path = shown;
        search(&mut searcher, &matcher, &file, &mut hits);
        if hits.matches > query.hits_max {
            break;
        }
    }
    let more = hits.matches > query.hits_max;
    Ok(Searched { found: hits.found, more })
}

fn search(searcher: &mut Searcher, matcher: &grep_regex::RegexMatcher, file: &File, hits: &mut Hits) {
    if let Err(error) = searcher.search_file(matcher, file, hits) {
        tracing::debug!(%error, "a file could not be searched to its end");
    }
}

pub(super) fn glob(tree: &Tree, query: &GlobQuery) -> Result<Searched<Found>, SearchError> {
    let wanted = matcher_of(&query.pattern)?;
    let base = if query.path.is_root() { String::new() } else { format!("{}/", query.path) };
    let mut found: Vec<Found> = files(tree, &query.path)?
        .into_iter()
        .filter(|path| wanted.is_match(path.as_str().strip_prefix(&base).unwrap_or(path.as_str())))
        .filter_map(|path| {
            let stat = tree.stat(&path).ok()?;
            Some(Found { path: path.to_string(), modified_ns: stat.modified_ns })
        })
        .collect();
    found.sort_by(|a, b| b.modified_ns.cmp(&a.modified_ns).then_with(|| a.path.cmp(&b.path)));
    let more = found.len() > query.found_max;
    found.truncate(query.found_max);
    Ok(Searched { found, more })
}

/// Regular files below `path` by name, without what ignore files name and without `.git`.
fn files(tree: &Tree, path: &WorkspacePath) -> Result<Vec<WorkspacePath>, SearchError> {
    if tree.stat(path)?.kind == Kind::File {
        return Ok(vec![path.clone()]);
    }
    let start = if path.is_root() { tree.path().to_owned() } else { tree.path().join(path.as_str()) };
    let walk = WalkBuilder::new(start)
        .hidden(false)
        .require_git(false)
        .git_global(false)
        .parents(false)
        .follow_links(false)
        .sort_by_file_name(Ord::cmp)
        .filter_entry(|entry| entry.file_name() != ".git")
        .build();
    let found = walk
        .filter_map(Result::ok)
        .filter(|entry| entry.file_type().is_some_and(|kind| kind.is_file()))
        .filter_map(|entry| inside(tree, entry.path()))
        .take(FILES_MAX);
    Ok(found.collect())
}

/// `None` for names that are not UTF-8: no model could give them back.
fn inside(tree: &Tree, path: &Path) -> Option<WorkspacePath> {
    WorkspacePath::parse(path.strip_prefix(tree.path()).ok()?.to_str()?, "/").ok()
}

fn matcher_of(pattern: &str) -> Result<GlobMatcher, globset::Error> {
    let pattern = pattern.strip_prefix("./").unwrap_or(pattern);
    let anywhere = if pattern.contains('/') { pattern.to_owned() } else { format!("**/{pattern}") };
    Ok(Glob::new(&anywhere)?.compile_matcher())
}

struct Hits {
    found: Vec<Hit>,
    matches: usize,
    matches_max: usize,
    path: String,
}

impl Hits {
    fn push(&mut self, line: Option<u64>, bytes: &[u8], is_match: bool) {
        let text = String::from_utf8_lossy(bytes);
        let text = text.trim_end_matches(['\n', '\r']);
        let mut shown: String = text.chars().take(LINE_CHARS_MAX).collect();
        if shown.len() < text.len() {
            shown.push('…');
        }
        self.found.push(Hit { path: self.path.clone(), line: line.unwrap_or_default(), text: shown, is_match });
    }
}

impl Sink for Hits {
    type Error = std::io::Error;

    fn matched(&mut self, _: &Searcher, found: &SinkMatch<'_>) -> Result<bool, std::io::Error> {
        self.matches += 1;
        if self.matches > self.matches_max {
            return Ok(false);
        }
        self.push(found.line_number(), found.bytes(), true);
        Ok(true)
    }

    fn context(&mut self, _: &Searcher, beside: &SinkContext<'_>) -> Result<bool, std::io::Error> {
        self.push(beside.line_number(), beside.bytes(), false);
        Ok(true)
    }
}
