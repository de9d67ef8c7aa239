//! A connection as a protocol sees it: lines and bytes come in, exchanges go out.

use std::{io, sync::Arc, time::Duration};

use rustls::ProtocolVersion;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::server::TlsStream;

use crate::{
    TwinError,
    engine::{core::Exchange, shared::Shared},
    http::{Request, server::Face},
};

const READ_BYTES: usize = 16 * 1024; // at a time
const SILENT_AT_MOST: Duration = Duration::from_secs(300); // what mail servers wait for a command
const WRITE_WITHIN: Duration = Duration::from_secs(60); // a client that does not take its answer is let go
const LOOPBACK: &str = "127.0.0.1"; // whom a client means that names no host

/// A client's connection to a twin.
pub(crate) struct Line {
    carrier: Carrier,
    /// What came and nobody has taken yet, from `taken` on.
    buffer: Vec<u8>,
    taken: usize,
    face: Face,
    /// The space that the client means.
    shared: Arc<Shared>,
    scheme: &'static str,
}

enum Carrier {
    Plain(TcpStream),
    Secure(Box<TlsStream<TcpStream>>),
    /// Between the two, or after a handshake that failed.
    Gone,
}

/// One line of a client.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Read {
    /// Without its end; cut at the limit, the rest of the line is thrown away.
    Line(Vec<u8>),
    /// Nothing came for too long.
    Silence,
    Gone,
}

impl Line {
    pub(super) fn new(stream: TcpStream, face: Face, scheme: &'static str) -> Self {
        let shared = Arc::clone(&face.shared);
        Self { carrier: Carrier::Plain(stream), buffer: Vec::new(), taken: 0, face, shared, scheme }
    }

    /// What the client said beyond what was taken.
    pub(crate) fn waiting(&self) -> &[u8] {
        &self.buffer[self.taken..]
    }

    /// Up to the end of a line; its first `bytes_max` bytes.
    pub(crate) async fn line(&mut self, bytes_max: usize) -> Read {
        let mut line = Vec::new();
        loop {
            let waiting = self.waiting();
            let end = waiting.iter().position(|byte| *byte == b'\n');
            let piece = &waiting[..end.unwrap_or(waiting.len())];
            line.extend(&piece[..piece.len().min(bytes_max - line.len())]);
            let taken = piece.len() + usize::from(end.is_some());
            self.take(taken);
            if end.is_some() {
                if line.last() == Some(&b'\r') {
                    line.pop();
                }
                return Read::Line(line);
            }
            match self.fill().await {
                Ok(0) => return Read::Gone,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::TimedOut => return Read::Silence,
                Err(_) => return Read::Gone,
            }
        }
    }

    /// The first `bytes` of [`Self::waiting`] are dealt with.
    pub(crate) fn take(&mut self, bytes: usize) {
        self.taken += bytes;
        if self.taken == self.buffer.len() {
            self.buffer.clear();
            self.taken = 0;
        }
    }

    /// Waits for more of the client; 0: it is gone.
    pub(crate) async fn fill(&mut self) -> io::Result<usize> {
        self.buffer.drain(..self.taken);
        self.taken = 0;
        let begin = self.buffer.len();
        self.buffer.resize(begin + READ_BYTES, 0);
        let room = &mut self.buffer[begin..];
        let read = match &mut self.carrier {
            Carrier::Plain(stream) => timeout(SILENT_AT_MOST, stream.read(room)).await,
            Carrier::Secure(stream) => timeout(SILENT_AT_MOST, stream.read(room)).await,
            Carrier::Gone => Ok(Ok(0)),
        };
        let read = read.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        self.buffer.truncate(begin + read.as_ref().map_or(0, |read| *read));
        read
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let writing = async {
            match &mut self.carrier {
                Carrier::Plain(stream) => stream.write_all(bytes).await,
                Carrier::Secure(stream) => {
                    stream.write_all(bytes).await?;
                    stream.flush().await
                }
                Carrier::Gone => Err(io::ErrorKind::NotConnected.into()),
            }
        };
        timeout(WRITE_WITHIN, writing).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    /// An orderly end.
    pub(crate) async fn shut(&mut self) {
        // A client that is gone already needs no end.
        match &mut self.carrier {
            Carrier::Plain(stream) => stream.shutdown().await.ok(),
            Carrier::Secure(stream) => stream.shutdown().await.ok(),
            Carrier::Gone => None,
        };
        self.carrier = Carrier::Gone;
    }

    /// RST, as with no linger closing sends that instead of FIN.
    pub(crate) fn reset(&mut self) {
        match &self.carrier {
            Carrier::Plain(stream) => stream.set_zero_linger().ok(),
            Carrier::Secure(stream) => stream.get_ref().0.set_zero_linger().ok(),
            Carrier::Gone => None,
        };
        self.carrier = Carrier::Gone;
    }

    /// Whether a client that asks for TLS can have it.
    pub(crate) fn can_be_secure(&self) -> bool {
        self.face.tls.is_some() && matches!(self.carrier, Carrier::Plain(_))
    }

    /// The version of TLS that is spoken.
    pub(crate) fn tls(&self) -> Option<&'static str> {
        let Carrier::Secure(stream) = &self.carrier else { return None };
        Some(if stream.get_ref().1.protocol_version() == Some(ProtocolVersion::TLSv1_3) {
            "TLSv1.3"
        } else {
            "TLSv1.2"
        })
    }

    /// TLS from here on. What the client said in the clear and nobody took is forgotten: it may be somebody else's.
    pub(crate) async fn secure(&mut self) -> Result<(), ()> {
        self.buffer.clear();
        self.taken = 0;
        let Carrier::Plain(stream) = std::mem::replace(&mut self.carrier, Carrier::Gone) else { return Err(()) };
        let Some(tls) = self.face.tls.clone() else { return Err(()) };
        let handshake = || self.face.shared.handshake(&self.face.twin);
        let stream = tls.greet(stream, LOOPBACK, handshake).await.ok_or(())?;
        self.carrier = Carrier::Secure(Box::new(stream));
        Ok(())
    }

    /// From now on the client means the named space, where clients may name one.
    pub(crate) fn enter(&mut self, name: &str) -> Result<(), TwinError> {
        if self.face.shared.rooms.header().is_some() {
            self.shared = self.face.shared.room(name)?;
        }
        Ok(())
    }

    /// What the space answers; [`Self::carry`] takes it to the client.
    pub(crate) fn exchange(&self, request: Request) -> Exchange {
        let request = Request { scheme: self.scheme, ..request };
        self.shared.exchange(&self.face.twin, request)
    }
}
