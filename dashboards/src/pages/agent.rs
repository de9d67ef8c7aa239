//! `/runs/{id}/agent/{action}`: what an agent thought, called and was told.

use std::sync::Arc;

use axum::{
    extract::{Path, State},
    response::Response,
};
use model::id::{ActionId, RunId};
use serde::Serialize;

use crate::{Reads, reads::AgentSession};

#[derive(Serialize)]
struct Page {
    run: RunId,
    action: ActionId,
    session: AgentSession,
}

pub(crate) async fn page(State(reads): State<Arc<dyn Reads>>, Path((run, action)): Path<(String, String)>) -> Response {
    let (Ok(run), Some(action)) = (run.parse::<RunId>(), action_id(&action)) else { return super::missing("agent") };
    match reads.agent_session(&run, &action).await {
        Ok(Some(session)) => super::render("agent.html", &Page { run, action, session }),
        Ok(None) => super::missing("agent"),
        Err(error) => super::failed(&error),
    }
}

/// `<node>/<visit>/<attempt>`.
pub(super) fn action_id(text: &str) -> Option<ActionId> {
    let (rest, attempt) = text.rsplit_once('/')?;
    let (node, visit) = rest.rsplit_once('/')?;
    Some(ActionId::new(node, visit.parse().ok()?, attempt.parse().ok()?))
}
