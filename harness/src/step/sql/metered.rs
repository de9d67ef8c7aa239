//! A connection to a database that ends when it says more than a step may hold: one value can be a gigabyte, and a client
//! reads a message whole before anybody can look at it.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpStream, UnixStream},
};
use tokio_postgres::{Config, config::Host};

use super::Refusal;

const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024; // as of a body over HTTP
const PORT_DEFAULT: u16 = 5432;

pub(super) trait Pipe: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Pipe for T {}

/// What is read of a stream counts.
pub(super) struct Metered {
    stream: Box<dyn Pipe>,
    left: usize,
    is_spent: Spent,
}

/// Whether a connection ended because it was too much.
#[derive(Clone, Default)]
pub(super) struct Spent(Arc<AtomicBool>);

impl Spent {
    /// What a statement came to; the client itself knows only that the connection is gone.
    pub(super) fn explain(&self, refusal: Refusal) -> Refusal {
        match self.0.load(Ordering::Relaxed) {
            true => Refusal::Refused(format!("more than {ANSWER_BYTES_MAX} bytes")),
            false => refusal,
        }
    }
}

impl Metered {
    /// Connects to the first host that answers.
    pub(super) async fn dial(config: &Config) -> io::Result<(Self, Spent)> {
        let mut refused = io::Error::other("the address names no host");
        for (n, host) in config.get_hosts().iter().enumerate() {
            let ports = config.get_ports();
            let port = ports.get(n).or_else(|| ports.first()).copied().unwrap_or(PORT_DEFAULT);
            match dial(host, port).await {
                Ok(stream) => {
                    let is_spent = Spent::default();
                    return Ok((Self { stream, left: ANSWER_BYTES_MAX, is_spent: is_spent.clone() }, is_spent));
                }
                Err(error) => refused = error,
            }
        }
        Err(refused)
    }
}

async fn dial(host: &Host, port: u16) -> io::Result<Box<dyn Pipe>> {
    match host {
        Host::Tcp(name) => {
            let stream = TcpStream::connect((name.as_str(), port)).await?;
            stream.set_nodelay(true)?;
            Ok(Box::new(stream))
        }
        Host::Unix(folder) => Ok(Box::new(UnixStream::connect(folder.join(format!(".s.PGSQL.{port}"))).await?)),
    }
}

impl AsyncRead for Metered {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buffer);
        let Some(left) = self.left.checked_sub(buffer.filled().len() - before) else {
            self.is_spent.0.store(true, Ordering::Relaxed);
            return Poll::Ready(Err(io::Error::other("the answer is too large")));
        };
        self.left = left;
        polled
    }
}

impl AsyncWrite for Metered {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
