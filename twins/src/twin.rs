//! What a twin declares: a manifest, a table of operations, how it authenticates, how it says no. Everything else
//! (routing, faults, idempotency, clock, ids, journal, webhooks, transport) is the engine's, so that a new service is
//! one module. Start at [`Twin`].

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use axum::body::Bytes;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use subtle::ConstantTimeEq;
use url::Url;

use crate::{
    engine::{
        idempotency::IdempotencyRule,
        outbox::Endpoint,
        routes::{Route, Routes},
        seed::Seed,
    },
    http::{Reply, Request},
    wire::Protocol,
};

/// What a twin says about itself.
pub(crate) struct Manifest {
    pub(crate) name: &'static str,
    /// The version of the real API that it speaks.
    pub(crate) api_version: &'static str,
    /// Larger bodies get the service's own refusal.
    pub(crate) body_bytes_max: usize,
    /// Names that `act` understands besides the engine's webhook actions.
    pub(crate) actions: &'static [&'static str],
}

/// One row of a twin's table.
///
/// `path` has `{name}` for a segment and `{*name}` for all that is left; two paths that begin alike must give their
/// parameters the same names. `method` is `*` where the service takes any. Of operations with the same method and path
/// the first whose `when` holds is it, so the one without a condition comes last.
pub(crate) struct Operation<T> {
    pub(crate) name: &'static str,
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    pub(crate) run: Run<T>,
    pub(crate) when: Option<When>,
}

pub(crate) type Run<T> = fn(&mut T, &mut Context<'_>, &Request) -> Answer;

/// What tells operations of one method and path apart: a query, a header, a field.
pub(crate) type When = fn(&Request) -> bool;

/// The table of a twin: `"name" "METHOD" "/path" Self::run;`, with `if condition` before the semicolon for a [`When`].
macro_rules! operations {
    ($($name:literal $method:literal $path:literal $run:path $(, if $when:path)?;)*) => {
        &[$($crate::twin::Operation {
            name: $name, method: $method, path: $path, run: $run, when: $crate::twin::operations!(@ $($when)?),
        }),*]
    };
    (@) => { None };
    (@ $when:path) => { Some($when) };
}
pub(crate) use operations;

/// `Err` is an answer too: the service's own error, written this way so that handlers can use `?`.
pub(crate) type Answer = Result<Reply, Reply>;

/// Why the engine refuses a request; each twin says it in its service's dialect.
#[derive(Debug)]
pub(crate) enum Refusal {
    CredentialsMissing,
    CredentialsWrong,
    CredentialsExpired,
    /// No such operation in this twin: always status 501, naming the gap.
    Unimplemented {
        method: String,
        path: String,
    },
    BodyTooLarge {
        bytes_max: usize,
    },
    BodyMalformed {
        why: String,
    },
    RateLimited {
        retry_after_s: u64,
    },
    /// An injected failure with this status.
    Status(u16),
    IdempotencyMismatch {
        key: String,
        first_path: String,
        path: String,
    },
    IdempotencyInUse {
        key: String,
    },
    IdempotencyKeyTooLong,
}

/// What the bodies of requests are to a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bodies {
    /// What their content type says; one that is not is refused.
    ByContentType,
    /// Bytes to keep, whatever their content type says.
    Opaque,
}

/// Refuses a credential that is not the right one, in a time that does not tell where they differ.
pub(crate) fn check_secret(given: &str, right: &str) -> Result<(), Refusal> {
    let is_right = bool::from(given.as_bytes().ct_eq(right.as_bytes()));
    if is_right { Ok(()) } else { Err(Refusal::CredentialsWrong) }
}

