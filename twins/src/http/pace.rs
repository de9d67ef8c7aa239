use std::{convert::Infallible, time::Duration};

use axum::body::{Body as Outgoing, Bytes};
use futures::{StreamExt, stream};
use hyper::Response;
use tokio::time::sleep;

use super::{
    Body, Reply,
    server::{whole, with_head},
};

/// How long an answer takes to make. The virtual clock moves on by it; whether anyone waits is another question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pace {
    /// Until the first event, or of a whole answer.
    pub(crate) first: Duration,
    /// Spread evenly over the events that follow.
    pub(crate) rest: Duration,
    /// The client waits as long.
    pub(crate) real: bool,
}

impl Pace {
    pub(crate) fn total(self) -> Duration {
        self.first.saturating_add(self.rest)
    }
}

/// The answer, as late as its pace wants it.
pub(super) async fn paced(reply: &Reply) -> Response<Outgoing> {
    let Some(pace) = reply.pace.as_deref().copied().filter(|pace| pace.real) else { return whole(reply) };
    let Body::Events(frames) = &reply.body else {
        sleep(pace.total()).await;
        return whole(reply);
    };
    let each = pace.rest / u32::try_from(frames.len().max(1)).unwrap_or(u32::MAX);
    let slow = stream::iter(frames.clone().into_iter().enumerate()).then(move |(index, frame)| async move {
        sleep(if index == 0 { pace.first } else { each }).await;
        Ok::<Bytes, Infallible>(frame)
    });
    with_head(reply, Outgoing::from_stream(slow))
}
