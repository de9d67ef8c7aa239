//! What a scenario can do: one trait, one file per kind. A new kind is a file here, a field in
//! `scenario::format::StepFile` and an arm in [`lower`]; the runner does not change.

pub(crate) mod act;
pub(crate) mod capture;
pub(crate) mod exec;
pub(crate) mod fault;
pub(crate) mod http;
pub(crate) mod judge;
pub(crate) mod lifecycle;
pub(crate) mod stage;
pub(crate) mod twin;
pub(crate) mod wait;

use std::fmt::Debug;

use async_trait::async_trait;
use located::Place;
use serde_json::Value as Json;

pub(crate) use stage::{Actor, Patience, Room, Stage, SubjectSlot};

use crate::{
    expect::Mismatch,
    scenario::{Expect, LintCode, Lower, StepFile},
    text::{Placed, RenderError},
};

/// One thing to do, and what must hold after it.
#[async_trait]
pub(crate) trait Step: Debug + Send + Sync {
    /// The name of the kind, as it is written in files.
    fn kind(&self) -> &'static str;

    /// A short name for reports where the file gives none.
    fn title(&self) -> String;

    /// Whether this step can fail for what the subject did.
    fn asserts(&self) -> bool {
        false
    }

    /// The twin that it talks to.
    fn twin(&self) -> Option<&str> {
        None
    }

    /// Whether it makes sense only for a subject that serves.
    fn needs_subject(&self) -> bool {
        false
    }

    async fn run(&self, stage: &mut Stage<'_>) -> Result<Outcome, Halt>;
}

/// What a step found. All of its expectations were evaluated.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) mismatches: Vec<Mismatch>,
    /// What was done and what came back, bounded.
    pub(crate) evidence: Json,
    pub(crate) captured: Vec<(String, Json)>,
    pub(crate) judgement: Option<judges::Verdict>,
    /// Why nobody could judge.
    pub(crate) unjudged: Option<String>,
}

/// Why a step ended without an outcome.
#[derive(Debug)]
pub(crate) enum Halt {
    /// A template uses what is not there, or gives what does not fit.
    Template(RenderError),
    /// The subject did not do its part: the trial fails.
    Failed(Mismatch),
    /// Not the subject's fault: the trial is invalid.
    Infra(String),
}

impl From<RenderError> for Halt {
    fn from(error: RenderError) -> Self {
        Self::Template(error)
    }
}

/// The checked step of a file's step; what is wrong is told to `lower`.
pub(crate) fn lower(mut file: StepFile, place: Place, lower: &mut Lower<'_>) -> Option<Box<dyn Step>> {
    let kinds = kinds(&file);
    let [kind] = kinds[..] else {
        let found = if kinds.is_empty() { "none".to_owned() } else { kinds.join(", ") };
        let hint = "exactly one of http, exec, twin, fault, act, restart, stop, start, wait and judge";
        lower.refuse_with(LintCode::StepKind, place, format!("a step is of one kind; here is {found}"), hint);
        return None;
    };
    check_companions(&file, kind, place, lower);
    let expect = file.expect.take().unwrap_or_else(|| Placed { value: Expect::default(), place });
    let captures = std::mem::take(&mut file.capture);
    match kind {
        "http" => file.http.map(|http| http::lower(http, expect, captures, lower)),
        "exec" => file.exec.map(|exec| exec::lower(exec, expect, captures, lower)),
        "twin" => file.twin.map(|twin| twin::lower(twin, file.calls, expect, captures, lower)),
        "fault" => fault::lower(file.fault?, file.rule?, lower),
        "act" => act::lower(file.act?, file.action?, lower),
        "restart" => file.restart.map(|restart| restart.lower(lower)),
        "stop" => file.stop.map(lifecycle::StopFile::lower),
        "start" => file.start.map(lifecycle::StartFile::lower),
        "wait" => file.wait.map(|wait| wait::lower(&wait, lower)),
        _ => file.judge.map(|judge| judge::lower(judge, lower)),
    }
}

fn kinds(file: &StepFile) -> Vec<&'static str> {
    [
        ("http", file.http.is_some()),
        ("exec", file.exec.is_some()),
        ("twin", file.twin.is_some()),
        ("fault", file.fault.is_some()),
        ("act", file.act.is_some()),
        ("restart", file.restart.is_some()),
        ("stop", file.stop.is_some()),
        ("start", file.start.is_some()),
        ("wait", file.wait.is_some()),
        ("judge", file.judge.is_some()),
    ]
    .into_iter()
    .filter_map(|(kind, is_set)| is_set.then_some(kind))
    .collect()
}

/// `calls`, `rule`, `do`, `expect` and `capture` belong to certain kinds.
fn check_companions(file: &StepFile, kind: &str, place: Place, lower: &mut Lower<'_>) {
    let pairs = [
        ("calls", file.calls.is_some(), "twin"),
        ("rule", file.rule.is_some(), "fault"),
        ("do", file.action.is_some(), "act"),
    ];
    for (name, is_set, owner) in pairs {
        if is_set && kind != owner {
            lower.refuse(LintCode::StepKind, place, format!("`{name}` belongs to a `{owner}` step"));
        }
        if !is_set && kind == owner && name != "calls" {
            lower.refuse(LintCode::StepKind, place, format!("a `{owner}` step needs `{name}`"));
        }
    }
    let fitting: &[&str] = match kind {
        "http" => &["status", "headers", "json", "json_exact", "jsonpath", "body", "max_latency"],
        "exec" => &["exit", "stdout", "stderr", "json", "json_exact", "jsonpath", "max_latency"],
        "twin" => &["count", "jsonpath", "state"],
        _ => &[],
    };
    if let Some(expect) = &file.expect {
        for name in expect.written().filter(|name| !fitting.contains(name)) {
            let hint = if fitting.is_empty() {
                "it takes no expectations".to_owned()
            } else {
                format!("it has {}", fitting.join(", "))
            };
            let message = format!("a `{kind}` step has no `{name}` to expect");
            lower.refuse_with(LintCode::BadExpectation, expect.place, message, hint);
        }
    }
    if !file.capture.is_empty() && !["http", "exec", "twin"].contains(&kind) {
        lower.refuse(LintCode::BadCapture, place, format!("a `{kind}` step has nothing to capture"));
    }
}
