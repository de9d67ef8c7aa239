//! Questions to the journal, below `/__twin/journal`: `GET` its head; `POST find`, `count`, `near-misses` (a question),
//! `wait` (`{"query": …, "times": 1, "within_ms": 5000}`), `order` (a list of questions); `GET unfired`, `unread`,
//! `export?format=jsonl|har&after=SEQ&limit=N`.

use std::time::Duration;

use axum::{
    Json, Router,
    extract::Query,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Held, In, Refused};
use crate::{Call, CallQuery, NearMiss, Order};

const NEAR_MISSES: usize = 3; // enough to see the mistake
const WITHIN_MS_DEFAULT: u64 = 5_000;

pub(super) fn routes() -> Router<Held> {
    Router::new()
        .route("/journal", get(head))
        .route("/journal/find", post(find))
        .route("/journal/count", post(count))
        .route("/journal/near-misses", post(near_misses))
        .route("/journal/wait", post(wait))
        .route("/journal/order", post(order))
        .route("/journal/unfired", get(unfired))
        .route("/journal/unread", get(unread))
        .route("/journal/export", get(export))
}

async fn head(In(space): In) -> Json<Value> {
    Json(json!({"head": space.journal_head()}))
}

async fn find(In(space): In, Json(query): Json<CallQuery>) -> Result<Json<Vec<Call>>, Refused> {
    Ok(Json(space.find(&query)?))
}

async fn count(In(space): In, Json(query): Json<CallQuery>) -> Result<Json<Value>, Refused> {
    Ok(Json(json!({"count": space.count(&query)?})))
}

async fn near_misses(In(space): In, Json(query): Json<CallQuery>) -> Result<Json<Vec<NearMiss>>, Refused> {
    Ok(Json(space.near_misses(&query, NEAR_MISSES)?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wait {
    query: CallQuery,
    #[serde(default = "once")]
    times: usize,
    #[serde(default = "within")]
    within_ms: u64,
}

fn once() -> usize {
    1
}

fn within() -> u64 {
    WITHIN_MS_DEFAULT
}

/// 408 where the calls do not come in time.
async fn wait(In(space): In, Json(wait): Json<Wait>) -> Result<Json<Vec<Call>>, Refused> {
    let found = space.wait_for(&wait.query, wait.times, Duration::from_millis(wait.within_ms)).await?;
    Ok(Json(found))
}

async fn order(In(space): In, Json(queries): Json<Vec<CallQuery>>) -> Result<Json<Order>, Refused> {
    Ok(Json(space.in_order(&queries)?))
}

async fn unfired(In(space): In) -> Response {
    Json(space.unfired_faults()).into_response()
}

async fn unread(In(space): In) -> Response {
    Json(space.unread_fields()).into_response()
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Format {
    #[default]
    Jsonl,
    Har,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Export {
    #[serde(default)]
    format: Format,
    #[serde(default)]
    after: u64,
    limit: Option<usize>,
}

async fn export(In(space): In, Query(export): Query<Export>) -> Response {
    let limit = export.limit.unwrap_or(usize::MAX);
    match export.format {
        Format::Jsonl => {
            let lines = space.export_jsonl(export.after, limit);
            (StatusCode::OK, [(CONTENT_TYPE, "application/jsonl")], lines).into_response()
        }
        Format::Har => Json(space.export_har(export.after, limit)).into_response(),
    }
}
