//! From the file's form to the form that runs; each kind of step checks itself.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use located::{Diagnostics, Place, Source};

use super::{
    Act, Library, LintCode, Retry, Scenario, Scene, Skipped, StepFile, Story, Variable,
    cases::{self, Case},
    folder::Folder,
    format::ScenarioFile,
    fragment,
    names::Names,
    variant::{self, Variant},
};
use crate::{
    arrange::{Abilities, is_definition},
    step,
    text::{Entries, Node, Period, Placed, Text},
};

const TIMEOUT_DEFAULT: Duration = Duration::from_secs(30);
const TIMEOUT_MAX: Duration = Duration::from_mins(10);
const WEIGHTS: std::ops::RangeInclusive<f64> = 0.01..=100.0;
const STEPS_MAX: usize = 1_000; // of one phase; a longer story is several

/// What a step needs to check itself, and where it says what is wrong.
pub(crate) struct Lower<'a> {
    source: &'a Source,
    pub(super) library: &'a mut Library,
    pub(super) wrong: &'a mut Diagnostics,
}

impl<'a> Lower<'a> {
    pub(super) fn new(source: &'a Source, library: &'a mut Library, wrong: &'a mut Diagnostics) -> Self {
        Self { source, library, wrong }
    }

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

    /// Where files that are named in this one are looked for: beside it.
    pub(crate) fn folder(&self) -> PathBuf {
        Path::new(self.source.name()).parent().map_or_else(PathBuf::new, Path::to_path_buf)
    }

    /// Notes a file that is named here, so that it goes where the suite goes.
    pub(crate) fn names_file(&mut self, name: &str) {
        self.library.named.note(self.source, name);
    }

    /// The same for a schema or a twin's definition, which may lie elsewhere.
    pub(crate) fn names_shared(&mut self, name: &str) {
        self.library.named.note_shared(self.source, name);
    }

    /// The twin of that name, or the one that the file at that path declares. One that there is not is refused.
    pub(crate) fn twin(&mut self, twin: &Text) -> Option<Arc<Abilities>> {
        if is_definition(twin) {
            self.names_shared(twin);
            let path = fragment::plain(&self.folder().join(twin.as_str()));
            if path.is_file() {
                return self.library.catalogue.define(&path, self.wrong);
            }
            let message = format!("there is no definition of a twin at `{}`", twin.value);
            self.refuse_with(LintCode::UnknownTwin, twin.place, message, "its path is relative to this file");
            return None;
        }
        let known = self.library.catalogue.get(twin);
        if known.is_none() {
            let hint = format!("there are {}; one of your own is named by its path", self.library.catalogue.names());
            self.refuse_with(LintCode::UnknownTwin, twin.place, format!("there is no twin `{}`", twin.value), hint);
        }
        known
    }

    /// The period, or the default; more than `most` is refused.
    pub(crate) fn period(&mut self, period: Option<&Placed<Period>>, default: Duration, most: Duration) -> Duration {
        let Some(period) = period else { return default };
        if period.0 > most {
            self.refuse(LintCode::BadLimit, period.place, format!("at most {} is allowed here", Period(most)));
        }
        period.0
    }

    pub(super) fn timeout(&mut self, timeout: Option<&Placed<Period>>) -> Duration {
        self.period(timeout, TIMEOUT_DEFAULT, TIMEOUT_MAX)
    }
}

/// One file, with what its folders share.
pub(super) struct Document<'a> {
    pub(super) source: Source,
    pub(super) file: ScenarioFile,
    /// The same file, read as a plain value.
    pub(super) plain: &'a Node,
    pub(super) folders: Vec<Arc<Folder>>,
}

/// The scenarios of one file: one, or one per row, and each again per variant.
pub(super) fn scenarios(
    document: Document<'_>,
    given: &BTreeSet<String>,
    library: &mut Library,
    wrong: &mut Diagnostics,
) -> (Vec<Scenario>, Vec<Skipped>) {
    let Document { source, mut file, plain, folders } = document;
    let mut lower = Lower::new(&source, library, wrong);
    check_head(&file, &mut lower);
    let place = file.scenario.place;
    let rows = cases::lower(file.cases.take(), place, &mut lower);
    let values = check_names(&source, &file, plain, &folders, rows.as_deref(), given, lower.wrong);
    let own = [("setup", &mut file.setup), ("steps", &mut file.steps), ("teardown", &mut file.teardown)];
    let [setup, steps, teardown] = own.map(|(name, steps)| phase(std::mem::take(steps), plain.get(name), &mut lower));
    if !steps.iter().any(Scene::asserts) {
        let hint = "give at least one step an `expect:`; a scenario that cannot fail shows nothing";
        lower.refuse_with(LintCode::NoAssertion, place, "nothing is asserted", hint);
    }
    let variants = std::mem::take(&mut file.variants);
    let variables = defined(&file, &folders, rows.as_deref());
    let known = variant::Known { variables: &variables, values: &values, steps: &steps };
    let variants: Vec<_> = variant::lower(variants, &known, &mut lower).into_iter().map(Arc::new).collect();
    let outer = folders.iter().rev().find_map(|folder| folder.timeout.as_ref());
    let timeout = match file.timeout.as_ref() {
        Some(own) => lower.timeout(Some(own)),
        None => outer.map_or(TIMEOUT_DEFAULT, |outer| outer.0),
    };
    let story = Arc::new(Story {
        setup: folders.iter().map(|folder| Arc::clone(&folder.setup)).chain([setup.into()]).collect(),
        steps: steps.into(),
        teardown: [teardown.into()]
            .into_iter()
            .chain(folders.iter().rev().map(|folder| Arc::clone(&folder.teardown)))
            .collect(),
    });
    let teller = Teller { file: &file, source: &source, folders: &folders, timeout, story };
    teller.tell(rows, &variants)
}

