//! Messages between the host and a sandbox's init, and how they travel: one JSON object per packet of a
//! `SOCK_SEQPACKET` socket pair, with descriptors beside it.
//!
//! Both ends are the same build, so the format may change freely. The sandboxed commands never see the socket.

use std::collections::BTreeMap;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::PathBuf;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::process::Exit;
use crate::spec::{Limits, Mount};

/// Largest packet; the kernel's default socket buffer (208 KiB) must hold it whole. Bounds argv plus environment.
pub(crate) const PACKET_BYTES_MAX: usize = 160 * 1024;
/// Most descriptors beside one packet: standard input, output, error, and the status pipe.
pub(crate) const DESCRIPTORS_MAX: usize = 4;

/// What the host asks. Replies carry the id of their request.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Request {
    /// The first packet, once.
    Setup(Setup),
    /// Start a command; descriptors: standard input, output, error, status pipe. The status pipe closes silently
    /// when the command runs, or carries the reason why it does not.
    Start { id: u64, argv: Vec<String>, env: BTreeMap<String, String>, cwd: PathBuf },
    /// Send a signal to the process group of command `id`.
    Signal { id: u64, signal: i32 },
    /// Hand over a socket that listens on the sandbox's loopback `port`.
    Listen { id: u64, port: u16 },
    /// Hand over a fresh TCP socket of the sandbox's network.
    Socket { id: u64 },
}

/// How the sandbox shall look.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Setup {
    /// Host uid and gid to become; `None` for an ordinary user, who stays who they are.
    pub(crate) become_uid: Option<u32>,
    pub(crate) mounts: Vec<Mount>,
    pub(crate) limits: Limits,
    /// Whether memory is limited per process, because no cgroup limits the sandbox as a whole.
    pub(crate) memory_per_process: bool,
}

/// What init answers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Reply {
    Ready,
    Failed {
        stage: String,
        error: String,
    },
    Exited {
        id: u64,
        exit: Exit,
    },
    /// Beside it the socket, unless there is an error.
    Socket {
        id: u64,
        error: Option<String>,
    },
}

/// Sends one packet, whole or not at all.
pub(crate) fn send<T: Serialize>(socket: BorrowedFd<'_>, message: &T, fds: &[BorrowedFd<'_>]) -> io::Result<()> {
    let bytes = serde_json::to_vec(message)?;
    if bytes.len() > PACKET_BYTES_MAX {
        let reason = format!(
            "message of {} bytes exceeds {PACKET_BYTES_MAX}; shorten the arguments or environment, or pass data by file",
            bytes.len()
        );
        return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
    }
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    assert!(fds.is_empty() || control.push(SendAncillaryMessage::ScmRights(fds)), "at most four descriptors");
    rustix::net::sendmsg(socket, &[IoSlice::new(&bytes)], &mut control, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// Receives one packet; `None` when the other side is gone.
pub(crate) fn receive<T: DeserializeOwned>(socket: BorrowedFd<'_>) -> io::Result<Option<(T, Vec<OwnedFd>)>> {
    let mut bytes = vec![0; PACKET_BYTES_MAX];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut parts = [IoSliceMut::new(&mut bytes)];
    let message = rustix::net::recvmsg(socket, &mut parts, &mut control, RecvFlags::CMSG_CLOEXEC)?;
    if message.bytes == 0 {
        return Ok(None);
    }
    if message.flags.intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "packet was cut off"));
    }
    let fds = control
        .drain()
        .filter_map(|part| match part {
            RecvAncillaryMessage::ScmRights(fds) => Some(fds),
            _ => None,
        })
        .flatten()
        .collect();
    Ok(Some((serde_json::from_slice(&bytes[..message.bytes])?, fds)))
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

    use super::*;

    fn pair() -> (OwnedFd, OwnedFd) {
        socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).unwrap()
    }

    #[test]
    fn packet_arrives_with_its_descriptors() {
        let (host, guest) = pair();
        let (reader, writer) = rustix::pipe::pipe().unwrap();
        send(host.as_fd(), &Request::Socket { id: 7 }, &[writer.as_fd()]).unwrap();
        drop(writer);
        let (request, fds) = receive::<Request>(guest.as_fd()).unwrap().unwrap();
        assert!(matches!(request, Request::Socket { id: 7 }));
        assert_eq!(fds.len(), 1);
        rustix::io::write(&fds[0], b"x").unwrap();
        assert_eq!(rustix::io::read(&reader, &mut [0; 8]).unwrap(), 1);
    }

    #[test]
    fn largest_packet_fits_the_socket_and_a_larger_one_is_refused() {
        let (host, guest) = pair();
        let text = "x".repeat(PACKET_BYTES_MAX - 2);
        send(host.as_fd(), &text, &[]).unwrap();
        assert_eq!(receive::<String>(guest.as_fd()).unwrap().unwrap().0, text);
        let error = send(host.as_fd(), &format!("{text}y"), &[]).unwrap_err();
        assert!(error.to_string().contains("exceeds"), "{error}");
    }

    #[test]
    fn closed_socket_reads_as_end() {
        let (host, guest) = pair();
        drop(host);
        assert!(receive::<Request>(guest.as_fd()).unwrap().is_none());
    }
}
