//! Leads connections from one side of a wall to the other: whoever connects here talks to what is there.

use std::{
    io,
    net::SocketAddr,
    os::fd::AsRawFd as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use rustix::fs::{Mode, OFlags, open};
use tokio::{
    io::{AsyncRead, AsyncWrite, copy_bidirectional},
    net::{TcpListener, TcpStream, UnixListener, UnixStream},
    sync::Semaphore,
    task::JoinSet,
};

const CONNECTIONS_MAX: usize = 1024; // at once, of one door; further ones wait to be accepted
const ACCEPT_AGAIN: Duration = Duration::from_millis(20); // after a refusal by the kernel, such as too many open files

/// Where connections come in.
#[derive(Debug)]
pub(super) enum Door {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// Where they are led to.
#[derive(Clone, Debug)]
pub(super) enum Target {
    Tcp(SocketAddr),
    Unix(PathBuf),
    /// In a folder that the other side writes to: it may have become a link to any socket of this machine.
    Untrusted(PathBuf),
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// Runs until it is dropped, which closes the door and all connections. Where nobody listens at the target, a
/// connection is closed without a word.
pub(super) async fn relay(door: Door, target: Target) {
    let mut connections = JoinSet::new();
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        while connections.try_join_next().is_some() {}
        let place = Arc::clone(&places).acquire_owned().await.expect("the semaphore is never closed");
        let Ok(mut inner) = door.accept().await else {
            tokio::time::sleep(ACCEPT_AGAIN).await;
            continue;
        };
        let target = target.clone();
        connections.spawn(async move {
            let _place = place;
            if let Ok(mut outer) = target.connect().await {
                copy_bidirectional(&mut inner, &mut outer).await.ok();
            }
        });
    }
}

impl Door {
    async fn accept(&self) -> io::Result<Box<dyn Stream>> {
        match self {
            Self::Tcp(listener) => Ok(Box::new(swift(listener.accept().await?.0)?)),
            Self::Unix(listener) => Ok(Box::new(listener.accept().await?.0)),
        }
    }
}

impl Target {
    async fn connect(&self) -> io::Result<Box<dyn Stream>> {
        match self {
            Self::Tcp(address) => Ok(Box::new(swift(TcpStream::connect(address).await?)?)),
            Self::Unix(path) => Ok(Box::new(UnixStream::connect(path).await?)),
            Self::Untrusted(path) => Ok(Box::new(connect_unfollowed(path).await?)),
        }
    }
}

/// To what lies at the path itself, by way of a handle of it: no link is followed, then or later.
async fn connect_unfollowed(path: &Path) -> io::Result<UnixStream> {
    let handle = open(path, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
    if rustix::fs::FileType::from_raw_mode(rustix::fs::fstat(&handle)?.st_mode) != rustix::fs::FileType::Socket {
        return Err(io::ErrorKind::ConnectionRefused.into());
    }
    UnixStream::connect(format!("/proc/self/fd/{}", handle.as_raw_fd())).await
}

/// Small writes must not wait for each other.
fn swift(stream: TcpStream) -> io::Result<TcpStream> {
    stream.set_nodelay(true)?;
    Ok(stream)
}
