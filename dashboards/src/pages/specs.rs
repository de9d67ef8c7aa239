//! `/`: every spec with its satisfaction, and what needs a person first.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use serde::Serialize;

use super::verdict::{self, Badge};
use crate::{
    Reads,
    chart::{Chart, Frame, chart},
    reads::SpecRow,
};

#[derive(Serialize)]
struct Page {
    specs: Vec<Row>,
    needs: Vec<Need>,
}

#[derive(Serialize)]
struct Row {
    #[serde(flatten)]
    spec: SpecRow,
    badge: Badge,
    chart: Option<Chart>,
}

#[derive(Serialize)]
struct Need {
    badge: Badge,
    title: String,
    run: String,
    cause: String,
}

pub(crate) async fn page(State(reads): State<Arc<dyn Reads>>) -> Response {
    match reads.specs().await {
        Ok(specs) => super::render("specs.html", &view(specs)),
        Err(error) => super::failed(&error),
    }
}

fn view(specs: Vec<SpecRow>) -> Page {
    let needs = specs.iter().filter_map(need).collect();
    let mut specs: Vec<_> = specs.into_iter().map(row).collect();
    specs.sort_by_key(|row| std::cmp::Reverse(row.spec.latest.as_ref().map(|run| run.created_at)));
    Page { specs, needs }
}

fn need(spec: &SpecRow) -> Option<Need> {
    let run = spec.latest.as_ref()?;
    let cause = verdict::need(run)?;
    Some(Need { badge: verdict::of(&run.phase), title: spec.title.clone(), run: run.run.to_string(), cause })
}

fn row(spec: SpecRow) -> Row {
    let latest = spec.latest.as_ref();
    let badge = latest.map_or(verdict::NEVER_RUN, |run| verdict::of(&run.phase));
    let target = latest.and_then(|run| run.target);
    let chart = (spec.history.len() > 1).then(|| chart(&spec.history, target, Frame::SPARK));
    Row { spec, badge, chart }
}
