use std::borrow::Cow;

use axum::body::Bytes;
use serde::Serialize;

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
        Self { status, headers: Vec::new(), body: Body::Empty, transport: Transport::Whole }
    }

    pub(crate) fn json(status: u16, value: &impl Serialize) -> Self {
        let bytes = serde_json::to_vec(value).expect("twins build JSON with text keys only");
        Self { body: Body::Json(bytes.into()), ..Self::empty(status) }.header("content-type", "application/json")
    }

    pub(crate) fn bytes(status: u16, content_type: &str, bytes: impl Into<Bytes>) -> Self {
        Self { body: Body::Bytes(bytes.into()), ..Self::empty(status) }.header("content-type", content_type)
    }

    pub(crate) fn events(frames: Vec<Bytes>) -> Self {
        Self { body: Body::Events(frames), ..Self::empty(200) }
            .header("content-type", "text/event-stream; charset=utf-8")
            .header("cache-control", "no-cache")
    }

    /// Sets a header, in its old place where it was set before.
    #[must_use]
    pub(crate) fn header(mut self, name: impl Into<Cow<'static, str>>, value: impl Into<String>) -> Self {
        self.set(name, value);
        self
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
