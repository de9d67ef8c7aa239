//! `/__admin/requests` and near misses: the journal, as clients of `WireMock` read it.

use std::{cmp::Ordering, sync::Arc};

use axum::body::Bytes;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use serde_json::{Map, Value as Json, json};

use super::{
    Answered, Desk, done,
    mappings::mapping_of,
    ok,
    pattern::{pattern_of, stub_of},
    refused,
};
use crate::{
    engine::{journal::Entry, seed::hex_id},
    http::{Reply, Request},
    stub::{Stub, View},
};

const NEAREST: usize = 3; // as many as they show

impl Desk<'_> {
    pub(super) fn requests(&self, parts: &[&str]) -> Answered {
        match (self.request.method.as_str(), parts) {
            ("GET", []) => self.list_requests(),
            ("DELETE", []) | ("POST", ["reset"]) => {
                self.forget_requests();
                Ok(done())
            }
            ("POST", ["count"]) => {
                let found = self.matching(self.json()?)?;
                Ok(ok(&json!({"count": found.len(), "requestJournalDisabled": false})))
            }
            ("POST", ["find"]) => {
                let found: Vec<_> = self.matching(self.json()?)?.iter().rev().map(|entry| logged(entry)).collect();
                Ok(ok(&json!({"requests": found, "requestJournalDisabled": false})))
            }
            ("POST", ["remove"]) => {
                let gone = self.matching(self.json()?)?;
                self.settings(|settings| settings.removed.extend(gone.iter().map(|entry| entry.seq)));
                let gone: Vec<_> = gone.iter().map(|entry| event(entry)).collect();
                Ok(ok(&json!({"serveEvents": gone})))
            }
            ("GET", ["unmatched"]) => {
                let found: Vec<_> = self.unmatched().iter().rev().map(|entry| logged(entry)).collect();
                Ok(ok(&json!({"requests": found, "requestJournalDisabled": false})))
            }
            ("GET", ["unmatched", "near-misses"]) => {
                let mut misses = Vec::new();
                for entry in self.unmatched().iter().rev() {
                    misses.extend(self.nearest_stubs(&entry.request.unfolded(), &logged(entry))?);
                }
                Ok(ok(&json!({"nearMisses": misses})))
            }
            ("GET", [id]) => self.by_id(id).map(|entry| ok(&event(&entry))),
            ("DELETE", [id]) => {
                let seq = self.by_id(id)?.seq;
                self.settings(|settings| settings.removed.extend([seq]));
                Ok(done())
            }
            _ => Err(self.unknown()),
        }
    }

    fn list_requests(&self) -> Answered {
        let since = self.query("since").map(str::parse::<Timestamp>).transpose();
        let since = since.map_err(|error| refused(400, &format!("`since` is no time: {error}")))?;
        let mut found = self.entries();
        found.reverse();
        found.retain(|entry| since.is_none_or(|since| entry.virtual_at >= since));
        if self.query("unmatched") == Some("true") {
            found.retain(|entry| entry.operation.is_none());
        }
        let total = found.len();
        let shown: Vec<_> = self.page(found).iter().map(|entry| event(entry)).collect();
        Ok(ok(&json!({"requests": shown, "meta": {"total": total}, "requestJournalDisabled": false})))
    }

    /// Forgets here all calls so far.
    pub(super) fn forget_requests(&self) {
        let last = self.entries().last().map(|entry| entry.seq);
        self.settings(|settings| {
            settings.forgotten = last.unwrap_or(settings.forgotten);
            settings.removed.clear();
        });
    }

    /// The calls of the twin that are not forgotten, oldest first.
    fn entries(&self) -> Vec<Arc<Entry>> {
        let (forgotten, removed) = self.settings(|settings| (settings.forgotten, settings.removed.clone()));
        let core = self.shared.core();
        let known = |entry: &&Arc<Entry>| entry.seq > forgotten && !removed.contains(&entry.seq);
        core.journal.of_twin(self.twin).filter(known).cloned().collect()
    }

    fn unmatched(&self) -> Vec<Arc<Entry>> {
        let mut all = self.entries();
        all.retain(|entry| entry.operation.is_none());
        all
    }

    fn matching(&self, pattern: &Json) -> Result<Vec<Arc<Entry>>, Reply> {
        let pattern = pattern_of(pattern)?;
        let mut found = self.entries();
        found.retain(|entry| pattern.fits(&View::new(&entry.request.unfolded())));
        Ok(found)
    }

    fn by_id(&self, id: &str) -> Result<Arc<Entry>, Reply> {
        let found = self.entries().into_iter().find(|entry| id_of(entry) == id);
        found.ok_or_else(|| refused(404, &format!("there is no request `{id}`")))
    }

    /// Of a request, the stubs that it nearly met; of a pattern, the requests that nearly meet it.
    pub(super) fn near_misses(&self, of: &str) -> Answered {
        let body = self.json()?;
        let misses = match of {
            "request" => self.nearest_stubs(&as_request(body)?, body)?,
            "request-pattern" => self.nearest_requests(body)?,
            _ => return Err(self.unknown()),
        };
        Ok(ok(&json!({"nearMisses": misses})))
    }

    fn nearest_stubs(&self, request: &Request, shown: &Json) -> Result<Vec<Json>, Reply> {
        let view = View::new(request);
        let mut misses = Vec::new();
        for mapping in self.stubs()?.iter().map(mapping_of) {
            // One that stands in the definition may say more than a mapping can.
            let Ok(stub) = stub_of(&mapping).and_then(|file| compiled(&file)) else { continue };
            let distance = stub.distance(&view);
            misses.push((distance, json!({"request": shown, "stubMapping": mapping, "matchResult": result(distance)})));
        }
        Ok(nearest(misses))
    }

    fn nearest_requests(&self, pattern: &Json) -> Result<Vec<Json>, Reply> {
        let stub = pattern_of(pattern)?;
        let misses = self.entries().into_iter().rev().map(|entry| {
            let distance = stub.distance(&View::new(&entry.request.unfolded()));
            let miss = json!({"request": logged(&entry), "requestPattern": pattern, "matchResult": result(distance)});
            (distance, miss)
        });
        Ok(nearest(misses.collect()))
    }
}

