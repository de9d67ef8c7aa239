//! Rows that pages show, from the projections.

use jiff::Timestamp;
use model::{
    budget::{Budget, Spend},
    event::grade::{GateEvaluated, TrialVerdict},
    flow::NodeKind,
    hash::Digest,
    id::{RunId, WorkspaceId},
    verdict::{Score, Suite, Verdict},
};
use serde::{Deserialize, Serialize};
use sqlx::{FromRow, Row, postgres::PgRow};

use super::rows::{at, id, json, maybe_at, maybe_json, maybe_word, number, small, word};
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

/// One journalled action of a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ActionRow {
    pub action: String,
    /// Of `action.scheduled`.
    pub seq: u64,
    pub node: String,
    pub visit: u32,
    pub attempt: u32,
    pub kind: NodeKind,
    pub status: ActionStatus,
    pub worker: Option<String>,
    pub failure: Option<String>,
    pub spent: Spend,
    pub scheduled_at: Timestamp,
    pub started_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActionStatus {
    Scheduled,
    Started,
    Succeeded,
    Failed,
}

/// One judged trajectory, without its record: that is in the event `seq`. Holdouts stand under their alias.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TrialRow {
    pub seq: u64,
    pub action: String,
    pub suite: Suite,
    pub scenario: String,
    pub requirements: Vec<String>,
    pub trial: u32,
    pub verdict: TrialVerdict,
    pub failure: Option<String>,
    pub duration_ms: u64,
    pub finished_at: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ScoreRow {
    pub seq: u64,
    pub action: String,
    pub suite: Suite,
    pub iteration: u32,
    pub tree: Digest,
    pub score: Score,
    pub scored_at: Timestamp,
}

/// What the gate said, with its whole reasoning.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GateRow {
    pub seq: u64,
    pub gate: GateEvaluated,
    pub evaluated_at: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct IncidentRow {
    pub incident: String,
    pub run: RunId,
    pub seq: u64,
    pub code: String,
    pub summary: String,
    pub opened_at: Timestamp,
}

/// A spec with the latest of its runs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SpecRow {
    pub spec: String,
    pub runs: u64,
    pub latest: RunRow,
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

    /// In the order in which they were scheduled.
    pub async fn run_actions(&self, run: &RunId) -> Result<Vec<ActionRow>, Error> {
        self.of_run("select * from proj_actions where run = $1 order by seq, action limit $2", run).await
    }

    pub async fn run_trials(&self, run: &RunId) -> Result<Vec<TrialRow>, Error> {
        self.of_run("select * from proj_trials where run = $1 order by seq limit $2", run).await
    }

    pub async fn run_scores(&self, run: &RunId) -> Result<Vec<ScoreRow>, Error> {
        self.of_run("select * from proj_scores where run = $1 order by seq limit $2", run).await
    }

    pub async fn run_gates(&self, run: &RunId) -> Result<Vec<GateRow>, Error> {
        self.of_run("select * from proj_gates where run = $1 order by seq limit $2", run).await
    }

    pub async fn run_incidents(&self, run: &RunId) -> Result<Vec<IncidentRow>, Error> {
        self.of_run("select * from proj_incidents where run = $1 order by seq limit $2", run).await
    }

    /// Of all runs, the newest first.
    pub async fn incidents(&self, limit: u64) -> Result<Vec<IncidentRow>, Error> {
        let rows = sqlx::query_as("select * from proj_incidents order by opened_at desc, incident desc limit $1")
            .bind(signed(limit.min(ROWS_MAX)));
        Ok(rows.fetch_all(&self.pool).await?)
    }

    /// Every spec that was ever run, by name.
    pub async fn specs(&self) -> Result<Vec<SpecRow>, Error> {
        let latest: Vec<RunRow> =
            sqlx::query_as("select distinct on (spec) * from proj_runs order by spec, run desc limit $1")
                .bind(signed(ROWS_MAX))
                .fetch_all(&self.pool)
                .await?;
        let counts: Vec<(String, i64)> =
            sqlx::query_as("select spec, count(*) from proj_runs group by spec").fetch_all(&self.pool).await?;
        let counts: std::collections::HashMap<_, _> = counts.into_iter().collect();
        let mut specs = Vec::with_capacity(latest.len());
        for latest in latest {
            let runs = crate::error::unsigned(counts.get(&latest.spec).copied().unwrap_or(1));
            let gates = self.run_gates(&latest.run).await?;
            specs.push(SpecRow { spec: latest.spec.clone(), runs, latest, gates });
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

    async fn of_run<T>(&self, statement: &'static str, run: &RunId) -> Result<Vec<T>, Error>
    where
        T: for<'r> FromRow<'r, PgRow> + Send + Unpin,
    {
        Ok(sqlx::query_as(statement).bind(run.as_str()).bind(signed(ROWS_MAX)).fetch_all(&self.pool).await?)
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
        let maybe_small = |column| {
            let number: Option<i32> = row.try_get(column)?;
            Ok::<_, sqlx::Error>(number.and_then(|number| u32::try_from(number).ok()))
        };
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
            visit: maybe_small("visit")?,
            iteration: maybe_small("iteration")?,
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

impl FromRow<'_, PgRow> for ActionRow {
    fn from_row(row: &PgRow) -> sqlx::Result<Self> {
        Ok(Self {
            action: row.try_get("action")?,
            seq: number(row, "seq")?,
            node: row.try_get("node")?,
            visit: small(row, "visit")?,
            attempt: small(row, "attempt")?,
            kind: word(row, "kind")?,
            status: word(row, "state")?,
            worker: row.try_get("worker")?,
            failure: row.try_get("failure")?,
            spent: spend(row)?,
            scheduled_at: at(row, "scheduled_at")?,
            started_at: maybe_at(row, "started_at")?,
            finished_at: maybe_at(row, "finished_at")?,
        })
    }
}

impl FromRow<'_, PgRow> for TrialRow {
    fn from_row(row: &PgRow) -> sqlx::Result<Self> {
        Ok(Self {
            seq: number(row, "seq")?,
            action: row.try_get("action")?,
            suite: word(row, "suite")?,
            scenario: row.try_get("scenario")?,
            requirements: json(row, "requirements")?,
            trial: small(row, "trial")?,
            verdict: word(row, "verdict")?,
            failure: row.try_get("failure")?,
            duration_ms: number(row, "duration_ms")?,
            finished_at: at(row, "finished_at")?,
        })
    }
}

impl FromRow<'_, PgRow> for ScoreRow {
    fn from_row(row: &PgRow) -> sqlx::Result<Self> {
        Ok(Self {
            seq: number(row, "seq")?,
            action: row.try_get("action")?,
            suite: word(row, "suite")?,
            iteration: small(row, "iteration")?,
            tree: id(row, "tree")?,
            score: json(row, "score")?,
            scored_at: at(row, "scored_at")?,
        })
    }
}

impl FromRow<'_, PgRow> for GateRow {
    fn from_row(row: &PgRow) -> sqlx::Result<Self> {
        Ok(Self { seq: number(row, "seq")?, gate: json(row, "gate")?, evaluated_at: at(row, "evaluated_at")? })
    }
}

impl FromRow<'_, PgRow> for IncidentRow {
    fn from_row(row: &PgRow) -> sqlx::Result<Self> {
        Ok(Self {
            incident: row.try_get("incident")?,
            run: id(row, "run")?,
            seq: number(row, "seq")?,
            code: row.try_get("code")?,
            summary: row.try_get("summary")?,
            opened_at: at(row, "opened_at")?,
        })
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
