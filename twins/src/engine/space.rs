//! A space: an isolated world of twins. Serves them on loopback, and lets a test look, break, act and go back in time.

use std::{
    net::{Ipv4Addr, TcpListener},
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::{sync::Notify, time::timeout};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};
use url::Url;

use super::{
    cell::{Cell, Moment},
    core::{Core, Exchange},
    courier,
    fault::{FaultRule, FaultStatus},
    journal::Call,
    outbox::{self, SendRequest},
    seed::Seed,
};
use crate::{
    TwinError,
    http::{
        Request,
        server::{Face, listen},
    },
    services,
    twin::Context,
};

const SETTLE_WITHIN: Duration = Duration::from_secs(30); // longer than all attempts at one webhook take

/// An isolated world of twins: own clock, state, faults, webhooks and journal, shared with no other space.
///
/// Dropping it closes it; [`Space::close`] also waits until nothing is left.
pub struct Space {
    shared: Arc<Shared>,
    _close_on_drop: DropGuard,
}

/// Where a twin listens.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
pub struct Served {
    pub name: String,
    /// `http://127.0.0.1:PORT`, without a slash at the end.
    pub base_url: String,
    pub port: u16,
}

/// The state of a space at one moment; see [`Space::restore`].
#[derive(Clone)]
pub struct Snapshot(Core);

pub(crate) struct Shared {
    pub(crate) name: Arc<str>,
    core: Mutex<Core>,
    pub(crate) closing: CancellationToken,
    pub(crate) tasks: TaskTracker,
    pub(crate) outbox_changed: Notify,
    pub(crate) delivered: Notify,
    pub(crate) delivering: AtomicBool,
    courier_started: AtomicBool,
}

/// Frees an idempotency key when the answer has left or the client is gone.
pub(crate) struct Ticket {
    shared: Arc<Shared>,
    twin: Arc<str>,
    key: String,
}

impl Space {
    pub(crate) fn new(name: &str, seed: Seed, start_at: Timestamp) -> Self {
        let closing = CancellationToken::new();
        let shared = Arc::new(Shared {
            name: name.into(),
            core: Mutex::new(Core::new(seed, start_at)),
            closing: closing.clone(),
            tasks: TaskTracker::new(),
            outbox_changed: Notify::new(),
            delivered: Notify::new(),
            delivering: AtomicBool::new(false),
            courier_started: AtomicBool::new(false),
        });
        Self { shared, _close_on_drop: closing.drop_guard() }
    }

    /// Opens the twin on a free loopback port. Call it inside a tokio runtime.
    ///
    /// # Errors
    /// Unknown twin, a configuration that does not fit, a script with errors, no free port.
    pub fn serve(&self, twin: &str, config: Value) -> Result<Served, TwinError> {
        self.serve_on(twin, config, 0)
    }

    /// [`Space::serve`] on a port of the caller's choice.
    pub fn serve_on(&self, twin: &str, config: Value, port: u16) -> Result<Served, TwinError> {
        let opened = services::open(twin, config)?;
        let name: Arc<str> = twin.into();
        let taken = |source| TwinError::Listen { twin: twin.to_owned(), port, source };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(taken)?;
        listener.set_nonblocking(true).map_err(taken)?;
        let listener = tokio::net::TcpListener::from_std(listener).map_err(taken)?;
        let port = listener.local_addr().map_err(taken)?.port();
        let body_bytes_max = opened.manifest().body_bytes_max;
        let sends_webhooks = !opened.endpoints().is_empty();
        {
            let mut core = self.shared.core();
            if core.cells.contains_key(&name) {
                return Err(TwinError::ServedTwice { twin: twin.to_owned() });
            }
            core.add(&name, opened);
        }
        let face = Face { shared: Arc::clone(&self.shared), twin: name, body_bytes_max };
        self.shared.tasks.spawn(listen(listener, face));
        if sends_webhooks && !self.shared.courier_started.swap(true, Ordering::AcqRel) {
            self.shared.tasks.spawn(courier::run(Arc::clone(&self.shared)));
        }
        Ok(Served { name: twin.to_owned(), base_url: format!("http://127.0.0.1:{port}"), port })
    }

