//! How an answer goes over the wire: whole, late, broken or never.

use std::{sync::Arc, time::Duration};

use tokio::time::sleep;

use super::Line;
use crate::{
    engine::core::{Exchange, Transport},
    http::{Cut, Reply, what_arrives},
};

const GARBAGE: &[u8] = b"\x00\xff\x13garbage\x7f\xfe\r\n\x80";

/// The answer that a client has got; what follows is between it and the protocol.
pub(crate) struct Said(pub(crate) Arc<Reply>);

impl Line {
    /// None: the conversation is over.
    pub(crate) async fn carry(&mut self, exchange: Exchange) -> Option<Said> {
        let Exchange { reply, transport, ticket: _in_use } = exchange;
        let reply = match (transport, reply) {
            (Transport::Reset, _) => {
                self.reset();
                return None;
            }
            (Transport::Close, _) => return self.end(&[]).await,
            (Transport::Garbage, _) => return self.end(GARBAGE).await,
            (Transport::Hang, _) | (_, None) => return self.stay_silent().await,
            (_, Some(reply)) => reply,
        };
        let bytes = reply.body.bytes();
        let written = match transport {
            Transport::Late { delay, .. } => {
                sleep(delay).await;
                self.write(&bytes).await
            }
            Transport::Dribble { bytes: size, interval } => self.dribble(&bytes, size, interval).await,
            Transport::Cut(cut) => return self.cut(&reply, cut).await,
            Transport::Duplicate => return self.end(&bytes.repeat(2)).await,
            // These two are about HTTP; no rule for another wire names them.
            Transport::Garbled | Transport::MalformedChunk => return self.cut(&reply, Cut::Half).await,
            Transport::Whole | Transport::Hang | Transport::Reset | Transport::Close | Transport::Garbage => {
                if let Some(pace) = reply.pace.as_deref().filter(|pace| pace.real) {
                    sleep(pace.total()).await;
                }
                self.write(&bytes).await
            }
        };
        written.ok()?;
        Some(Said(reply))
    }

    async fn cut(&mut self, reply: &Reply, cut: Cut) -> Option<Said> {
        let arrives = what_arrives(&reply.body, cut).concat();
        self.end(&arrives).await
    }

    /// A few bytes at a time.
    async fn dribble(&mut self, bytes: &[u8], size: usize, interval: Duration) -> std::io::Result<()> {
        for (number, piece) in bytes.chunks(size.max(1)).enumerate() {
            if number > 0 {
                sleep(interval).await;
            }
            self.write(piece).await?;
        }
        Ok(())
    }

    /// These bytes, then an orderly end.
    async fn end(&mut self, bytes: &[u8]) -> Option<Said> {
        self.write(bytes).await.ok();
        self.shut().await;
        None
    }

    /// Stays until the client gives up or the space closes.
    async fn stay_silent(&mut self) -> Option<Said> {
        while self.fill().await.is_ok_and(|read| read > 0) {
            let all = self.waiting().len();
            self.take(all);
        }
        None
    }
}
