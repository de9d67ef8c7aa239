//! Named spaces: `GET spaces`, `POST spaces` (`{"name": …, "from": …}`: a copy of `from`, a fresh one where it is left
//! out, and `"from": null` copies the space of the ports), `DELETE spaces/<name>`; and `POST restore` (`{"from": …}`),
//! which makes the space of the ports a copy of a named one, so that a named one is a snapshot too.

use axum::{
    Json, Router,
    extract::{Path, State},
    http::StatusCode,
    routing::{delete, get, post},
};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use super::{Held, Refused, open};
use crate::TwinError;

pub(super) fn routes() -> Router<Held> {
    Router::new()
        .route("/spaces", get(list).post(create))
        .route("/spaces/{space}", delete(forget))
        .route("/restore", post(restore))
}

async fn list(State(held): State<Held>) -> Result<Json<Value>, Refused> {
    let space = open(&held)?;
    let shown = |name: String| space.find_named(&name).map(|room| json!({"name": name, "now": room.now()}));
    Ok(Json(space.names().into_iter().filter_map(shown).collect()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Create {
    name: String,
    /// Left out is not the same as null.
    #[serde(default, deserialize_with = "given")]
    from: Option<Option<String>>,
}

fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

async fn create(State(held): State<Held>, Json(create): Json<Create>) -> Result<(StatusCode, Json<Value>), Refused> {
    let space = open(&held)?;
    let made = match &create.from {
        None if space.find_named(&create.name).is_some() => Err(TwinError::SpaceExists { name: create.name.clone() }),
        None => space.named(&create.name),
        Some(from) => space.fork(from.as_deref(), &create.name),
    };
    Ok((StatusCode::CREATED, Json(json!({"name": create.name, "now": made?.now()}))))
}

async fn forget(State(held): State<Held>, Path(name): Path<String>) -> Result<StatusCode, Refused> {
    open(&held)?.drop_named(&name)?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Restore {
    from: String,
}

async fn restore(State(held): State<Held>, Json(restore): Json<Restore>) -> Result<Json<Value>, Refused> {
    let space = open(&held)?;
    space.restore_named(&restore.from)?;
    Ok(Json(json!({"now": space.now()})))
}
