//! The host's end of the control socket: sends requests, matches replies to who waits for them.
//!
//! Whoever waits gets an answer or [`Error::Gone`]: when the socket closes, for whatever reason, all are woken.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::net::Shutdown;
use tokio::io::Interest;
use tokio::net::UnixDatagram;
use tokio::sync::oneshot;
use tokio_util::sync::{CancellationToken, WaitForCancellationFuture};

use crate::error::Doing;
use crate::process::Exit;
use crate::wire::{self, Reply, Request};
use crate::{Error, Result};

/// A line to one sandbox's init.
#[derive(Debug)]
pub(crate) struct Channel {
    // A packet socket with connections; the type stands for "keeps packets apart", which is all that is used of it.
    socket: UnixDatagram,
    next_id: AtomicU64,
    waiting: Mutex<Waiting>,
    closed: CancellationToken,
}

#[derive(Debug, Default)]
struct Waiting {
    // Invariant: `true` once replies can no longer come; nobody may begin to wait after that.
    closed: bool,
    setup: Option<oneshot::Sender<Result<()>>>,
    exits: HashMap<u64, oneshot::Sender<Exit>>,
    sockets: HashMap<u64, oneshot::Sender<Result<OwnedFd, String>>>,
}

impl Channel {
    /// Takes a non-blocking socket and starts to read from it.
    pub(crate) fn open(socket: OwnedFd) -> io::Result<Arc<Self>> {
        let channel = Arc::new(Self {
            socket: UnixDatagram::from_std(socket.into())?,
            next_id: AtomicU64::new(0),
            waiting: Mutex::default(),
            closed: CancellationToken::new(),
        });
        tokio::spawn(Arc::clone(&channel).read());
        Ok(channel)
    }

    /// Sends the set-up; resolves when init is ready.
    pub(crate) async fn set_up(&self, setup: wire::Setup) -> Result<()> {
        let (sender, receiver) = oneshot::channel();
        self.waiting()?.setup = Some(sender);
        self.send(&Request::Setup(setup), &[]).await?;
        receiver.await.map_err(|_| Error::Setup {
            stage: "hear from the helper".into(),
            reason: "it ended without a word; is the binary built for this machine?".into(),
        })?
    }

    /// Registers a command before it is started, so that its exit cannot be missed.
    pub(crate) fn expect_exit(&self) -> Result<(u64, oneshot::Receiver<Exit>)> {
        let (sender, receiver) = oneshot::channel();
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        self.waiting()?.exits.insert(id, sender);
        Ok((id, receiver))
    }

    /// A socket that listens on the sandbox's loopback.
    pub(crate) async fn listener(&self, port: u16) -> Result<OwnedFd> {
        self.socket(port, |id| Request::Listen { id, port }).await
    }

    /// A fresh socket of the sandbox's network, meant for a connection to `port`.
    pub(crate) async fn stream(&self, port: u16) -> Result<OwnedFd> {
        self.socket(port, |id| Request::Socket { id }).await
    }

    async fn socket(&self, port: u16, request: impl FnOnce(u64) -> Request) -> Result<OwnedFd> {
        let (sender, receiver) = oneshot::channel();
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        self.waiting()?.sockets.insert(id, sender);
        self.send(&request(id), &[]).await?;
        receiver.await.map_err(|_| Error::Gone)?.map_err(|reason| Error::Port { port, reason })
    }

    pub(crate) async fn send(&self, request: &Request, fds: &[BorrowedFd<'_>]) -> Result<()> {
        let sent = self.socket.async_io(Interest::WRITABLE, || wire::send(self.socket.as_fd(), request, fds)).await;
        match sent {
            Err(error) if is_hangup(&error) => Err(Error::Gone),
            sent => sent.doing(|| "send a request to the sandbox".into()),
        }
    }

    /// Sends without waiting, for use in `drop`. Loses the request when the socket is full.
    pub(crate) fn try_send(&self, request: &Request) {
        if let Err(error) = wire::send(self.socket.as_fd(), request, &[]) {
            tracing::debug!(%error, "request to a sandbox was dropped");
        }
    }

    /// Hangs up. The watchdog then kills everything inside.
    pub(crate) fn close(&self) {
        rustix::net::shutdown(&self.socket, Shutdown::Both).ok();
    }

    /// Resolves when no more replies can come.
    pub(crate) fn closed(&self) -> WaitForCancellationFuture<'_> {
        self.closed.cancelled()
    }

    async fn read(self: Arc<Self>) {
        loop {
            match self.socket.async_io(Interest::READABLE, || wire::receive(self.socket.as_fd())).await {
                Ok(Some((reply, fds))) => self.dispatch(reply, fds),
                Ok(None) => break,
                Err(error) => {
                    if !is_hangup(&error) {
                        tracing::error!(%error, "control socket of a sandbox failed");
                    }
                    break;
                }
            }
        }
        // Dropping the senders wakes everybody with an error.
        *self.lock() = Waiting { closed: true, ..Waiting::default() };
        self.close();
        self.closed.cancel();
    }

    fn dispatch(&self, reply: Reply, mut fds: Vec<OwnedFd>) {
        let mut waiting = self.lock();
        // Who no longer waits does not need an answer: every `send` below may fail.
        match reply {
            Reply::Ready => drop(waiting.setup.take().map(|sender| sender.send(Ok(())))),
            Reply::Failed { stage, error } => match waiting.setup.take() {
                Some(sender) => drop(sender.send(Err(Error::Setup { stage, reason: error }))),
                None => tracing::error!(stage, error, "init of a sandbox failed"),
            },
            Reply::Exited { id, exit } => drop(waiting.exits.remove(&id).map(|sender| sender.send(exit))),
            Reply::Socket { id, error } => {
                let socket = match (error, fds.pop()) {
                    (None, Some(socket)) => Ok(socket),
                    (error, _) => Err(error.unwrap_or_else(|| "init sent no socket".into())),
                };
                drop(waiting.sockets.remove(&id).map(|sender| sender.send(socket)));
            }
        }
    }

    fn waiting(&self) -> Result<MutexGuard<'_, Waiting>> {
        let waiting = self.lock();
        if waiting.closed { Err(Error::Gone) } else { Ok(waiting) }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // No code panics while it holds the lock half-way through a change.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_hangup(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset | io::ErrorKind::NotConnected)
}
