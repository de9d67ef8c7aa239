//! Webhooks on their way: which event goes to which endpoint, when, how signed, and what a test does to them (hold,
//! delay, repeat, reorder, forge). Pure bookkeeping; the courier carries.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use url::Url;

use crate::twin::Event;

/// What `act` of every twin with webhooks understands.
pub(crate) const ACTIONS: [&str; 8] = [
    "redeliver_webhook",
    "delay_webhooks",
    "hold_webhooks",
    "release_webhooks",
    "reorder_webhooks",
    "send_unsigned_webhook",
    "send_webhook_with_wrong_signature",
    "send_stale_webhook",
];

const LAG: Duration = Duration::from_millis(20); // a webhook normally arrives after the answer that caused it
const REORDER_LAG: Duration = Duration::from_millis(200); // long enough for the events of one flow to gather
const ATTEMPTS_MAX: u32 = 8; // with the back-off below: gives up after about 13 s of real time
const BACKOFF: Duration = Duration::from_millis(100); // doubles at every attempt
const PENDING_MAX: usize = 10_000; // further events are logged as dropped
const LOG_MAX: usize = 1_000; // events and deliveries remembered for `state` and redelivery
const COPIES_MAX: u64 = 100; // per redelivery
const DELAY_MS_MAX: u64 = 60_000;
const STALE_BY: SignedDuration = SignedDuration::from_hours(1); // older than any receiver tolerates

/// A receiver of webhooks, as configured: `to` is a URL, or a path below the webhook base.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Endpoint {
    pub(crate) to: String,
    pub(crate) secret: String,
    /// Event names, or `*`.
    #[serde(default = "every_event")]
    pub(crate) events: Vec<String>,
    /// By which the service addresses an event to this one alone.
    #[serde(skip)]
    pub(crate) key: Option<String>,
}

impl Endpoint {
    fn wants(&self, event: &Event) -> bool {
        let addressed = event.only.is_none() || event.only == self.key;
        addressed && self.events.iter().any(|kind| kind == "*" || *kind == event.kind)
    }
}

fn every_event() -> Vec<String> {
    vec!["*".to_owned()]
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Outbox {
    pub(crate) base: Option<Url>,
    pending: Vec<Delivery>,
    /// Events by age, for redelivery.
    events: VecDeque<Arc<Event>>,
    log: VecDeque<Arc<Logged>>,
    next_number: u64,
    held: bool,
    newest_first: bool,
    delay: Duration,
}

/// One event on its way to one endpoint.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    number: u64,
    pub(crate) to: String,
    pub(crate) secret: String,
    pub(crate) event: Arc<Event>,
    pub(crate) proof: Proof,
    pub(crate) signed_at: Timestamp,
    /// This attempt does not arrive.
    pub(crate) lost: bool,
    /// Lets every other delivery that is due go first.
    overtaken: bool,
    /// Comes again where it is refused.
    repeats: bool,
    pub(crate) attempt: u32,
    /// What became of the last attempt.
    pub(crate) failure: String,
    due: Instant,
}

/// What a fault rule does to an event that is announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Treatment {
    Plain,
    Late(Duration),
    Copies(u64),
    Overtaken,
    WronglySigned,
    Unsigned,
    Stale,
    Dropped,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    Right,
    WrongSecret,
    Missing,
}

/// How one event is posted to each endpoint.
#[derive(Clone, Copy)]
struct Posting {
    proof: Proof,
    signed_at: Timestamp,
    delay: Duration,
    lost: bool,
    overtaken: bool,
    repeats: bool,
}

impl Default for Posting {
    fn default() -> Self {
        let signed_at = Timestamp::UNIX_EPOCH;
        Self { proof: Proof::Right, signed_at, delay: Duration::ZERO, lost: false, overtaken: false, repeats: true }
    }
}

fn stale(now: Timestamp) -> Timestamp {
    now.saturating_sub(STALE_BY).expect("a signed duration saturates")
}

