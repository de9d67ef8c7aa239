//! What the steps of one trial share besides values: connections that stay open from step to step, and what was used.

use std::{collections::BTreeMap, time::Duration};

use tokio::time::Instant;

use super::{Halt, sse::EventStream, websocket::Socket};
use crate::expect::Mismatch;

/// Connections that are kept close with the trial.
pub(crate) struct Session {
    started: Instant,
    /// Requests to the subject by steps, each attempt counted. A handshake is one.
    pub(crate) requests: u64,
    kept: BTreeMap<String, Connection>,
}

/// A connection that a later step may go on with.
pub(super) enum Connection {
    Events(Box<EventStream>),
    Websocket(Box<Socket>),
}

impl Session {
    /// From now on time is used.
    pub(crate) fn start() -> Self {
        Self { started: Instant::now(), requests: 0, kept: BTreeMap::new() }
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// What was kept under the same name is closed.
    pub(super) fn keep(&mut self, name: &str, connection: Connection) {
        self.kept.insert(name.to_owned(), connection);
    }

    /// A connection of another kind stays where it is.
    pub(super) fn take_events(&mut self, name: &str) -> Result<Box<EventStream>, Halt> {
        match self.kept.remove(name) {
            Some(Connection::Events(stream)) => Ok(stream),
            other => Err(self.missing(name, other, "an event stream")),
        }
    }

    pub(super) fn take_websocket(&mut self, name: &str) -> Result<Box<Socket>, Halt> {
        match self.kept.remove(name) {
            Some(Connection::Websocket(socket)) => Ok(socket),
            other => Err(self.missing(name, other, "a WebSocket")),
        }
    }

    fn missing(&mut self, name: &str, other: Option<Connection>, wanted: &str) -> Halt {
        let got = if other.is_some() { "something else" } else { "nothing; keep it with `keep_as` where it is opened" };
        self.kept.extend(other.map(|other| (name.to_owned(), other)));
        Halt::Failed(Mismatch::new(format!("connection `{name}`"), wanted, got))
    }
}
