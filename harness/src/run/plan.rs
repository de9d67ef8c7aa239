//! What a run shall do, and what must be shown in the end.

use std::{collections::BTreeMap, fmt, path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::ObserverError;
use crate::{
    record::TrialRecord,
    scenario::Suite,
    stats::{self, Cell, Count},
    subject::SubjectConfig,
};

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
    pub stop_early: StopEarly,
    /// Values that scenarios are given; they stand in for variables of the same name.
    pub vars: BTreeMap<String, Json>,
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
            stop_early: StopEarly::Never,
            vars: BTreeMap::new(),
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

/// What makes a suite satisfied.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", deny_unknown_fields)]
pub enum Gate {
    /// Every valid trial is satisfied.
    Every { confidence: f64 },
    /// With this confidence, satisfaction is at least the target: the one-sided lower bound reaches it.
    LowerBound { target: f64, confidence: f64 },
}

impl Gate {
    pub fn confidence(self) -> f64 {
        match self {
            Self::Every { confidence } | Self::LowerBound { confidence, .. } => confidence,
        }
    }

    pub(crate) fn is_reached(self, cells: &[Cell]) -> bool {
        let Some(pooled) = stats::pooled(cells) else { return false };
        match self {
            Self::Every { .. } => {
                cells.iter().all(|cell| cell.count.valid > 0 && cell.count.satisfied == cell.count.valid)
            }
            Self::LowerBound { target, confidence } => {
                cells.iter().all(|cell| cell.count.valid > 0) && pooled.lower_bound(confidence) >= target
            }
        }
    }

    /// Whether the gate stays shut even if all that is left passes. `open` trials are left of each cell.
    pub(crate) fn is_hopeless(self, cells: &[(Cell, u32)]) -> bool {
        let best: Vec<_> = cells
            .iter()
            .map(|(cell, open)| {
                let Count { satisfied, valid } = cell.count;
                Cell { count: Count::new(satisfied + open, valid + open), ..*cell }
            })
            .collect();
        // A gate that even a clean sheet would not reach says nothing about this build; then all is run.
        let clean: Vec<_> =
            best.iter().map(|cell| Cell { count: Count::new(cell.count.valid, cell.count.valid), ..*cell }).collect();
        !self.is_reached(&best) && self.is_reached(&clean)
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

#[cfg(test)]
mod tests {
    use super::Gate;
    use crate::stats::{Cell, Count};

    const EVERY: Gate = Gate::Every { confidence: 0.95 };
    const BOUND: Gate = Gate::LowerBound { target: 0.8, confidence: 0.95 };

    fn cell(satisfied: u32, valid: u32) -> Cell {
        Cell { count: Count::new(satisfied, valid), weight: 1.0 }
    }

    #[test]
    fn nothing_and_a_scenario_without_a_valid_trial_never_pass() {
        for gate in [EVERY, BOUND] {
            assert!(!gate.is_reached(&[]));
            assert!(!gate.is_reached(&[cell(50, 50), cell(0, 0)]));
        }
    }

    #[test]
    fn a_bound_needs_its_trials() {
        assert!(!BOUND.is_reached(&[cell(13, 13)]));
        assert!(BOUND.is_reached(&[cell(14, 14)]));
        assert!(EVERY.is_reached(&[cell(1, 1)]));
        assert!(!EVERY.is_reached(&[cell(19, 20)]));
    }

    #[test]
    fn hopeless_is_when_the_rest_cannot_help() {
        assert!(EVERY.is_hopeless(&[(cell(0, 1), 5)]));
        assert!(!EVERY.is_hopeless(&[(cell(1, 1), 5)]));
        assert!(!BOUND.is_hopeless(&[(cell(9, 10), 20)]));
        assert!(BOUND.is_hopeless(&[(cell(5, 10), 10)]));
        assert!(!BOUND.is_hopeless(&[(cell(0, 1), 2)]), "three trials could never have shown it");
    }
}