#[derive(Clone, Debug, Serialize)]
struct Logged {
    event: String,
    #[serde(rename = "type")]
    kind: String,
    to: String,
    attempt: u32,
    signed_at: Timestamp,
    outcome: String,
}

impl Outbox {
    /// Queues an event for every endpoint that wants its kind.
    pub(crate) fn announce(&mut self, endpoints: &[Endpoint], event: Event, treatment: Treatment, now: Timestamp) {
        let event = Arc::new(event);
        let mut posting = Posting { signed_at: now, ..Posting::default() };
        let mut copies = 1;
        match treatment {
            Treatment::Plain => {}
            Treatment::Late(delay) => posting.delay = delay,
            Treatment::Copies(times) => copies = times,
            Treatment::Overtaken => (posting.delay, posting.overtaken) = (REORDER_LAG, true),
            Treatment::WronglySigned => posting.proof = Proof::WrongSecret,
            Treatment::Unsigned => posting.proof = Proof::Missing,
            Treatment::Stale => posting.signed_at = stale(now),
            Treatment::Dropped => posting.lost = true,
        }
        for _ in 0..copies {
            self.enqueue(endpoints, &event, posting);
        }
        self.events.push_back(event);
        if self.events.len() > LOG_MAX {
            self.events.pop_front();
        }
    }

    fn enqueue(&mut self, endpoints: &[Endpoint], event: &Arc<Event>, posting: Posting) -> usize {
        let lag = posting.delay + self.delay + if self.newest_first { REORDER_LAG } else { LAG };
        let before = self.pending.len();
        for endpoint in endpoints.iter().filter(|endpoint| endpoint.wants(event)) {
            if self.pending.len() == PENDING_MAX {
                break;
            }
            self.next_number += 1;
            self.pending.push(Delivery {
                number: self.next_number,
                to: endpoint.to.clone(),
                secret: endpoint.secret.clone(),
                event: Arc::clone(event),
                proof: posting.proof,
                signed_at: posting.signed_at,
                lost: posting.lost,
                overtaken: posting.overtaken,
                repeats: posting.repeats,
                attempt: 0,
                failure: String::new(),
                due: Instant::now() + lag,
            });
        }
        self.pending.len() - before
    }

    pub(crate) fn forget_pending(&mut self) {
        self.pending.clear();
    }

    /// Deliveries that will leave without anybody doing anything.
    pub(crate) fn moving(&self) -> usize {
        if self.held { 0 } else { self.pending.iter().filter(|delivery| self.reachable(delivery)).count() }
    }

    pub(crate) fn next_due(&self) -> Option<Instant> {
        if self.held {
            return None;
        }
        self.pending.iter().filter(|delivery| self.reachable(delivery)).map(|delivery| delivery.due).min()
    }

    /// Takes the delivery whose turn it is.
    pub(crate) fn take_due(&mut self, now: Instant) -> Option<Delivery> {
        if self.held {
            return None;
        }
        let due = self.pending.iter().enumerate().filter(|(_, it)| it.due <= now && self.reachable(it));
        // However late the courier is: what may overtake does.
        let oldest = |(_, it): &(usize, &Delivery)| (it.overtaken, it.number);
        let newest = |(_, it): &(usize, &Delivery)| (!it.overtaken, it.number);
        let (index, _) = if self.newest_first { due.max_by_key(newest) } else { due.min_by_key(oldest) }?;
        Some(self.pending.remove(index))
    }

    fn reachable(&self, delivery: &Delivery) -> bool {
        self.base.is_some() || !delivery.to.starts_with('/')
    }

