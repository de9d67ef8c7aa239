//! Mail that a twin took, below `/__twin/<name>/inbox`: `GET` lists it, newest first (`to`, `from`, `subject`, `text`,
//! `html` and `query`, which looks at all of them, choose; each is a part of what is sought, in any case; `limit`, `offset`),
//! `DELETE` empties it or takes out what is chosen so; `POST wait` (`{"to": …, "times": 1, "within_ms": 5000}`) answers as
//! soon as there is enough, 408 otherwise. `GET <id>`, `<id>/raw`, `<id>/attachments/<n>` and `DELETE <id>`, where `latest`
//! is an id too.

use std::time::Duration;

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, Query},
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{Held, In, Of, Refused};
use crate::{Space, mime};

const LIMIT_DEFAULT: usize = 50;
const WITHIN_MS_DEFAULT: u64 = 5_000;
const WAIT_MAX: Duration = Duration::from_secs(600); // longer than any test waits for mail

pub(super) fn routes() -> Router<Held> {
    Router::new()
        .route("/{twin}/inbox", get(list).delete(clear))
        .route("/{twin}/inbox/wait", post(wait))
        .route("/{twin}/inbox/{id}", get(show).delete(remove))
        .route("/{twin}/inbox/{id}/raw", get(raw))
        .route("/{twin}/inbox/{id}/attachments/{number}", get(attachment))
}

/// Which mail is meant; what is left out fits any.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Filter {
    query: Option<String>,
    to: Option<String>,
    from: Option<String>,
    subject: Option<String>,
    text: Option<String>,
    html: Option<String>,
}

impl Filter {
    fn fits(&self, mail: &Value) -> bool {
        let wanted = [
            (&self.to, &["to", "cc", "bcc"][..]),
            (&self.from, &["from", "from_name"]),
            (&self.subject, &["subject"]),
            (&self.text, &["text"]),
            (&self.html, &["html"]),
            (&self.query, &["to", "cc", "bcc", "from", "from_name", "subject", "text", "html"]),
        ];
        wanted.into_iter().all(|(part, fields)| {
            let Some(part) = part.as_ref().map(|part| part.to_lowercase()) else { return true };
            fields.iter().any(|field| has(&mail[*field], &part))
        })
    }
}

fn has(value: &Value, part: &str) -> bool {
    match value {
        Value::String(text) => text.to_lowercase().contains(part),
        Value::Array(items) => items.iter().any(|item| has(item, part)),
        _ => false,
    }
}

/// All of it, newest first.
fn inbox(space: &Space, twin: &str) -> Result<Vec<Value>, Refused> {
    let mut mail = space.with_cell(twin, |cell| Ok(cell.twin.inbox()))?.ok_or_else(|| {
        Refused(StatusCode::NOT_FOUND, format!("twin `{twin}` takes no mail; its tables are below {twin}/state"))
    })?;
    mail.reverse();
    Ok(mail)
}

fn chosen(space: &Space, twin: &str, filter: &Filter) -> Result<Vec<Value>, Refused> {
    let mut mail = inbox(space, twin)?;
    mail.retain(|one| filter.fits(one));
    Ok(mail)
}

#[derive(Deserialize)]
struct Paging {
    limit: Option<usize>,
    #[serde(default)]
    offset: usize,
}

async fn list(
    In(space): In,
    Path(of): Path<Of>,
    Query(filter): Query<Filter>,
    Query(paging): Query<Paging>,
) -> Result<Json<Value>, Refused> {
    let found = chosen(&space, &of.twin, &filter)?;
    let total = found.len();
    let page = found.into_iter().skip(paging.offset).take(paging.limit.unwrap_or(LIMIT_DEFAULT));
    Ok(Json(json!({"total": total, "messages": page.collect::<Vec<_>>()})))
}

