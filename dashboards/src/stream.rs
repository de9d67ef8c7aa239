//! Server-sent events: one run's log from any point on, and the overview's pulse.
//!
//! `Last-Event-ID` is the last event a client has seen, `from_seq` the first one it wants; the former wins, because a
//! browser that reconnects sends both and only the former has moved on.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    extract::{Path, Query, State},
    http::HeaderMap,
    response::{
        IntoResponse, Response,
        sse::{self, KeepAlive, Sse},
    },
};
use futures::{StreamExt, stream};
use model::event::Event;
use serde::Deserialize;

use crate::{Reads, pages, wire::wire};

const KEEP_ALIVE: Duration = Duration::from_secs(15); // below the 30 s after which common proxies give up

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    /// The first sequence wanted, from 1.
    from_seq: Option<u64>,
    #[serde(default)]
    format: Format,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Format {
    /// Whole stored events, as unnamed messages.
    #[default]
    Event,
    /// The wire names of [`wire`].
    Wire,
}

pub(crate) async fn run(
    State(reads): State<Arc<dyn Reads>>,
    Path(run): Path<String>,
    Query(wanted): Query<Wanted>,
    headers: HeaderMap,
) -> Response {
    let Ok(run) = run.parse() else { return pages::missing("run") };
    match reads.events(&run, 0, 1).await {
        Err(error) => return pages::failed(&error),
        Ok(first) if first.is_empty() => return pages::missing("run"),
        Ok(_) => {}
    }
    let format = wanted.format;
    let messages = reads
        .follow(&run, after_seq(&headers, wanted.from_seq))
        .filter_map(move |event| async move { message(&event, format).map(Ok::<_, Infallible>) });
    answer(messages)
}

/// Says that the overview changed, without saying what: the page asks again.
pub(crate) async fn pulse(State(reads): State<Arc<dyn Reads>>) -> Response {
    let beats = stream::iter([()]).chain(reads.pulse());
    answer(beats.map(|()| Ok::<_, Infallible>(sse::Event::default().data("changed"))))
}

fn answer(messages: impl stream::Stream<Item = Result<sse::Event, Infallible>> + Send + 'static) -> Response {
    Sse::new(messages).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response()
}

fn after_seq(headers: &HeaderMap, from_seq: Option<u64>) -> u64 {
    let last_seen = headers.get("last-event-id").and_then(|id| id.to_str().ok()).and_then(|id| id.parse().ok());
    last_seen.unwrap_or_else(|| from_seq.unwrap_or(1).saturating_sub(1))
}

fn message(event: &Event, format: Format) -> Option<sse::Event> {
    let empty = sse::Event::default().id(event.seq.to_string());
    match format {
        Format::Event => empty.json_data(event).ok(),
        Format::Wire => {
            let told = wire(event)?;
            empty.event(told.name.as_str()).json_data(told.data).ok()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_event_seen_wins_over_the_first_one_wanted() {
        let mut headers = HeaderMap::new();
        assert_eq!(after_seq(&headers, None), 0);
        assert_eq!(after_seq(&headers, Some(0)), 0);
        assert_eq!(after_seq(&headers, Some(5)), 4);
        headers.insert("last-event-id", "9".parse().expect("a header value"));
        assert_eq!(after_seq(&headers, Some(5)), 9);
        headers.insert("last-event-id", "<script>".parse().expect("a header value"));
        assert_eq!(after_seq(&headers, Some(5)), 4, "an id that is none is no id");
    }
}