    /// Books an attempt; one that failed comes again, signed anew.
    pub(crate) fn attempted(&mut self, mut delivery: Delivery, outcome: Result<u16, String>, now: Timestamp) {
        delivery.attempt += 1;
        let accepted = outcome.as_ref().is_ok_and(|status| (200..300).contains(status));
        delivery.failure = outcome.map_or_else(|error| error, |status| status.to_string());
        self.log.push_back(Arc::new(Logged {
            event: delivery.event.id.clone(),
            kind: delivery.event.kind.clone(),
            to: delivery.to.clone(),
            attempt: delivery.attempt,
            signed_at: delivery.signed_at,
            outcome: delivery.failure.clone(),
        }));
        if self.log.len() > LOG_MAX {
            self.log.pop_front();
        }
        if !accepted && delivery.repeats && delivery.attempt < ATTEMPTS_MAX {
            (delivery.proof, delivery.lost) = (Proof::Right, false);
            delivery.due = Instant::now() + BACKOFF * 2_u32.pow(delivery.attempt - 1);
            let next_second = delivery.signed_at.saturating_add(SignedDuration::from_secs(1));
            delivery.signed_at = now.max(next_second.expect("a signed duration saturates"));
            self.pending.push(delivery);
        }
    }

    pub(crate) fn state(&self) -> Value {
        let pending =
            |it: &Delivery| json!({"event": it.event.id, "type": it.event.kind, "to": it.to, "attempt": it.attempt});
        json!({
            "held": self.held,
            "pending": self.pending.iter().map(pending).collect::<Vec<_>>(),
            "attempts": self.log,
        })
    }

    /// Hold, release, delay, reorder.
    pub(crate) fn steer(&mut self, action: &str, argument: &Value) -> Result<Value, String> {
        match action {
            "hold_webhooks" => self.held = true,
            "release_webhooks" => self.release(),
            "reorder_webhooks" => self.newest_first = true,
            _ => self.delay_by(argument)?,
        }
        Ok(json!({"pending": self.pending.len()}))
    }

    fn release(&mut self) {
        self.held = false;
        let now = Instant::now();
        self.pending.iter_mut().for_each(|delivery| delivery.due = delivery.due.min(now));
    }

    fn delay_by(&mut self, argument: &Value) -> Result<(), String> {
        let delay = argument.get("for_ms").and_then(Value::as_u64).filter(|ms| *ms <= DELAY_MS_MAX);
        let delay = delay.ok_or_else(|| format!("give `for_ms`, at most {DELAY_MS_MAX}"))?;
        self.delay = Duration::from_millis(delay);
        let until = Instant::now() + self.delay;
        self.pending.iter_mut().for_each(|delivery| delivery.due = delivery.due.max(until));
        Ok(())
    }

    /// Sends an event (again), honestly or not: `times` copies of the newest one of its kind, or of `forged`.
    pub(crate) fn send(
        &mut self,
        endpoints: &[Endpoint],
        action: &str,
        request: &SendRequest,
        forged: Option<Event>,
        now: Timestamp,
    ) -> Result<Value, String> {
        let known = self.events.iter().rev().find(|event| event.kind == request.kind).cloned();
        let event = forged.map(Arc::new).or(known).ok_or_else(|| self.no_such_event(&request.kind))?;
        let (proof, signed_at) = match action {
            "send_unsigned_webhook" => (Proof::Missing, now),
            "send_webhook_with_wrong_signature" => (Proof::WrongSecret, now),
            "send_stale_webhook" => (Proof::Right, stale(now)),
            _ => (Proof::Right, now),
        };
        let copies = request.times.min(COPIES_MAX);
        // A forged delivery is not the service's own: nobody would repeat it. A stale one is, and comes again fresh.
        let posting = Posting { proof, signed_at, repeats: proof == Proof::Right, ..Posting::default() };
        let queued: usize = (0..copies).map(|_| self.enqueue(endpoints, &event, posting)).sum();
        Ok(json!({"event": event.id, "queued": queued}))
    }