async fn clear(In(space): In, Path(of): Path<Of>, Query(filter): Query<Filter>) -> Result<Json<Value>, Refused> {
    let found = chosen(&space, &of.twin, &filter)?;
    for mail in &found {
        forget(&space, &of.twin, mail)?;
    }
    Ok(Json(json!({"deleted": found.len()})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wait {
    #[serde(default = "once")]
    times: usize,
    #[serde(default = "within")]
    within_ms: u64,
    query: Option<String>,
    to: Option<String>,
    from: Option<String>,
    subject: Option<String>,
    text: Option<String>,
    html: Option<String>,
}

fn once() -> usize {
    1
}

fn within() -> u64 {
    WITHIN_MS_DEFAULT
}

async fn wait(In(space): In, Path(of): Path<Of>, Json(wait): Json<Wait>) -> Result<Json<Value>, Refused> {
    let Wait { times, within_ms, query, to, from, subject, text, html } = wait;
    let filter = Filter { query, to, from, subject, text, html };
    let arrived = async {
        loop {
            // Ask for the wake-up before looking, so that mail between the two is not lost.
            let changed = space.shared().journal_changed.notified();
            let found = chosen(&space, &of.twin, &filter)?;
            if found.len() >= times {
                return Ok(Json(json!({"total": found.len(), "messages": found})));
            }
            changed.await;
        }
    };
    match timeout(Duration::from_millis(within_ms).min(WAIT_MAX), arrived).await {
        Ok(found) => found,
        Err(_) => {
            let subjects: Vec<_> = inbox(&space, &of.twin)?.iter().map(|mail| mail["subject"].clone()).collect();
            let why = format!("no such mail came in time; the inbox has {}", json!(subjects));
            Err(Refused(StatusCode::REQUEST_TIMEOUT, why))
        }
    }
}

/// A message of the path.
#[derive(Deserialize)]
struct One {
    twin: String,
    id: String,
    #[serde(default)]
    number: u32,
}

fn find(space: &Space, one: &One) -> Result<Value, Refused> {
    let is_meant = |mail: &Value| one.id == "latest" || mail["id"] == one.id.as_str();
    let found = inbox(space, &one.twin)?.into_iter().find(is_meant);
    found.ok_or_else(|| Refused(StatusCode::NOT_FOUND, format!("there is no message `{}`", one.id)))
}

fn raw_of(space: &Space, one: &One) -> Result<Bytes, Refused> {
    let mail = find(space, one)?;
    let id = mail["id"].as_str().unwrap_or_default();
    let raw = space.with_cell(&one.twin, |cell| Ok(cell.twin.raw_mail(id)))?;
    raw.ok_or_else(|| Refused(StatusCode::NOT_FOUND, format!("twin `{}` gets no raw messages", one.twin)))
}

fn forget(space: &Space, twin: &str, mail: &Value) -> Result<(), Refused> {
    let id = mail["id"].as_str().unwrap_or_default();
    let gone = space.with_cell(twin, |cell| Ok(cell.twin.forget_mail(id)))?;
    let why = || Refused(StatusCode::BAD_REQUEST, format!("twin `{twin}` keeps what it sent; reset the space instead"));
    if gone { Ok(()) } else { Err(why()) }
}

async fn show(In(space): In, Path(one): Path<One>) -> Result<Json<Value>, Refused> {
    Ok(Json(find(&space, &one)?))
}

async fn raw(In(space): In, Path(one): Path<One>) -> Result<Response, Refused> {
    let raw = raw_of(&space, &one)?;
    Ok((StatusCode::OK, [(CONTENT_TYPE, "message/rfc822")], raw).into_response())
}

async fn attachment(In(space): In, Path(one): Path<One>) -> Result<Response, Refused> {
    let raw = raw_of(&space, &one)?;
    let (kind, bytes) = mime::attachment(&raw, one.number)
        .ok_or_else(|| Refused(StatusCode::NOT_FOUND, format!("there is no attachment {}", one.number)))?;
    Ok((StatusCode::OK, [(CONTENT_TYPE, kind)], bytes).into_response())
}

async fn remove(In(space): In, Path(one): Path<One>) -> Result<StatusCode, Refused> {
    let mail = find(&space, &one)?;
    forget(&space, &one.twin, &mail)?;
    Ok(StatusCode::NO_CONTENT)
}
