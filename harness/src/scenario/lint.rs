//! What is checked beyond the format, with a stable code for each.

use std::collections::{BTreeMap, BTreeSet};

use located::{Diagnostic, Diagnostics, Place, Source};

use super::{Kind, Suite, format::ScenarioFile};
use crate::{
    step::wait::LIVE,
    subject::SubjectConfig,
    text::{Entries, Node, NodeKind, RenderError, check_node},
};

const CANARY_CHARS_MIN: usize = 16; // enough that no text holds it by chance

/// Stable names of what can be wrong; they end each message in brackets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LintCode {
    BadCapture,
    BadExpectation,
    BadLimit,
    BadPath,
    BadSlug,
    DuplicateCanary,
    DuplicateScenario,
    EmptySuite,
    MissingCanary,
    MissingTheme,
    NoAssertion,
    NoSubject,
    ReservedName,
    StepKind,
    UndeclaredTwin,
    UnknownFault,
    UnknownOperation,
    UnknownRequirement,
    UnknownTwin,
    UnknownVariable,
    UnreadableFile,
}

impl LintCode {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BadCapture => "bad-capture",
            Self::BadExpectation => "bad-expectation",
            Self::BadLimit => "bad-limit",
            Self::BadPath => "bad-path",
            Self::BadSlug => "bad-slug",
            Self::DuplicateCanary => "duplicate-canary",
            Self::DuplicateScenario => "duplicate-scenario",
            Self::EmptySuite => "empty-suite",
            Self::MissingCanary => "missing-canary",
            Self::MissingTheme => "missing-theme",
            Self::NoAssertion => "no-assertion",
            Self::NoSubject => "no-subject",
            Self::ReservedName => "reserved-name",
            Self::StepKind => "step-kind",
            Self::UndeclaredTwin => "undeclared-twin",
            Self::UnknownFault => "unknown-fault",
            Self::UnknownOperation => "unknown-operation",
            Self::UnknownRequirement => "unknown-requirement",
            Self::UnknownTwin => "unknown-twin",
            Self::UnknownVariable => "unknown-variable",
            Self::UnreadableFile => "unreadable-file",
        }
    }

    pub(crate) fn at(self, source: &Source, place: Place, message: impl std::fmt::Display) -> Diagnostic {
        source.diagnostic(place, format!("{message} [{}]", self.as_str()))
    }
}

/// What a suite must fit that its own files do not say.
#[derive(Clone, Copy, Debug, Default)]
pub struct LintContext<'a> {
    /// The spec's requirement ids, where there is a spec.
    pub requirements: Option<&'a BTreeSet<String>>,
    pub subject: Option<&'a SubjectConfig>,
}

impl Suite {
    /// Checks the suite against the spec and the subject that it is meant for.
    ///
    /// # Errors
    /// Everything that does not fit, each with its place.
    pub fn lint(&self, context: LintContext<'_>) -> Result<(), Diagnostics> {
        let mut wrong = Diagnostics::default();
        for scenario in &self.scenarios {
            let unknown = context.requirements.into_iter().flat_map(|known| {
                scenario.requirement_places.iter().filter(|id| !known.contains(id.as_str())).map(move |id| (id, known))
            });
            wrong.extend(unknown.map(|(id, known)| {
                let message = format!("the spec has no requirement `{}`", id.value);
                let list = known.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
                LintCode::UnknownRequirement.at(&scenario.source, id.place, message).hint(format!("it has {list}"))
            }));
            if let Some(subject) = context.subject {
                lint_subject(scenario, subject, &mut wrong);
            }
        }
        wrong.or(())
    }
}

fn lint_subject(scenario: &super::Scenario, subject: &SubjectConfig, wrong: &mut Diagnostics) {
    let given = subject.twin_names();
    for scene in scenario.setup.iter().chain(&scenario.steps).chain(&scenario.teardown) {
        if let Some(twin) = scene.step.twin().filter(|twin| !given.contains(twin)) {
            let message = format!("the subject is given no twin `{twin}`");
            let hint = format!("add it under `twins:` in {}", subject.source.name());
            wrong.push(LintCode::UndeclaredTwin.at(&scenario.source, scene.place, message).hint(hint));
        }
        if scene.step.needs_subject() && subject.start.is_none() {
            let message = "this step needs a subject that serves, and none is started";
            let hint = format!("add `start:` to {}, or pass --target URL", subject.source.name());
            wrong.push(LintCode::NoSubject.at(&scenario.source, scene.place, message).hint(hint));
        }
    }
}

