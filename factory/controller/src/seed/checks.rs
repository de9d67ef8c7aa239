//! What must be right before a run may start: folders, suites, and spec, subject and scenarios looked at together.

use std::{collections::BTreeSet, path::Path};

use harness::{Given, Kind, LintContext, SubjectConfig, Suite, SuiteFile};
use located::{Diagnostics, Place, Source};
use model::spec::Spec;

use super::{Error, io};

/// Before anything in them is read: the mistake is the path in the spec, or a folder that was not committed yet.
pub(super) fn check_folders(source: &Source, repository: &Path, spec: &Spec) -> Result<(), Diagnostics> {
    let mut wrong = Diagnostics::default();
    for (key, folder, whose) in [
        ("scenarios:", &spec.scenarios, "the agent reads them"),
        ("holdout:", &spec.holdout, "the agent never sees them"),
    ] {
        if !repository.join(folder).exists() {
            let place = source.text().find(key).map_or(Place::START, |offset| source.place_of_offset(offset));
            let error = source.diagnostic(place, format!("there is no folder `{folder}`"));
            wrong.push(error.hint(format!(
                "make it and put scenarios into it ({whose}), or name the right one; `factory init` writes examples"
            )));
        }
    }
    wrong.or(())
}

/// Loads and lints both suites; everything that is wrong with either is told at once.
pub(super) fn suites(
    visible: &Path,
    holdout: &Path,
    spec: &Spec,
    subject: &SubjectConfig,
) -> Result<(Suite, Suite), Error> {
    let requirements = spec.requirement_ids();
    let context = LintContext { requirements: Some(&requirements), subject: Some(subject) };
    let load = |folder: &Path, kind| {
        let given = Given { subject: Some(subject), ..Given::default() };
        let suite = Suite::load_given(&[folder.to_owned()], kind, given)?;
        suite.lint(context).map(|()| suite)
    };
    match (load(visible, Kind::Visible), load(holdout, Kind::Holdout)) {
        (Ok(visible), Ok(holdout)) => Ok((visible, holdout)),
        (visible, holdout) => {
            let wrong = visible.err().into_iter().chain(holdout.err()).flat_map(|errors| errors.0);
            Err(Error::Wrong(Diagnostics(wrong.collect())))
        }
    }
}

/// What only shows when spec, subject and scenarios are looked at together.
pub(super) fn check_whole(
    source: &Source,
    spec: &Spec,
    subject: &SubjectConfig,
    visible: &Suite,
    holdout: &Suite,
) -> Result<(), Diagnostics> {
    let mut wrong = Diagnostics::default();
    let place = |text: &str| source.text().find(text).map_or(Place::START, |offset| source.place_of_offset(offset));
    let named: BTreeSet<&String> =
        visible.scenarios.iter().chain(&holdout.scenarios).flat_map(|scenario| &scenario.requirements).collect();
    for requirement in spec.requirements.iter().filter(|requirement| !named.contains(&requirement.id)) {
        let error =
            source.diagnostic(place(&format!("{}:", requirement.id)), format!("no scenario names {}", requirement.id));
        wrong.push(
            error.hint("add it to the `requirements` of a scenario that shows it, or it can never have evidence"),
        );
    }
    let given = subject.twin_names();
    for twin in spec.twins.iter().filter(|twin| !given.contains(twin.as_str())) {
        let error = source.diagnostic(place("twins:"), format!("the subject is given no twin `{twin}`"));
        wrong.push(error.hint("configure it below `twins` in the subject's harness.yaml, or take it out of the spec"));
    }
    if let Some(profile) = spec.agent.profile.as_ref().filter(|profile| agents::Profile::named(profile).is_none()) {
        let known: Vec<&str> = agents::Profile::ALL.iter().map(|profile| profile.name).collect();
        let error = source.diagnostic(place("profile:"), format!("there is no agent profile `{profile}`"));
        wrong.push(error.hint(format!("use {}", known.join(", "))));
    }
    wrong.or(())
}

/// What visible scenarios use or name is given to the builder, so none of it may lie among the holdouts.
pub(super) fn check_apart(source: &Source, repository: &Path, spec: &Spec, visible: &[SuiteFile]) -> Result<(), Error> {
    let folder = repository.join(&spec.holdout);
    let folder = folder.canonicalize().map_err(io(&folder))?;
    let among = |file: &SuiteFile| Some(file.origin.canonicalize().ok()?.strip_prefix(&folder).ok()?.to_owned());
    let Some(path) = visible.iter().find_map(among) else { return Ok(()) };
    let place = source.text().find("scenarios:").map_or(Place::START, |offset| source.place_of_offset(offset));
    let path = Path::new(&spec.holdout).join(path);
    let message = format!("a visible scenario uses `{}`, a file of the holdouts", path.display());
    let hint = "the agent would get it: put what both suites use into a folder of its own";
    Err(Error::Wrong(source.diagnostic(place, message).hint(hint).into()))
}
