//! One exchange: from a decoded request to the planned answer, in one critical section per space.
//!
//! Matching, the transition of state, the draw of ids, the tick of the clock and the journal entry happen under one
//! lock, so no state is ever served twice and the journal's order is the order in which things happened. Waiting
//! (latency, hanging, webhooks) is never done here.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::Timestamp;

use super::{
    clock::Clock,
    fault::{FaultKind, Faults},
    idempotency::{Memory, Recall},
    journal::{Entry, Journal},
    outbox::Outbox,
    routes::Route,
    seed::Seed,
    space::Ticket,
};
use crate::{
    http::{Content, Reply, Request},
    twin::{AnyTwin, Context, Ids, Refusal},
};

/// What the transport shall do.
pub(crate) struct Exchange {
    pub(crate) reply: Option<Reply>,
    pub(crate) transport: Transport,
    /// Keeps an idempotency key in use until the answer has left.
    pub(crate) ticket: Option<Ticket>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Transport {
    Whole,
    After(Duration),
    Hang,
    Reset,
    Garbled,
    Cut,
}

/// Everything of a space that requests can change. A clone is a snapshot.
#[derive(Clone)]
pub(crate) struct Core {
    seed: Seed,
    start_at: Timestamp,
    pub(crate) clock: Clock,
    pub(crate) journal: Journal,
    pub(crate) cells: BTreeMap<Arc<str>, Cell>,
}

/// One twin in one space.
pub(crate) struct Cell {
    pub(crate) twin: Box<dyn AnyTwin>,
    initial: Box<dyn AnyTwin>,
    pub(crate) ids: Ids,
    pub(crate) faults: Faults,
    pub(crate) memory: Memory,
    pub(crate) outbox: Outbox,
}

impl Core {
    pub(crate) fn new(seed: Seed, start_at: Timestamp) -> Self {
        Self { seed, start_at, clock: Clock::new(start_at), journal: Journal::new(), cells: BTreeMap::new() }
    }

    pub(crate) fn add(&mut self, name: &Arc<str>, twin: Box<dyn AnyTwin>) {
        self.cells.insert(Arc::clone(name), Cell::new(twin, self.seed.child(name)));
    }

    /// Back to the first instant. Where webhooks go stays, as listeners do.
    pub(crate) fn reset(&mut self) {
        self.clock = Clock::new(self.start_at);
        self.journal = Journal::new();
        for (name, cell) in &mut self.cells {
            let base = cell.outbox.base.take();
            *cell = Cell::new(cell.initial.boxed(), self.seed.child(name));
            cell.outbox.base = base;
        }
    }

    /// Answers one request. `ticket` of the plan is the idempotency key that stays in use until the answer has left.
    pub(crate) fn exchange(&mut self, twin: &Arc<str>, mut request: Request) -> Plan {
        let now = self.clock.tick();
        let cell = self.cells.get_mut(twin).expect("a listener exists only for a twin of the space");
        let mut plan = cell.answer(now, &mut request);
        if let Some(reply) = &mut plan.reply {
            reply.set("date", now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string());
        }
        self.journal.record(Entry {
            twin: Arc::clone(twin),
            operation: plan.operation,
            request,
            reply: plan.reply.clone(),
            fault: plan.fault,
            virtual_at: now,
            seq: 0,
        });
        plan
    }
}

/// An answer, and how it is carried.
pub(crate) struct Plan {
    operation: Option<&'static str>,
    fault: Option<FaultKind>,
    pub(crate) reply: Option<Reply>,
    pub(crate) transport: Transport,
    pub(crate) in_use: Option<String>,
}

impl Plan {
    fn plain(operation: Option<&'static str>, reply: Reply) -> Self {
        Self { operation, fault: None, reply: Some(reply), transport: Transport::Whole, in_use: None }
    }
}

impl Cell {
    fn new(twin: Box<dyn AnyTwin>, seed: Seed) -> Self {
        Self {
            initial: twin.boxed(),
            twin,
            ids: Ids::new(seed),
            faults: Faults::default(),
            memory: Memory::default(),
            outbox: Outbox::default(),
        }
    }

