//! Drift: what an SDK's types say, what a service was recorded to answer, and what its twin answers, compared field by
//! field. Shapes are compared, never values, and of what only one side knows nothing is said.
//!
//! Start at [`drift`]; `python` reads an SDK's types, `journal` a twin's answers, `compare` decides, `allow` is the list
//! of differences that are known.

mod allow;
mod compare;
mod journal;
pub(crate) mod python;

use std::{collections::BTreeSet, path::PathBuf};

use located::{Diagnostic, Diagnostics};
use serde::Serialize;

pub use self::compare::{Drift, Verdict};
use self::{allow::Allowed, compare::Sides, python::Sdk};
use crate::{
    record::Recording,
    shape::{Folder, Shapes, unnamed},
};

/// What is compared: two sides at least.
#[derive(Clone, Debug, Default)]
pub struct DriftOptions {
    /// The folder of a Python package in the style of `openai` and `anthropic`.
    pub sdk: Option<PathBuf>,
    pub recordings: Vec<PathBuf>,
    /// Exported journals of twins that were driven.
    pub journals: Vec<PathBuf>,
    /// Templates of paths whose ids look like words.
    pub paths: Vec<String>,
    /// A list of differences that are known, each with its reason.
    pub allow: Option<PathBuf>,
}

/// What was found.
#[derive(Clone, Debug, Serialize)]
pub struct DriftReport {
    pub differences: Vec<Drift>,
    /// Operations of which two sides know an answer with the same status.
    pub compared: usize,
    /// Operations that one side alone knows of recordings and journals: nothing is said about them.
    pub only_recorded: Vec<String>,
    pub only_twin: Vec<String>,
    /// Entries of the list that no difference needs any more, each with its place.
    pub stale: Vec<String>,
}

impl DriftReport {
    /// Neither a difference that is not on the list nor an entry that is not needed.
    pub fn is_clean(&self) -> bool {
        self.stale.is_empty() && self.differences.iter().all(|difference| difference.reason.is_some())
    }
}

/// Why nothing was compared.
#[derive(Debug, thiserror::Error)]
pub enum DriftError {
    #[error("one side alone cannot drift; give two of an SDK, recordings and journals")]
    OneSide,
    #[error("{why}")]
    Path { why: String },
    #[error("cannot read {}: {source}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{} has no operations: give the folder of a Python package like `openai` or `anthropic`", path.display())]
    NoSdk { path: PathBuf },
    #[error(transparent)]
    Recording(#[from] Diagnostic),
    #[error("{0}")]
    File(Diagnostics),
}

/// Compares.
///
/// # Errors
/// A file that cannot be read, or one side alone.
pub fn drift(options: &DriftOptions) -> Result<DriftReport, DriftError> {
    let given = [options.sdk.is_some(), !options.recordings.is_empty(), !options.journals.is_empty()];
    if given.into_iter().filter(|given| *given).count() < 2 {
        return Err(DriftError::OneSide);
    }
    let sdk = options.sdk.as_deref().map(Sdk::read).transpose()?;
    let journals = journal::read(&options.journals)?;
    let known = options.paths.iter().cloned();
    let known = known.chain(sdk.iter().flat_map(Sdk::paths)).chain(journals.paths.iter().cloned());
    let folder = Folder::new(known.collect::<BTreeSet<_>>()).map_err(|why| DriftError::Path { why })?;
    let mut recorded = Shapes::default();
    for file in &options.recordings {
        recorded.extend(nameless(Recording::read(file)?.shapes(Some(&folder))));
    }
    let twin = nameless(journals.shapes(&folder));
    let sides = Sides { sdk: sdk.as_ref(), recorded: &recorded, twin: &twin };
    let (mut differences, compared) = compare::compare(&sides);
    let mut allowed = options.allow.as_deref().map(Allowed::read).transpose()?.unwrap_or_default();
    for difference in &mut differences {
        difference.reason = allowed.reason(&difference.name());
    }
    let only = |of: &Shapes, other: &Shapes| {
        let lone = of.0.keys().filter(|operation| !other.0.contains_key(*operation));
        lone.cloned().collect::<Vec<_>>()
    };
    Ok(DriftReport {
        differences,
        compared,
        only_recorded: only(&recorded, &twin),
        only_twin: only(&twin, &recorded),
        stale: allowed.stale(),
    })
}

/// Sides rarely call parameters alike.
fn nameless(shapes: Shapes) -> Shapes {
    let mut all = Shapes::default();
    for (operation, answers) in shapes.0 {
        let operation = unnamed(&operation);
        answers.into_iter().for_each(|(status, shape)| all.add(&operation, status, shape));
    }
    all
}
