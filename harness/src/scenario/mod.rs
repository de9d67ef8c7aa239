//! Scenarios: the files, what is wrong in them, and the checked form that trials run.
//!
//! Reading finds everything that is wrong in all files at once. Never runs anything. Start at [`Suite`]; the format is
//! `format`, what is checked beyond it is `lint` and each step's own `lower`.

mod cases;
mod code;
mod folder;
mod format;
mod fragment;
mod lint;
mod load;
mod lower;
mod named;
mod names;
mod variant;

use std::{sync::Arc, time::Duration};

use located::{Place, Source};
use serde::{Deserialize, Serialize};

pub use code::LintCode;
pub use lint::LintContext;
pub use load::Given;
pub use named::{NamedFileError, SuiteFile};

use self::named::Named;
use crate::{
    step::Step,
    text::{Entries, Node, Text, typed},
};

pub(crate) use format::{Expect, Retry, StepFile};
pub(crate) use fragment::{Library, Use};
pub(crate) use lower::Lower;
pub(crate) use names::{GIVEN, INDEX};
pub(crate) use variant::Variant;

const SLUG_CHARS_MAX: usize = 80; // fits a file name and a table

/// Scenarios that are run and counted together.
#[derive(Clone, Debug)]
pub struct Suite {
    pub kind: Kind,
    pub scenarios: Vec<Arc<Scenario>>,
    /// What is not run because a file says so.
    pub skipped: Vec<Skipped>,
    sources: Vec<Source>,
    named: Named,
}

/// A scenario that is not run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Skipped {
    pub scenario: String,
    pub reason: String,
}

/// Who may see a suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Builders see everything of it.
    Visible,
    /// Builders see a theme and rounded counts, nothing else.
    Holdout,
}

/// One user story, checked.
#[derive(Debug)]
pub struct Scenario {
    /// Unique within the suite.
    pub slug: String,
    pub title: String,
    /// Ids of the spec's requirements that it shows.
    pub requirements: Vec<String>,
    /// The only text that a builder may be told when a holdout fails.
    pub theme: Option<String>,
    /// A random token that must appear nowhere else.
    pub canary: Option<String>,
    pub tags: Vec<String>,
    pub weight: f64,
    pub timeout: Duration,
    pub(crate) requirement_places: Vec<Text>,
    /// The slug without the variant's name. Equal bases have equal random values.
    pub(crate) base: String,
    /// The row's name.
    pub(crate) case: Option<String>,
    /// In the order in which they are evaluated.
    pub(crate) variables: Vec<Variable>,
    pub(crate) story: Arc<Story>,
    pub(crate) variant: Option<Arc<Variant>>,
    pub(crate) source: Source,
}

impl Scenario {
    /// The file that it was read from.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// All documents that it is made of, its own first, then fragments and `_suite.yaml`.
    pub(crate) fn sources(&self) -> Vec<&Source> {
        let mut all = vec![&self.source];
        all.extend(self.variables.iter().map(|variable| &variable.source));
        self.story.scenes().for_each(|scene| scene.sources(&mut all));
        let mut seen = std::collections::BTreeSet::new();
        all.retain(|source| seen.insert(source.name()));
        all
    }
}

/// What happens; rows and variants of a file share it.
#[derive(Debug)]
pub(crate) struct Story {
    /// Outer folders first, then the scenario's own.
    pub(crate) setup: Vec<Arc<[Scene]>>,
    pub(crate) steps: Arc<[Scene]>,
    /// The scenario's own first, then outwards.
    pub(crate) teardown: Vec<Arc<[Scene]>>,
}

impl Story {
    pub(crate) fn setup(&self) -> impl Iterator<Item = &Scene> {
        self.setup.iter().flat_map(|scenes| scenes.iter())
    }

    pub(crate) fn teardown(&self) -> impl Iterator<Item = &Scene> {
        self.teardown.iter().flat_map(|scenes| scenes.iter())
    }

    fn scenes(&self) -> impl Iterator<Item = &Scene> {
        self.setup().chain(self.steps.iter()).chain(self.teardown())
    }

    /// Every step, those of fragments included, with the scene that it stands in.
    pub(crate) fn visit(&self, see: &mut impl FnMut(&Scene, &dyn Step)) {
        self.scenes().for_each(|scene| scene.visit(see));
    }
}

/// A variable, evaluated once per trial.
#[derive(Clone, Debug)]
pub(crate) struct Variable {
    pub(crate) name: Text,
    pub(crate) value: Node,
    pub(crate) source: Source,
}

impl Variable {
    fn all(entries: Entries<Node>, source: &Source) -> Vec<Self> {
        entries.0.into_iter().map(|(name, value)| Self { name, value, source: source.clone() }).collect()
    }
}

/// A step with its name, when it is done and how often it is tried.
#[derive(Debug)]
pub(crate) struct Scene {
    pub(crate) name: String,
    pub(crate) act: Act,
    /// Names that later steps have from it.
    pub(crate) captures: Vec<String>,
    pub(crate) condition: Option<Node>,
    /// The name of the element, and the list.
    pub(crate) each: Option<(String, Node)>,
    pub(crate) retry: Option<Retry>,
    pub(crate) place: Place,
    pub(crate) source: Source,
}

/// What a scene does.
#[derive(Debug)]
pub(crate) enum Act {
    Step(Box<dyn Step>),
    Use(Use),
}

impl Scene {
    /// Elements of one `for_each`.
    pub(crate) const EACH_MAX: usize = 1_000; // more is a load test

    /// Whether it can fail for what the subject did.
    fn asserts(&self) -> bool {
        match &self.act {
            Act::Step(step) => step.asserts(),
            Act::Use(used) => used.fragment.scenes.iter().any(Self::asserts),
        }
    }

    fn sources<'a>(&'a self, all: &mut Vec<&'a Source>) {
        all.push(&self.source);
        if let Act::Use(used) = &self.act {
            all.push(&used.fragment.source);
            used.fragment.scenes.iter().for_each(|scene| scene.sources(all));
        }
    }

    fn visit(&self, see: &mut impl FnMut(&Self, &dyn Step)) {
        match &self.act {
            Act::Step(step) => see(self, step.as_ref()),
            Act::Use(used) => used.fragment.scenes.iter().for_each(|scene| scene.visit(see)),
        }
    }
}

/// Reads a document, as a plain value and as its type; what does not fit has a code.
fn parsed<T: serde::de::DeserializeOwned>(source: &Source) -> Result<(Node, T), located::Diagnostics> {
    let plain = plain(source)?;
    let file = typed(&plain, source).map_err(LintCode::of_format)?;
    Ok((plain, file))
}

fn plain(source: &Source) -> Result<Node, located::Diagnostics> {
    located::yaml(source).map_err(LintCode::of_format)
}

/// Lower-case letters, digits and dashes.
fn is_slug(text: &str) -> bool {
    let is_plain = text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    is_plain && !text.is_empty() && text.len() <= SLUG_CHARS_MAX
}

/// The JSON Schemas of scenarios, fragments and `_suite.yaml`.
pub(crate) fn schemas() -> [schemars::Schema; 3] {
    let mut schemas = [
        schemars::schema_for!(format::ScenarioFile),
        schemars::schema_for!(fragment::FragmentFile),
        schemars::schema_for!(folder::FolderFile),
    ];
    schemas.iter_mut().for_each(crate::step::narrow_schema);
    schemas
}
