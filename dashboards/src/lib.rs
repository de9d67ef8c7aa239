//! The factory's pages for people: specs with satisfaction, runs as they happen, one trajectory in detail, the audit.
//!
//! Owns: the [`Reads`] that pages need, templates, static files, the server-sent stream, security headers.
//! Never does: SQL, writes of any kind, listening on a socket (the server does), decisions about runs.
//! Start at [`router`], then [`reads`], then `pages`.

mod assets;
mod chart;
mod format;
mod headers;
mod pages;
pub mod reads;
mod stream;
mod summary;
pub mod wire;

use std::sync::Arc;

use axum::{Router, middleware, routing::get};

pub use reads::Reads;

/// Every page, as one router without state of its own.
///
/// Invariant: all routes are reads; what changes the factory is the server's API, behind its own guards.
pub fn router(reads: Arc<dyn Reads>) -> Router {
    Router::new()
        .route("/", get(pages::specs::page))
        .route("/stream", get(stream::pulse))
        .route("/runs", get(pages::runs::page))
        .route("/runs/{run}", get(pages::run::page))
        .route("/runs/{run}/live", get(pages::run::live))
        .route("/runs/{run}/stream", get(stream::run))
        .route("/runs/{run}/events", get(pages::events::page))
        .route("/runs/{run}/agent/{*action}", get(pages::agent::page))
        .route("/runs/{run}/trials/{suite}/{scenario}/{trial}", get(pages::trial::page))
        .route("/audit", get(pages::audit::page))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/static/{*path}", get(assets::serve))
        .fallback(pages::nowhere)
        .with_state(reads)
        .layer(middleware::map_response(headers::guard))
}
