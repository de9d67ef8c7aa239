//! Free loopback ports for subjects.

use std::{
    net::{Ipv4Addr, TcpListener},
    os::{
        linux::net::SocketAddrExt as _,
        unix::net::{SocketAddr, UnixListener},
    },
};

/// Below the kernel's ephemeral range (from 32768), so that no outgoing connection and no twin takes the port between
/// the choice and the subject's bind, nor while the subject restarts.
const FIRST: u16 = 20_000;
const COUNT: u16 = 10_000;

/// A port that no other trial on this machine is given. Free again when dropped.
#[derive(Debug)]
pub(crate) struct PortLease {
    port: u16,
    _claim: UnixListener,
}

impl PortLease {
    /// `None` where all of the range is in use. Other harnesses on the machine start looking elsewhere.
    pub(crate) fn take() -> Option<Self> {
        let start: u16 = rand::random_range(0..COUNT);
        let lease = |port| Some(Self { port, _claim: claim(port).filter(|_| is_free(port))? });
        (0..COUNT).map(|n| FIRST + (start + n) % COUNT).find_map(lease)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }
}

/// The subject binds it only later: until then another harness would find it free. Names of this kind belong to a network,
/// as ports do, and the kernel gives them back whatever kills their owner.
fn claim(port: u16) -> Option<UnixListener> {
    let name = SocketAddr::from_abstract_name(format!("port/{port}")).ok()?;
    UnixListener::bind_addr(&name).ok()
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::{PortLease, claim};

    #[test]
    fn leased_ports_are_distinct_and_free() {
        let leases: Vec<_> = (0..50).map(|_| PortLease::take().unwrap()).collect();
        let ports: std::collections::BTreeSet<_> = leases.iter().map(PortLease::port).collect();
        assert_eq!(ports.len(), leases.len());
    }

    #[test]
    fn a_leased_port_is_nobody_elses_even_before_it_is_bound() {
        let lease = PortLease::take().unwrap();
        let port = lease.port();
        assert!(claim(port).is_none(), "this process stands for another one");
        drop(lease);
        assert!(claim(port).is_some());
    }
}
