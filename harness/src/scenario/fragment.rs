//! Steps that several scenarios share: a file that says `steps_of:`, played where a step says `use:`.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Component, Path, PathBuf},
    sync::Arc,
};

use located::{Diagnostic, Diagnostics, Place, Source, nearest};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

use super::{LintCode, Lower, Scene, StepFile, lower::phase, named::Named, names::Names, parsed};
use crate::{
    arrange::Catalogue,
    text::{Entries, Node, Placed, Text},
};

/// Deeper ones are refused: a reader could not follow them either.
const DEPTH_MAX: usize = 8;

/// A fragment file as it is written: steps with arguments and results.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Fragment")]
pub(super) struct FragmentFile {
    /// What these steps do, in a word or two; reports put it before the names of the steps.
    steps_of: Text,
    /// What the caller gives: a name, or {name: default}.
    #[serde(default)]
    arguments: Vec<Argument>,
    pub(super) steps: Vec<Placed<StepFile>>,
    /// Names of arguments and captured values that the caller can capture.
    #[serde(default)]
    returns: Vec<Text>,
}

/// A name that must be given, or one with a default.
#[derive(Clone, Debug)]
pub(crate) struct Argument {
    pub(crate) name: Text,
    pub(crate) default: Option<Node>,
}

/// Shared steps, checked.
#[derive(Debug)]
pub(crate) struct Fragment {
    pub(crate) title: String,
    pub(crate) arguments: Vec<Argument>,
    pub(crate) scenes: Vec<Scene>,
    pub(crate) returns: Vec<String>,
    pub(crate) source: Source,
}

/// One place that uses a fragment.
#[derive(Debug)]
pub(crate) struct Use {
    pub(crate) fragment: Arc<Fragment>,
    pub(crate) with: Entries<Node>,
    /// The caller's name and the name among what is returned.
    pub(crate) captures: Vec<(String, String)>,
}

/// The fragments of a suite; each file is read once.
pub(crate) struct Library {
    /// Documents that were given instead of files.
    given: BTreeMap<PathBuf, Source>,
    /// `None` for one that is refused.
    known: BTreeMap<PathBuf, Option<Arc<Fragment>>>,
    /// What is being read, outermost first.
    reading: Vec<PathBuf>,
    pub(super) named: Named,
    pub(super) catalogue: Catalogue,
}

impl Library {
    pub(super) fn new(sources: &[Source], catalogue: Catalogue) -> Self {
        let given = sources.iter().map(|source| (plain(Path::new(source.name())), source.clone())).collect();
        Self { given, known: BTreeMap::new(), reading: Vec::new(), named: Named::default(), catalogue }
    }

    /// Every fragment's document, in the order of their paths.
    pub(super) fn sources(&self) -> impl Iterator<Item = &Source> {
        self.known.values().flatten().map(|fragment| &fragment.source)
    }

    pub(super) fn has(&self, path: &Path) -> bool {
        self.given.contains_key(&plain(path)) || path.is_file()
    }

    pub(super) fn read(&self, path: &Path) -> Result<Source, Diagnostic> {
        self.given.get(&plain(path)).map_or_else(|| Source::read(path), |source| Ok(source.clone()))
    }

    /// A fragment by its path. What is wrong in it is told once; `None` where it cannot be used.
    pub(super) fn fragment(&mut self, path: &Path, wrong: &mut Diagnostics) -> Option<Arc<Fragment>> {
        let path = plain(path);
        if let Some(known) = self.known.get(&path) {
            return known.clone();
        }
        self.reading.push(path.clone());
        let before = wrong.0.len();
        let lowered = self.load(&path, wrong).map_err(|error| wrong.extend(error.0)).ok();
        self.reading.pop();
        let fragment = lowered.filter(|_| wrong.0.len() == before).map(Arc::new);
        self.known.insert(path, fragment.clone());
        fragment
    }

    fn load(&mut self, path: &Path, wrong: &mut Diagnostics) -> Result<Fragment, Diagnostics> {
        let source = self.read(path)?;
        let (document, file): (_, FragmentFile) = parsed(&source)?;
        self.named.note_templates(&source, &document);
        file.check_names(&source, &document, wrong);
        let mut lower = Lower::new(&source, self, wrong);
        let scenes = phase(file.steps, document.get("steps"), &mut lower);
        if scenes.is_empty() {
            lower.refuse(LintCode::BadFragment, file.steps_of.place, "a fragment needs steps");
        }
        let returns = file.returns.into_iter().map(|name| name.value).collect();
        Ok(Fragment { title: file.steps_of.value, arguments: file.arguments, scenes, returns, source })
    }

    /// `file → file → file`, where `path` is being read already.
    fn cycle(&self, path: &Path) -> Option<String> {
        let start = self.reading.iter().position(|open| open == path)?;
        let chain = self.reading[start..].iter().map(PathBuf::as_path).chain([path]);
        Some(chain.map(|path| path.display().to_string()).collect::<Vec<_>>().join(" → "))
    }
}

impl FragmentFile {
    fn check_names(&self, source: &Source, document: &Node, wrong: &mut Diagnostics) {
        let mut names = Names::new(source, &BTreeSet::new(), wrong);
        for argument in &self.arguments {
            argument.default.iter().for_each(|default| names.check(default));
            names.define(&argument.name);
        }
        names.steps(self.steps.iter().map(|step| &step.value), document.get("steps"));
        let missing: Vec<_> = self.returns.iter().filter(|name| !names.knows(name)).collect();
        for name in missing {
            let message = format!("nothing here captures `{}`", name.value);
            wrong.push(LintCode::BadFragment.at(source, name.place, message));
        }
    }
}

