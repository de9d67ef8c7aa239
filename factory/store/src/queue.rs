//! Runs that wait for a worker: claimed under a lease with a fencing epoch, by the database's clock.
//!
//! Claiming raises the epoch in the queue and in both of the run's stream heads at once. Whoever held the run before,
//! however long it slept, finds every write refused from then on. An expired lease cannot be renewed, even if nobody
//! took the run meanwhile: its holder must claim anew.

use std::time::Duration;

use model::id::{RunId, WorkspaceId};
use sqlx::{FromRow, Row, postgres::PgRow};

use crate::{
    Error, Store,
    error::{signed, unsigned},
    read::word,
};

const HOLDERS_MAX: i64 = 1_000; // the ones whose leases end first; the rest is looked at when these are gone

/// The right to write a run's streams, until somebody claims it anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    pub run: RunId,
    pub workspace: WorkspaceId,
    pub worker: String,
    pub epoch: u64,
    /// How often the run was claimed, this time included.
    pub attempts: u32,
}

#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    #[error("the lease on {run} has expired or was taken over; stop working on it")]
    Lost { run: RunId },
    #[error(transparent)]
    Store(#[from] Error),
}

impl From<sqlx::Error> for LeaseError {
    fn from(source: sqlx::Error) -> Self {
        Self::Store(source.into())
    }
}

/// Where a run stands in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QueueState {
    Ready,
    Claimed,
    Parked,
    Done,
}

/// Gives the run of `taken` a new epoch in both of its stream heads too, which are made where they are missing, so that a
/// fenced writer cannot make them under its old epoch.
macro_rules! lease {
    ($taken:expr) => {
        concat!(
            "with ",
            $taken,
            " returning q.run, q.workspace, q.worker, q.epoch, q.attempts
            ),
            heads as (
                insert into evt_stream_heads (stream, workspace, epoch)
                select prefix || run, workspace, epoch from taken, (values (''), ('sealed:')) as of_run (prefix)
                on conflict (stream) do update set epoch = excluded.epoch
            )
            select run, workspace, worker, epoch, attempts from taken"
        )
    };
}