    /// The calls of a twin in their order; with an operation, only its calls. An unknown twin has none.
    pub fn calls(&self, twin: &str, operation: Option<&str>) -> Vec<Call> {
        let core = self.shared.core();
        let wanted = |call: &Option<&'static str>| operation.is_none_or(|operation| *call == Some(operation));
        let entries: Vec<_> = core.journal.of_twin(twin).filter(|entry| wanted(&entry.operation)).cloned().collect();
        drop(core); // JSON is built outside the lock
        entries.iter().map(|entry| entry.call(&self.shared.name)).collect()
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
        self.with_cell(twin, |cell| cell.faults.arm(twin, &cell.twin.operations(), rule))
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

    /// Moves the virtual clock forward.
    pub fn advance_to(&self, to: Timestamp) -> Result<(), TwinError> {
        self.shared.core().clock.advance_to(to)
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

    /// Ends every listener, connection and delivery, and waits until they are gone.
    pub async fn close(&self) {
        self.shared.closing.cancel();
        self.shared.tasks.close();
        self.shared.tasks.wait().await;
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    fn with_cell<T>(&self, twin: &str, f: impl FnOnce(&mut Cell) -> Result<T, TwinError>) -> Result<T, TwinError> {
        let mut core = self.shared.core();
        let cell = core.cells.get_mut(twin).ok_or_else(|| TwinError::NotServed { twin: twin.to_owned() })?;
        f(cell)
    }
}

impl Shared {
    pub(crate) fn core(&self) -> MutexGuard<'_, Core> {
        // A panicking handler leaves plain data behind; the other twins of the space go on.
        self.core.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub(crate) fn exchange(self: &Arc<Self>, twin: &Arc<str>, request: Request) -> Exchange {
        let plan = self.core().exchange(twin, request);
        self.outbox_changed.notify_one();
        let ticket = plan.in_use.map(|key| Ticket { shared: Arc::clone(self), twin: Arc::clone(twin), key });
        Exchange { reply: plan.reply, transport: plan.transport, ticket }
    }

    /// Whether a rule refuses the connection that was just accepted.
    pub(crate) fn refuses_connection(&self, twin: &str) -> bool {
        let mut core = self.core();
        let elapsed_ms = core.moment().elapsed_ms;
        core.cells.get_mut(twin).is_some_and(|cell| cell.faults.refuse_connection(elapsed_ms))
    }

    fn moving(&self) -> usize {
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

impl Cell {
    fn act(&mut self, moment: Moment, name: &str, argument: &Value) -> Result<Value, String> {
        let now = moment.now;
        if self.twin.manifest().actions.contains(&name) {
            return self.act_in_twin(moment, name, argument);
        }
        if !outbox::ACTIONS.contains(&name) {
            let known: Vec<_> = self.twin.manifest().actions.iter().chain(&outbox::ACTIONS).copied().collect();
            return Err(format!("unknown action `{name}`; it has {}", known.join(", ")));
        }
        if self.twin.endpoints().is_empty() {
            return Err("no webhooks are configured; add `webhooks` to the twin's configuration".to_owned());
        }
        if matches!(name, "hold_webhooks" | "release_webhooks" | "reorder_webhooks" | "delay_webhooks") {
            return self.outbox.steer(name, argument);
        }
        let request: SendRequest = serde_json::from_value(argument.clone()).map_err(|error| error.to_string())?;
        let mut none = Vec::new();
        let mut context = Context::new(now, &mut self.ids, &mut none);
        let forged = match &request.object {
            Some(object) => self.twin.forge(&mut context, &request.kind, object),
            None => None,
        };
        self.outbox.send(self.twin.endpoints(), name, &request, forged, now)
    }

    fn act_in_twin(&mut self, moment: Moment, name: &str, argument: &Value) -> Result<Value, String> {
        let mut events = Vec::new();
        let mut context = Context::new(moment.now, &mut self.ids, &mut events);
        let answer = self.twin.act(&mut context, name, argument)?;
        self.announce(events, moment);
        Ok(answer)
    }
}

/// `"name"` or `{"name": argument}`.
fn named_action(action: &Value) -> Result<(&str, &Value), String> {
    const NONE: &Value = &Value::Null;
    match action {
        Value::String(name) => Ok((name, NONE)),
        Value::Object(map) if map.len() == 1 => {
            let (name, argument) = map.iter().next().expect("has one entry");
            Ok((name, argument))
        }
        other => Err(format!("an action is one name with its argument, not {}", shape(other))),
    }
}

fn shape(value: &Value) -> Value {
    match value {
        Value::Object(map) => json!(map.keys().collect::<Vec<_>>()),
        other => other.clone(),
    }
}