    fn no_such_event(&self, kind: &str) -> String {
        let mut known: Vec<&str> = self.events.iter().map(|event| event.kind.as_str()).collect();
        known.sort_unstable();
        known.dedup();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        format!("no event of type `{kind}` has happened (so far: {known}); give `object` to make one up")
    }
}

/// The argument of the actions that send an event.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SendRequest {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    #[serde(default = "once")]
    pub(crate) times: u64,
    /// What the event is about; where given, a new event is made up.
    pub(crate) object: Option<Value>,
}

fn once() -> u64 {
    1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoints() -> Vec<Endpoint> {
        let (to, secret) = ("http://localhost/".to_owned(), "s".to_owned());
        vec![Endpoint { to, secret, events: every_event(), key: None }]
    }

    fn event() -> Event {
        Event::new("evt_1", "paid", "{}")
    }

    fn later() -> Instant {
        Instant::now() + Duration::from_secs(3_600)
    }

    #[test]
    fn a_webhook_that_is_never_accepted_is_given_up() {
        let mut outbox = Outbox::default();
        outbox.announce(&endpoints(), event(), Treatment::Plain, Timestamp::UNIX_EPOCH);
        let mut attempts = 0;
        while let Some(delivery) = outbox.take_due(later()) {
            attempts += 1;
            outbox.attempted(delivery, Ok(500), Timestamp::UNIX_EPOCH);
        }
        assert_eq!(attempts, ATTEMPTS_MAX);
        assert_eq!(outbox.moving(), 0);
    }

    #[test]
    fn copies_and_waiting_deliveries_are_bounded() {
        let (mut outbox, endpoints) = (Outbox::default(), endpoints());
        outbox.announce(&endpoints, event(), Treatment::Plain, Timestamp::UNIX_EPOCH);
        let many = SendRequest { kind: "paid".to_owned(), times: u64::MAX, object: None };
        let sent = outbox.send(&endpoints, "redeliver_webhook", &many, None, Timestamp::UNIX_EPOCH);
        assert_eq!(sent.map(|sent| sent["queued"].clone()), Ok(json!(COPIES_MAX)));
        for _ in 0..PENDING_MAX {
            outbox.announce(&endpoints, event(), Treatment::Plain, Timestamp::UNIX_EPOCH);
        }
        assert_eq!((outbox.pending.len(), outbox.events.len()), (PENDING_MAX, LOG_MAX));
    }

    #[test]
    fn an_addressed_event_goes_to_its_endpoint_only() {
        let (mut outbox, mut endpoints) = (Outbox::default(), [endpoints(), endpoints()].concat());
        endpoints[1].key = Some("hook".to_owned());
        let addressed = Event { only: Some("hook".to_owned()), ..event() };
        outbox.announce(&endpoints, addressed, Treatment::Plain, Timestamp::UNIX_EPOCH);
        assert_eq!(outbox.pending.len(), 1);
        outbox.announce(&endpoints, event(), Treatment::Plain, Timestamp::UNIX_EPOCH);
        assert_eq!(outbox.pending.len(), 3);
    }

    #[test]
    fn an_overtaken_webhook_lets_all_others_go_first_however_late_it_is() {
        let mut outbox = Outbox::default();
        for treatment in [Treatment::Overtaken, Treatment::Plain, Treatment::Plain] {
            outbox.announce(&endpoints(), event(), treatment, Timestamp::UNIX_EPOCH);
        }
        let order = std::iter::from_fn(|| outbox.take_due(later())).map(|delivery| delivery.number);
        assert_eq!(order.collect::<Vec<_>>(), [2, 3, 1]);
    }

    #[test]
    fn nothing_leaves_before_it_is_due() {
        let mut outbox = Outbox::default();
        outbox.announce(&endpoints(), event(), Treatment::Plain, Timestamp::UNIX_EPOCH);
        assert!(outbox.take_due(outbox.next_due().expect("one waits") - Duration::from_millis(1)).is_none());
        assert!(outbox.take_due(later()).is_some());
    }
}
