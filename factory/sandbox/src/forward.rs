//! Doors between the host's loopback and a sandbox's. The host side copies bytes; nothing runs inside for it.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Semaphore;

use crate::channel::Channel;
use crate::error::Doing;
use crate::spec::Egress;
use crate::{Error, Result};

/// Connections of one door at one time; more wait in the listener's backlog.
const CONNECTIONS_MAX: usize = 512;
/// Pause after a failed accept, which is almost always a lack of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Where the accepted connections of a door lead.
#[derive(Clone, Debug)]
enum Target {
    Host(SocketAddr),
    Inside(u16),
}

/// Opens `127.0.0.1:inner_port` inside; it leads to the target on the host until the sandbox ends.
pub(crate) async fn allow(channel: &Arc<Channel>, egress: Egress) -> Result<()> {
    let port = egress.inner_port;
    let listener = listener(channel.listener(port).await?).map_err(|error| port_error(port, &error))?;
    tokio::spawn(serve(Arc::clone(channel), listener, Target::Host(egress.target)));
    Ok(())
}

/// Opens a port on the host's loopback; it leads to `127.0.0.1:inner_port` inside until the sandbox ends.
pub(crate) async fn expose(channel: &Arc<Channel>, inner_port: u16) -> Result<SocketAddr> {
    let doing = || format!("listen on loopback for port {inner_port} of a sandbox");
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.doing(doing)?;
    let address = listener.local_addr().doing(doing)?;
    tokio::spawn(serve(Arc::clone(channel), listener, Target::Inside(inner_port)));
    Ok(address)
}

async fn serve(channel: Arc<Channel>, listener: TcpListener, target: Target) {
    let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let accept = async {
        loop {
            let slot = Arc::clone(&slots).acquire_owned().await.expect("the semaphore is never closed");
            let outer = match listener.accept().await {
                Ok((outer, _)) => outer,
                Err(error) => {
                    tracing::warn!(%error, ?target, "a door of a sandbox cannot accept");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let (channel, target) = (Arc::clone(&channel), target.clone());
            tokio::spawn(async move {
                tokio::select! {
                    () = channel.closed() => {}
                    result = carry(&channel, outer, &target) => {
                        if let Err(error) = result {
                            tracing::debug!(%error, ?target, "connection through a door ended");
                        }
                    }
                }
                drop(slot);
            });
        }
    };
    tokio::select! {
        () = accept => {}
        () = channel.closed() => {}
    }
}

/// Connects onwards and copies both ways. A refused connection closes the first one.
async fn carry(channel: &Channel, mut outer: TcpStream, target: &Target) -> Result<()> {
    let mut onward = match target {
        Target::Host(address) => {
            TcpStream::connect(address).await.doing(|| format!("connect a sandbox to {address}"))?
        }
        Target::Inside(port) => connect_inside(channel, *port).await?,
    };
    // Small messages in both directions must not wait for each other's acknowledgement.
    outer.set_nodelay(true).and_then(|()| onward.set_nodelay(true)).doing(|| "set up a forwarded connection".into())?;
    tokio::io::copy_bidirectional(&mut outer, &mut onward).await.doing(|| "forward a connection".into())?;
    Ok(())
}

async fn connect_inside(channel: &Channel, port: u16) -> Result<TcpStream> {
    let socket = channel.stream(port).await?;
    let socket = TcpSocket::from_std_stream(std::net::TcpStream::from(socket));
    socket.connect((Ipv4Addr::LOCALHOST, port).into()).await.map_err(|error| port_error(port, &error))
}

fn listener(socket: OwnedFd) -> io::Result<TcpListener> {
    TcpListener::from_std(std::net::TcpListener::from(socket))
}

fn port_error(port: u16, error: &io::Error) -> Error {
    Error::Port { port, reason: error.to_string() }
}
