//! Rows that pages show, from the projections.

use jiff::Timestamp;
use model::{
    budget::{Budget, Spend},
    event::{grade::GateEvaluated, run::Parked},
    hash::Digest,
    id::{ActionId, RunId, WorkspaceId},
    verdict::{Score, Verdict},
};
use serde::{Deserialize, Serialize};
use sqlx::{FromRow, Row, postgres::PgRow};

use super::rows::{at, id, json, maybe_at, maybe_json, maybe_small, maybe_word, number, small, word};
use crate::{Error, Store, error::signed};

const ROWS_MAX: u64 = 10_000; // of one run; more than a page can show

/// A run, as far as its events tell.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunRow {
    pub run: RunId,
    pub workspace: WorkspaceId,
    pub spec: String,
    pub spec_title: String,
    pub spec_path: String,
    pub spec_digest: Digest,
    pub seed: Digest,
    pub status: RunStatus,
    pub worker: Option<String>,
    pub epoch: u64,
    /// Where the walk is.
    pub node: Option<String>,
    /// Of the node; control nodes count no visits.
    pub visit: Option<u32>,
    /// Of the latest score.
    pub iteration: Option<u32>,
    /// Set while the run waits for a person.
    pub question: Option<String>,
    pub choices: Vec<String>,
    pub verdict: Option<Verdict>,
    pub reason: Option<String>,
    pub branch: Option<String>,
    pub commit: Option<String>,
    pub spent: Spend,
    pub budget: Budget,
    pub incidents: u32,
    pub created_at: Timestamp,
    pub finished_at: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// Nobody has claimed it yet.
    Ready,
    Running,
    /// Waits for a person.
    Parked,
    Finished,
}

/// A run with where it stands: one line of a list.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunHead {
    pub run: RunRow,
    /// Builds begun.
    pub builds: u32,
    /// Of the latest tree, by the last gate or grading.
    pub visible: Option<Score>,
    pub holdout: Option<Score>,
    /// Of the last gate.
    pub target: Option<f64>,
    /// Set while the run waits for a person.
    pub parked: Option<Parked>,
}

/// What the gate said, with its whole reasoning.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GateRow {
    pub seq: u64,
    pub gate: GateEvaluated,
    pub evaluated_at: Timestamp,
}

/// A spec with the latest of its runs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SpecRow {
    pub spec: String,
    pub runs: u64,
    pub latest: RunHead,
    /// The gates of the latest run, oldest first: satisfaction and interval per iteration.
    pub gates: Vec<GateRow>,
}

/// How much the log holds, and what the last check of it found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct AuditState {
    pub streams: u64,
    pub events: u64,
    pub checked_at: Option<Timestamp>,
    pub checked_events: u64,
    /// Events that the anchor outside the database vouched for.
    pub anchored_events: Option<u64>,
    pub first_bad: Option<String>,
}

/// Each row of `proj_runs r` with its last gate and its last grading of each suite.
macro_rules! head {
    () => {
        "select r.*,
             v.seq as visible_seq, v.score as visible, h.seq as holdout_seq, h.score as holdout, g.seq as gate_seq, g.gate
         from proj_runs r
         left join lateral (select seq, score from proj_scores s where s.run = r.run and s.suite = 'visible'
             order by seq desc limit 1) v on true
         left join lateral (select seq, score from proj_scores s where s.run = r.run and s.suite = 'holdout'
             order by seq desc limit 1) h on true
         left join lateral (select seq, gate from proj_gates s where s.run = r.run order by seq desc limit 1) g on true"
    };
}
impl Store {
    /// The newest runs, or those older than `before`.
    pub async fn runs(&self, limit: u64, before: Option<&RunId>) -> Result<Vec<RunRow>, Error> {
        let rows = sqlx::query_as(
            "select * from proj_runs where $2::text is null or run < $2 collate \"C\" order by run desc limit $1",
        )
        .bind(signed(limit.min(ROWS_MAX)))
        .bind(before.map(RunId::as_str));
        Ok(rows.fetch_all(&self.pool).await?)
    }

    pub async fn run(&self, run: &RunId) -> Result<Option<RunRow>, Error> {
        let row = sqlx::query_as("select * from proj_runs where run = $1").bind(run.as_str());
        Ok(row.fetch_optional(&self.pool).await?)
    }

    /// As [`Store::runs`], with what a list of runs shows besides.
    pub async fn run_heads(&self, limit: u64) -> Result<Vec<RunHead>, Error> {
        let rows = sqlx::query_as(concat!(head!(), " order by r.run desc limit $1")).bind(signed(limit.min(ROWS_MAX)));
        Ok(rows.fetch_all(&self.pool).await?)
    }

    /// The gates of a run, oldest first.
    pub async fn run_gates(&self, run: &RunId) -> Result<Vec<GateRow>, Error> {
        let rows = sqlx::query_as("select * from proj_gates where run = $1 order by seq limit $2")
            .bind(run.as_str())
            .bind(signed(ROWS_MAX));
        Ok(rows.fetch_all(&self.pool).await?)
    }

