//! `restart`, `stop` and `start`: the subject dies and comes back with the same data.

use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use tokio::time::sleep;

use super::{Captures, Halt, Kind, Outcome, Stage, Step};
use crate::{
    scenario::Lower,
    subject::Signal,
    text::{Period, Placed},
};

const DOWN_MAX: Duration = Duration::from_mins(1);

pub(super) const RESTART: Kind = Kind {
    name: "restart",
    needs: &[],
    takes: &[],
    expects: &[],
    captures: Captures::Nothing,
    lower: |parts, lower| Some(parts.file.restart?.lower(lower)),
};

pub(super) const STOP: Kind = Kind {
    name: "stop",
    needs: &[],
    takes: &[],
    expects: &[],
    captures: Captures::Nothing,
    lower: |parts, _| Some(parts.file.stop?.lower()),
};

pub(super) const START: Kind = Kind {
    name: "start",
    needs: &[],
    takes: &[],
    expects: &[],
    captures: Captures::Nothing,
    lower: |parts, _| Some(parts.file.start?.lower()),
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RestartFile {
    /// Default kill: nothing is said before.
    #[serde(default)]
    signal: Option<Signal>,
    /// Default true.
    #[serde(default)]
    wait_ready: Option<bool>,
    /// How long it stays down. Default 0ms, at most 60s.
    #[serde(default)]
    down_for: Option<Placed<Period>>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StopFile {
    /// Default kill.
    #[serde(default)]
    signal: Option<Signal>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StartFile {
    /// Default true.
    #[serde(default)]
    wait_ready: Option<bool>,
}

/// Each part may be left out; together they are a restart.
#[derive(Debug)]
struct Lifecycle {
    kind: &'static str,
    stop: Option<Signal>,
    down_for: Duration,
    start: Option<Readiness>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Readiness {
    Awaited,
    Ignored,
}

impl Readiness {
    fn of(wait_ready: Option<bool>) -> Self {
        if wait_ready.unwrap_or(true) { Self::Awaited } else { Self::Ignored }
    }
}

impl RestartFile {
    pub(crate) fn lower(self, lower: &mut Lower<'_>) -> Box<dyn Step> {
        let down_for = lower.period(self.down_for.as_ref(), Duration::ZERO, DOWN_MAX);
        let stop = Some(self.signal.unwrap_or(Signal::Kill));
        Box::new(Lifecycle { kind: "restart", stop, down_for, start: Some(Readiness::of(self.wait_ready)) })
    }
}

impl StopFile {
    pub(crate) fn lower(self) -> Box<dyn Step> {
        let stop = Some(self.signal.unwrap_or(Signal::Kill));
        Box::new(Lifecycle { kind: "stop", stop, down_for: Duration::ZERO, start: None })
    }
}

impl StartFile {
    pub(crate) fn lower(self) -> Box<dyn Step> {
        let start = Some(Readiness::of(self.wait_ready));
        Box::new(Lifecycle { kind: "start", stop: None, down_for: Duration::ZERO, start })
    }
}

#[async_trait]
impl Step for Lifecycle {
    fn kind(&self) -> &'static str {
        self.kind
    }

    fn title(&self) -> String {
        match self.stop {
            Some(Signal::Kill) => format!("{} (kill)", self.kind),
            Some(Signal::Term) => format!("{} (term)", self.kind),
            None => self.kind.to_owned(),
        }
    }

    fn needs_subject(&self) -> bool {
        true
    }

    async fn run(&self, stage: &mut Stage<'_>) -> Result<Outcome, Halt> {
        if let Some(how) = self.stop {
            stage.subject.stop(how).await?;
        }
        sleep(stage.actor.patience.grant(self.down_for)).await;
        if let Some(readiness) = self.start {
            stage.subject.launch().await?;
            // It may be reached elsewhere now; webhooks follow it.
            if let Some(base) = stage.subject.base_url() {
                stage.world.aim_webhooks(base).map_err(Halt::Infra)?;
            }
            if readiness == Readiness::Awaited {
                stage.subject.wait_ready().await?;
            }
        }
        let evidence = json!({ "stopped": self.stop, "started": self.start.is_some() });
        Ok(Outcome { evidence, ..Outcome::default() })
    }
}