/// A service, imitated. Implementations hold plain state: cloning one is a snapshot.
pub(crate) trait Twin: Clone + Send + Sized + 'static {
    const MANIFEST: Manifest;
    const OPERATIONS: &'static [Operation<Self>];
    const IDEMPOTENCY: Option<IdempotencyRule> = None;
    /// Where all operations are found besides the root: GitHub Enterprise has its API below `/api/v3`.
    const MOUNT: Option<&'static str> = None;
    const BODIES: Bodies = Bodies::ByContentType;
    /// What its clients speak; [`Twin::protocol`] is how, where it is not HTTP.
    const SPEAKS: &'static str = "http";

    /// The path by which an operation is found, for services that may say a part of it elsewhere.
    fn path<'r>(&self, request: &'r Request) -> Cow<'r, str> {
        Cow::Borrowed(&request.path)
    }

    /// `operation` is for services where some calls need no credentials or other ones.
    fn authenticate(&self, request: &Request, operation: &str) -> Result<(), Refusal>;

    /// What else must be right before the operation, where that needs the time or the body: a signed request.
    fn admit(&self, _context: &Context<'_>, _request: &Request, _operation: &str) -> Result<(), Reply> {
        Ok(())
    }

    /// The error body and headers with which the real service would refuse.
    fn refuse(&self, context: &Context<'_>, refusal: &Refusal) -> Reply;

    /// Headers that the service puts on every answer.
    fn decorate(&self, context: &Context<'_>, request: &Request, reply: &mut Reply);

    /// What the service's own description of the operation forbids in this request; it is performed all the same,
    /// and the journal shows it.
    fn violations(&self, _request: &Request, _operation: &str) -> Vec<Violation> {
        Vec::new()
    }

    /// How its clients speak, where that is not HTTP. The bodies of its replies are what goes over the wire.
    fn protocol(&self) -> Option<Protocol> {
        None
    }

    /// Mail that it took, oldest first: for twins that take any.
    fn inbox(&self) -> Option<Vec<Value>> {
        None
    }

    /// A message of the inbox as it came.
    fn raw_mail(&self, _id: &str) -> Option<Bytes> {
        None
    }

    /// Takes a message out of the inbox.
    fn forget_mail(&mut self, _id: &str) -> bool {
        false
    }

    /// The service itself, where its answers are recorded: it is asked before the operation runs.
    fn upstream(&self) -> Option<&Url> {
        None
    }

    /// Runs an operation. A service that does something around each of them (quotas, conditional requests) does it here.
    fn perform(&mut self, context: &mut Context<'_>, request: &Request, operation: &Operation<Self>) -> Reply {
        (operation.run)(self, context, request).unwrap_or_else(|error| error)
    }

    /// The tables, for assertions.
    fn state(&self) -> Value;

    /// Something that happens on the service's own side, without a request.
    fn act(&mut self, context: &mut Context<'_>, action: &str, argument: &Value) -> Result<Value, String>;

    /// A test moved the clock: what the service does by itself when time passes happens now.
    fn clock_moved(&mut self, _context: &mut Context<'_>) {}

    /// Where webhooks go.
    fn endpoints(&self) -> &[Endpoint] {
        &[]
    }

    /// The headers that prove a webhook's origin.
    fn sign(&self, _secret: &str, _payload: &[u8], _at: Timestamp) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    /// The headers of a webhook that comes again: after how many attempts, and what became of the last one (a status, or
    /// why there was none).
    fn repeated(&self, _attempts: u32, _failure: &str) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    /// How the service breaks off a stream that began well: one event, with its blank line at the end.
    fn error_event(&self, context: &Context<'_>, refusal: &Refusal) -> Bytes {
        let body = self.refuse(context, refusal).body.bytes();
        [b"event: error\ndata: ".as_slice(), &body, b"\n\n"].concat().into()
    }

    /// A webhook event about `object`, for deliveries that a test asks for.
    fn forge(&self, _context: &mut Context<'_>, _kind: &str, _object: &Value) -> Option<Event> {
        None
    }
}

/// Where a request leaves the description of its service, and how.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
pub struct Violation {
    /// `query/limit`, `body/amount`, …
    pub at: String,
    pub why: String,
}

/// A webhook event: what is delivered, byte for byte, at every attempt.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) id: String,
    pub(crate) kind: String,
    pub(crate) payload: String,
    /// Besides those of the signature.
    pub(crate) headers: Vec<(&'static str, String)>,
    /// The key of the one endpoint that gets it; none: all that want its kind.
    pub(crate) only: Option<String>,
    /// What the receiver's answer must contain to count as one.
    pub(crate) echo: Option<String>,
}

impl Event {
    pub(crate) fn new(id: impl Into<String>, kind: impl Into<String>, payload: impl Into<String>) -> Self {
        let (id, kind, payload) = (id.into(), kind.into(), payload.into());
        Self { id, kind, payload, headers: Vec::new(), only: None, echo: None }
    }
}

/// What a handler may use besides its state: the time, fresh ids, and the outbox.
pub(crate) struct Context<'a> {
    pub(crate) now: Timestamp,
    /// 24 letters, unique to this request; services cut their request id from it.
    pub(crate) request_token: String,
    ids: &'a mut Ids,
    events: &'a mut Vec<Event>,
}

impl<'a> Context<'a> {
    pub(crate) fn new(now: Timestamp, ids: &'a mut Ids, events: &'a mut Vec<Event>) -> Self {
        let request_token = ids.next("request", 24);
        Self { now, request_token, ids, events }
    }

    /// A fresh id: `prefix` and `length` letters from the stream of that prefix.
    pub(crate) fn id(&mut self, prefix: &'static str, length: usize) -> String {
        format!("{prefix}{}", self.ids.next(prefix, length))
    }

    /// Letters of the stream `name`, without a prefix.
    pub(crate) fn letters(&mut self, name: &'static str, length: usize) -> String {
        self.ids.next(name, length)
    }

    /// How many ids of this prefix exist, this one included: a number that only grows.
    pub(crate) fn number(&mut self, name: &'static str) -> u64 {
        self.ids.count(name)
    }

    /// A context whose ids and events are not this one's: for what must leave no trace.
    pub(crate) fn apart<T>(&self, f: impl FnOnce(&mut Context<'_>) -> T) -> T {
        let (mut ids, mut events) = (self.ids.clone(), Vec::new());
        let request_token = self.request_token.clone();
        f(&mut Context { now: self.now, request_token, ids: &mut ids, events: &mut events })
    }

    pub(crate) fn unix(&self) -> i64 {
        self.now.as_second()
    }

    pub(crate) fn emit(&mut self, event: Event) {
        self.events.push(event);
    }
}

/// Counters of one twin in one space; ids are a function of (seed, space, twin, table, counter).
#[derive(Clone, Debug)]
pub(crate) struct Ids {
    seed: Seed,
    tables: BTreeMap<&'static str, Stream>,
}

/// The ids of one table: how many there are, and what they are drawn from.
#[derive(Clone, Copy, Debug)]
struct Stream {
    count: u64,
    seed: Seed,
}

impl Ids {
    pub(crate) fn new(seed: Seed) -> Self {
        Self { seed, tables: BTreeMap::new() }
    }

    fn advance(&mut self, table: &'static str) -> Stream {
        let stream = self.tables.entry(table).or_insert_with(|| Stream { count: 0, seed: self.seed.child(table) });
        stream.count += 1;
        *stream
    }

    fn count(&mut self, table: &'static str) -> u64 {
        self.advance(table).count
    }

    pub(crate) fn next(&mut self, table: &'static str, length: usize) -> String {
        let Stream { count, seed } = self.advance(table);
        seed.token(count, length)
    }
}

/// [`Twin`] without its type, so that a space can hold many kinds.
pub(crate) trait AnyTwin: Send {
    fn manifest(&self) -> Manifest;
    fn idempotency(&self) -> Option<IdempotencyRule>;
    fn bodies(&self) -> Bodies {
        Bodies::ByContentType
    }
    fn operations(&self) -> Vec<&'static str>;
    fn route(&self, request: &Request) -> Option<Route>;
    fn perform(&mut self, index: usize, context: &mut Context<'_>, request: &Request) -> Reply;
    fn authenticate(&self, request: &Request, operation: &str) -> Result<(), Refusal>;
    fn admit(&self, _context: &Context<'_>, _request: &Request, _operation: &str) -> Result<(), Reply> {
        Ok(())
    }
    fn refuse(&self, context: &Context<'_>, refusal: &Refusal) -> Reply;
    fn decorate(&self, context: &Context<'_>, request: &Request, reply: &mut Reply);
    fn violations(&self, request: &Request, operation: &str) -> Vec<Violation>;
    fn upstream(&self) -> Option<&Url> {
        None
    }
    fn protocol(&self) -> Option<Protocol> {
        None
    }
    fn inbox(&self) -> Option<Vec<Value>> {
        None
    }
    fn raw_mail(&self, _id: &str) -> Option<Bytes> {
        None
    }
    fn forget_mail(&mut self, _id: &str) -> bool {
        false
    }
    /// Whether its own port has the admin API of `WireMock`.
    fn speaks_wiremock(&self) -> bool {
        false
    }
    fn state(&self) -> Value;
    fn act(&mut self, context: &mut Context<'_>, action: &str, argument: &Value) -> Result<Value, String>;
    fn error_event(&self, context: &Context<'_>, refusal: &Refusal) -> Bytes;
    fn clock_moved(&mut self, context: &mut Context<'_>);
    fn endpoints(&self) -> &[Endpoint];
    fn sign(&self, secret: &str, payload: &[u8], at: Timestamp) -> Vec<(&'static str, String)>;
    fn repeated(&self, _attempts: u32, _failure: &str) -> Vec<(&'static str, String)> {
        Vec::new()
    }
    fn forge(&self, context: &mut Context<'_>, kind: &str, object: &Value) -> Option<Event>;
    fn boxed(&self) -> Box<dyn AnyTwin>;
}

/// A twin with its routes, which all snapshots of it share.
#[derive(Clone)]
struct Hosted<T: Twin> {
    twin: T,
    routes: Arc<Routes>,
}

/// `twin`, ready to be served.
pub(crate) fn hosted<T: Twin>(twin: T) -> Box<dyn AnyTwin> {
    Box::new(Hosted { twin, routes: Arc::new(Routes::of(T::OPERATIONS, T::MOUNT)) })
}

impl<T: Twin> AnyTwin for Hosted<T> {
    fn manifest(&self) -> Manifest {
        T::MANIFEST
    }

    fn idempotency(&self) -> Option<IdempotencyRule> {
        T::IDEMPOTENCY
    }

    fn bodies(&self) -> Bodies {
        T::BODIES
    }

    fn operations(&self) -> Vec<&'static str> {
        names::<T>()
    }

    fn route(&self, request: &Request) -> Option<Route> {
        self.routes.at(&self.twin.path(request), request)
    }

    fn perform(&mut self, index: usize, context: &mut Context<'_>, request: &Request) -> Reply {
        self.twin.perform(context, request, &T::OPERATIONS[index])
    }

    fn authenticate(&self, request: &Request, operation: &str) -> Result<(), Refusal> {
        self.twin.authenticate(request, operation)
    }

    fn admit(&self, context: &Context<'_>, request: &Request, operation: &str) -> Result<(), Reply> {
        self.twin.admit(context, request, operation)
    }

    fn refuse(&self, context: &Context<'_>, refusal: &Refusal) -> Reply {
        self.twin.refuse(context, refusal)
    }

    fn decorate(&self, context: &Context<'_>, request: &Request, reply: &mut Reply) {
        self.twin.decorate(context, request, reply);
    }

    fn violations(&self, request: &Request, operation: &str) -> Vec<Violation> {
        self.twin.violations(request, operation)
    }

    fn upstream(&self) -> Option<&Url> {
        self.twin.upstream()
    }

    fn protocol(&self) -> Option<Protocol> {
        self.twin.protocol()
    }

    fn inbox(&self) -> Option<Vec<Value>> {
        self.twin.inbox()
    }

    fn raw_mail(&self, id: &str) -> Option<Bytes> {
        self.twin.raw_mail(id)
    }

    fn forget_mail(&mut self, id: &str) -> bool {
        self.twin.forget_mail(id)
    }

    fn state(&self) -> Value {
        self.twin.state()
    }

    fn act(&mut self, context: &mut Context<'_>, action: &str, argument: &Value) -> Result<Value, String> {
        self.twin.act(context, action, argument)
    }

    fn error_event(&self, context: &Context<'_>, refusal: &Refusal) -> Bytes {
        self.twin.error_event(context, refusal)
    }

    fn clock_moved(&mut self, context: &mut Context<'_>) {
        self.twin.clock_moved(context);
    }

    fn endpoints(&self) -> &[Endpoint] {
        self.twin.endpoints()
    }

    fn sign(&self, secret: &str, payload: &[u8], at: Timestamp) -> Vec<(&'static str, String)> {
        self.twin.sign(secret, payload, at)
    }

    fn repeated(&self, attempts: u32, failure: &str) -> Vec<(&'static str, String)> {
        self.twin.repeated(attempts, failure)
    }

    fn forge(&self, context: &mut Context<'_>, kind: &str, object: &Value) -> Option<Event> {
        self.twin.forge(context, kind, object)
    }

    fn boxed(&self) -> Box<dyn AnyTwin> {
        Box::new(self.clone())
    }
}

/// One twin, as lints and tools see it.
#[derive(Clone, Debug, Serialize)]
pub struct TwinInfo {
    pub name: &'static str,
    pub api_version: &'static str,
    /// What its clients speak: `http`, `smtp`.
    pub speaks: &'static str,
    pub operations: Vec<&'static str>,
    /// How each operation is called, in the same order.
    pub routes: Vec<RouteInfo>,
    /// What `act` understands, webhook actions included.
    pub actions: Vec<&'static str>,
}

/// Method (`*`: any) and path of an operation.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct RouteInfo {
    pub operation: &'static str,
    pub method: &'static str,
    pub path: &'static str,
}

/// An operation that has several paths counts once; its rows stand together.
fn names<T: Twin>() -> Vec<&'static str> {
    let mut names: Vec<_> = T::OPERATIONS.iter().map(|operation| operation.name).collect();
    names.dedup();
    names
}

impl TwinInfo {
    pub(crate) fn of<T: Twin>() -> Self {
        let mut actions = T::MANIFEST.actions.to_vec();
        actions.extend(crate::engine::outbox::ACTIONS);
        Self {
            name: T::MANIFEST.name,
            api_version: T::MANIFEST.api_version,
            speaks: T::SPEAKS,
            operations: names::<T>(),
            routes: T::OPERATIONS
                .iter()
                .map(|operation| RouteInfo {
                    operation: operation.name,
                    method: operation.method,
                    path: operation.path,
                })
                .collect(),
            actions,
        }
    }
}