/// Checks over several files.
pub(super) fn lint_together(files: &[(Source, ScenarioFile)], kind: Kind, wrong: &mut Diagnostics) {
    let (mut slugs, mut canaries) = (BTreeMap::new(), BTreeMap::new());
    for (source, file) in files {
        let slug = file.scenario.as_str();
        if let Some(first) = slugs.insert(slug.to_owned(), source.name()) {
            let message = format!("the scenario `{slug}` stands also in {first}");
            wrong.push(
                LintCode::DuplicateScenario.at(source, file.scenario.place, message).hint("give it its own name"),
            );
        }
        if let Some(canary) = &file.canary
            && let Some(first) = canaries.insert(canary.value.clone(), source.name())
        {
            let message = format!("this canary stands also in {first}");
            wrong
                .push(LintCode::DuplicateCanary.at(source, canary.place, message).hint("draw a random token per file"));
        }
        if kind == Kind::Holdout {
            lint_holdout(source, file, wrong);
        }
    }
}

fn lint_holdout(source: &Source, file: &ScenarioFile, wrong: &mut Diagnostics) {
    let place = file.scenario.place;
    match &file.canary {
        None => {
            let missing = LintCode::MissingCanary.at(source, place, "a holdout needs a canary");
            wrong.push(missing.hint("add `canary:` with a random UUID"));
        }
        Some(canary) if canary.chars().count() < CANARY_CHARS_MIN => {
            let message = format!("a canary needs at least {CANARY_CHARS_MIN} characters");
            wrong.push(LintCode::MissingCanary.at(source, canary.place, message).hint("use a random UUID"));
        }
        Some(_) => {}
    }
    if file.theme.as_ref().is_none_or(|theme| theme.trim().is_empty()) {
        let missing = LintCode::MissingTheme.at(source, place, "a holdout needs a theme");
        wrong.push(missing.hint("add `theme:` with the words that a builder may be told when it fails"));
    }
}

/// Names that every template can use.
pub(crate) const GIVEN: [&str; 7] = ["data_dir", "ports", "random", "subject", "trial", "twins", "uid"];

/// Checks that templates use only what is defined before them. `document` is the same file, read as a plain value.
pub(super) fn lint_templates(
    source: &Source,
    file: &ScenarioFile,
    document: &Node,
    given: &[String],
    wrong: &mut Diagnostics,
) {
    let mut known: BTreeSet<String> =
        GIVEN.iter().map(|name| (*name).to_owned()).chain(given.iter().cloned()).collect();
    let mut found = Vec::new();
    for (name, value) in file.vars.iter() {
        check_node(value, &known, &mut found);
        define(source, name, &mut known, wrong);
    }
    for phase in ["setup", "steps", "teardown"] {
        let Some(Node { kind: NodeKind::List(steps), .. }) = document.get(phase) else { continue };
        let files = match phase {
            "setup" => &file.setup,
            "steps" => &file.steps,
            _ => &file.teardown,
        };
        for (step, file) in steps.iter().zip(files) {
            check_step(step, &known, &mut found);
            names(&file.capture).for_each(|name| define(source, name, &mut known, wrong));
        }
    }
    wrong.extend(found.into_iter().map(|error| unknown_variable(source, &error, &known)));
}

/// A `wait` also knows what is live.
fn check_step(step: &Node, known: &BTreeSet<String>, found: &mut Vec<RenderError>) {
    if step.get("wait").is_some() {
        let live = known.iter().cloned().chain([LIVE.to_owned()]).collect();
        check_node(step, &live, found);
    } else {
        check_node(step, known, found);
    }
}

fn names<T>(entries: &Entries<T>) -> impl Iterator<Item = &crate::text::Text> {
    entries.iter().map(|(name, _)| name)
}

fn define(source: &Source, name: &crate::text::Text, known: &mut BTreeSet<String>, wrong: &mut Diagnostics) {
    let is_name =
        name.chars().enumerate().all(|(n, c)| c == '_' || c.is_ascii_alphabetic() || n > 0 && c.is_ascii_digit());
    if !is_name || name.is_empty() || GIVEN.contains(&name.as_str()) {
        let message = format!("`{}` cannot name a value", name.value);
        let hint = format!("use letters, digits and _, and none of {}", GIVEN.join(", "));
        wrong.push(LintCode::ReservedName.at(source, name.place, message).hint(hint));
    }
    known.insert(name.value.clone());
}

fn unknown_variable(source: &Source, error: &RenderError, known: &BTreeSet<String>) -> Diagnostic {
    let list = known.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    LintCode::UnknownVariable.at(source, error.place, &error.message).hint(format!("this scenario defines {list}"))
}