fn compiled(file: &crate::stub::StubFile) -> Result<Stub, Reply> {
    Stub::compile(file, String::new(), Json::Null).map_err(|why| refused(422, &why))
}

/// The first ones by distance, without those that are none.
fn nearest(mut misses: Vec<(f64, Json)>) -> Vec<Json> {
    misses.retain(|(distance, _)| *distance > 0.0);
    misses.sort_by(|(one, _), (other, _)| one.partial_cmp(other).unwrap_or(Ordering::Equal));
    misses.into_iter().take(NEAREST).map(|(_, miss)| miss).collect()
}

fn result(distance: f64) -> Json {
    json!({ "distance": distance })
}

/// A request that a client writes down, as it would have come.
fn as_request(written: &Json) -> Result<Request, Reply> {
    let text = |name: &str| written[name].as_str().unwrap_or_default();
    let mut request = hyper::Request::builder().method(text("method")).uri(text("url"));
    for (name, value) in written["headers"].as_object().into_iter().flatten() {
        request = request.header(name, value.as_str().unwrap_or_default());
    }
    let request = request.body(()).map_err(|error| refused(422, &error.to_string()))?;
    Ok(Request::new(&request.into_parts().0, 0, Some(Bytes::from(text("body").to_owned()))))
}

/// In the shape of a UUID.
fn id_of(entry: &Entry) -> String {
    hex_id(&entry.seq.to_string())
}

fn event(entry: &Entry) -> Json {
    let matched = entry.operation.is_some();
    let answered = entry.reply.as_ref().map(|reply| {
        let headers: Map<_, _> = reply.headers.iter().map(|(name, value)| (name.to_string(), json!(value))).collect();
        let body = reply.body.bytes();
        json!({"status": reply.status, "headers": headers, "body": String::from_utf8_lossy(&body)})
    });
    json!({
        "id": id_of(entry),
        "request": logged(entry),
        "responseDefinition": {"status": entry.reply.as_ref().map_or(0, |reply| reply.status)},
        "response": answered,
        "wasMatched": matched,
        "stubMapping": entry.operation.map(|operation| json!({ "name": operation })),
    })
}

fn logged(entry: &Entry) -> Json {
    let request = &entry.request;
    let query = if request.raw_query.is_empty() { String::new() } else { format!("?{}", request.raw_query) };
    let url = format!("{}{query}", request.path);
    let headers: Map<_, _> = request.headers.iter().map(|(name, value)| (name.to_owned(), json!(value))).collect();
    json!({
        "id": id_of(entry),
        "url": url,
        "absoluteUrl": format!("{}{url}", request.origin()),
        "method": request.method,
        "clientIp": "127.0.0.1",
        "headers": headers,
        "cookies": {},
        "browserProxyRequest": false,
        "loggedDate": entry.virtual_at.as_millisecond(),
        "loggedDateString": entry.virtual_at.to_string(),
        "body": String::from_utf8_lossy(&request.body),
        "bodyAsBase64": STANDARD.encode(&request.body),
    })
}
