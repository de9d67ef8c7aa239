//! `/audit`: whether the log is what was written.

use std::sync::Arc;

use axum::{extract::State, response::Response};

use crate::Reads;

pub(crate) async fn page(State(reads): State<Arc<dyn Reads>>) -> Response {
    match reads.audit().await {
        Ok(audit) => super::render("audit.html", &audit),
        Err(error) => super::failed(&error),
    }
}
