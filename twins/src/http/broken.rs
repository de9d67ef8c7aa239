//! Answers that break on their way. What hyper would never write goes over the bare socket: see [`End`].

use std::time::Duration;

use axum::body::{Body as Outgoing, Bytes};
use futures::{StreamExt, stream};
use hyper::{Response, StatusCode, header};
use tokio::time::sleep;

use super::{
    Body, Reply,
    server::{whole, with_head},
};

const PIECES_MAX: usize = 1_000_000; // of a dribbled answer: one byte each of a large one

/// Where a body ends too early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    Half,
    AfterBytes(usize),
    /// Of a stream; another body is cut in half.
    BeforeEvent(usize),
}

/// How a connection ends instead of being answered by hyper.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum End {
    Reset,
    /// These bytes, then an orderly end.
    Bytes(Vec<u8>),
}

impl End {
    pub(super) const CLOSE: Self = Self::Bytes(Vec::new());

    /// No HTTP, and no text either.
    pub(super) fn garbage() -> Self {
        Self::Bytes(b"\x00\xff\x13garbage\x7f\xfe\r\n\r\n\x80".to_vec())
    }

    /// The answer, and again the answer.
    pub(super) fn duplicate(reply: &Reply) -> Self {
        let body = reply.body.bytes();
        let mut once = head(reply, &format!("content-length: {}", body.len()));
        once.extend(&body);
        Self::Bytes(once.repeat(2))
    }

    /// Half of the answer in a chunk, then a chunk whose size is no number.
    pub(super) fn malformed_chunk(reply: &Reply) -> Self {
        let body = reply.body.bytes();
        let half = &body[..body.len() / 2];
        let mut bytes = head(reply, "transfer-encoding: chunked");
        if !half.is_empty() {
            bytes.extend(format!("{:x}\r\n", half.len()).into_bytes());
            bytes.extend([half, b"\r\n"].concat());
        }
        bytes.extend(b"zz\r\n");
        Self::Bytes(bytes)
    }
}

fn head(reply: &Reply, framing: &str) -> Vec<u8> {
    let reason = StatusCode::from_u16(reply.status).ok().and_then(|status| status.canonical_reason());
    let mut text = format!("HTTP/1.1 {} {}\r\n", reply.status, reason.unwrap_or_default());
    for (name, value) in reply.headers.iter().filter(|(name, _)| name != "content-length") {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    format!("{text}{framing}\r\nconnection: close\r\n\r\n").into_bytes()
}

/// Half of the JSON under a correct length: it arrives well and does not parse.
pub(super) fn garbled(reply: &Reply) -> Response<Outgoing> {
    let bytes = reply.body.bytes();
    with_head(reply, Outgoing::from(bytes.slice(..bytes.len() / 2)))
}

/// Announces the whole body and closes the connection before its end.
pub(super) fn cut(reply: &Reply, cut: Cut) -> Response<Outgoing> {
    let broken = stream::once(async {
        // What is sent must leave before the error closes the connection, or nothing would arrive at all.
        tokio::task::yield_now().await;
        Err::<Bytes, _>(std::io::Error::other("cut on purpose"))
    });
    let sent = stream::iter(what_arrives(&reply.body, cut)).map(Ok);
    let mut response = with_head(reply, Outgoing::from_stream(sent.chain(broken)));
    if !matches!(reply.body, Body::Events(_)) {
        response.headers_mut().insert(header::CONTENT_LENGTH, reply.body.bytes().len().into());
    }
    response
}

/// Of a body that is cut.
pub(crate) fn what_arrives(body: &Body, cut: Cut) -> Vec<Bytes> {
    if let (Body::Events(frames), Cut::Half | Cut::BeforeEvent(_)) = (body, cut) {
        let events = if let Cut::BeforeEvent(event) = cut { event } else { frames.len() / 2 };
        return frames[..events.min(frames.len())].to_vec();
    }
    let bytes = body.bytes();
    let end = if let Cut::AfterBytes(bytes) = cut { bytes } else { bytes.len() / 2 };
    // A body that arrives whole was not cut.
    vec![bytes.slice(..end.min(bytes.len().saturating_sub(1)))]
}

/// A stream that pauses before an event; another answer waits as a whole.
pub(super) async fn late(reply: &Reply, delay: Duration, at_event: Option<usize>) -> Response<Outgoing> {
    let (Body::Events(frames), Some(event)) = (&reply.body, at_event) else {
        sleep(delay).await;
        return whole(reply);
    };
    let pieces = stream::iter(frames.clone()).enumerate().then(move |(index, frame)| async move {
        if index == event {
            sleep(delay).await;
        }
        Ok::<_, std::convert::Infallible>(frame)
    });
    with_head(reply, Outgoing::from_stream(pieces))
}

/// A few bytes at a time.
pub(super) fn dribble(reply: &Reply, bytes: usize, interval: Duration) -> Response<Outgoing> {
    let body = reply.body.bytes();
    let size = bytes.max(body.len() / PIECES_MAX);
    let length = body.len();
    let pieces = stream::unfold((body, true), move |(mut rest, first)| async move {
        if rest.is_empty() {
            return None;
        }
        if !first {
            sleep(interval).await;
        }
        let piece = rest.split_to(size.min(rest.len()));
        Some((Ok::<_, std::convert::Infallible>(piece), (rest, false)))
    });
    let mut response = with_head(reply, Outgoing::from_stream(pieces));
    if !matches!(reply.body, Body::Events(_)) {
        response.headers_mut().insert(header::CONTENT_LENGTH, length.into());
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_body_never_arrives_whole() {
        let json = Body::Json("0123456789".into());
        assert_eq!(what_arrives(&json, Cut::Half).concat(), b"01234");
        assert_eq!(what_arrives(&json, Cut::AfterBytes(3)).concat(), b"012");
        assert_eq!(what_arrives(&json, Cut::AfterBytes(99)).concat(), b"012345678");
        assert_eq!(what_arrives(&json, Cut::BeforeEvent(1)).concat(), b"01234");
        assert_eq!(what_arrives(&Body::Empty, Cut::Half).concat(), b"");
        let events = Body::Events(vec!["a\n\n".into(), "b\n\n".into()]);
        assert_eq!(what_arrives(&events, Cut::BeforeEvent(1)), ["a\n\n"]);
        assert_eq!(what_arrives(&events, Cut::AfterBytes(1)), ["a"]);
    }
}
