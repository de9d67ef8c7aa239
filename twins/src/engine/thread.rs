//! The thread that all twins of this process live on. A caller that is busy, or that waits for a disk, must not make a
//! service late: whoever is driven would see time-outs that the real service never had.

use std::{
    net::{Ipv4Addr, TcpListener},
    sync::LazyLock,
};

use tokio::runtime::{Builder, Handle, Runtime};

use crate::TwinError;

/// One: an answer costs microseconds, and a space answers one request at a time anyway.
static THREAD: LazyLock<Runtime> = LazyLock::new(|| {
    let thread = Builder::new_multi_thread().worker_threads(1).thread_name("twins").enable_all().build();
    thread.expect("a process may have one more thread")
});

/// What is spawned here lives on that thread.
pub(crate) fn handle() -> &'static Handle {
    THREAD.handle()
}

/// A loopback port (0: any) whose connections are accepted on that thread.
///
/// # Errors
/// Where the port is taken; `twin` says who wanted it.
pub(crate) fn listener(twin: &str, port: u16) -> Result<(tokio::net::TcpListener, u16), TwinError> {
    let taken = |source| TwinError::Listen { twin: twin.to_owned(), port, source };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(taken)?;
    listener.set_nonblocking(true).map_err(taken)?;
    let port = listener.local_addr().map_err(taken)?.port();
    let _there = handle().enter();
    Ok((tokio::net::TcpListener::from_std(listener).map_err(taken)?, port))
}