/// Makes the scenarios of one file from its rows and variants.
struct Teller<'a> {
    file: &'a ScenarioFile,
    source: &'a Source,
    folders: &'a [Arc<Folder>],
    timeout: Duration,
    story: Arc<Story>,
}

impl Teller<'_> {
    fn tell(&self, rows: Option<Vec<Case>>, variants: &[Arc<Variant>]) -> (Vec<Scenario>, Vec<Skipped>) {
        let (mut told, mut skipped) = (Vec::new(), Vec::new());
        let rows = rows.map_or_else(|| vec![None], |rows| rows.into_iter().map(Some).collect());
        for row in &rows {
            for variant in [None].into_iter().chain(variants.iter().map(Some)) {
                let scenario = self.one(row.as_ref(), variant);
                let reason = row.as_ref().and_then(|row| row.skip.as_ref()).or(self.file.skip.as_ref());
                match reason {
                    Some(reason) => skipped.push(Skipped { scenario: scenario.slug, reason: reason.clone() }),
                    None => told.push(scenario),
                }
            }
        }
        (told, skipped)
    }

    fn one(&self, row: Option<&Case>, variant: Option<&Arc<Variant>>) -> Scenario {
        let file = self.file;
        let case = row.map(|row| row.name.value.clone());
        let base = file.scenario.value.clone() + &case.as_ref().map_or_else(String::new, |case| format!("[{case}]"));
        let ending = variant.map_or_else(String::new, |variant| format!("~{}", variant.name));
        let of_case = case.as_ref().map_or_else(String::new, |case| format!(" [{case}]"));
        let of_variant = variant.map_or_else(String::new, |variant| format!(", variant {}", variant.name));
        let tags = self.folders.iter().flat_map(|folder| &folder.tags).chain(&file.tags);
        let more = row.iter().flat_map(|row| &row.tags).chain(variant.iter().flat_map(|variant| &variant.tags));
        Scenario {
            slug: format!("{base}{ending}"),
            title: format!("{}{of_case}{of_variant}", file.title),
            requirements: file.requirements.iter().map(|id| id.value.clone()).collect(),
            requirement_places: file.requirements.clone(),
            theme: file.theme.clone(),
            canary: file.canary.as_ref().map(|canary| canary.value.clone()),
            tags: tags.chain(more).cloned().collect(),
            weight: file.weight.as_ref().map_or(1.0, |weight| weight.value),
            timeout: self.timeout,
            base,
            case,
            variables: self.variables(row),
            story: Arc::clone(&self.story),
            variant: variant.cloned(),
            source: self.source.clone(),
        }
    }

    /// In the order in which they are evaluated. Who is nearer wins: row, file, folders.
    fn variables(&self, row: Option<&Case>) -> Vec<Variable> {
        let mut all: Vec<Variable> = self.folders.iter().flat_map(|folder| folder.variables.clone()).collect();
        let rows: &[(Text, Node)] = row.map_or(&[], |row| &row.variables);
        let own = self.file.vars.iter().filter(|(name, _)| !rows.iter().any(|(of_row, _)| of_row.value == name.value));
        for (name, value) in rows.iter().chain(own) {
            all.retain(|outer| outer.name.value != name.value);
            all.push(Variable { name: name.clone(), value: value.clone(), source: self.source.clone() });
        }
        all
    }
}

/// The names of the variables that a variant may change.
fn defined<'a>(file: &'a ScenarioFile, folders: &'a [Arc<Folder>], rows: Option<&'a [Case]>) -> Vec<&'a str> {
    let of_folders = folders.iter().flat_map(|folder| folder.variables.iter().map(|variable| variable.name.as_str()));
    let of_rows = rows.into_iter().flatten().flat_map(|row| row.variables.iter().map(|(name, _)| name.as_str()));
    of_folders.chain(of_rows).chain(file.vars.iter().map(|(name, _)| name.as_str())).collect()
}

