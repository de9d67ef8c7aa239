//! From the file's form to the form that runs; each kind of step checks itself.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use located::{Diagnostics, Place, Source};

use super::{LintCode, Retry, Scenario, Scene, StepFile, format::ScenarioFile};
use crate::{
    arrange::Catalogue,
    step::{self, Step},
    text::{Node, Period, Placed},
};

const TIMEOUT_DEFAULT: Duration = Duration::from_secs(30);
const TIMEOUT_MAX: Duration = Duration::from_mins(10);
const WEIGHTS: std::ops::RangeInclusive<f64> = 0.01..=100.0;
const STEPS_MAX: usize = 1_000; // of one phase; a longer story is several
const SLUG_CHARS_MAX: usize = 80; // fits a file name and a table

/// What a step needs to check itself, and where it says what is wrong.
pub(crate) struct Lower<'a> {
    source: &'a Source,
    pub(crate) catalogue: &'a Catalogue,
    wrong: &'a mut Diagnostics,
}

impl Lower<'_> {
    pub(crate) fn refuse(&mut self, code: LintCode, place: Place, message: impl std::fmt::Display) {
        self.wrong.push(code.at(self.source, place, message));
    }

    pub(crate) fn refuse_with(
        &mut self,
        code: LintCode,
        place: Place,
        message: impl std::fmt::Display,
        hint: impl Into<String>,
    ) {
        self.wrong.push(code.at(self.source, place, message).hint(hint));
    }

    /// Where files that a scenario names are looked for: beside it.
    pub(crate) fn folder(&self) -> PathBuf {
        Path::new(self.source.name()).parent().map_or_else(PathBuf::new, Path::to_path_buf)
    }

    /// The period, or the default; more than `most` is refused.
    pub(crate) fn period(&mut self, period: Option<&Placed<Period>>, default: Duration, most: Duration) -> Duration {
        let Some(period) = period else { return default };
        if period.0 > most {
            self.refuse(LintCode::BadLimit, period.place, format!("at most {} is allowed here", Period(most)));
        }
        period.0
    }
}

/// `document` is the same file, read as a plain value.
pub(super) fn scenario(
    source: Source,
    file: ScenarioFile,
    document: &Node,
    catalogue: &Catalogue,
    wrong: &mut Diagnostics,
) -> Scenario {
    let mut lower = Lower { source: &source, catalogue, wrong };
    check_slug(&file, &mut lower);
    let timeout = lower.period(file.timeout.as_ref(), TIMEOUT_DEFAULT, TIMEOUT_MAX);
    if let Some(weight) = file.weight.as_ref().filter(|weight| !WEIGHTS.contains(&weight.value)) {
        let message = format!("a weight is from {} to {}", WEIGHTS.start(), WEIGHTS.end());
        lower.refuse(LintCode::BadLimit, weight.place, message);
    }
    let phases = [("setup", file.setup), ("steps", file.steps), ("teardown", file.teardown)];
    let [setup, steps, teardown] = phases.map(|(name, steps)| phase(steps, document.get(name), &mut lower));
    if !steps.iter().any(|scene| scene.step.asserts()) {
        let hint = "give at least one step an `expect:`; a scenario that cannot fail shows nothing";
        lower.refuse_with(LintCode::NoAssertion, file.scenario.place, "nothing is asserted", hint);
    }
    Scenario {
        slug: file.scenario.value,
        title: file.title,
        requirements: file.requirements.iter().map(|id| id.value.clone()).collect(),
        requirement_places: file.requirements,
        theme: file.theme,
        canary: file.canary.map(|canary| canary.value),
        tags: file.tags,
        weight: file.weight.map_or(1.0, |weight| weight.value),
        timeout,
        vars: file.vars,
        setup,
        steps,
        teardown,
        source,
    }
}

fn check_slug(file: &ScenarioFile, lower: &mut Lower<'_>) {
    let slug = &file.scenario;
    let is_slug = slug.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    if !is_slug || slug.is_empty() || slug.len() > SLUG_CHARS_MAX {
        let hint = format!("use lower-case letters, digits and dashes, at most {SLUG_CHARS_MAX}");
        lower.refuse_with(LintCode::BadSlug, slug.place, format!("`{}` is no slug", slug.value), hint);
    }
}

fn phase(files: Vec<Placed<StepFile>>, document: Option<&Node>, lower: &mut Lower<'_>) -> Vec<Scene> {
    if let Some(surplus) = files.get(STEPS_MAX) {
        lower.refuse(LintCode::BadLimit, surplus.place, format!("at most {STEPS_MAX} steps are allowed"));
    }
    let documents = document.map_or(&[][..], Node::items);
    files.into_iter().zip(documents).filter_map(|(file, document)| scene(file, document, lower)).collect()
}

fn scene(file: Placed<StepFile>, document: &Node, lower: &mut Lower<'_>) -> Option<Scene> {
    let place = file.place;
    let mut file = file.value;
    let (name, retry) = (file.name.take(), file.retry.take());
    let step: Box<dyn Step> = step::lower(file, document, place, lower)?;
    if let Some(retry) = retry.as_ref().filter(|retry| retry.until_pass_within.0 > Retry::WITHIN_MAX) {
        lower.refuse(LintCode::BadLimit, retry.place, format!("at most {} is allowed here", Period(Retry::WITHIN_MAX)));
    }
    Some(Scene { name: name.unwrap_or_else(|| step.title()), step, retry: retry.map(|retry| retry.value), place })
}
