//! The audit trail and everything else that outlives a process, in Postgres.
//!
//! Owns: the event log with its hash chains, the projections that pages read, the queue of runs with leases, blobs, the
//! audit, and the private Postgres itself. The only crate with SQL. Never does: deciding what happens next; redacting
//! (whoever appends has done it); telling holdouts from other text (sealed streams keep them apart).
//!
//! Start at [`Store`]; then [`append`](Writer::append), which everything else exists for; then `migrations/`.
//!
//! Invariant: an event is never changed. Triggers refuse it, the working role has no right to, and the chain shows it.
//! Invariant: a stream has the sequence 1, 2, 3 … without a gap, and one writer at a time, fenced by the lease's epoch.
//! Invariant: projections move in the transaction of the event that moves them.

#![cfg_attr(test, expect(clippy::unwrap_used, reason = "a test fails by panicking"))]

mod append;
mod audit;
mod blob;
mod embedded;
mod error;
mod follow;
mod projection;
mod queue;
mod read;
mod record;
mod schema;
mod writer;

use std::{path::PathBuf, sync::Arc, time::Duration};

pub use append::{AppendError, EVENT_BYTES_MAX, EVENTS_PER_APPEND_MAX, Expected};
pub use audit::{AnchorError, Anchored, AuditReport, Bad, Finding};
pub use blob::{BLOB_BYTES_MAX, BlobError, Blobs};
pub use embedded::{Access, Cluster, DatabaseUrl, Error as ProvideError, Options, Provided, provide};
pub use error::Error;
pub use follow::{Cursor, ParseCursorError};
pub use queue::{Lease, LeaseError, QueueState};
pub use read::{AuditState, GateRow, RunHead, RunRow, RunStatus, SpecRow};
pub use schema::OpenError;
use sqlx::{
    Connection,
    postgres::{PgPool, PgPoolOptions},
};
pub use writer::Writer;

/// Several tasks of one process share the pool; more connections than this only queue inside Postgres.
const CONNECTIONS_MAX: u32 = 16;
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(30);
/// A connection that rested longer is asked whether it still lives, so that a restarted server is not noticed by
/// whoever comes next. Asking every time would cost each append a round trip.
const TRUSTED_IDLE: Duration = Duration::from_secs(1);
/// What is under way when the store is closed takes milliseconds, or nobody waits for it any more.
const CLOSE_WITHIN: Duration = Duration::from_secs(2);

/// A handle on the database and the folder of packs. Clones share both.
#[derive(Clone, Debug)]
pub struct Store {
    pool: PgPool,
    blobs: Blobs,
    feed: Arc<follow::Feed>,
    data_home: PathBuf,
    /// Of the file in `audit/` that vouches for this database.
    anchor_name: String,
    /// Dropped after the pool: the last user of a private cluster stops its server.
    cluster: Option<Arc<Cluster>>,
}

impl Store {
    /// Provides the database, brings its schema up to date and connects.
    pub async fn open(options: &Options) -> Result<Self, OpenError> {
        let provided = provide(options).await?;
        Self::connect(provided.access, options.data_home.clone(), provided.cluster).await
    }

    /// The same over a database that exists already. `cluster` is kept for as long as the store lives.
    pub async fn connect(access: Access, data_home: PathBuf, cluster: Option<Arc<Cluster>>) -> Result<Self, OpenError> {
        let app = schema::migrate(&access).await?;
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS_MAX)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .test_before_acquire(false)
            .before_acquire(|connection, known| {
                Box::pin(async move { Ok(known.idle_for < TRUSTED_IDLE || connection.ping().await.is_ok()) })
            })
            .connect_with(app)
            .await
            .map_err(OpenError::Connect)?;
        let blobs = Blobs::new(pool.clone(), data_home.join("packs"));
        let feed = Arc::new(follow::Feed::start(&pool));
        let anchor_name = audit::anchor_name(&access, cluster.is_some());
        Ok(Self { pool, blobs, feed, data_home, anchor_name, cluster })
    }

    /// Bytes by their digest.
    pub fn blobs(&self) -> &Blobs {
        &self.blobs
    }

    /// Closes the connections; the last process to leave a private cluster stops it, which this waits for.
    pub async fn close(self) {
        self.feed.stop();
        // A reader that somebody holds without polling it may own a connection in the middle of a query, for ever.
        tokio::time::timeout(CLOSE_WITHIN, self.pool.close()).await.ok();
        let cluster = self.cluster.clone();
        drop(self);
        // Other clones may still be held; the last of them leaves.
        let leaving = tokio::task::spawn_blocking(move || drop(cluster));
        leaving.await.ok();
    }
}
