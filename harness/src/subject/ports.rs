//! Free loopback ports for subjects.

use std::{
    collections::BTreeSet,
    net::{Ipv4Addr, TcpListener},
    sync::{Mutex, PoisonError},
};

/// Below the kernel's ephemeral range (from 32768), so that no outgoing connection and no twin takes the port between
/// the choice and the subject's bind, nor while the subject restarts.
const FIRST: u16 = 20_000;
const COUNT: u16 = 10_000;

static TAKEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());

/// A port that no other trial of this process is given. Free again when dropped.
#[derive(Debug)]
pub(crate) struct PortLease(u16);

impl PortLease {
    /// `None` where all of the range is in use. Other harnesses on the machine start looking elsewhere.
    pub(crate) fn take() -> Option<Self> {
        let start: u16 = rand::random_range(0..COUNT);
        let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
        (0..COUNT).map(|n| FIRST + (start + n) % COUNT).find(|port| !taken.contains(port) && is_free(*port)).map(
            |port| {
                taken.insert(port);
                Self(port)
            },
        )
    }

    pub(crate) fn port(&self) -> u16 {
        self.0
    }
}

impl Drop for PortLease {
    fn drop(&mut self) {
        TAKEN.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.0);
    }
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::PortLease;

    #[test]
    fn leased_ports_are_distinct_and_free() {
        let leases: Vec<_> = (0..50).map(|_| PortLease::take().unwrap()).collect();
        let ports: std::collections::BTreeSet<_> = leases.iter().map(PortLease::port).collect();
        assert_eq!(ports.len(), leases.len());
    }
}
