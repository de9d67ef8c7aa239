//! Starts a server again that died under its users: killed for want of memory, by mistake, or by a crash.
//!
//! Every user of a cluster guards it, and the cluster's lock makes one of them do it. Who used a connection meanwhile
//! sees it break, and asks again.

use std::{
    path::PathBuf,
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel},
    thread,
    time::Duration,
};

use super::{
    binaries::Binaries,
    cluster::{ensure_running, exclusive},
    identity::Identity,
    postmaster::{self, State},
};

const LOOK_EVERY: Duration = Duration::from_millis(200);
const FAILURES_MAX: u32 = 5; // in a row; a server that does not start five times needs a person

/// Guards for as long as it lives.
#[derive(Debug)]
pub(super) struct Guard {
    /// Its end is what the thread listens for.
    _alive: Sender<()>,
}

impl Guard {
    pub(super) fn over(home: PathBuf, binaries: Binaries) -> Self {
        let (alive, ended) = channel();
        thread::spawn(move || watch(&home, &binaries, &ended));
        Self { _alive: alive }
    }
}

fn watch(home: &std::path::Path, binaries: &Binaries, ended: &Receiver<()>) {
    let data = home.join("data");
    let mut failures = 0;
    while failures < FAILURES_MAX && ended.recv_timeout(LOOK_EVERY) == Err(RecvTimeoutError::Timeout) {
        if postmaster::state(&data) != State::Absent {
            continue;
        }
        let Ok(_transition) = exclusive(home) else { continue };
        // Who waited for the lock may have left, or may find the server started by another.
        if ended.try_recv() != Err(TryRecvError::Empty) {
            return;
        }
        tracing::warn!(data = %data.display(), "the private Postgres died; it is started again");
        match Identity::of(&data).and_then(|identity| ensure_running(home, binaries, &identity)) {
            Ok(()) => failures = 0,
            Err(error) => {
                failures += 1;
                tracing::error!(%error, "the private Postgres could not be started again");
            }
        }
    }
}
