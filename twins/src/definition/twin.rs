//! A declared twin, as the engine sees it: stubs before operations, operations on rows, and its own way to say no.

use std::{collections::BTreeMap, sync::Arc};

use axum::body::Bytes;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use hyper::header::{HeaderName, HeaderValue};
use jiff::Timestamp;
use serde_json::{Map, Value as Json, json};
use sha2::Sha256;

use super::{
    act::{ACTIONS, act},
    call::{Call, event},
    draw::Draw,
    errors::Problem,
    format::{AuthBy, Encoding, KeyFile},
    plan::{Auth, OperationPlan, Plan},
    rows::Rows,
    template::Scope,
};
use crate::{
    engine::{idempotency::IdempotencyRule, outbox::Endpoint, routes::Route},
    http::{Reply, Request},
    stub::{NAMELESS, Stubs, View},
    twin::{AnyTwin, Context, Event, Manifest, Refusal, Violation},
};

const WINDOWS_MAX: usize = 10_000; // keys whose rate is remembered; then all begin anew

/// Cloning it is a snapshot.
#[derive(Clone)]
pub(super) struct Own {
    pub(super) plan: Arc<Plan>,
    pub(super) keys: Arc<BTreeMap<String, KeyFile>>,
    pub(super) endpoints: Arc<Vec<Endpoint>>,
    pub(super) rows: Rows,
    pub(super) stubs: Stubs,
    /// What a reset of the stubs goes back to.
    pub(super) first_stubs: Stubs,
    /// By key: the window of time, and the requests in it.
    pub(super) windows: BTreeMap<String, (i64, u64)>,
}

impl Own {
    fn scope<'a>(&'a self, context: &Context<'_>, request: Option<&'a Request>) -> Scope<'a> {
        scope(&self.plan, context, request)
    }

    /// Books the request, and refuses it where its key has had enough.
    fn meter(&mut self, request: &Request, now: Timestamp) -> Result<(), Problem> {
        let Some(rate) = self.plan.rate_limit else { return Ok(()) };
        let per_ms = i64::try_from(rate.per_ms).unwrap_or(i64::MAX).max(1);
        let window = now.as_millisecond() / per_ms;
        let key = self.plan.auth.as_ref().and_then(|auth| credential(auth, request)).unwrap_or_default();
        if self.windows.len() >= WINDOWS_MAX {
            self.windows.clear();
        }
        let (known, count) = self.windows.entry(key).or_insert((window, 0));
        if *known != window {
            (*known, *count) = (window, 0);
        }
        *count += 1;
        if *count <= rate.requests {
            return Ok(());
        }
        let left_ms = (window + 1) * per_ms - now.as_millisecond();
        let retry_after_s = u64::try_from(left_ms).unwrap_or(0).div_ceil(1_000);
        Err(Problem::of(&Refusal::RateLimited { retry_after_s }))
    }

    /// Whether the key is still good, and good for this.
    fn allow(&self, operation: &OperationPlan, request: &Request, now: Timestamp) -> Result<(), Problem> {
        let Some(auth) = self.plan.auth.as_ref().filter(|_| !operation.public) else { return Ok(()) };
        let Some(key) = credential(auth, request).and_then(|key| self.keys.get(&key)) else { return Ok(()) };
        if key.expires_at.is_some_and(|at| at <= now) {
            return Err(Problem::of(&Refusal::CredentialsExpired));
        }
        let Some(scope) = &operation.scope else { return Ok(()) };
        if key.scopes.as_ref().is_none_or(|scopes| scopes.contains(scope)) {
            return Ok(());
        }
        Err(Problem::new("forbidden", format!("this needs the scope {scope}")))
    }

    fn call(&mut self, index: usize, context: &mut Context<'_>, request: &Request) -> Result<Reply, Problem> {
        let plan = Arc::clone(&self.plan);
        let operation = &plan.operations[index];
        let scope = scope(&plan, context, Some(request));
        let now = context.now;
        // Time goes on for refused requests too.
        let moved = self.rows.ripen(&plan, now);
        let mut rows = self.rows.clone();
        let mut call = Call { plan: &plan, rows: &mut rows, context, request, scope, events: Vec::new() };
        call.tell(moved)?;
        call.send();
        self.allow(operation, request, now)?;
        self.meter(request, now)?;
        let reply = call.run(operation)?;
        call.send();
        self.rows = rows;
        Ok(reply)
    }

    fn answer_stub(&mut self, place: usize, context: &Context<'_>, request: &Request) -> Reply {
        let Some(stub) = self.stubs.get(place).cloned() else { return Reply::empty(500) };
        let reply = stub.reply(&View::new(request), Draw::new(&context.request_token), context.now);
        self.stubs.served(&stub);
        reply
    }
}

