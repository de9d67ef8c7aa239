//! The files of a seed: how they are copied and digested, which of them judge the builder, and what in them is public or
//! secret.

use std::{
    fs,
    path::{Component, Path, PathBuf},
    sync::Arc,
};

use harness::{NamedFileError, Scenario, SubjectConfig, Suite, SuiteFile};
use located::Source;
use model::{hash::Digest, spec::Spec};
use sandbox::Tree;

use super::{Error, io};
use crate::{layout::RunDir, leak::Secret};

/// Of one file of a holdout, as far as its lines are looked for: the first thousands tell who has seen it.
const SECRET_BYTES_MAX: usize = 256 * 1024;

/// What scenarios share and name is copied with them, so that the copies load like the originals.
pub(super) fn copy_files(files: &[SuiteFile], folder: &Path) -> Result<(), Error> {
    for file in files {
        let path = folder.join(&file.path);
        let parent = path.parent().unwrap_or(folder);
        fs::create_dir_all(parent).map_err(io(parent))?;
        fs::write(&path, &file.content).map_err(io(&path))?;
    }
    Ok(())
}

/// What the run builds from: spec, scenarios, holdouts, tree.
pub(super) fn seed_digest(spec: &Spec, visible: &[SuiteFile], holdout: &[SuiteFile], tree: &Tree) -> Digest {
    let mut digest = Digest::ZERO.chain(spec.digest.as_bytes());
    for file in visible.iter().chain(holdout) {
        digest = digest.chain(&file.content);
    }
    digest.chain(tree.digest().to_string().as_bytes())
}

/// `harness.yaml` with the twins that it defines, and what the spec names, relative to the subject's folder.
pub(super) fn judging(spec: &Spec, spec_path: &str, config: &SubjectConfig) -> Vec<String> {
    let plain =
        |path: &str| -> PathBuf { Path::new(path).components().filter(|part| *part != Component::CurDir).collect() };
    let subject = plain(&spec.subject);
    let named = [spec_path, &spec.scenarios, &spec.holdout].into_iter().map(plain);
    let inside = named.filter_map(|path| path.strip_prefix(&subject).ok().map(|path| path.display().to_string()));
    let definitions = config.definitions().map(|path| path.display().to_string());
    std::iter::once("harness.yaml".to_owned())
        .chain(definitions)
        .chain(inside.filter(|path| !path.is_empty()))
        .collect()
}

pub(super) fn secrets(holdout: &Suite) -> Result<Vec<Secret>, NamedFileError> {
    let secret = |(n, scenario): (usize, &Arc<Scenario>)| {
        let files = holdout.files_of(scenario)?;
        Ok(Secret {
            alias: format!("holdout-{}", n + 1),
            canary: scenario.canary.clone().unwrap_or_default(),
            text: files.iter().filter_map(lines).collect::<Vec<_>>().join("\n"),
        })
    };
    holdout.scenarios.iter().enumerate().map(secret).collect()
}

/// What people could recognise in a file of a holdout. Nobody quotes lines of a picture.
fn lines(file: &SuiteFile) -> Option<&str> {
    let text = std::str::from_utf8(&file.content).ok()?;
    Some(&text[..text.floor_char_boundary(SECRET_BYTES_MAX)])
}

/// Themes are public: they are what a builder may be told.
pub(super) fn public(
    spec: &Source,
    shown: &[SuiteFile],
    holdout: &Suite,
    config: &SubjectConfig,
    dir: &RunDir,
) -> Vec<String> {
    let themes =
        holdout.scenarios.iter().filter_map(|scenario| scenario.theme.as_ref().map(|theme| format!("theme: {theme}")));
    let scenarios = shown.iter().map(|file| file.text().into_owned());
    let read = |path: &Path| fs::read_to_string(dir.seed().join(path)).ok();
    let harness = std::iter::once(Path::new("harness.yaml")).chain(config.definitions()).filter_map(read);
    std::iter::once(spec.text().to_owned()).chain(scenarios).chain(harness).chain(themes).collect()
}
