//! The admin API: what a person or a tool of another language does to a running space.
//!
//! It listens apart from the twins on purpose: the product under test, which knows the twins' addresses, must not be
//! able to read the journal or reset the state.
//!
//! Below `/__twin/<name>/`: `GET calls?operation=`, `GET state`, `GET|POST|DELETE faults`, `POST act`. Below
//! `/__twin/`: `GET|POST clock` (`{"advance_to": …}`), `POST reset`, and what `inbox`, `journal` and `spaces` say. All of it
//! again below `/__twin/spaces/<name>/` for a named space.

mod inbox;
mod journal;
mod spaces;
pub(crate) mod wiremock;

use std::{
    collections::BTreeMap,
    sync::{Arc, Weak},
};

use axum::{
    Json, Router,
    extract::{FromRequestParts, Path, Query, RawPathParams},
    http::{StatusCode, request::Parts},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use hyper_util::service::TowerToHyperService;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    FaultRule, Space, TwinError,
    engine::{door::Door, shared::Shared},
    http::connection::converse,
};

/// Serves the admin API of `space` on a loopback port (0: any) until the space closes; gives its base URL.
///
/// # Errors
/// Where the port is taken.
pub fn serve_admin(space: &Space, port: u16) -> Result<String, TwinError> {
    let door = Door::at(port).map_err(TwinError::port_taken("admin", port))?;
    let (port, shared) = (door.port, space.shared());
    let router = Router::new()
        .nest("/__twin", space_routes().merge(spaces::routes()))
        .nest("/__twin/spaces/{space}", space_routes())
        .with_state(Arc::downgrade(shared));
    let closing = shared.closing.clone();
    let service = TowerToHyperService::new(router);
    door.open(&shared.tasks, closing.clone(), move |stream| Some(converse(stream, service.clone(), closing.clone())));
    Ok(format!("http://127.0.0.1:{port}/__twin"))
}

/// The router holds the space weakly: a forgotten admin listener must not keep it open.
type Held = Weak<Shared>;

fn space_routes() -> Router<Held> {
    Router::new()
        .route("/clock", get(clock).post(set_clock))
        .route("/reset", post(reset))
        .route("/{twin}/calls", get(calls))
        .route("/{twin}/state", get(state))
        .route("/{twin}/faults", get(faults).post(arm).delete(clear))
        .route("/{twin}/act", post(act))
        .merge(inbox::routes())
        .merge(journal::routes())
}

/// A refusal, as `{"error": …}`.
struct Refused(StatusCode, String);

impl From<TwinError> for Refused {
    fn from(error: TwinError) -> Self {
        let status = match error {
            TwinError::NotServed { .. } | TwinError::NoSuchSpace { .. } => StatusCode::NOT_FOUND,
            TwinError::SpaceExists { .. } => StatusCode::CONFLICT,
            TwinError::Unseen { .. } => StatusCode::REQUEST_TIMEOUT,
            _ => StatusCode::BAD_REQUEST,
        };
        Self(status, error.to_string())
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "error": self.1 }))).into_response()
    }
}

/// The space that the path names, or the one of the ports.
struct In(Space);

impl FromRequestParts<Held> for In {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, held: &Held) -> Result<Self, Refused> {
        let space = open(held)?;
        let params = RawPathParams::from_request_parts(parts, held).await;
        let params = params.map_err(|error| Refused(StatusCode::BAD_REQUEST, error.to_string()))?;
        let name = params.iter().find(|(name, _)| *name == "space").map(|(_, value)| value.to_owned());
        match name {
            None => Ok(Self(space)),
            Some(name) => Ok(Self(space.find_named(&name).ok_or(TwinError::NoSuchSpace { name })?)),
        }
    }
}

fn open(held: &Held) -> Result<Space, Refused> {
    held.upgrade().map(Space::of).ok_or_else(|| Refused(StatusCode::GONE, "the space is closed".to_owned()))
}

/// The twin that the path names.
#[derive(Deserialize)]
struct Of {
    twin: String,
}

async fn calls(
    In(space): In,
    Path(of): Path<Of>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Result<Response, Refused> {
    Ok(Json(space.calls(&of.twin, query.get("operation").map(String::as_str))).into_response())
}

async fn state(In(space): In, Path(of): Path<Of>) -> Result<Json<Value>, Refused> {
    Ok(Json(space.state(&of.twin)?))
}

async fn faults(In(space): In, Path(of): Path<Of>) -> Result<Response, Refused> {
    Ok(Json(space.faults(&of.twin)?).into_response())
}

async fn arm(In(space): In, Path(of): Path<Of>, Json(rule): Json<FaultRule>) -> Result<StatusCode, Refused> {
    space.fault(&of.twin, rule)?;
    Ok(StatusCode::CREATED)
}

async fn clear(In(space): In, Path(of): Path<Of>) -> Result<StatusCode, Refused> {
    space.clear_faults(&of.twin)?;
    Ok(StatusCode::NO_CONTENT)
}

async fn act(In(space): In, Path(of): Path<Of>, Json(action): Json<Value>) -> Result<Json<Value>, Refused> {
    Ok(Json(space.act(&of.twin, action)?))
}

async fn clock(In(space): In) -> Json<Value> {
    Json(json!({"now": space.now()}))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetClock {
    advance_to: Timestamp,
}

async fn set_clock(In(space): In, Json(set): Json<SetClock>) -> Result<Json<Value>, Refused> {
    space.advance_to(set.advance_to)?;
    Ok(Json(json!({"now": space.now()})))
}

async fn reset(In(space): In) -> StatusCode {
    space.reset();
    StatusCode::NO_CONTENT
}
