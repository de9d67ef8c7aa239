//! Twins whose clients do not speak HTTP. Such a twin brings a [`Protocol`]: how its clients talk, and which requests that
//! makes. Everything else is the engine's as for any twin: an exchange happens under one lock, on one clock, in a space;
//! faults hit it, and the journal has it. The body of a reply is what goes over the wire, byte for byte.
//!
//! A protocol keeps what belongs to one connection; what outlives it is the twin's state. Start at [`Protocol`], then
//! [`Line`].

mod carry;
mod line;

use std::{pin::Pin, sync::Arc};

use tokio::net::TcpStream;

pub(crate) use self::{
    carry::Said,
    line::{Line, Read},
};
use crate::{engine::door::Door, http::server::Face};

/// How the clients of a twin speak.
#[derive(Clone)]
pub(crate) struct Protocol {
    /// Of its addresses.
    pub(crate) scheme: &'static str,
    pub(crate) tls: Tls,
    /// Until either side has nothing more to say.
    pub(crate) converse: Arc<dyn Fn(Line) -> Conversation + Send + Sync>,
}

pub(crate) type Conversation = Pin<Box<dyn Future<Output = ()> + Send>>;

/// When a conversation goes over TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tls {
    /// Where there is an authority, when a client asks for it.
    OnRequest,
    /// When a client asks for it, which it has to: there must be an authority.
    Required,
    /// From the first byte on: there must be an authority.
    First,
}

impl Tls {
    pub(crate) fn needs_authority(self) -> bool {
        self != Self::OnRequest
    }
}

/// Lets clients in until the space closes.
pub(crate) fn open(door: Door, face: Face, protocol: Protocol) {
    let shared = Arc::clone(&face.shared);
    let closing = shared.closing.clone();
    door.open(&shared.tasks, closing.clone(), move |stream| {
        let stream = face.let_in(stream)?;
        let (face, closing, protocol) = (face.clone(), closing.clone(), protocol.clone());
        Some(async move {
            tokio::select! {
                () = greet(stream, face, protocol) => {}
                () = closing.cancelled() => {}
            }
        })
    });
}

async fn greet(stream: TcpStream, face: Face, protocol: Protocol) {
    let mut line = Line::new(stream, face, protocol.scheme);
    if protocol.tls == Tls::First && line.secure().await.is_err() {
        return;
    }
    (protocol.converse)(line).await;
}
