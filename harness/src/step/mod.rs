//! What a scenario can do: one trait, one file per kind. A new kind is a file here with a [`Kind`] in [`KINDS`], a field
//! in `scenario::format::StepFile`, and what it can be expected to do in `Expect`; the runner does not change.

pub(crate) mod act;
pub(crate) mod budget;
pub(crate) mod capture;
mod document;
pub(crate) mod exec;
pub(crate) mod fault;
mod files;
pub(crate) mod http;
pub(crate) mod judge;
mod kind;
pub(crate) mod lifecycle;
mod list;
pub(crate) mod secrets;
mod session;
pub(crate) mod sql;
pub(crate) mod sse;
pub(crate) mod stage;
mod stream;
mod tls;
pub(crate) mod twin;
pub(crate) mod wait;
pub(crate) mod websocket;

use std::fmt::Debug;

use async_trait::async_trait;
use serde_json::Value as Json;

pub(crate) use budget::Prices;
pub(crate) use kind::{Captures, Kind, lower, narrow_schema};
pub(crate) use session::Session;
pub(crate) use stage::{Actor, Patience, Room, Stage, Subject, SubjectSlot};

use crate::{arrange::Flooded, expect::Mismatch, text::RenderError};

/// Every kind of step, in the order in which messages name them.
pub(crate) const KINDS: &[&Kind] = &[
    &http::KIND,
    &exec::KIND,
    &sse::KIND,
    &websocket::KIND,
    &sql::KIND,
    &twin::KIND,
    &fault::KIND,
    &act::KIND,
    &lifecycle::RESTART,
    &lifecycle::STOP,
    &lifecycle::START,
    &wait::KIND,
    &budget::KIND,
    &judge::KIND,
];

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
    /// Values that no record may hold, of this step or of a later one.
    pub(crate) secrets: Vec<Json>,
    pub(crate) judgement: Option<judges::Verdict>,
    /// Why nobody could judge.
    pub(crate) unjudged: Option<String>,
}

impl Outcome {
    /// The names of captured values that no record may hold.
    pub(crate) fn sealed(&self) -> impl Iterator<Item = &str> {
        let is_secret = |(_, value): &&(String, Json)| self.secrets.contains(value);
        self.captured.iter().filter(is_secret).map(|(name, _)| name.as_str())
    }
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

impl From<Flooded> for Halt {
    /// The subject's doing: it could hide one call behind very many others.
    fn from(Flooded { lost }: Flooded) -> Self {
        let observed = format!("so many or such large ones that the first {lost} are not known any more");
        Self::Failed(Mismatch::new("calls of the twins", "no more than the twins keep", observed))
    }
}
