//! The sandbox's network: a loopback device that is up, and sockets on it that are handed to the host.
//!
//! A socket stays in the network namespace in which it was made. So the host can accept on, or connect with, a socket
//! from here, and no byte of traffic passes through a process inside.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::OwnedFd;

use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, bind, listen, recv, send, socket_with, sockopt,
};

/// Connections that wait until the host accepts them.
const BACKLOG: i32 = 128;
/// The loopback device is the first of every network namespace.
const LOOPBACK_INDEX: i32 = 1;

/// Brings the loopback device up; the kernel then gives it 127.0.0.1 and ::1.
pub(super) fn start_loopback() -> io::Result<()> {
    // The default protocol of this family is the routing one.
    let netlink = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None)?;
    send(&netlink, &link_up_request(), SendFlags::empty())?;
    let mut reply = [0u8; 256];
    let (length, _) = recv(&netlink, &mut reply, RecvFlags::empty())?;
    link_up_result(&reply[..length])
}

/// `RTM_NEWLINK` with `IFF_UP`: a `nlmsghdr` (rtnetlink(7)) and an `ifinfomsg`, in the machine's byte order.
fn link_up_request() -> Vec<u8> {
    const LENGTH: u32 = 32;
    let flags = (libc::NLM_F_REQUEST | libc::NLM_F_ACK) as u16;
    let up = libc::IFF_UP as u32;
    [
        LENGTH.to_ne_bytes().as_slice(),
        &libc::RTM_NEWLINK.to_ne_bytes(),
        &flags.to_ne_bytes(),
        &[0; 8], // sequence, port
        &[0; 4], // family, padding, device type
        &LOOPBACK_INDEX.to_ne_bytes(),
        &up.to_ne_bytes(), // flags
        &up.to_ne_bytes(), // which of them change
    ]
    .concat()
}

/// Reads the `nlmsgerr` that acknowledges a request: a negative error number after the header.
fn link_up_result(reply: &[u8]) -> io::Result<()> {
    let code = reply.get(16..20).and_then(|bytes| bytes.try_into().ok()).map(i32::from_ne_bytes);
    match code {
        Some(0) => Ok(()),
        Some(code) => Err(io::Error::from_raw_os_error(-code)),
        None => Err(io::Error::new(io::ErrorKind::InvalidData, "short netlink reply")),
    }
}

/// A socket that listens on 127.0.0.1 inside.
pub(super) fn listener(port: u16) -> io::Result<OwnedFd> {
    let socket = stream()?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    bind(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, port))?;
    listen(&socket, BACKLOG)?;
    Ok(socket)
}

/// A socket that is not connected yet. Non-blocking, for the host's event loop.
pub(super) fn stream() -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    Ok(socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?)
}
