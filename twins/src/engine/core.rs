//! One exchange: from a decoded request to the planned answer, in one critical section per space.
//!
//! Matching, the transition of state, the draw of ids, the tick of the clock and the journal entry happen under one
//! lock, so no state is ever served twice and the journal's order is the order in which things happened. Waiting
//! (latency, hanging, webhooks) is never done here.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::Timestamp;

use super::{
    cell::{Cell, Moment},
    clock::Clock,
    fault::FaultKind,
    journal::{Journal, Record},
    seed::Seed,
    shared::Ticket,
};
use crate::{
    TwinError,
    http::{Cut, Reply, Request},
    twin::{AnyTwin, Violation},
};

/// What the transport shall do.
pub(crate) struct Exchange {
    /// Shared with the journal.
    pub(crate) reply: Option<Arc<Reply>>,
    pub(crate) transport: Transport,
    /// Keeps an idempotency key in use until the answer has left.
    pub(crate) ticket: Option<Ticket>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Transport {
    Whole,
    /// All of it after the delay, or what is left of a stream before an event.
    Late {
        delay: Duration,
        at_event: Option<usize>,
    },
    Dribble {
        bytes: usize,
        interval: Duration,
    },
    Hang,
    Reset,
    Close,
    Garbage,
    Garbled,
    MalformedChunk,
    Duplicate,
    Cut(Cut),
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

impl Core {
    pub(crate) fn new(seed: Seed, start_at: Timestamp) -> Self {
        Self { seed, start_at, clock: Clock::new(start_at), journal: Journal::new(), cells: BTreeMap::new() }
    }

    pub(crate) fn add(&mut self, name: &Arc<str>, twin: Box<dyn AnyTwin>) {
        self.cells.insert(Arc::clone(name), Cell::new(twin, self.seed.child(name)));
    }

    /// The first state of a named space: the same twins as they were opened, with ids of its own.
    pub(crate) fn named(&self, name: &str) -> Self {
        let mut core = Self::new(self.seed.child("space").child(name), self.start_at);
        for (twin, cell) in &self.cells {
            let mut first = cell.first(core.seed.child(twin));
            first.outbox.base.clone_from(&cell.outbox.base);
            core.cells.insert(Arc::clone(twin), first);
        }
        core
    }

    /// A copy that goes on by itself: what is on its way stays where it was.
    pub(crate) fn forked(&self) -> Self {
        let mut core = self.clone();
        for cell in core.cells.values_mut() {
            cell.outbox.forget_pending();
            cell.memory.free_all();
        }
        core
    }

    /// Back to the first instant. Where webhooks go stays, as listeners do.
    pub(crate) fn reset(&mut self) {
        self.clock = Clock::new(self.start_at);
        self.journal = Journal::new();
        for (name, cell) in &mut self.cells {
            let base = cell.outbox.base.take();
            *cell = cell.first(self.seed.child(name));
            cell.outbox.base = base;
        }
    }

    /// Moves the clock; what services do by themselves until then happens.
    pub(crate) fn advance_to(&mut self, to: Timestamp) -> Result<(), TwinError> {
        self.clock.advance_to(to)?;
        let moment = self.moment();
        self.cells.values_mut().for_each(|cell| cell.clock_moved(moment));
        Ok(())
    }

    /// The present, as rules and twins see it.
    pub(crate) fn moment(&self) -> Moment {
        let now = self.clock.now();
        let elapsed = now.as_millisecond() - self.start_at.as_millisecond();
        Moment { now, elapsed_ms: elapsed.try_into().expect("the clock never goes back") }
    }

    /// Answers one request, whose reply is apart from the plan. `in_use` of the plan is the idempotency key that stays in use until the answer has left.
    pub(crate) fn exchange(&mut self, twin: &Arc<str>, mut request: Request) -> (Plan, Option<Arc<Reply>>) {
        self.clock.tick();
        let moment = self.moment();
        let cell = self.cells.get_mut(twin).expect("a listener exists only for a twin of the space");
        let mut plan = cell.answer(moment, &mut request);
        if let Some(reply) = &mut plan.reply {
            reply.set("date", self.clock.http_date());
        }
        let reply = plan.reply.take().map(Arc::new);
        self.journal.record(Record {
            twin: Arc::clone(twin),
            operation: plan.operation,
            request,
            reply: reply.clone(),
            fault: plan.fault,
            rule: plan.rule,
            violations: std::mem::take(&mut plan.violations),
            virtual_at: moment.now,
        });
        if let Some(pace) = reply.as_ref().and_then(|reply| reply.pace.as_deref()) {
            self.clock.advance_by(pace.total());
        }
        (plan, reply)
    }
}

/// An answer, and how it is carried.
pub(crate) struct Plan {
    pub(crate) operation: Option<&'static str>,
    pub(crate) fault: Option<FaultKind>,
    pub(crate) rule: Option<u32>,
    pub(crate) violations: Vec<Violation>,
    pub(crate) reply: Option<Reply>,
    pub(crate) transport: Transport,
    pub(crate) in_use: Option<String>,
    /// Webhooks were announced.
    pub(crate) announced: bool,
}

impl Plan {
    pub(crate) fn plain(operation: Option<&'static str>, reply: Reply) -> Self {
        let (transport, violations) = (reply.transport, Vec::new());
        // What never reaches the client is no answer in the journal either.
        let reply = Some(reply).filter(|_| !matches!(transport, Transport::Hang | Transport::Reset));
        Self { operation, fault: None, rule: None, violations, reply, transport, in_use: None, announced: false }
    }
}
