//! Scenarios: the files, what is wrong in them, and the checked form that trials run.
//!
//! Reading finds everything that is wrong in all files at once. Never runs anything. Start at [`Suite`]; the format is
//! `format`, what is checked beyond it is `lint` and each step's own `lower`.

mod format;
mod lint;
mod load;
mod lower;

use std::{sync::Arc, time::Duration};

use located::Source;
use serde::{Deserialize, Serialize};

pub use lint::{LintCode, LintContext};

use crate::{
    step::Step,
    text::{Entries, Node, Text},
};

pub(crate) use format::{Expect, Retry, StepFile};
pub(crate) use lint::GIVEN;
pub(crate) use lower::Lower;

/// Scenarios that are run and counted together.
#[derive(Clone, Debug)]
pub struct Suite {
    pub kind: Kind,
    pub scenarios: Vec<Arc<Scenario>>,
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
    pub(crate) vars: Entries<Node>,
    pub(crate) setup: Vec<Scene>,
    pub(crate) steps: Vec<Scene>,
    pub(crate) teardown: Vec<Scene>,
    pub(crate) source: Source,
}

impl Scenario {
    /// The file that it was read from; its text is what a leak scanner of holdouts compares with.
    pub fn source(&self) -> &Source {
        &self.source
    }
}

/// A step with its name and how often it is tried.
#[derive(Debug)]
pub(crate) struct Scene {
    pub(crate) name: String,
    pub(crate) step: Box<dyn Step>,
    pub(crate) retry: Option<Retry>,
    pub(crate) place: located::Place,
}

/// The JSON Schema of scenario files.
pub(crate) fn schema() -> schemars::Schema {
    schemars::schema_for!(format::ScenarioFile)
}
