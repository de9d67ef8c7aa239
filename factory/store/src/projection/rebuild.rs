//! Projections from the log alone.

use sqlx::{Connection as _, PgConnection};

use super::{apply, project};
use crate::{Error, Store, read::events_page};

const EVENTS_PER_PAGE: u64 = 1_000;

impl Store {
    /// Empties every projection and fills it again from the log, in one transaction; appends wait meanwhile. Gives the
    /// number of events read. Readers see the old rows until it is done.
    pub async fn rebuild_projections(&self) -> Result<u64, Error> {
        let mut connection = self.pool.acquire().await?;
        let mut transaction = connection.begin().await?;
        // Every append writes a head, so this holds all of them back and lets readers through.
        sqlx::query("lock table evt_stream_heads in share mode").execute(&mut *transaction).await?;
        empty(&mut transaction).await?;
        let mut events = 0;
        for stream in unsealed_streams(&mut transaction).await? {
            events += replay(&mut transaction, &stream).await?;
        }
        transaction.commit().await?;
        Ok(events)
    }
}

async fn empty(connection: &mut PgConnection) -> sqlx::Result<()> {
    const EMPTY: [&str; 3] = ["delete from proj_runs", "delete from proj_scores", "delete from proj_gates"];
    for statement in EMPTY {
        sqlx::query(statement).execute(&mut *connection).await?;
    }
    Ok(())
}

async fn unsealed_streams(connection: &mut PgConnection) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar("select stream from evt_stream_heads where stream not like 'sealed:%' order by stream")
        .fetch_all(connection)
        .await
}

async fn replay(connection: &mut PgConnection, stream: &str) -> Result<u64, Error> {
    let mut after = 0;
    loop {
        let page = events_page(&mut *connection, stream, after, EVENTS_PER_PAGE).await?;
        let Some(last) = page.last() else { return Ok(after) };
        after = last.seq;
        for event in &page {
            apply(connection, &project(event)).await?;
        }
    }
}
