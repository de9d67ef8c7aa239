//! Message batches: every request is answered when the batch is made, and its answer is shown when the virtual clock
//! has come to the batch's end. A batch that is cancelled before shows none.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{Anthropic, errors, messages::json_body, pages};
use crate::{
    http::{Reply, Request},
    twin::{Answer, Context},
};

const REQUESTS_MAX: usize = 10_000; // the service takes 100,000; a test should not
const BATCHES_MAX: usize = 1_000; // kept; the oldest leave first
const CUSTOM_ID_CHARS_MAX: usize = 64; // the service's own limit
const EXPIRES_AFTER: SignedDuration = SignedDuration::from_hours(24);
const CANCELLING: SignedDuration = SignedDuration::from_secs(1); // until a cancelled batch has ended

#[derive(Clone)]
pub(super) struct Batch {
    id: String,
    created_at: Timestamp,
    ends_at: Timestamp,
    cancelled_at: Option<Timestamp>,
    /// By `custom_id`, in the order of the requests.
    results: Vec<(String, Value)>,
}

impl Anthropic {
    pub(super) fn create_batch(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let body = json_body(context, request)?;
        let wanted = requests(body).map_err(|why| errors::invalid(context, &why))?;
        let results = wanted.into_iter().map(|(id, params)| (id, self.result(context, params))).collect();
        let (created_at, lasts) = (context.now, SignedDuration::from_millis(self.batch_ms.into()));
        let ends_at = created_at.saturating_add(lasts).expect("a signed duration saturates");
        let batch = Batch { id: context.id("msgbatch_01", 22), created_at, ends_at, cancelled_at: None, results };
        if self.batches.len() == BATCHES_MAX {
            self.batches.remove_oldest();
        }
        self.batches.insert(&batch.id, batch.clone());
        Ok(Reply::json(200, &batch.object(context.now, &request.origin())))
    }

    pub(super) fn list_batches(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let origin = request.origin();
        let all: Vec<Value> = self.batches.newest_first().map(|batch| batch.object(context.now, &origin)).collect();
        Ok(Reply::json(200, &pages::page(context, &request.query, &all)?))
    }

    pub(super) fn retrieve_batch(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        Ok(Reply::json(200, &self.batch(context, request)?.object(context.now, &request.origin())))
    }

    pub(super) fn cancel_batch(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let batch = self.batch(context, request)?;
        if batch.ended(context.now) {
            let message = format!("Batch {} has already ended processing and cannot be canceled.", batch.id);
            return Err(errors::invalid(context, &message));
        }
        let batch = self.batches.get_mut(request.param("batch_id")).expect("found above");
        if batch.cancelled_at.is_none() {
            batch.cancelled_at = Some(context.now);
            let end = context.now.saturating_add(CANCELLING).expect("a signed duration saturates");
            batch.ends_at = batch.ends_at.min(end);
        }
        Ok(Reply::json(200, &batch.object(context.now, &request.origin())))
    }

    pub(super) fn delete_batch(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let batch = self.batch(context, request)?;
        let id = batch.id.clone();
        if !batch.ended(context.now) {
            let message = format!("Batch {id} cannot be deleted while it is being processed; cancel it first.");
            return Err(errors::invalid(context, &message));
        }
        self.batches.remove(&id);
        Ok(Reply::json(200, &json!({"id": id, "type": "message_batch_deleted"})))
    }

    pub(super) fn batch_results(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let batch = self.batch(context, request)?;
        if !batch.ended(context.now) {
            let message = format!("Batch {} has no available results until it has ended processing.", batch.id);
            return Err(errors::not_found(context, &message));
        }
        let lines = batch.results.iter().map(|(id, result)| {
            let result = if batch.cancelled_at.is_some() { &json!({"type": "canceled"}) } else { result };
            format!("{}\n", json!({"custom_id": id, "result": result}))
        });
        Ok(Reply::bytes(200, "application/x-jsonl", lines.collect::<String>()))
    }