    fn answer(&mut self, now: Timestamp, request: &mut Request) -> Plan {
        let mut events = Vec::new();
        let Self { twin, ids, faults, memory, .. } = self;
        let mut context = Context::new(now, ids, &mut events);
        let mut desk = Desk { twin: twin.as_mut(), faults, memory };
        let mut plan = desk.plan(&mut context, request);
        if let Some(reply) = &mut plan.reply {
            self.twin.decorate(&context, request, reply);
        }
        for event in events {
            self.outbox.announce(self.twin.endpoints(), event, now);
        }
        plan
    }
}

/// The parts of a cell that decide, apart from the ids and events that the context lends out.
struct Desk<'a> {
    twin: &'a mut dyn AnyTwin,
    faults: &'a mut Faults,
    memory: &'a mut Memory,
}

impl Desk<'_> {
    /// The order is the one of real services: is there such a call, who asks, is the body readable, then the call.
    fn plan(&mut self, context: &mut Context<'_>, request: &mut Request) -> Plan {
        let Some(mut route) = self.twin.route(request) else {
            let gap = Refusal::Unimplemented { method: request.method.clone(), path: request.path.clone() };
            return Plan::plain(None, self.twin.refuse(context, &gap));
        };
        request.params = std::mem::take(&mut route.params);
        let operation = Some(route.operation);
        let allowed = self.twin.authenticate(request, route.operation);
        if let Err(refusal) = allowed.and_then(|()| self.readable(request)) {
            return Plan::plain(operation, self.twin.refuse(context, &refusal));
        }
        let Some(rule) = self.faults.fire(route.operation, request) else {
            return Plan::plain(operation, self.perform(context, &route, request));
        };
        let reply = match rule.refusal() {
            Some(refusal) => Some(self.twin.refuse(context, &refusal)),
            None if rule.kind.performs() => Some(self.perform(context, &route, request)),
            None => None,
        };
        let transport = rule.transport();
        let in_use = if matches!(transport, Transport::After(_)) { self.hold(request) } else { None };
        // What never reaches the client is no answer in the journal either.
        let reply = reply.filter(|_| !matches!(transport, Transport::Hang | Transport::Reset));
        Plan { operation, fault: Some(rule.kind), reply, transport, in_use }
    }

    fn readable(&self, request: &Request) -> Result<(), Refusal> {
        match &request.content {
            Content::TooLarge => Err(Refusal::BodyTooLarge { bytes_max: self.twin.manifest().body_bytes_max }),
            Content::Malformed(why) => Err(Refusal::BodyMalformed { why: why.clone() }),
            Content::Empty
            | Content::Form(_)
            | Content::Json(_)
            | Content::Multipart(_)
            | Content::Text(_)
            | Content::Bytes => Ok(()),
        }
    }

    /// Runs the operation, once per idempotency key.
    fn perform(&mut self, context: &mut Context<'_>, route: &Route, request: &Request) -> Reply {
        let Some((rule, key)) = self.key(request) else { return self.twin.perform(route.index, context, request) };
        if key.chars().count() > rule.key_chars_max {
            return self.twin.refuse(context, &Refusal::IdempotencyKeyTooLong);
        }
        match self.memory.recall(key, request, context.now) {
            Recall::Fresh => {
                let reply = self.twin.perform(route.index, context, request);
                if (rule.keeps)(reply.status) {
                    self.memory.keep(key, request, reply.clone(), context.now);
                }
                reply
            }
            Recall::Replay(reply) => reply.header(rule.replayed.0, rule.replayed.1),
            Recall::InUse => self.twin.refuse(context, &Refusal::IdempotencyInUse { key: key.to_owned() }),
            Recall::Mismatch { first_path } => {
                let (key, path) = (key.to_owned(), request.path.clone());
                self.twin.refuse(context, &Refusal::IdempotencyMismatch { key, first_path, path })
            }
        }
    }

    fn key<'r>(&self, request: &'r Request) -> Option<(super::idempotency::IdempotencyRule, &'r str)> {
        let rule = self.twin.idempotency().filter(|rule| rule.method == request.method)?;
        Some((rule, request.header(rule.header)?))
    }

    fn hold(&mut self, request: &Request) -> Option<String> {
        let (_, key) = self.key(request)?;
        self.memory.take(key);
        Some(key.to_owned())
    }
}

impl Clone for Cell {
    fn clone(&self) -> Self {
        Self {
            twin: self.twin.boxed(),
            initial: self.initial.boxed(),
            ids: self.ids.clone(),
            faults: self.faults.clone(),
            memory: self.memory.clone(),
            outbox: self.outbox.clone(),
        }
    }
}