/// The checked form of a step that says `use:`.
pub(super) fn lower(mut file: StepFile, document: &Node, place: Place, lower: &mut Lower<'_>) -> Option<Use> {
    const FIELDS: [&str; 6] = ["name", "use", "with", "if", "for_each", "capture"];
    for (name, node) in document.entries().iter().filter(|(name, _)| !FIELDS.contains(&name.as_str())) {
        let message = format!("a step with `use` has no `{name}`");
        lower.refuse_with(LintCode::StepKind, node.place, message, "put it on a step of the fragment");
    }
    let path = file.used.take()?;
    let target = resolve(&path, lower)?;
    if let Some(chain) = lower.library.cycle(&target) {
        lower.refuse(LintCode::RecursiveUse, path.place, format!("a fragment cannot use itself: {chain}"));
        return None;
    }
    if lower.library.reading.len() == DEPTH_MAX {
        lower.refuse(LintCode::BadLimit, path.place, format!("fragments use each other at most {DEPTH_MAX} deep"));
        return None;
    }
    // Where it is refused, its own errors stand in the list already.
    let fragment = lower.library.fragment(&target, lower.wrong)?;
    check_arguments(&fragment, &file.with, place, lower);
    let captures = captures(&fragment, document, lower);
    Some(Use { fragment, with: file.with, captures })
}

fn resolve(path: &Text, lower: &mut Lower<'_>) -> Option<PathBuf> {
    let written = Path::new(path.as_str());
    let is_yaml = written.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
    if written.is_absolute() || !is_yaml || path.contains("{{") {
        let message = format!("`{}` is no path to a fragment", path.value);
        let hint = "write a path to a .yaml file, relative to this one";
        lower.refuse_with(LintCode::BadPath, path.place, message, hint);
        return None;
    }
    let target = plain(&lower.folder().join(written));
    if let Err(error) = lower.library.read(&target) {
        lower.refuse(LintCode::BadPath, path.place, format!("`{}`: {}", target.display(), error.message));
        return None;
    }
    Some(target)
}

fn check_arguments(fragment: &Fragment, with: &Entries<Node>, place: Place, lower: &mut Lower<'_>) {
    let names: Vec<&str> = fragment.arguments.iter().map(|argument| argument.name.as_str()).collect();
    for (name, _) in with.iter().filter(|(name, _)| !names.contains(&name.as_str())) {
        let message = format!("`{}` takes no argument `{}`", fragment.title, name.value);
        let hint = match (nearest(name, names.iter().copied()), &names[..]) {
            (Some(near), _) => format!("did you mean `{near}`? it takes {}", names.join(", ")),
            (None, []) => "it takes none".to_owned(),
            (None, _) => format!("it takes {}", names.join(", ")),
        };
        lower.refuse_with(LintCode::UnknownArgument, name.place, message, hint);
    }
    let given = |name: &str| with.iter().any(|(given, _)| given.as_str() == name);
    for argument in fragment.arguments.iter().filter(|argument| argument.default.is_none() && !given(&argument.name)) {
        let message = format!("`{}` needs the argument `{}`", fragment.title, argument.name.value);
        lower.refuse_with(LintCode::MissingArgument, place, message, "give it under `with:`");
    }
}

/// Captures of a `use` name what the fragment returns: `$.token`.
fn captures(fragment: &Fragment, document: &Node, lower: &mut Lower<'_>) -> Vec<(String, String)> {
    let mut captures = Vec::new();
    for (name, node) in document.get("capture").map_or(&[][..], Node::entries) {
        let written = node.as_str().map(|path| path.strip_prefix("$.").unwrap_or(path));
        match written.filter(|written| fragment.returns.iter().any(|returned| returned == written)) {
            Some(returned) => captures.push((name.clone(), returned.to_owned())),
            None => {
                let message = format!("`{}` returns no such value", fragment.title);
                let hint = match &fragment.returns[..] {
                    [] => "it has no `returns:`".to_owned(),
                    returns => format!("write `$.` and a name; it returns {}", returns.join(", ")),
                };
                lower.refuse_with(LintCode::BadCapture, node.place, message, hint);
            }
        }
    }
    captures
}

/// The path without `.` and, where that is possible, without `..`.
pub(super) fn plain(path: &Path) -> PathBuf {
    path.components().fold(PathBuf::new(), |mut plain, part| {
        match part {
            Component::CurDir => {}
            Component::ParentDir
                if plain.components().next_back().is_some_and(|last| matches!(last, Component::Normal(_))) =>
            {
                plain.pop();
            }
            other => plain.push(other),
        }
        plain
    })
}

impl<'de> Deserialize<'de> for Argument {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let node = Node::deserialize(deserializer)?;
        Self::of(&node).ok_or_else(|| serde::de::Error::custom("an argument is a name, or {name: default}"))
    }
}

impl Argument {
    fn of(node: &Node) -> Option<Self> {
        if let Some(name) = node.as_str() {
            return Some(Self { name: Text { value: name.to_owned(), place: node.place }, default: None });
        }
        let [(name, default)] = node.entries() else { return None };
        Some(Self { name: Text { value: name.clone(), place: node.place }, default: Some(default.clone()) })
    }
}

impl JsonSchema for Argument {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Argument".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "anyOf": [
            { "type": "string", "description": "A name that the caller must give." },
            { "type": "object", "minProperties": 1, "maxProperties": 1, "description": "A name and its default." },
        ] })
    }
}
