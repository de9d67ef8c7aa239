//! Runs scenarios against a subject: k trials each, on fresh digital twins, with honest statistics.
//!
//! Owns the scenario format, the runner, the statistics and the reports. Knows nothing of the factory: it drives a
//! subject through a [`Launcher`] and asks judges through [`judges::Ask`]. It never prints, never reads the
//! environment, and never follows what a subject says to anywhere but the subject.
//!
//! Start reading at [`run`], then `trial` (one trial), then `step` (what a scenario can do).

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may panic"))]

mod arrange;
pub mod capture_proxy;
pub mod controls;
mod expect;
pub mod import;
pub mod journal;
mod named_file;
mod record;
pub mod report;
mod run;
mod scenario;
mod scratch;
mod sensitive;
pub mod stats;
mod step;
mod subject;
mod text;
mod trial;
mod vars;

pub use record::{EVIDENCE_BODY_BYTES_MAX, Failure, Phase, StepRecord, StepVerdict, TrialId, TrialRecord, Verdict};
pub use report::{Outcome, Report};
pub use run::{Earlier, Gate, Observer, ObserverError, Plan, RunError, StopEarly, Unobserved, run};
pub use scenario::{Given, Kind, LintCode, LintContext, NamedFileError, Scenario, Skipped, Suite, SuiteFile};
pub use scratch::Scratch;
pub use stats::Flake;
pub use subject::{
    ExecOutput, ExecRequest, Exit, LaunchError, LaunchRequest, Launcher, Leaks, ProcessLauncher, Running, Sign, Signal,
    SubjectConfig, Terminal, TerminalOutput, TreeAccess, Turn, UrlLauncher, inside_sandbox,
};
pub use vars::{variable, variables};

/// The JSON Schemas of all files that people write, by their names, for editors.
pub fn schemas() -> serde_json::Value {
    let [scenario, fragment, suite] = scenario::schemas();
    serde_json::json!({
        "scenario": scenario, "fragment": fragment, "suite": suite, "harness": subject::config_schema(),
    })
}