/// Takes the run of `next` over.
macro_rules! claim {
    ($next:literal) => {
        lease!(concat!(
            "next as (",
            $next,
            " limit 1 for update skip locked),
            taken as (
                update run_queue q set state = 'claimed', worker = $1, epoch = epoch + 1, attempts = attempts + 1,
                    lease_until = clock_timestamp() + $2 * interval '1 millisecond'
                from next where q.run = next.run"
        ))
    };
}

const CLAIM_NEXT: &str = claim!(
    "select run from run_queue
     where state = 'ready' or (state = 'claimed' and lease_until < clock_timestamp())
     order by enqueued_at, run"
);

const CLAIM_RUN: &str = claim!(
    "select run from run_queue
     where run = $3 and (state in ('ready', 'parked') or (state = 'claimed' and lease_until < clock_timestamp()))"
);

const ENQUEUE_CLAIMED: &str = lease!(
    "taken as (
        insert into run_queue as q (run, workspace, state, worker, epoch, attempts, lease_until)
        values ($3, $4, 'claimed', $1, 1, 1, clock_timestamp() + $2 * interval '1 millisecond')
        on conflict (run) do nothing"
);

impl Store {
    /// Puts a run where workers find it. A second time changes nothing.
    pub async fn enqueue(&self, run: &RunId, workspace: &WorkspaceId) -> Result<(), Error> {
        sqlx::query("insert into run_queue (run, workspace) values ($1, $2) on conflict (run) do nothing")
            .bind(run.as_str())
            .bind(workspace.as_str())
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Puts a run where workers find it, claimed already: no other worker gets it as long as this one lives. `None` where
    /// the run stands in the queue.
    pub async fn enqueue_claimed(
        &self,
        run: &RunId,
        workspace: &WorkspaceId,
        worker: &str,
        ttl: Duration,
    ) -> Result<Option<Lease>, Error> {
        let claim = sqlx::query_as(ENQUEUE_CLAIMED).bind(worker).bind(milliseconds(ttl));
        Ok(claim.bind(run.as_str()).bind(workspace.as_str()).fetch_optional(&self.pool).await?)
    }

    /// The run that has waited longest, or whose worker has died. Never waits for another worker's claim.
    pub async fn claim(&self, worker: &str, ttl: Duration) -> Result<Option<Lease>, Error> {
        let claim = sqlx::query_as(CLAIM_NEXT).bind(worker).bind(milliseconds(ttl));
        Ok(claim.fetch_optional(&self.pool).await?)
    }

    /// This very run, where nobody holds it; a parked one too.
    pub async fn claim_run(&self, run: &RunId, worker: &str, ttl: Duration) -> Result<Option<Lease>, Error> {
        let claim = sqlx::query_as(CLAIM_RUN).bind(worker).bind(milliseconds(ttl)).bind(run.as_str());
        Ok(claim.fetch_optional(&self.pool).await?)
    }

    /// Holds a lease for another `ttl` from now.
    pub async fn heartbeat(&self, lease: &Lease, ttl: Duration) -> Result<(), LeaseError> {
        let done = sqlx::query(
            "update run_queue set lease_until = clock_timestamp() + $3 * interval '1 millisecond'
             where run = $1 and epoch = $2 and state = 'claimed' and lease_until >= clock_timestamp()",
        )
        .bind(lease.run.as_str())
        .bind(signed(lease.epoch))
        .bind(milliseconds(ttl))
        .execute(&self.pool)
        .await?;
        if done.rows_affected() == 1 { Ok(()) } else { Err(LeaseError::Lost { run: lease.run.clone() }) }
    }

    /// Gives a run back to the queue, for any worker to go on with.
    pub async fn release(&self, lease: &Lease) -> Result<(), LeaseError> {
        self.leave(lease, "ready").await
    }

    /// Takes a run out of the workers' sight until [`Store::wake`] or [`Store::claim_run`].
    pub async fn park(&self, lease: &Lease) -> Result<(), LeaseError> {
        self.leave(lease, "parked").await
    }

    /// Ends a run in the queue. Not in the append that ends it: whoever dies between the two has left a run whose next
    /// worker finds it finished, and the actions beside the last one may still write under this lease.
    pub async fn finish(&self, lease: &Lease) -> Result<(), LeaseError> {
        self.leave(lease, "done").await
    }

    async fn leave(&self, lease: &Lease, to: &'static str) -> Result<(), LeaseError> {
        let done = sqlx::query(
            "update run_queue set state = $3, worker = null, lease_until = null
             where run = $1 and epoch = $2 and state = 'claimed'",
        )
        .bind(lease.run.as_str())
        .bind(signed(lease.epoch))
        .bind(to)
        .execute(&self.pool)
        .await?;
        if done.rows_affected() == 1 { Ok(()) } else { Err(LeaseError::Lost { run: lease.run.clone() }) }
    }

    /// Lets workers find a parked run again. False where it was not parked.
    pub async fn wake(&self, run: &RunId) -> Result<bool, Error> {
        let done = sqlx::query("update run_queue set state = 'ready' where run = $1 and state = 'parked'")
            .bind(run.as_str())
            .execute(&self.pool)
            .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Who has claimed a run.
    pub async fn holder(&self, run: &RunId) -> Result<Option<String>, Error> {
        let holder = sqlx::query_scalar("select worker from run_queue where run = $1 and state = 'claimed'")
            .bind(run.as_str())
            .fetch_optional(&self.pool)
            .await?;
        Ok(holder)
    }

    /// Every claimed run with who holds it.
    pub async fn holders(&self) -> Result<Vec<(RunId, String)>, Error> {
        let rows: Vec<(String, String)> =
            sqlx::query_as("select run, worker from run_queue where state = 'claimed' order by lease_until limit $1")
                .bind(HOLDERS_MAX)
                .fetch_all(&self.pool)
                .await?;
        Ok(rows.into_iter().filter_map(|(run, worker)| Some((run.parse().ok()?, worker))).collect())
    }

    /// Takes a run from a worker that is known to be dead, before its lease expires. False where somebody else holds it
    /// by now. The next claim raises the epoch as always, so a worker that was alive after all is fenced.
    pub async fn evict(&self, run: &RunId, worker: &str) -> Result<bool, Error> {
        let done = sqlx::query(
            "update run_queue set state = 'ready', worker = null, lease_until = null
             where run = $1 and worker = $2 and state = 'claimed'",
        )
        .bind(run.as_str())
        .bind(worker)
        .execute(&self.pool)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Where a run stands, if it was ever enqueued.
    pub async fn queue_state(&self, run: &RunId) -> Result<Option<QueueState>, Error> {
        let row = sqlx::query("select state from run_queue where run = $1")
            .bind(run.as_str())
            .fetch_optional(&self.pool)
            .await?;
        Ok(row.map(|row| word(&row, "state")).transpose()?)
    }
}

fn milliseconds(ttl: Duration) -> i64 {
    i64::try_from(ttl.as_millis()).unwrap_or(i64::MAX)
}

impl FromRow<'_, PgRow> for Lease {
    fn from_row(row: &PgRow) -> sqlx::Result<Self> {
        Ok(Self {
            run: crate::read::id(row, "run")?,
            workspace: crate::read::id(row, "workspace")?,
            worker: row.try_get("worker")?,
            epoch: unsigned(row.try_get("epoch")?),
            attempts: u32::try_from(row.try_get::<i32, _>("attempts")?).unwrap_or(0),
        })
    }
}
