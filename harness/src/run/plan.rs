//! What a run shall do.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    path::PathBuf,
    time::Duration,
};

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::{Gate, ObserverError};
use crate::{record::TrialRecord, scenario::Suite, subject::SubjectConfig};

/// One run.
#[derive(Debug)]
pub struct Plan {
    pub suite: Suite,
    pub subject: SubjectConfig,
    /// The subject's tree.
    pub root: PathBuf,
    /// Of each scenario; at least 1.
    pub trials: u32,
    /// Equal seeds give equal random values in equal trials.
    pub seed: u64,
    /// How many trials run at once; at least 1.
    pub jobs: usize,
    /// How long a trial takes, by scenario, as far as it is known. The longest begin first.
    pub expected: BTreeMap<String, Duration>,
    /// Trials of this plan that are finished already: counted, not run again.
    pub done: Earlier,
    pub gate: Gate,
    /// Share of a scenario's trials that may be invalid, from 0 to below 1; with more, nothing is concluded.
    pub allow_invalid: f64,
    pub stop_early: StopEarly,
    /// Values that scenarios are given; they stand in for variables of the same name.
    pub vars: BTreeMap<String, Json>,
    /// Names of those `vars` that are secrets: no record, report or prompt holds their values.
    pub secrets: BTreeSet<String>,
    /// Where the whole logs of subjects are kept whose trials are not satisfied; `None` keeps their ends only.
    pub logs: Option<PathBuf>,
    /// What to write after `harness run` to select the same scenarios and subject again; for the report only.
    pub arguments: Vec<String>,
}

impl Plan {
    /// One trial of each scenario, one at a time; every one must be satisfied.
    pub fn new(suite: Suite, subject: SubjectConfig, root: PathBuf) -> Self {
        Self {
            suite,
            subject,
            root,
            trials: 1,
            seed: 0,
            jobs: 1,
            expected: BTreeMap::new(),
            done: Earlier::default(),
            gate: Gate::Every { confidence: 0.95 },
            allow_invalid: 0.0,
            stop_early: StopEarly::Never,
            vars: BTreeMap::new(),
            secrets: BTreeSet::new(),
            logs: None,
            arguments: Vec::new(),
        }
    }
}

/// Records of an earlier part of a run, read one by one: there may be very many.
#[derive(Default)]
pub struct Earlier(Option<Box<EarlierRecords>>);

type EarlierRecords = dyn Iterator<Item = Result<TrialRecord, ObserverError>> + Send + Sync;

impl Earlier {
    pub fn streamed(records: impl Iterator<Item = Result<TrialRecord, ObserverError>> + Send + Sync + 'static) -> Self {
        Self(Some(Box::new(records)))
    }
}

impl From<Vec<TrialRecord>> for Earlier {
    fn from(records: Vec<TrialRecord>) -> Self {
        Self::streamed(records.into_iter().map(Ok))
    }
}

impl Iterator for Earlier {
    type Item = Result<TrialRecord, ObserverError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.as_mut()?.next()
    }
}

impl fmt::Debug for Earlier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Earlier(…)" } else { "Earlier" })
    }
}

/// Whether to go on when the gate cannot be reached any more.
///
/// There is no early stop on success: looking again and again until a bound is reached would overstate it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopEarly {
    Never,
    WhenHopeless,
    /// At the first trial that is valid and not satisfied.
    AtFirstFailure,
}
