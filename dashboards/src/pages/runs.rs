//! `/runs`: the latest runs of all specs.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use serde::Serialize;

use super::verdict::{self, Badge};
use crate::{Reads, reads::RunRow};

const RUNS_SHOWN: u32 = 100; // a page that a person still reads; older runs are found from their spec's branch

#[derive(Serialize)]
struct Page {
    runs: Vec<Row>,
    shown_max: u32,
}

#[derive(Serialize)]
struct Row {
    #[serde(flatten)]
    run: RunRow,
    badge: Badge,
}

pub(crate) async fn page(State(reads): State<Arc<dyn Reads>>) -> Response {
    match reads.runs(RUNS_SHOWN).await {
        Ok(runs) => {
            let runs = runs.into_iter().map(|run| Row { badge: verdict::of(&run.phase), run }).collect();
            super::render("runs.html", &Page { runs, shown_max: RUNS_SHOWN })
        }
        Err(error) => super::failed(&error),
    }
}
