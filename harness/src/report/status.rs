//! A scenario as systems see it that know no flakes: passed, failed, an error, or skipped.

use super::{Invalid, Outcome, Report, ScenarioReport};
use crate::stats::Flake;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Passed,
    Failed,
    /// A trial was not valid, and the run does not allow for it.
    Error,
    /// No trial was run: the run stopped early.
    Skipped,
}

impl Status {
    /// A flaky scenario fails, so that such systems do not show green, unless the run as a whole is satisfied: they
    /// must not show red either where the command ended with 0.
    pub(super) fn of(report: &Report, scenario: &ScenarioReport) -> Self {
        match scenario.flake {
            Flake::StablePass if report.outcome != Outcome::Satisfied && scenario.has_invalid() => Self::Error,
            Flake::StablePass => Self::Passed,
            Flake::Flaky if report.outcome == Outcome::Satisfied => Self::Passed,
            Flake::StableFail | Flake::Flaky => Self::Failed,
            Flake::Unknown if scenario.executed == 0 => Self::Skipped,
            Flake::Unknown => Self::Error,
        }
    }
}

impl Report {
    /// Each scenario with its status and its trials that are not counted.
    pub(super) fn cases(&self) -> impl Iterator<Item = (&ScenarioReport, Status, Vec<&Invalid>)> {
        self.scenarios.iter().map(|scenario| {
            let invalid = self.invalid.iter().filter(|invalid| invalid.scenario == scenario.scenario).collect();
            (scenario, Status::of(self, scenario), invalid)
        })
    }

    pub(super) fn having(&self, status: Status) -> usize {
        self.scenarios.iter().filter(|scenario| Status::of(self, scenario) == status).count()
    }
}