/// Checks that templates use only what is defined before them; gives what is defined at the end.
fn check_names(
    source: &Source,
    file: &ScenarioFile,
    plain: &Node,
    folders: &[Arc<Folder>],
    rows: Option<&[Case]>,
    given: &BTreeSet<String>,
    wrong: &mut Diagnostics,
) -> BTreeSet<String> {
    let mut outer = given.clone();
    outer.extend(folders.iter().flat_map(|folder| folder.known.iter().cloned()));
    let mut names = Names::new(source, &outer, wrong);
    for (n, (name, value)) in
        rows.into_iter().flatten().enumerate().flat_map(|(n, row)| row.variables.iter().map(move |one| (n, one)))
    {
        names.check(value);
        if n == 0 {
            names.define(name);
        }
    }
    names.variables(&file.vars);
    for variant in plain.get("variants").map_or(&[][..], Node::items) {
        variant.get("vars").into_iter().for_each(|vars| names.check(vars));
    }
    for (phase, steps) in [("setup", &file.setup), ("steps", &file.steps), ("teardown", &file.teardown)] {
        names.steps(steps.iter().map(|step| &step.value), plain.get(phase));
    }
    names.known()
}

fn check_head(file: &ScenarioFile, lower: &mut Lower<'_>) {
    let slug = &file.scenario;
    if !super::is_slug(slug) {
        let hint = format!("use lower-case letters, digits and dashes, at most {}", super::SLUG_CHARS_MAX);
        lower.refuse_with(LintCode::BadSlug, slug.place, format!("`{}` is no slug", slug.value), hint);
    }
    if let Some(weight) = file.weight.as_ref().filter(|weight| !WEIGHTS.contains(&weight.value)) {
        let message = format!("a weight is from {} to {}", WEIGHTS.start(), WEIGHTS.end());
        lower.refuse(LintCode::BadLimit, weight.place, message);
    }
    if file.skip.as_ref().is_some_and(|reason| reason.trim().is_empty()) {
        lower.refuse(LintCode::BadLimit, slug.place, "`skip` says why, in a text");
    }
}

pub(super) fn phase(files: Vec<Placed<StepFile>>, document: Option<&Node>, lower: &mut Lower<'_>) -> Vec<Scene> {
    if let Some(surplus) = files.get(STEPS_MAX) {
        lower.refuse(LintCode::BadLimit, surplus.place, format!("at most {STEPS_MAX} steps are allowed"));
    }
    let documents = document.map_or(&[][..], Node::items);
    files.into_iter().zip(documents).filter_map(|(file, document)| scene(file, document, lower)).collect()
}

fn scene(file: Placed<StepFile>, document: &Node, lower: &mut Lower<'_>) -> Option<Scene> {
    let place = file.place;
    let mut file = file.value;
    let (name, condition) = (file.name.take(), file.condition.take());
    let captures = file.capture.iter().map(|(name, _)| name.value.clone()).collect();
    let each = file.for_each.take().and_then(|each| each_of(each, lower));
    let retry = file.retry.take();
    retry.iter().for_each(|retry| check_retry(retry, lower));
    let (title, act) = if file.used.is_some() {
        let used = fragment::lower(file, document, place, lower)?;
        (used.fragment.title.clone(), Act::Use(used))
    } else {
        let step = step::lower(file, document, place, lower)?;
        (step.title(), Act::Step(step))
    };
    let name = name.unwrap_or(title);
    let retry = retry.map(|retry| retry.value);
    Some(Scene { name, act, captures, condition, each, retry, place, source: lower.source.clone() })
}

fn each_of(each: Placed<Entries<Node>>, lower: &mut Lower<'_>) -> Option<(String, Node)> {
    let place = each.place;
    let mut entries = each.value.0;
    if entries.len() != 1 {
        lower.refuse(LintCode::StepKind, place, "`for_each` holds one name with its list, like {item: [a, b]}");
        return None;
    }
    let (name, list) = entries.pop()?;
    let is_list = !list.items().is_empty() || list.as_str().is_some_and(|text| text.contains("{{"));
    if !is_list {
        let hint = "write a list with at least one element, or a template that gives one";
        lower.refuse_with(LintCode::StepKind, list.place, "there is nothing to go through", hint);
    }
    if list.items().len() > Scene::EACH_MAX {
        lower.refuse(LintCode::BadLimit, list.place, format!("at most {} elements are allowed", Scene::EACH_MAX));
    }
    Some((name.value, list))
}

fn check_retry(retry: &Placed<Retry>, lower: &mut Lower<'_>) {
    if retry.until_pass_within.is_some_and(|within| within.0 > Retry::WITHIN_MAX) {
        lower.refuse(LintCode::BadLimit, retry.place, format!("at most {} is allowed here", Period(Retry::WITHIN_MAX)));
    }
    if retry.times.is_some_and(|times| !Retry::TIMES.contains(&times)) {
        let message = format!("a step is tried {} to {} times", Retry::TIMES.start(), Retry::TIMES.end());
        lower.refuse(LintCode::BadLimit, retry.place, message);
    }
    if retry.every.is_some_and(|every| every.0 > Retry::WITHIN_MAX) {
        lower.refuse(LintCode::BadLimit, retry.place, format!("at most {} is allowed here", Period(Retry::WITHIN_MAX)));
    }
    if retry.until_pass_within.is_none() && retry.times.is_none() {
        let hint = "add `until_pass_within: 3s` or `times: 3`";
        lower.refuse_with(LintCode::BadLimit, retry.place, "a retry has an end", hint);
    }
}
