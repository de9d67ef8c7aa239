//! The files that scenarios name: bodies, schemas, certificates, twins, what templates read. They belong to a suite as its own
//! files do. Nothing is read before [`Suite::files`] is asked for.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Component, Path, PathBuf},
    sync::LazyLock,
};

use located::{Place, Source};
use regex::Regex;

use super::{Scenario, Suite, fragment::plain};
use crate::text::{Node, undeclared, walk_texts};

const FILES_MAX: usize = 10_000; // that one name with a template may lead to
const BYTES_MAX: u64 = 64 * 1024 * 1024; // of a suite's named files, which are held in memory while they are taken along

/// A call of `file` whose name is written out.
static CALL: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r#"\bfile\s*\(\s*(?:'([^'\\]*)'|"([^"\\]*)")\s*\)"#).expect("a literal pattern"));

/// One file that a suite is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SuiteFile {
    /// Below the folder that holds all files of the suite.
    pub path: PathBuf,
    /// Where it lies, absolute.
    pub origin: PathBuf,
    pub content: Vec<u8>,
}

impl SuiteFile {
    /// What people read in it.
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.content)
    }
}

/// Why a file that scenarios name is not at hand.
#[derive(Debug, thiserror::Error)]
#[error("cannot take along {}, which a scenario names: {reason}", path.display())]
pub struct NamedFileError {
    path: PathBuf,
    reason: String,
}

impl NamedFileError {
    fn new(path: &Path, reason: impl std::fmt::Display) -> Self {
        Self { path: path.to_owned(), reason: reason.to_string() }
    }
}

impl Suite {
    /// Every file that the suite is made of, fragments, `_suite.yaml` and what all of these name included. Written below
    /// another folder, they are the same suite.
    ///
    /// # Errors
    /// Where a file that is named cannot be read.
    pub fn files(&self) -> Result<Vec<SuiteFile>, NamedFileError> {
        self.made_of(self.sources.iter())
    }

    /// Like [`Self::files`], those of one of its scenarios: what a leak scanner of holdouts compares with.
    ///
    /// # Errors
    /// Like [`Self::files`].
    pub fn files_of(&self, scenario: &Scenario) -> Result<Vec<SuiteFile>, NamedFileError> {
        self.made_of(scenario.sources().into_iter())
    }

    /// What stands in every file that its scenarios are made of, each file once. One that cannot be read is empty.
    pub(crate) fn contents(&self) -> impl Iterator<Item = Vec<u8>> {
        let sources: BTreeMap<&str, &Source> = self
            .scenarios
            .iter()
            .flat_map(|scenario| scenario.sources())
            .map(|source| (source.name(), source))
            .collect();
        let named: BTreeSet<PathBuf> =
            sources.values().flat_map(|source| self.named.of(source).unwrap_or_default()).collect();
        let texts: Vec<Vec<u8>> = sources.values().map(|source| source.text().as_bytes().to_vec()).collect();
        let mut bytes_left = BYTES_MAX;
        texts.into_iter().chain(named.into_iter().map(move |path| read(&path, &mut bytes_left).unwrap_or_default()))
    }

    fn made_of<'a>(&self, sources: impl Iterator<Item = &'a Source>) -> Result<Vec<SuiteFile>, NamedFileError> {
        let root = self.root();
        let below = |origin: &Path| origin.strip_prefix(&root).unwrap_or(origin).to_owned();
        let (mut files, mut named) = (Vec::new(), BTreeSet::new());
        for source in sources {
            let origin = absolute(source.name());
            named.extend(self.named.of(source)?);
            files.push(SuiteFile { path: below(&origin), origin, content: source.text().as_bytes().to_vec() });
        }
        named.retain(|path| files.iter().all(|file| file.origin != *path));
        let mut bytes_left = BYTES_MAX;
        for origin in named {
            let content = read(&origin, &mut bytes_left)?;
            files.push(SuiteFile { path: below(&origin), origin, content });
        }
        Ok(files)
    }

    /// The folder that holds all files, so that each finds the others where it did.
    fn root(&self) -> PathBuf {
        let mut paths: Vec<PathBuf> = self.sources.iter().map(|source| absolute(source.name())).collect();
        paths.extend(self.named.shared());
        let mut root = paths.first().and_then(|path| path.parent()).map(Path::to_owned).unwrap_or_default();
        while !paths.iter().all(|path| path.starts_with(&root)) && root.pop() {}
        root
    }
}

fn absolute(name: &str) -> PathBuf {
    let path = plain(Path::new(name));
    std::path::absolute(&path).unwrap_or(path)
}

fn folder_of(name: &str) -> PathBuf {
    absolute(name).parent().map(Path::to_owned).unwrap_or_default()
}

