//! `wait`: lets time pass. Prefer `within` and `retry`, which wait no longer than needed.

use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Captures, Halt, Kind, Outcome, Stage, Step};
use crate::{
    scenario::Lower,
    text::{Period, Placed},
};

const WAIT_MAX: Duration = Duration::from_mins(1);

pub(super) const KIND: Kind = Kind {
    name: "wait",
    needs: &[],
    takes: &[],
    expects: &[],
    captures: Captures::Nothing,
    lower: |parts, lower| Some(self::lower(&parts.file.wait?.value, lower)),
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WaitFile {
    /// At most 60s.
    #[serde(rename = "for")]
    period: Placed<Period>,
}

#[derive(Debug)]
struct Wait(Duration);

pub(crate) fn lower(file: &WaitFile, lower: &mut Lower<'_>) -> Box<dyn Step> {
    Box::new(Wait(lower.period(Some(&file.period), Duration::ZERO, WAIT_MAX)))
}

#[async_trait]
impl Step for Wait {
    fn kind(&self) -> &'static str {
        "wait"
    }

    fn title(&self) -> String {
        format!("wait {}", Period(self.0))
    }

    async fn run(&self, stage: &mut Stage<'_>) -> Result<Outcome, Halt> {
        tokio::time::sleep(stage.actor.patience.grant(self.0)).await;
        Ok(Outcome::default())
    }
}
