//! `/runs/{id}/events`: the raw log of a run, a page at a time, growing at its end while the run goes on.

use std::sync::Arc;

use axum::{
    extract::{Path, Query, State},
    response::Response,
};
use model::{event::Event, id::RunId};
use serde::{Deserialize, Serialize};

use crate::{Reads, reads::Result, summary::summary};

const EVENTS_PER_PAGE: u32 = 200; // renders in a few milliseconds and scrolls well on a phone

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    #[serde(default)]
    after: u64,
}

#[derive(Serialize)]
struct Page {
    run: RunId,
    title: String,
    rows: Vec<Row>,
    after: u64,
    last_seq: u64,
    previous: Option<u64>,
    next: Option<u64>,
    finished: bool,
}

#[derive(Serialize)]
struct Row {
    summary: String,
    body: serde_json::Value,
    kind: &'static str,
    #[serde(flatten)]
    event: Event,
}

pub(crate) async fn page(
    State(reads): State<Arc<dyn Reads>>,
    Path(run): Path<String>,
    Query(wanted): Query<Wanted>,
) -> Response {
    let Ok(run) = run.parse::<RunId>() else { return super::missing("run") };
    match view(&*reads, run, wanted.after).await {
        Ok(Some(page)) => super::render("events.html", &page),
        Ok(None) => super::missing("run"),
        Err(error) => super::failed(&error),
    }
}

async fn view(reads: &dyn Reads, run: RunId, after: u64) -> Result<Option<Page>> {
    let Some(known) = reads.run(&run).await? else { return Ok(None) };
    let events = reads.events(&run, after, EVENTS_PER_PAGE).await?;
    let last = events.last().map_or(after, |event| event.seq);
    Ok(Some(Page {
        run,
        title: known.row.title,
        rows: events.into_iter().map(row).collect(),
        after,
        last_seq: known.last_seq,
        previous: (after > 0).then(|| after.saturating_sub(u64::from(EVENTS_PER_PAGE))),
        next: (last < known.last_seq).then_some(last),
        finished: known.row.phase.is_finished(),
    }))
}

fn row(event: Event) -> Row {
    let whole = serde_json::to_value(&event.body).unwrap_or_default();
    let body = whole.get("data").cloned().unwrap_or_default();
    Row { summary: summary(&event.body), kind: event.body.kind(), body, event }
}
