//! One twin in one space: its state and ids, its faults, what idempotency keys remember, its webhooks.

use jiff::Timestamp;

use super::{
    core::{Plan, Transport},
    fault::{FaultKind, Faults, Hit, Target},
    idempotency::{IdempotencyRule, Memory, Recall},
    outbox::{Outbox, Treatment},
    routes::Route,
    seed::Seed,
    stale::History,
};
use crate::{
    admin::wiremock,
    http::{Body, Content, Reply, Request},
    twin::{AnyTwin, Bodies, Context, Event, Ids, Refusal},
};

pub(crate) struct Cell {
    pub(crate) twin: Box<dyn AnyTwin>,
    initial: Box<dyn AnyTwin>,
    pub(crate) ids: Ids,
    pub(crate) faults: Faults,
    pub(crate) memory: Memory,
    pub(crate) outbox: Outbox,
    history: History,
    pub(crate) wiremock: wiremock::Settings,
}

/// When something happens.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) now: Timestamp,
    /// Since the space's start.
    pub(crate) elapsed_ms: u64,
}

impl Cell {
    pub(crate) fn new(twin: Box<dyn AnyTwin>, seed: Seed) -> Self {
        Self {
            initial: twin.boxed(),
            twin,
            ids: Ids::new(seed),
            faults: Faults::default(),
            memory: Memory::default(),
            outbox: Outbox::default(),
            history: History::default(),
            wiremock: wiremock::Settings::default(),
        }
    }

    /// The cell as it was opened, with the ids of `seed`.
    pub(crate) fn first(&self, seed: Seed) -> Self {
        Self::new(self.initial.boxed(), seed)
    }

    pub(crate) fn answer(&mut self, moment: Moment, request: &mut Request) -> Plan {
        if self.faults.want_history() {
            self.history.keep(moment.elapsed_ms, self.twin.as_ref());
        } else {
            self.history.forget();
        }
        let mut events = Vec::new();
        let Self { twin, ids, faults, memory, history, .. } = self;
        let mut context = Context::new(moment.now, ids, &mut events);
        let mut desk = Desk { twin: twin.as_mut(), faults, memory, history, elapsed_ms: moment.elapsed_ms };
        let mut plan = desk.plan(&mut context, request);
        if let Some(reply) = &mut plan.reply {
            self.twin.decorate(&context, request, reply);
        }
        plan.transport = self.wiremock.delay(plan.transport);
        plan.announced = !events.is_empty();
        self.announce(events, moment);
        plan
    }

    /// Webhooks leave for whoever wants them, as the rules let them.
    pub(crate) fn announce(&mut self, events: Vec<Event>, moment: Moment) {
        for event in events {
            let hit = self.faults.fire_webhook(&event, moment.elapsed_ms);
            let treatment = hit.map_or(Treatment::Plain, |hit| hit.rule.treatment());
            self.outbox.announce(self.twin.endpoints(), event, treatment, moment.now);
        }
    }
}

/// The parts of a cell that decide, apart from the ids and events that the context lends out.
struct Desk<'a> {
    twin: &'a mut dyn AnyTwin,
    faults: &'a mut Faults,
    memory: &'a mut Memory,
    history: &'a History,
    elapsed_ms: u64,
}

impl Desk<'_> {
    /// The order is the one of real services: is there such a call, who asks, is the body readable, then the call. A
    /// fault is part of the call: one that nobody may make uses none up.
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
        if let Err(refusal) = self.twin.admit(context, request, route.operation) {
            return Plan::plain(operation, refusal);
        }
        let violations = self.twin.violations(request, route.operation);
        let plan = match self.faults.fire(route.operation, request, self.elapsed_ms) {
            None => Plan::plain(operation, self.perform(context, &route, request)),
            Some(hit) => self.broken(context, &route, request, &hit),
        };
        Plan { violations, ..plan }
    }

    /// The plan of a request that a fault rule hits.
    fn broken(&mut self, context: &mut Context<'_>, route: &Route, request: &Request, hit: &Hit) -> Plan {
        let rule = &hit.rule;
        let reply = match rule.refusal() {
            Some(refusal) => Some(self.twin.refuse(context, &refusal)),
            None if rule.kind == FaultKind::StaleRead => Some(self.perform_behind(context, route, request, hit)),
            None if rule.kind.performs() => Some(self.perform(context, route, request)),
            None => None,
        };
        let reply = match (rule.kind.target(), reply) {
            (Target::Streams, Some(reply)) => match self.broken_stream(context, reply, hit) {
                Ok(broken) => Some(broken),
                Err(whole) => {
                    self.faults.take_back(hit);
                    return Plan::plain(Some(route.operation), whole);
                }
            },
            (_, reply) => reply,
        };
        let transport = rule.transport();
        let in_use = if matches!(transport, Transport::Late { .. }) { self.hold(request) } else { None };
        // What never reaches the client is no answer in the journal either.
        let reply = reply.filter(|_| !matches!(transport, Transport::Hang | Transport::Reset));
        let (operation, rule) = (Some(route.operation), Some(hit.number));
        let (fault, violations) = (Some(hit.rule.kind), Vec::new());
        Plan { operation, fault, rule, violations, reply, transport, in_use, announced: false }
    }

    /// The stream with what the rule does to it, or the answer as it was where it is no stream.
    fn broken_stream(&self, context: &Context<'_>, mut reply: Reply, hit: &Hit) -> Result<Reply, Reply> {
        let Body::Events(frames) = &mut reply.body else { return Err(reply) };
        let middle = frames.len() / 2;
        let at = hit.rule.at_event.map_or(middle, |at| at as usize).min(frames.len().saturating_sub(1));
        match hit.rule.kind {
            FaultKind::MissingEnd => drop(frames.pop()),
            FaultKind::ErrorEvent => {
                frames.truncate(at);
                frames.push(self.twin.error_event(context, &hit.rule.failure()));
            }
            _ => {
                if let Some(frame) = frames.get_mut(at) {
                    *frame = [&frame[..frame.len() / 2], b"\n\n"].concat().into();
                }
            }
        }
        Ok(reply)
    }

    /// The answer of an older state. Nothing that the operation does there stays.
    fn perform_behind(&self, context: &Context<'_>, route: &Route, request: &Request, hit: &Hit) -> Reply {
        let mut twin = self.history.behind(&hit.rule).unwrap_or_else(|| self.twin.boxed());
        context.apart(|context| twin.perform(route.index, context, request))
    }

    fn readable(&self, request: &Request) -> Result<(), Refusal> {
        match &request.content {
            Content::TooLarge => Err(Refusal::BodyTooLarge { bytes_max: self.twin.manifest().body_bytes_max }),
            Content::Malformed(_) if self.twin.bodies() == Bodies::Opaque => Ok(()),
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

    fn key<'r>(&self, request: &'r Request) -> Option<(IdempotencyRule, &'r str)> {
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
            history: self.history.clone(),
            wiremock: self.wiremock.clone(),
        }
    }
}