    /// Every spec that was ever run, by name.
    pub async fn specs(&self) -> Result<Vec<SpecRow>, Error> {
        let latest: Vec<RunHead> = sqlx::query_as(concat!(
            head!(),
            " where r.run in (select max(run) from proj_runs group by spec) order by r.spec limit $1"
        ))
        .bind(signed(ROWS_MAX))
        .fetch_all(&self.pool)
        .await?;
        let counts: Vec<(String, i64)> =
            sqlx::query_as("select spec, count(*) from proj_runs group by spec").fetch_all(&self.pool).await?;
        let counts: std::collections::HashMap<_, _> = counts.into_iter().collect();
        let mut specs = Vec::with_capacity(latest.len());
        for latest in latest {
            let runs = crate::error::unsigned(counts.get(&latest.run.spec).copied().unwrap_or(1));
            let gates = self.run_gates(&latest.run.run).await?;
            specs.push(SpecRow { spec: latest.run.spec.clone(), runs, latest, gates });
        }
        Ok(specs)
    }

    pub async fn audit_state(&self) -> Result<AuditState, Error> {
        let row = sqlx::query_as(
            "select coalesce(sum(event_count), 0)::bigint as events, count(*) as streams, c.checked_at,
                 coalesce(c.events, 0) as checked_events, c.anchored, c.first_bad
             from evt_stream_heads
             left join (select * from audit_checks order by checked_at desc limit 1) c on true
             group by c.checked_at, c.events, c.anchored, c.first_bad",
        );
        Ok(row.fetch_optional(&self.pool).await?.unwrap_or_default())
    }
}

fn spend(row: &PgRow) -> sqlx::Result<Spend> {
    Ok(Spend {
        cost_usd_micros: number(row, "cost_usd_micros")?,
        input_tokens: number(row, "input_tokens")?,
        output_tokens: number(row, "output_tokens")?,
        model_calls: number(row, "model_calls")?,
    })
}

impl FromRow<'_, PgRow> for RunRow {
    fn from_row(row: &PgRow) -> sqlx::Result<Self> {
        Ok(Self {
            run: id(row, "run")?,
            workspace: id(row, "workspace")?,
            spec: row.try_get("spec")?,
            spec_title: row.try_get("spec_title")?,
            spec_path: row.try_get("spec_path")?,
            spec_digest: id(row, "spec_digest")?,
            seed: id(row, "seed")?,
            status: word(row, "state")?,
            worker: row.try_get("worker")?,
            epoch: number(row, "epoch")?,
            node: row.try_get("node")?,
            visit: maybe_small(row, "visit")?,
            iteration: maybe_small(row, "iteration")?,
            question: row.try_get("question")?,
            choices: maybe_json(row, "choices")?.unwrap_or_default(),
            verdict: maybe_word(row, "verdict")?,
            reason: row.try_get("reason")?,
            branch: row.try_get("branch")?,
            commit: row.try_get("commit")?,
            spent: spend(row)?,
            budget: json(row, "budget")?,
            incidents: small(row, "incidents")?,
            created_at: at(row, "created_at")?,
            finished_at: maybe_at(row, "finished_at")?,
        })
    }
}

impl FromRow<'_, PgRow> for RunHead {
    fn from_row(row: &PgRow) -> sqlx::Result<Self> {
        let run = RunRow::from_row(row)?;
        let gate: Option<GateEvaluated> = maybe_json(row, "gate")?;
        let gated: Option<i64> = row.try_get("gate_seq")?;
        let latest = |graded: &str, score: &str, of_gate: Option<&Score>| {
            let graded: Option<i64> = row.try_get(graded)?;
            if gated > graded { Ok(of_gate.cloned()) } else { maybe_json(row, score) }
        };
        let parked_action: Option<String> = row.try_get("parked_action")?;
        let parked = parked_action.zip(run.question.clone()).map(|(action, question)| Parked {
            action: ActionId::from_stored(action),
            question,
            choices: run.choices.clone(),
        });
        Ok(Self {
            builds: small(row, "builds")?,
            visible: latest("visible_seq", "visible", gate.as_ref().map(|gate| &gate.visible))?,
            holdout: latest("holdout_seq", "holdout", gate.as_ref().map(|gate| &gate.holdout))?,
            target: gate.map(|gate| gate.target),
            parked,
            run,
        })
    }
}

impl FromRow<'_, PgRow> for GateRow {
    fn from_row(row: &PgRow) -> sqlx::Result<Self> {
        Ok(Self { seq: number(row, "seq")?, gate: json(row, "gate")?, evaluated_at: at(row, "evaluated_at")? })
    }
}

impl FromRow<'_, PgRow> for AuditState {
    fn from_row(row: &PgRow) -> sqlx::Result<Self> {
        Ok(Self {
            streams: number(row, "streams")?,
            events: number(row, "events")?,
            checked_at: maybe_at(row, "checked_at")?,
            checked_events: number(row, "checked_events")?,
            anchored_events: row.try_get::<Option<i64>, _>("anchored")?.map(crate::error::unsigned),
            first_bad: row.try_get("first_bad")?,
        })
    }
}
