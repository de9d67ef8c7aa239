//! One module per page: it extracts, asks one or two reads, shapes a view and renders it. Here: rendering and errors.

pub(crate) mod agent;
pub(crate) mod audit;
pub(crate) mod events;
pub(crate) mod run;
pub(crate) mod runs;
pub(crate) mod specs;
pub(crate) mod trial;
mod verdict;

use std::sync::LazyLock;

use axum::{
    http::StatusCode,
    response::{Html, IntoResponse, Response},
};
use jiff::Timestamp;
use minijinja::{
    Environment, UndefinedBehavior, context,
    value::{Serde, Value},
};
use serde::Serialize;

use crate::{format, reads};

const TEMPLATES: &[(&str, &str)] = &[
    ("base.html", include_str!("../../templates/base.html")),
    ("parts.html", include_str!("../../templates/parts.html")),
    ("specs.html", include_str!("../../templates/specs.html")),
    ("runs.html", include_str!("../../templates/runs.html")),
    ("run.html", include_str!("../../templates/run.html")),
    ("run_live.html", include_str!("../../templates/run_live.html")),
    ("trial.html", include_str!("../../templates/trial.html")),
    ("agent.html", include_str!("../../templates/agent.html")),
    ("events.html", include_str!("../../templates/events.html")),
    ("audit.html", include_str!("../../templates/audit.html")),
    ("error.html", include_str!("../../templates/error.html")),
];

static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    // Names end with `.html`, so everything that a template prints is escaped.
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
    for (name, source) in TEMPLATES {
        environment.add_template(name, source).expect("an embedded template parses; every page is rendered in a test");
    }
    environment.add_filter("percent", format::percent);
    environment.add_filter("points", format::points);
    environment.add_filter("usd", model::budget::usd);
    environment.add_filter("duration", format::duration);
    environment.add_filter("count", format::count);
    environment.add_filter("segment", |text: String| format::segment(&text));
    environment.add_filter("clip", |text: String| format::clip(&text));
    environment.add_filter("pretty", |value: Serde<serde_json::Value>| format::pretty(&value.0));
    environment.add_filter("instant", |at: Serde<Timestamp>| format::instant(at.0));
    environment.add_filter("clock", |at: Serde<Timestamp>| format::clock(at.0));
    environment.add_filter("ago", |at: Serde<Timestamp>| format::ago(at.0, Timestamp::now()));
    environment
});

/// Renders `view` under the name `page`.
fn render(template: &str, view: &impl Serialize) -> Response {
    respond(StatusCode::OK, template, context! { page => Value::from(Serde(view)) })
}

fn respond(status: StatusCode, template: &str, context: Value) -> Response {
    let rendered = ENVIRONMENT.get_template(template).and_then(|template| template.render(context));
    match rendered {
        Ok(html) => (status, Html(html)).into_response(),
        Err(error) => {
            tracing::error!(template, error = format!("{error:#}"), "a page was not rendered");
            (StatusCode::INTERNAL_SERVER_ERROR, "this page has a fault; the factory's log names it\n").into_response()
        }
    }
}

/// 404 with a way out.
pub(crate) fn missing(what: &str) -> Response {
    let (title, advice) =
        (format!("There is no such {what}"), "It may have another id, or belong to another data folder.");
    respond(StatusCode::NOT_FOUND, "error.html", context! { title, advice })
}

pub(crate) async fn nowhere() -> Response {
    missing("page")
}

/// The log did not answer.
pub(crate) fn failed(error: &reads::Error) -> Response {
    tracing::error!(%error, "a read failed");
    let (title, advice) = ("The factory’s log does not answer", error.to_string());
    respond(StatusCode::SERVICE_UNAVAILABLE, "error.html", context! { title, advice })
}
