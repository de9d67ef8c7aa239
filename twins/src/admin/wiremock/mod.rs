//! The admin API of `WireMock` on the port of a twin whose definition says `admin: wiremock`, so that clients written for
//! it work unchanged: mappings, the request journal, scenarios, settings. A translation: stubs, their states and the
//! journal are the engine's. What has no counterpart is refused by name; nothing of it is a call in the journal.
//!
//! `mappings` changes stubs, `requests` looks into the journal, `pattern` says which requests a mapping means.

mod mappings;
mod pattern;
mod requests;

use std::{collections::BTreeSet, sync::Arc};

use serde_json::{Value as Json, json};

use crate::{
    Space,
    engine::{core::Transport, shared::Shared},
    http::{Content, Reply, Request},
};

const PREFIX: &str = "/__admin";
const SPEAKS: &str = "3.13.2"; // the version whose API this is
const DELAY_MS_MAX: u64 = 60_000; // of an answer, as for stubs

/// What clients have set, in one space.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings {
    /// Calls up to this number are forgotten here; the journal keeps them.
    forgotten: u64,
    removed: BTreeSet<u64>,
    fixed_delay_ms: Option<u64>,
}

impl Settings {
    /// An answer that nothing else delays waits as long as clients have said.
    pub(crate) fn delay(&self, transport: Transport) -> Transport {
        match (transport, self.fixed_delay_ms) {
            (Transport::Whole, Some(ms)) => {
                Transport::Late { delay: std::time::Duration::from_millis(ms), at_event: None }
            }
            _ => transport,
        }
    }
}

/// The admin API's answer; none where the request is not for it.
pub(crate) fn answer(shared: &Arc<Shared>, twin: &str, request: &Request) -> Option<Reply> {
    let rest = request.path.strip_prefix(PREFIX).filter(|rest| rest.is_empty() || rest.starts_with('/'))?;
    let desk = Desk { shared, space: Space::of(Arc::clone(shared)), twin, request };
    let parts: Vec<&str> = rest.split('/').filter(|part| !part.is_empty()).collect();
    Some(desk.answer(&parts).unwrap_or_else(|refused| refused))
}

type Answered = Result<Reply, Reply>;

/// One request to the admin API.
struct Desk<'a> {
    shared: &'a Arc<Shared>,
    space: Space,
    twin: &'a str,
    request: &'a Request,
}

impl Desk<'_> {
    fn answer(&self, parts: &[&str]) -> Answered {
        match (self.request.method.as_str(), parts) {
            (_, ["mappings", rest @ ..]) => self.mappings(rest),
            (_, ["requests", rest @ ..]) => self.requests(rest),
            ("POST", ["near-misses", of]) => self.near_misses(of),
            ("GET", ["scenarios"]) => Ok(ok(&json!({"scenarios": self.act("scenarios", Json::Null)?}))),
            ("POST", ["scenarios", "reset"]) => self.act("reset_scenarios", Json::Null).map(|_| done()),
            ("PUT", ["scenarios", name, "state"]) => self.set_state(name),
            ("POST", ["reset"]) => {
                self.act("reset_stubs", Json::Null)?;
                self.act("reset_scenarios", Json::Null)?;
                self.forget_requests();
                Ok(done())
            }
            ("GET", ["settings"]) => {
                let delay = self.settings(|settings| settings.fixed_delay_ms);
                Ok(ok(&json!({"settings": {"fixedDelay": delay}})))
            }
            ("POST" | "PUT", ["settings"]) => self.set_delay(),
            ("GET", ["health"]) => {
                let now = self.space.now().to_string();
                Ok(ok(&json!({"status": "healthy", "message": "Wiremock is ok", "version": SPEAKS, "timestamp": now})))
            }
            ("GET", ["version"]) => Ok(ok(&json!({"version": SPEAKS}))),
            _ => Err(self.unknown()),
        }
    }

    fn set_state(&self, name: &str) -> Answered {
        let name = percent_encoding::percent_decode_str(name).decode_utf8_lossy();
        let body = if self.request.body.is_empty() { &Json::Null } else { self.json()? };
        let state = body["state"].as_str().unwrap_or(crate::stub::STARTED);
        let set = self.space.act(self.twin, json!({"set_scenario": {"name": name, "state": state}}));
        set.map(|_| done()).map_err(|error| refused(404, &error.to_string()))
    }

    fn set_delay(&self) -> Answered {
        let body = self.json()?;
        let settings = body.get("settings").unwrap_or(body);
        let delay = &settings["fixedDelay"];
        let ms = delay.as_u64().filter(|ms| *ms <= DELAY_MS_MAX);
        if ms.is_none() && !delay.is_null() {
            return Err(refused(422, &format!("`fixedDelay` is a number of at most {DELAY_MS_MAX} ms")));
        }
        if !settings["delayDistribution"].is_null() {
            return Err(refused(422, "`delayDistribution` for all stubs has no counterpart; give it to a mapping"));
        }
        self.settings(|known| known.fixed_delay_ms = ms);
        Ok(done())
    }

    fn settings<T>(&self, with: impl FnOnce(&mut Settings) -> T) -> T {
        let mut core = self.shared.core();
        let cell = core.cells.get_mut(self.twin).expect("a listener exists only for a twin of the space");
        with(&mut cell.wiremock)
    }

    /// What the twin can be told by everybody.
    fn act(&self, action: &str, argument: Json) -> Result<Json, Reply> {
        let told = self.space.act(self.twin, json!({ action: argument }));
        told.map_err(|error| refused(422, &error.to_string()))
    }

    /// The body, which need not say that it is JSON.
    fn json(&self) -> Result<&Json, Reply> {
        match &self.request.content {
            Content::Json(value) => Ok(value),
            Content::Malformed(why) => Err(refused(400, why)),
            _ => Err(refused(400, "the body is to be JSON, with content-type application/json")),
        }
    }

    fn query(&self, name: &str) -> Option<&str> {
        self.request.query[name].as_str()
    }

    /// A part of a list, as `limit` and `offset` ask.
    fn page<T>(&self, all: Vec<T>) -> Vec<T> {
        let number = |name: &str| self.query(name).and_then(|text| text.parse::<usize>().ok());
        all.into_iter().skip(number("offset").unwrap_or(0)).take(number("limit").unwrap_or(usize::MAX)).collect()
    }

    fn unknown(&self) -> Reply {
        let Request { method, path, .. } = self.request;
        refused(501, &format!("{method} {path} is not in this twin's admin API"))
    }
}

fn ok(value: &Json) -> Reply {
    Reply::json(200, value)
}

fn done() -> Reply {
    ok(&json!({}))
}

/// In the shape of their errors.
fn refused(status: u16, why: &str) -> Reply {
    Reply::json(status, &json!({"errors": [{"code": 10, "title": why, "detail": why}]}))
}
