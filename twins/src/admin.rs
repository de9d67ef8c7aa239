//! The admin API: what a person or a tool of another language does to a running space.
//!
//! It listens apart from the twins on purpose: the product under test, which knows the twins' addresses, must not be
//! able to read the journal or reset the state.
//!
//! Below `/__twin/<name>/`: `GET calls?operation=`, `GET state`, `GET|POST|DELETE faults`, `POST act`. Below
//! `/__twin/`: `GET|POST clock` (`{"advance_to": …}`), `POST reset`, `GET journal`.

use std::{collections::BTreeMap, net::Ipv4Addr, sync::Arc};

use axum::{
    Json, Router,
    extract::{Path, Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{FaultRule, Space, TwinError};

/// Serves the admin API of `space` on a loopback port (0: any) until the space closes; gives its base URL.
///
/// # Errors
/// Where the port is taken.
pub fn serve_admin(space: &Arc<Space>, port: u16) -> Result<String, TwinError> {
    let taken = |source| TwinError::Listen { twin: "admin".to_owned(), port, source };
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(taken)?;
    listener.set_nonblocking(true).map_err(taken)?;
    let listener = tokio::net::TcpListener::from_std(listener).map_err(taken)?;
    let port = listener.local_addr().map_err(taken)?.port();
    let shared = Arc::clone(space.shared());
    // The router holds the space weakly: a forgotten admin listener must not keep it open.
    let router = router().with_state(Arc::downgrade(space));
    shared.tasks.spawn({
        let closing = shared.closing.clone();
        async move {
            let serving = axum::serve(listener, router);
            if let Err(error) = serving.with_graceful_shutdown(closing.cancelled_owned()).await {
                tracing::warn!(%error, "the admin API ended");
            }
        }
    });
    Ok(format!("http://127.0.0.1:{port}/__twin"))
}

type Weak = std::sync::Weak<Space>;

fn router() -> Router<Weak> {
    Router::new()
        .route("/__twin/clock", get(clock).post(set_clock))
        .route("/__twin/journal", get(journal))
        .route("/__twin/reset", post(reset))
        .route("/__twin/{twin}/calls", get(calls))
        .route("/__twin/{twin}/state", get(state))
        .route("/__twin/{twin}/faults", get(faults).post(arm).delete(clear))
        .route("/__twin/{twin}/act", post(act))
}

/// A refusal, as `{"error": …}`.
struct Refused(StatusCode, String);

impl From<TwinError> for Refused {
    fn from(error: TwinError) -> Self {
        let status =
            if matches!(error, TwinError::NotServed { .. }) { StatusCode::NOT_FOUND } else { StatusCode::BAD_REQUEST };
        Self(status, error.to_string())
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "error": self.1 }))).into_response()
    }
}

fn open(space: &Weak) -> Result<Arc<Space>, Refused> {
    space.upgrade().ok_or_else(|| Refused(StatusCode::GONE, "the space is closed".to_owned()))
}

async fn calls(
    State(space): State<Weak>,
    Path(twin): Path<String>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Result<Response, Refused> {
    Ok(Json(open(&space)?.calls(&twin, query.get("operation").map(String::as_str))).into_response())
}

async fn state(State(space): State<Weak>, Path(twin): Path<String>) -> Result<Json<Value>, Refused> {
    Ok(Json(open(&space)?.state(&twin)?))
}

async fn faults(State(space): State<Weak>, Path(twin): Path<String>) -> Result<Response, Refused> {
    Ok(Json(open(&space)?.faults(&twin)?).into_response())
}

async fn arm(
    State(space): State<Weak>,
    Path(twin): Path<String>,
    Json(rule): Json<FaultRule>,
) -> Result<StatusCode, Refused> {
    open(&space)?.fault(&twin, rule)?;
    Ok(StatusCode::CREATED)
}

async fn clear(State(space): State<Weak>, Path(twin): Path<String>) -> Result<StatusCode, Refused> {
    open(&space)?.clear_faults(&twin)?;
    Ok(StatusCode::NO_CONTENT)
}

async fn act(
    State(space): State<Weak>,
    Path(twin): Path<String>,
    Json(action): Json<Value>,
) -> Result<Json<Value>, Refused> {
    Ok(Json(open(&space)?.act(&twin, action)?))
}

async fn clock(State(space): State<Weak>) -> Result<Json<Value>, Refused> {
    Ok(Json(json!({"now": open(&space)?.now()})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetClock {
    advance_to: Timestamp,
}

async fn set_clock(State(space): State<Weak>, Json(set): Json<SetClock>) -> Result<Json<Value>, Refused> {
    let space = open(&space)?;
    space.advance_to(set.advance_to)?;
    Ok(Json(json!({"now": space.now()})))
}

async fn journal(State(space): State<Weak>) -> Result<Json<Value>, Refused> {
    Ok(Json(json!({"head": open(&space)?.journal_head()})))
}

async fn reset(State(space): State<Weak>) -> Result<StatusCode, Refused> {
    open(&space)?.reset();
    Ok(StatusCode::NO_CONTENT)
}
