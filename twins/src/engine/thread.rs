//! The thread that all twins of this process live on. A caller that is busy, or that waits for a disk, must not make a
//! service late: whoever is driven would see time-outs that the real service never had.

use std::sync::LazyLock;

use tokio::runtime::{Builder, Handle, Runtime};

/// One: an answer costs microseconds, and a space answers one request at a time anyway.
static THREAD: LazyLock<Runtime> = LazyLock::new(|| {
    let thread = Builder::new_multi_thread().worker_threads(1).thread_name("twins").enable_all().build();
    thread.expect("a process may have one more thread")
});

/// What is spawned here lives on that thread.
pub(crate) fn handle() -> &'static Handle {
    THREAD.handle()
}
