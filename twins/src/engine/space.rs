//! A space: an isolated world of twins. Serves them on loopback, and lets a test look, break, act and go back in time.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use tokio::time::timeout;
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};
use url::Url;

use super::{
    act::named_action,
    cell::Cell,
    core::Core,
    door::Door,
    fault::{FaultRule, FaultStatus, Target},
    journal::Call,
    rooms,
    seed::Seed,
    shared::Shared,
};
use crate::{
    TwinError,
    http::server::{self, Face},
    services,
    tls::Authority,
    wire,
};

const SETTLE_WITHIN: Duration = Duration::from_secs(30); // longer than all attempts at one webhook take

/// An isolated world of twins: own clock, state, faults, webhooks and journal, shared with no other space.
///
/// Dropping it closes it; [`Space::close`] also waits until nothing is left. A space can have named spaces behind the
/// same ports, see [`Space::name_spaces`]; those stay until they are dropped by name.
pub struct Space {
    shared: Arc<Shared>,
    /// None: a named space, which its parent closes.
    _close_on_drop: Option<DropGuard>,
}

/// Where a twin listens.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
pub struct Served {
    pub name: String,
    /// `http://127.0.0.1:PORT`, without a slash at the end; `smtp://…` for a twin whose clients speak that.
    pub base_url: String,
    pub port: u16,
}

/// The state of a space at one moment; see [`Space::restore`].
#[derive(Clone)]
pub struct Snapshot(Core);

impl Space {
    pub(crate) fn new(name: &str, seed: Seed, start_at: Timestamp) -> Self {
        let closing = CancellationToken::new();
        let shared = Shared::new(name, Core::new(seed, start_at), closing.clone(), TaskTracker::new(), false);
        Self { shared, _close_on_drop: Some(closing.drop_guard()) }
    }

    /// Opens the twin on a free loopback port. It answers from a thread of its own, whatever the caller does meanwhile.
    ///
    /// # Errors
    /// Unknown twin, a configuration that does not fit, a script with errors, no free port.
    pub fn serve(&self, twin: &str, config: Value) -> Result<Served, TwinError> {
        self.serve_on(twin, config, 0)
    }

    /// [`Space::serve`] on a port of the caller's choice.
    pub fn serve_on(&self, twin: &str, config: Value, port: u16) -> Result<Served, TwinError> {
        let opened = services::open(twin, config)?;
        // That of a definition stands in its file.
        let twin = opened.manifest().name;
        let name: Arc<str> = twin.into();
        let protocol = opened.protocol();
        if protocol.as_ref().is_some_and(|protocol| protocol.tls.needs_authority()) && self.shared.tls().is_none() {
            let why = "its `tls` needs an authority; serve it with `--tls --ca-dir DIR`".to_owned();
            return Err(TwinError::Config { twin: twin.to_owned(), why });
        }
        let door = Door::at(port).map_err(TwinError::port_taken(twin, port))?;
        let port = door.port;
        {
            let rooms = self.shared.rooms.open();
            let mut core = self.shared.core();
            if core.cells.contains_key(&name) {
                return Err(TwinError::ServedTwice { twin: twin.to_owned() });
            }
            rooms.values().for_each(|room| room.core().add(&name, opened.boxed()));
            core.add(&name, opened);
        }
        let face = Face { tls: self.shared.tls().cloned(), ..self.face(&name)? };
        let scheme = match (&protocol, &face.tls) {
            (Some(protocol), _) => protocol.scheme,
            (None, Some(_)) => "https",
            (None, None) => "http",
        };
        match protocol {
            Some(protocol) => wire::open(door, face, protocol),
            None => server::open(door, face),
        }
        self.shared.start_courier();
        Ok(Served { name: twin.to_owned(), base_url: format!("{scheme}://127.0.0.1:{port}"), port })
    }

    /// Twins that are served from now on speak TLS, with certificates of `authority` for whatever host a client asks.
    pub fn secure(&self, authority: Arc<Authority>) {
        self.shared.secure(authority);
    }

    /// A twin of this space for a listener.
    pub(crate) fn face(&self, twin: &str) -> Result<Face, TwinError> {
        let shared = Arc::clone(&self.shared);
        self.with_cell(twin, |cell| {
            let body_bytes_max = cell.twin.manifest().body_bytes_max;
            let (upstream, speaks_wiremock) = (cell.twin.upstream().cloned(), cell.twin.speaks_wiremock());
            Ok(Face { shared, twin: twin.into(), body_bytes_max, upstream, tls: None, speaks_wiremock })
        })
    }