fn scope<'a>(plan: &'a Plan, context: &Context<'_>, request: Option<&'a Request>) -> Scope<'a> {
    let scope = Scope::new(&plan.templates, Draw::new(&context.request_token), context.now);
    match request {
        Some(request) => scope.with_request(request),
        None => scope,
    }
}

/// What the request shows to be let in.
fn credential(auth: &Auth, request: &Request) -> Option<String> {
    match auth.by {
        AuthBy::Bearer => request.bearer().map(str::to_owned),
        AuthBy::Basic => {
            let (scheme, encoded) = request.header("authorization")?.split_once(' ')?;
            let bytes = STANDARD.decode(encoded.trim()).ok().filter(|_| scheme.eq_ignore_ascii_case("basic"))?;
            String::from_utf8(bytes).ok()
        }
        AuthBy::Header => request.header(&auth.name).map(str::to_owned),
        AuthBy::Query => View::new(request).query(&auth.name).first().map(|key| (*key).to_owned()),
    }
}

impl AnyTwin for Own {
    fn manifest(&self) -> Manifest {
        let Plan { name, version, body_bytes_max, .. } = *self.plan;
        Manifest { name, api_version: version, body_bytes_max, actions: &ACTIONS }
    }

    fn idempotency(&self) -> Option<IdempotencyRule> {
        self.plan.idempotency
    }

