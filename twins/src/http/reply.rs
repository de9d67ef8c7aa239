use std::borrow::Cow;

use axum::body::Bytes;
use serde::Serialize;

use super::{Pace, frames};
use crate::engine::core::Transport;

/// What a twin answers, before the transport carries or breaks it. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// Written in this order.
    pub(crate) headers: Vec<(Cow<'static, str>, String)>,
    pub(crate) body: Body,
    /// How it is carried where no fault rule says otherwise.
    pub(crate) transport: Transport,
    /// None: it is made at once. Boxed, as answers are handed on by value and few have one.
    pub(crate) pace: Option<Box<Pace>>,
}

#[derive(Clone, Debug)]
pub(crate) enum Body {
    Empty,
    Json(Bytes),
    /// Of the content type that the headers name.
    Bytes(Bytes),
    /// Server-sent events, one frame each.
    Events(Vec<Bytes>),
}

impl Reply {
    pub(crate) fn empty(status: u16) -> Self {
        Self::new(status, Body::Empty)
    }

    pub(crate) fn json(status: u16, value: &impl Serialize) -> Self {
        let bytes = serde_json::to_vec(value).expect("twins build JSON with text keys only");
        Self::new(status, Body::Json(bytes.into())).header("content-type", "application/json")
    }

    pub(crate) fn bytes(status: u16, content_type: &str, bytes: impl Into<Bytes>) -> Self {
        Self::new(status, Body::Bytes(bytes.into())).header("content-type", content_type)
    }

    pub(crate) fn events(frames: Vec<Bytes>) -> Self {
        Self::new(200, Body::Events(frames))
            .header("content-type", "text/event-stream; charset=utf-8")
            .header("cache-control", "no-cache")
    }

    /// Neither headers nor pace.
    pub(crate) fn new(status: u16, body: Body) -> Self {
        Self { status, headers: Vec::new(), body, transport: Transport::Whole, pace: None }
    }

    #[must_use]
    pub(crate) fn paced(mut self, pace: Option<Pace>) -> Self {
        self.pace = pace.map(Box::new);
        self
    }

    /// Sets a header, in its old place where it was set before.
    #[must_use]
    pub(crate) fn header(mut self, name: impl Into<Cow<'static, str>>, value: impl Into<String>) -> Self {
        self.set(name, value);
        self
    }

    /// A body that its header calls a stream becomes one, so that it can pause and break between events.
    pub(crate) fn split_events(&mut self) {
        let kind = self.headers.iter().find(|(name, _)| name == "content-type");
        let is_stream = kind.is_some_and(|(_, value)| value.starts_with("text/event-stream"));
        if let (true, Body::Bytes(bytes)) = (is_stream, &self.body)
            && let Ok(text) = std::str::from_utf8(bytes)
        {
            self.body = Body::Events(frames(text).map(|frame| bytes.slice_ref(frame.as_bytes())).collect());
        }
    }

    /// Sets a header that is not there yet.
    pub(crate) fn set_new(&mut self, name: &'static str, value: impl Into<String>) {
        if self.headers.iter().all(|(known, _)| known != name) {
            self.headers.push((name.into(), value.into()));
        }
    }

    pub(crate) fn set(&mut self, name: impl Into<Cow<'static, str>>, value: impl Into<String>) {
        let name = name.into();
        match self.headers.iter_mut().find(|(known, _)| *known == name) {
            Some((_, old)) => *old = value.into(),
            None => self.headers.push((name, value.into())),
        }
    }
}

impl Body {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Empty => 0,
            Self::Json(bytes) | Self::Bytes(bytes) => bytes.len(),
            Self::Events(frames) => frames.iter().map(Bytes::len).sum(),
        }
    }

    /// The bytes, piece by piece.
    pub(crate) fn pieces(&self) -> &[Bytes] {
        match self {
            Self::Empty => &[],
            Self::Json(bytes) | Self::Bytes(bytes) => std::slice::from_ref(bytes),
            Self::Events(frames) => frames,
        }
    }

    /// The bytes as they would arrive whole.
    pub(crate) fn bytes(&self) -> Bytes {
        match self {
            Self::Empty => Bytes::new(),
            Self::Json(bytes) | Self::Bytes(bytes) => bytes.clone(),
            Self::Events(frames) => frames.concat().into(),
        }
    }
}