    /// The calls of a twin in their order; with an operation, only its calls. An unknown twin has none.
    pub fn calls(&self, twin: &str, operation: Option<&str>) -> Vec<Call> {
        let core = self.shared.core();
        let wanted = |call: &Option<&'static str>| operation.is_none_or(|operation| *call == Some(operation));
        let entries: Vec<_> = core.journal.of_twin(twin).filter(|entry| wanted(&entry.operation)).cloned().collect();
        drop(core); // JSON is built outside the lock
        entries.iter().map(|entry| entry.call(&self.shared.name)).collect()
    }

    /// How many of the oldest calls, of all twins together, the journal has let go.
    pub fn forgotten(&self) -> u64 {
        self.shared.core().journal.forgotten()
    }

    /// The twin's tables, and under `webhooks` what was delivered.
    pub fn state(&self, twin: &str) -> Result<Value, TwinError> {
        self.with_cell(twin, |cell| {
            let mut state = cell.twin.state();
            state["webhooks"] = cell.outbox.state();
            Ok(state)
        })
    }

    /// Arms a fault. A rule that names an unknown operation or does not make sense is refused here.
    pub fn fault(&self, twin: &str, rule: FaultRule) -> Result<(), TwinError> {
        if rule.kind.target() == Target::Handshakes && !self.shared.reached_over_tls.load(Ordering::Acquire) {
            let why = "nobody reaches it over TLS; serve it with `--tls`, or through `twins proxy`".to_owned();
            return Err(TwinError::FaultRule { twin: twin.to_owned(), why });
        }
        if self.shared.named && matches!(rule.kind.target(), Target::Connections | Target::Handshakes) {
            let why = "a connection belongs to no named space; arm the rule on the space of the port".to_owned();
            return Err(TwinError::FaultRule { twin: twin.to_owned(), why });
        }
        self.with_cell(twin, |cell| cell.faults.arm(cell.twin.as_ref(), rule))
    }

    /// The armed rules with their counts; a rule that never fired is a hole in a scenario.
    pub fn faults(&self, twin: &str) -> Result<Vec<FaultStatus>, TwinError> {
        self.with_cell(twin, |cell| Ok(cell.faults.status()))
    }

    pub fn clear_faults(&self, twin: &str) -> Result<(), TwinError> {
        self.with_cell(twin, |cell| {
            cell.faults.clear();
            Ok(())
        })
    }

    /// Lets something happen on the service's side: `{"redeliver_webhook": {"type": "…", "times": 2}}`, or just the
    /// name of an action without an argument. Actions are not calls: the journal stays as it is.
    pub fn act(&self, twin: &str, action: Value) -> Result<Value, TwinError> {
        let refused = |why| TwinError::Action { twin: twin.to_owned(), why };
        let (name, argument) = named_action(&action).map_err(refused)?;
        let mut core = self.shared.core();
        let moment = core.moment();
        let cell = core.cells.get_mut(twin).ok_or_else(|| TwinError::NotServed { twin: twin.to_owned() })?;
        let answer = cell.act(moment, name, argument).map_err(refused);
        drop(core);
        self.shared.outbox_changed.notify_one();
        answer
    }

    /// Where webhooks with a path instead of a URL go; until it is set they wait.
    pub fn set_webhook_base(&self, twin: &str, base: &str) -> Result<(), TwinError> {
        let base = Url::parse(base).map_err(|error| TwinError::WebhookBase { base: base.to_owned(), why: error })?;
        self.with_cell(twin, |cell| {
            cell.outbox.base = Some(base);
            Ok(())
        })?;
        self.shared.outbox_changed.notify_one();
        Ok(())
    }

    /// Waits until every webhook that is not held (or without a base) has been accepted or given up.
    ///
    /// # Errors
    /// After 30 s, with the number of those still on their way.
    pub async fn settle(&self) -> Result<(), TwinError> {
        let quiet = async {
            loop {
                let delivered = self.shared.delivered.notified();
                if self.shared.moving() == 0 {
                    return;
                }
                delivered.await;
            }
        };
        let waited = timeout(SETTLE_WITHIN, quiet).await;
        waited.map_err(|_| TwinError::Unsettled { webhooks: self.shared.moving() })
    }

    pub fn now(&self) -> Timestamp {
        self.shared.core().clock.now()
    }

