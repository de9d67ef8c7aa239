//! A body that passes by, and is remembered.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use axum::body::Bytes;
use futures::Stream;

use super::body::Raw;

const KEPT_BYTES_MAX: usize = 16 * 1024 * 1024; // of one body; longer ones are known by hash and size

/// What has passed.
#[derive(Clone, Default)]
pub(super) struct Kept(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    bytes: Vec<u8>,
    size: u64,
    hasher: blake3::Hasher,
    ended: bool,
}

impl Kept {
    fn see(&self, chunk: &Bytes) {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.size += chunk.len() as u64;
        inner.hasher.update(chunk);
        if inner.size <= KEPT_BYTES_MAX as u64 {
            inner.bytes.extend_from_slice(chunk);
        }
    }

    fn end(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).ended = true;
    }

    /// Whether all of it has passed. A body that says its length is not asked for its end.
    pub(super) fn ended(&self, length: Option<u64>) -> bool {
        let inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.ended || length == Some(inner.size)
    }

    /// Leaves nothing behind.
    pub(super) fn take(&self, content_type: &str, is_gzip: bool) -> Raw {
        let inner = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        Raw {
            whole: inner.size == inner.bytes.len() as u64,
            hash: inner.hasher.finalize().to_hex().to_string(),
            size: inner.size,
            bytes: inner.bytes,
            content_type: content_type.to_owned(),
            is_gzip,
        }
    }
}

/// A stream of chunks that are seen by `kept` as they pass. `then` is dropped with it.
pub(super) struct Tee<S, D> {
    stream: S,
    kept: Kept,
    _then: D,
}

impl<S, D> Tee<S, D> {
    pub(super) fn new(stream: S, kept: Kept, then: D) -> Self {
        Self { stream, kept, _then: then }
    }
}

impl<S, D, E> Stream for Tee<S, D>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
    D: Unpin,
{
    type Item = Result<Bytes, E>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let polled = Pin::new(&mut self.stream).poll_next(context);
        match &polled {
            Poll::Ready(Some(Ok(chunk))) => self.kept.see(chunk),
            Poll::Ready(None) => self.kept.end(),
            Poll::Ready(Some(Err(_))) | Poll::Pending => {}
        }
        polled
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.stream.size_hint()
    }
}
