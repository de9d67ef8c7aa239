//! What listeners, connections, the courier and the handles of a space have in common.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::sync::Notify;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    core::{Core, Exchange},
    courier,
    rooms::{self, Rooms},
    thread,
};
use crate::{
    TwinError,
    http::Request,
    tls::{Authority, Handshake},
};

pub(crate) struct Shared {
    pub(crate) name: Arc<str>,
    core: Mutex<Core>,
    pub(crate) closing: CancellationToken,
    pub(crate) tasks: TaskTracker,
    pub(crate) outbox_changed: Notify,
    pub(crate) delivered: Notify,
    pub(crate) delivering: AtomicBool,
    pub(crate) journal_changed: Notify,
    pub(crate) rooms: Rooms,
    courier_started: AtomicBool,
    /// Twins that are served from now on speak TLS.
    tls: OnceLock<Arc<Authority>>,
    /// Some way leads to the twins over TLS.
    pub(crate) reached_over_tls: AtomicBool,
    /// It is one of another space's rooms.
    pub(super) named: bool,
}

/// Frees an idempotency key when the answer has left or the client is gone.
pub(crate) struct Ticket {
    shared: Arc<Shared>,
    twin: Arc<str>,
    key: String,
}

impl Shared {
    pub(super) fn new(
        name: &str,
        core: Core,
        closing: CancellationToken,
        tasks: TaskTracker,
        named: bool,
    ) -> Arc<Self> {
        Arc::new(Self {
            name: name.into(),
            core: Mutex::new(core),
            closing,
            tasks,
            outbox_changed: Notify::new(),
            delivered: Notify::new(),
            delivering: AtomicBool::new(false),
            journal_changed: Notify::new(),
            rooms: Rooms::default(),
            courier_started: AtomicBool::new(false),
            tls: OnceLock::new(),
            reached_over_tls: AtomicBool::new(false),
            named,
        })
    }

    /// The room of that name, opened where it is heard first.
    pub(crate) fn room(&self, name: &str) -> Result<Arc<Self>, TwinError> {
        let mut open = self.rooms.open();
        if let Some(room) = open.get(name) {
            return Ok(Arc::clone(room));
        }
        rooms::check(name, open.len())?;
        let core = self.core().named(name);
        Ok(self.add_room(&mut open, name, core))
    }

    pub(super) fn add_room(&self, open: &mut BTreeMap<Arc<str>, Arc<Self>>, name: &str, core: Core) -> Arc<Self> {
        let room = Self::new(name, core, self.closing.child_token(), self.tasks.clone(), true);
        room.start_courier();
        open.insert(Arc::clone(&room.name), Arc::clone(&room));
        room
    }

    /// Webhooks need one; it sleeps until there are any.
    pub(super) fn start_courier(self: &Arc<Self>) {
        if !self.courier_started.swap(true, Ordering::AcqRel) {
            self.spawn(courier::run(Arc::clone(self)));
        }
    }

    /// On the twins' own thread; [`Self::tasks`] waits for it.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn_on(task, thread::handle());
    }

    pub(crate) fn core(&self) -> MutexGuard<'_, Core> {
        // A panicking handler leaves plain data behind; the other twins of the space go on.
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the twin has such an operation.
    pub(crate) fn knows(&self, twin: &str, request: &Request) -> bool {
        self.core().cells.get(twin).is_some_and(|cell| cell.twin.route(request).is_some())
    }

    pub(crate) fn exchange(self: &Arc<Self>, twin: &Arc<str>, request: Request) -> Exchange {
        let (plan, reply) = self.core().exchange(twin, request);
        // Waking the courier for every request would cost more than the request.
        if plan.announced {
            self.outbox_changed.notify_one();
        }
        self.journal_changed.notify_waiters();
        let ticket = plan.in_use.map(|key| Ticket { shared: Arc::clone(self), twin: Arc::clone(twin), key });
        Exchange { reply, transport: plan.transport, ticket }
    }

    /// Whether a rule refuses the connection that was just accepted.
    pub(crate) fn refuses_connection(&self, twin: &str) -> bool {
        let mut core = self.core();
        let elapsed_ms = core.moment().elapsed_ms;
        core.cells.get_mut(twin).is_some_and(|cell| cell.faults.refuse_connection(elapsed_ms))
    }

    /// How the handshake that begins goes.
    pub(crate) fn handshake(&self, twin: &str) -> Handshake {
        let mut core = self.core();
        let elapsed_ms = core.moment().elapsed_ms;
        core.cells.get_mut(twin).map_or(Handshake::Sound, |cell| cell.faults.handshake(elapsed_ms))
    }

    pub(super) fn secure(&self, authority: Arc<Authority>) {
        self.tls.set(authority).ok();
        self.reached_over_tls.store(true, Ordering::Release);
    }

    pub(super) fn tls(&self) -> Option<&Arc<Authority>> {
        self.tls.get()
    }

    pub(super) fn moving(&self) -> usize {
        let core = self.core();
        let waiting: usize = core.cells.values().map(|cell| cell.outbox.moving()).sum();
        waiting + usize::from(self.delivering.load(Ordering::Acquire))
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let Some(cell) = self.shared.core().cells.get_mut(&self.twin) {
            cell.memory.free(&self.key);
        }
    }
}