    fn operations(&self) -> Vec<&'static str> {
        let own = self.plan.operations.iter().map(|operation| operation.name);
        own.chain(self.plan.stub_operations.iter().copied()).chain([NAMELESS]).collect()
    }

    fn route(&self, request: &Request) -> Option<Route> {
        if let Some(place) = self.stubs.find(&View::new(request)) {
            let operation = self.stubs.get(place)?.operation;
            return Some(Route { index: self.plan.operations.len() + place, operation, params: Vec::new() });
        }
        self.plan.routes.find(request)
    }

    fn perform(&mut self, index: usize, context: &mut Context<'_>, request: &Request) -> Reply {
        let operations = self.plan.operations.len();
        let mut reply = if index >= operations {
            self.answer_stub(index - operations, context, request)
        } else {
            match self.call(index, context, request) {
                Ok(reply) => reply,
                Err(problem) => self.plan.sayings.reply(&problem, self.scope(context, Some(request))),
            }
        };
        // A template may have made what no header can hold.
        let sendable =
            |name: &str, value: &str| HeaderName::try_from(name).is_ok() && HeaderValue::try_from(value).is_ok();
        reply.headers.retain(|(name, value)| sendable(name, value));
        reply
    }

    fn authenticate(&self, request: &Request, operation: &str) -> Result<(), Refusal> {
        let Some(auth) = &self.plan.auth else { return Ok(()) };
        let own = self.plan.operations.iter().find(|known| known.name == operation);
        // A stub says itself whom it answers.
        if own.is_none_or(|operation| operation.public) {
            return Ok(());
        }
        let key = credential(auth, request).ok_or(Refusal::CredentialsMissing)?;
        if self.keys.contains_key(&key) { Ok(()) } else { Err(Refusal::CredentialsWrong) }
    }

    fn refuse(&self, context: &Context<'_>, refusal: &Refusal) -> Reply {
        self.plan.sayings.reply(&Problem::of(refusal), self.scope(context, None))
    }

    fn decorate(&self, context: &Context<'_>, request: &Request, reply: &mut Reply) {
        if self.plan.style.headers.is_empty() {
            return;
        }
        let mut scope = self.scope(context, Some(request));
        scope.set("request_id", context.request_token.clone());
        for (name, value) in &self.plan.style.headers {
            let value = scope.text(value).unwrap_or_default();
            if HeaderName::try_from(name.as_str()).is_ok() && HeaderValue::try_from(value.as_str()).is_ok() {
                reply.set(name.clone(), value);
            }
        }
    }

    fn violations(&self, _request: &Request, _operation: &str) -> Vec<Violation> {
        Vec::new()
    }

    fn speaks_wiremock(&self) -> bool {
        self.plan.admin.is_some()
    }

    fn state(&self) -> Json {
        let rows = |table: usize| -> Vec<&Map<String, Json>> {
            self.rows.tables[table].rows.oldest_first().map(|row| &row.fields).collect()
        };
        let mut state: Map<_, _> =
            self.plan.tables.iter().enumerate().map(|(place, of)| (of.name.clone(), json!(rows(place)))).collect();
        if !self.stubs.is_empty() {
            let scenarios = self.stubs.scenarios();
            let scenarios: BTreeMap<_, _> = scenarios.iter().map(|(name, (state, _))| (*name, *state)).collect();
            state.insert("scenarios".to_owned(), json!(scenarios));
        }
        Json::Object(state)
    }

    fn act(&mut self, context: &mut Context<'_>, action: &str, argument: &Json) -> Result<Json, String> {
        act(self, context, action, argument)
    }

    fn error_event(&self, context: &Context<'_>, refusal: &Refusal) -> Bytes {
        let body = self.refuse(context, refusal).body.bytes();
        [b"event: error\ndata: ".as_slice(), &body, b"\n\n"].concat().into()
    }

    fn clock_moved(&mut self, context: &mut Context<'_>) {
        let plan = Arc::clone(&self.plan);
        for moved in self.rows.ripen(&plan, context.now) {
            let mut scope = scope(&plan, context, None);
            // A payload that cannot be made is not sent; the next request says why.
            if let Ok(Some(event)) = event(&plan, &mut scope, &moved.event, &moved.row, Some(&moved.previous)) {
                context.emit(event);
            }
        }
    }

    fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }

    fn sign(&self, secret: &str, payload: &[u8], at: Timestamp) -> Vec<(&'static str, String)> {
        let Some(webhooks) = &self.plan.webhooks else { return Vec::new() };
        let (t, sign) = (at.as_second().to_string(), &webhooks.sign);
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
        let (before, after) = sign.over.split_once("{body}").unwrap_or((&sign.over, ""));
        mac.update(before.replace("{t}", &t).as_bytes());
        if sign.over.contains("{body}") {
            mac.update(payload);
        }
        mac.update(after.replace("{t}", &t).as_bytes());
        let mac = mac.finalize().into_bytes();
        let mac = match sign.encoding {
            Encoding::Hex => hex::encode(mac),
            Encoding::Base64 => STANDARD.encode(mac),
        };
        let value = sign.value.replace("{t}", &t).replace("{mac}", &mac);
        std::iter::once((webhooks.header, value)).chain(webhooks.time_header.map(|name| (name, t.clone()))).collect()
    }

    fn forge(&self, context: &mut Context<'_>, kind: &str, object: &Json) -> Option<Event> {
        let webhooks = self.plan.webhooks.as_ref()?;
        let mut scope = self.scope(context, None);
        let id = format!("{}{}", webhooks.prefix, scope.draw.letters(24));
        scope.set("event", json!({"id": id, "type": kind}));
        scope.set("object", object.clone());
        let payload = scope.value(&webhooks.payload).ok().flatten()?;
        Some(Event::new(id, kind, payload.to_string()))
    }

    fn boxed(&self) -> Box<dyn AnyTwin> {
        Box::new(self.clone())
    }
}