    /// Moves the virtual clock forward; what the services do by themselves until then (renewals, expiry) happens.
    pub fn advance_to(&self, to: Timestamp) -> Result<(), TwinError> {
        self.shared.core().advance_to(to)?;
        self.shared.outbox_changed.notify_one();
        Ok(())
    }

    /// The end of the journal's hash chain: equal heads mean equal histories.
    pub fn journal_head(&self) -> String {
        self.shared.core().journal.head()
    }

    pub fn snapshot(&self) -> Snapshot {
        Snapshot(self.shared.core().clone())
    }

    /// Goes back to a snapshot of this space. Twins served since stay served, as they were.
    pub fn restore(&self, snapshot: &Snapshot) {
        let mut core = self.shared.core();
        let mut restored = snapshot.0.clone();
        restored.cells.values_mut().for_each(|cell| cell.memory.free_all());
        for (name, cell) in std::mem::take(&mut core.cells) {
            restored.cells.entry(name).or_insert(cell);
        }
        *core = restored;
        drop(core);
        self.shared.outbox_changed.notify_one();
    }

    /// Back to the first instant: state, faults, clock, ids and journal.
    pub fn reset(&self) {
        self.shared.core().reset();
    }

    /// From now on, a request with this header, or below `/__space/NAME/`, means the named space: isolated state,
    /// clock, ids and journal, made from the twins as they were opened when the name is heard first. Before
    /// connections are made; the product under test can choose its space then, so it is off by default.
    ///
    /// # Errors
    /// What is no name of a header.
    pub fn name_spaces(&self, header: &str) -> Result<(), TwinError> {
        self.shared.rooms.listen_to(header)
    }

    /// The named space, made where it is not there yet.
    ///
    /// # Errors
    /// A name that is none, or too many spaces.
    pub fn named(&self, name: &str) -> Result<Self, TwinError> {
        Ok(Self::of(self.shared.room(name)?))
    }

    /// The named space, if it is there.
    pub fn find_named(&self, name: &str) -> Option<Self> {
        self.shared.rooms.open().get(name).cloned().map(Self::of)
    }

    /// The names of the spaces behind this one's ports.
    pub fn names(&self) -> Vec<String> {
        self.shared.rooms.open().keys().map(ToString::to_string).collect()
    }

    /// A new named space that goes on from where `from` (this space, where left out) is now. Webhooks that are on
    /// their way stay with the original.
    pub fn fork(&self, from: Option<&str>, name: &str) -> Result<Self, TwinError> {
        let core = match from {
            None => self.shared.core().forked(),
            Some(from) => {
                let original = self.find_named(from).ok_or_else(|| TwinError::NoSuchSpace { name: from.to_owned() })?;
                original.shared.core().forked()
            }
        };
        let mut open = self.shared.rooms.open();
        if open.contains_key(name) {
            return Err(TwinError::SpaceExists { name: name.to_owned() });
        }
        rooms::check(name, open.len())?;
        Ok(Self::of(self.shared.add_room(&mut open, name, core)))
    }

    /// Makes this space a copy of a named one: the way back to a fork that was made for it.
    pub fn restore_named(&self, name: &str) -> Result<(), TwinError> {
        let from = self.find_named(name).ok_or_else(|| TwinError::NoSuchSpace { name: name.to_owned() })?;
        let copy = from.shared.core().forked();
        self.restore(&Snapshot(copy));
        Ok(())
    }

    /// Forgets a named space with all its state; its name can be used again.
    pub fn drop_named(&self, name: &str) -> Result<(), TwinError> {
        let room = self.shared.rooms.open().remove(name);
        let room = room.ok_or_else(|| TwinError::NoSuchSpace { name: name.to_owned() })?;
        room.closing.cancel();
        Ok(())
    }

    /// A handle that closes nothing.
    pub(crate) fn of(shared: Arc<Shared>) -> Self {
        Self { shared, _close_on_drop: None }
    }

    /// What [`Call`] calls it.
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// Ends every listener, connection and delivery, and waits until they are gone.
    pub async fn close(&self) {
        self.shared.closing.cancel();
        self.shared.tasks.close();
        self.shared.tasks.wait().await;
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    pub(crate) fn with_cell<T>(
        &self,
        twin: &str,
        f: impl FnOnce(&mut Cell) -> Result<T, TwinError>,
    ) -> Result<T, TwinError> {
        let mut core = self.shared.core();
        let cell = core.cells.get_mut(twin).ok_or_else(|| TwinError::NotServed { twin: twin.to_owned() })?;
        f(cell)
    }
}
