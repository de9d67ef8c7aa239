//! What is checked of a suite as a whole: against the spec, against the subject, and between its files.

use std::collections::{BTreeMap, BTreeSet};

use located::{Diagnostics, Source};

use super::{Kind, LintCode, Suite, format::ScenarioFile};
use crate::subject::SubjectConfig;

const CANARY_CHARS_MIN: usize = 16; // enough that no text holds it by chance

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
        // Scenarios of one file, and of one fragment, share their steps.
        wrong.0.sort_by(|a, b| (a.source.name(), a.place).cmp(&(b.source.name(), b.place)));
        wrong.0.dedup();
        wrong.or(())
    }
}

fn lint_subject(scenario: &super::Scenario, subject: &SubjectConfig, wrong: &mut Diagnostics) {
    let given = subject.twin_names();
    scenario.story.visit(&mut |scene, step| {
        if let Some(twin) = step.twin().filter(|twin| !given.contains(twin)) {
            let message = format!("the subject is given no twin `{twin}`");
            let hint = format!("add it under `twins:` in {}", subject.source.name());
            wrong.push(LintCode::UndeclaredTwin.at(&scene.source, scene.place, message).hint(hint));
        }
        if step.needs_subject() && subject.start.is_none() {
            let message = "this step needs a subject that serves, and none is started";
            let hint = format!("add `start:` to {}, or pass --target URL", subject.source.name());
            wrong.push(LintCode::NoSubject.at(&scene.source, scene.place, message).hint(hint));
        }
    });
}

/// Checks over several files.
pub(super) fn lint_together<'a>(
    files: impl Iterator<Item = (&'a Source, &'a ScenarioFile)>,
    kind: Kind,
    wrong: &mut Diagnostics,
) {
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