fn read(path: &Path, bytes_left: &mut u64) -> Result<Vec<u8>, NamedFileError> {
    let refused = |error: std::io::Error| NamedFileError::new(path, error);
    let size = crate::named_file::length(path).map_err(refused)?;
    *bytes_left = bytes_left.checked_sub(size).ok_or_else(|| {
        let way_out = "let a step make what is larger";
        NamedFileError::new(path, format!("the files that scenarios name have more than {BYTES_MAX} bytes; {way_out}"))
    })?;
    fs::read(path).map_err(refused)
}

/// What the files of a suite name, by the names of these files.
#[derive(Clone, Debug, Default)]
pub(super) struct Named(BTreeMap<String, BTreeSet<Reach>>);

/// Where a name leads, from the folder of the file that it stands in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Reach {
    /// Beside it or in a folder below.
    Beside(PathBuf),
    /// Folders may share a schema or a twin's definition, wherever it lies.
    Shared(PathBuf),
    /// A template makes the name: it may be that of any file in the folder or below.
    Any,
}

impl Named {
    /// Notes the name of a file beside `source` that stands in it.
    pub(super) fn note(&mut self, source: &Source, name: &str) {
        let path = Path::new(name);
        // What leads elsewhere is refused where it is used.
        let stays = path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        if name.contains("{{") {
            self.insert(source, Reach::Any);
        } else if stays {
            self.insert(source, Reach::Beside(plain(path)));
        }
    }

    /// Notes the name of a schema or of a twin's definition that stands in `source`.
    pub(super) fn note_shared(&mut self, source: &Source, name: &str) {
        self.insert(source, Reach::Shared(Path::new(name).to_owned()));
    }

    /// Notes what the templates of `source` read.
    pub(super) fn note_templates(&mut self, source: &Source, document: &Node) {
        walk_texts(document, &mut |text, _| {
            if !reads_files(text) {
                return;
            }
            for call in CALL.captures_iter(text) {
                self.note(source, call.get(1).or_else(|| call.get(2)).map_or("", |name| name.as_str()));
            }
            if reads_files(&CALL.replace_all(text, "''")) {
                self.insert(source, Reach::Any);
            }
        });
    }

    fn insert(&mut self, source: &Source, reach: Reach) {
        self.0.entry(source.name().to_owned()).or_default().insert(reach);
    }

    fn shared(&self) -> impl Iterator<Item = PathBuf> {
        self.0.iter().flat_map(|(source, reaches)| {
            let folder = folder_of(source);
            reaches.iter().filter_map(move |reach| match reach {
                Reach::Shared(name) => Some(plain(&folder.join(name))),
                Reach::Beside(_) | Reach::Any => None,
            })
        })
    }

    fn of(&self, source: &Source) -> Result<BTreeSet<PathBuf>, NamedFileError> {
        let Some(reaches) = self.0.get(source.name()) else { return Ok(BTreeSet::new()) };
        let folder = folder_of(source.name());
        let mut found = BTreeSet::new();
        for reach in reaches {
            match reach {
                Reach::Beside(name) => drop(found.insert(inside(&folder, &folder.join(name))?)),
                Reach::Shared(name) => drop(found.insert(plain(&folder.join(name)))),
                Reach::Any => all_below(&folder, &mut found)?,
            }
        }
        Ok(found)
    }
}

/// What does not parse was refused when its file was read.
fn reads_files(text: &str) -> bool {
    undeclared(text, Place::START).is_ok_and(|names| names.iter().any(|name| name == "file"))
}

/// A link could lead anywhere.
fn inside(folder: &Path, path: &Path) -> Result<PathBuf, NamedFileError> {
    let refused = |error: std::io::Error| NamedFileError::new(path, error);
    let (root, target) = (folder.canonicalize().map_err(refused)?, path.canonicalize().map_err(refused)?);
    if target.starts_with(root) {
        Ok(path.to_owned())
    } else {
        Err(NamedFileError::new(path, "it is a link that leads out of the folder; put the file there instead"))
    }
}

/// Hidden files and links are left out, as where scenarios are looked for.
fn all_below(folder: &Path, found: &mut BTreeSet<PathBuf>) -> Result<(), NamedFileError> {
    let refused = |error: std::io::Error| NamedFileError::new(folder, error);
    for entry in fs::read_dir(folder).map_err(refused)? {
        let entry = entry.map_err(refused)?;
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        let kind = entry.file_type().map_err(refused)?;
        if kind.is_dir() {
            all_below(&entry.path(), found)?;
        } else if kind.is_file() {
            found.insert(entry.path());
        }
        if found.len() > FILES_MAX {
            let reason = format!("a name with a template may be that of any of more than {FILES_MAX} files here");
            return Err(NamedFileError::new(folder, reason + "; put the scenario into a folder of its own"));
        }
    }
    Ok(())
}