    fn batch(&self, context: &Context<'_>, request: &Request) -> Result<&Batch, Reply> {
        let id = request.param("batch_id");
        let gone = || errors::not_found(context, &format!("Batch {id} not found."));
        self.batches.get(id).ok_or_else(gone)
    }

    /// What becomes of one request: a message, or the error that it would have got alone.
    fn result(&mut self, context: &mut Context<'_>, params: &Value) -> Value {
        match self.answer(context, params) {
            Ok((_, message)) => json!({"type": "succeeded", "message": message.whole()}),
            Err(reply) => {
                let error: Value = serde_json::from_slice(&reply.body.bytes()).unwrap_or_default();
                json!({"type": "errored", "error": error})
            }
        }
    }
}

/// The requests by their ids; `Err` is the service's message.
fn requests(body: &Value) -> Result<Vec<(String, &Value)>, String> {
    let given = match &body["requests"] {
        Value::Null => return Err("requests: Field required".to_owned()),
        Value::Array(items) if items.is_empty() => {
            return Err("requests: List should have at least 1 item after validation, not 0".to_owned());
        }
        Value::Array(items) if items.len() > REQUESTS_MAX => {
            return Err(format!("requests: this twin takes at most {REQUESTS_MAX} items"));
        }
        Value::Array(items) => items,
        _ => return Err("requests: Input should be a valid list".to_owned()),
    };
    let mut seen = std::collections::BTreeSet::new();
    let mut wanted = Vec::new();
    for (n, item) in given.iter().enumerate() {
        let id = item["custom_id"].as_str().ok_or_else(|| format!("requests.{n}.custom_id: Field required"))?;
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        if id.is_empty() || id.chars().count() > CUSTOM_ID_CHARS_MAX || !id.chars().all(fits) {
            let pattern = format!("^[a-zA-Z0-9_-]{{1,{CUSTOM_ID_CHARS_MAX}}}$");
            return Err(format!("requests.{n}.custom_id: String should match pattern '{pattern}'"));
        }
        if !seen.insert(id) {
            return Err(format!("requests: custom_id must be unique; \"{id}\" is used more than once"));
        }
        if !item["params"].is_object() {
            return Err(format!("requests.{n}.params: Field required"));
        }
        wanted.push((id.to_owned(), &item["params"]));
    }
    Ok(wanted)
}

impl Batch {
    fn ended(&self, now: Timestamp) -> bool {
        now >= self.ends_at
    }

    fn object(&self, now: Timestamp, origin: &str) -> Value {
        let ended = self.ended(now);
        let status = match (ended, self.cancelled_at) {
            (true, _) => "ended",
            (false, Some(_)) => "canceling",
            (false, None) => "in_progress",
        };
        let id = &self.id;
        let results_url = ended.then(|| format!("{origin}/v1/messages/batches/{id}/results"));
        json!({"id": id, "type": "message_batch", "processing_status": status, "request_counts": self.counts(ended),
            "created_at": self.created_at,
            "expires_at": self.created_at.saturating_add(EXPIRES_AFTER).expect("a signed duration saturates"),
            "ended_at": ended.then_some(self.ends_at), "cancel_initiated_at": self.cancelled_at,
            "archived_at": null, "results_url": results_url})
    }

    fn counts(&self, ended: bool) -> Value {
        let all = self.results.len();
        let errored = self.results.iter().filter(|(_, result)| result["type"] == "errored").count();
        let (processing, canceled, errored, succeeded) = match (ended, self.cancelled_at) {
            (false, _) => (all, 0, 0, 0),
            (true, Some(_)) => (0, all, 0, 0),
            (true, None) => (0, 0, errored, all - errored),
        };
        json!({"processing": processing, "succeeded": succeeded, "errored": errored, "canceled": canceled, "expired": 0})
    }

    /// For `state`: what the batch is, whatever the time.
    pub(super) fn kept(&self) -> Value {
        let results = self.results.iter().map(|(id, result)| json!({"custom_id": id, "result": result}));
        json!({"id": self.id, "created_at": self.created_at, "ends_at": self.ends_at,
            "cancelled_at": self.cancelled_at, "results": results.collect::<Vec<_>>()})
    }
}
