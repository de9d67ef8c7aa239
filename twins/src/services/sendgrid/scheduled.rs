//! Mail that waits for its time, in batches that can be paused and canceled.

use serde_json::{Value, json};

use super::{
    Sendgrid,
    errors::{bare, errors, problem},
    message::Message,
};
use crate::{
    http::{Reply, Request},
    twin::{Answer, Context},
};

/// What happens to the mail of a batch when its time comes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Hold {
    Pause,
    Cancel,
}

impl Hold {
    fn read(value: &Value) -> Result<Self, Reply> {
        match value.as_str() {
            Some("pause") => Ok(Self::Pause),
            Some("cancel") => Ok(Self::Cancel),
            _ => Err(errors(400, [problem("status must be either cancel or pause", "status")])),
        }
    }

    fn shown(self, batch: &str) -> Value {
        json!({"batch_id": batch, "status": match self { Self::Pause => "pause", Self::Cancel => "cancel" }})
    }
}

impl Sendgrid {
    pub(super) fn create_batch(&mut self, context: &mut Context<'_>, _: &Request) -> Answer {
        let id = context.id("batch", 48);
        self.batches.insert(id.clone());
        Ok(Reply::json(201, &json!({ "batch_id": id })))
    }

    pub(super) fn validate_batch(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let id = self.known_batch(request.param("id"))?;
        Ok(Reply::json(200, &json!({ "batch_id": id })))
    }

    pub(super) fn create_hold(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let fields = request.tracked();
        let batch = self.known_batch(fields.get("batch_id").as_str().unwrap_or_default())?.to_owned();
        let hold = Hold::read(fields.get("status"))?;
        if self.holds.contains_key(&batch) {
            return Err(errors(400, [bare("a status for this batch id exists, try PATCH to update the status")]));
        }
        self.holds.insert(batch.clone(), hold);
        Ok(Reply::json(201, &hold.shown(&batch)))
    }

    pub(super) fn list_holds(&mut self, _: &mut Context<'_>, _: &Request) -> Answer {
        let all: Vec<_> = self.holds.iter().map(|(batch, hold)| hold.shown(batch)).collect();
        Ok(Reply::json(200, &all))
    }

    pub(super) fn show_hold(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let batch = request.param("id");
        let found: Vec<_> = self.holds.get(batch).map(|hold| hold.shown(batch)).into_iter().collect();
        Ok(Reply::json(200, &found))
    }

    pub(super) fn update_hold(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let hold = Hold::read(request.tracked().get("status"))?;
        let known = self.holds.get_mut(request.param("id"));
        *known.ok_or_else(|| errors(404, [bare("batch id not found")]))? = hold;
        Ok(Reply::empty(204))
    }

    pub(super) fn delete_hold(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        self.holds.remove(request.param("id")).ok_or_else(|| errors(404, [bare("batch id not found")]))?;
        Ok(Reply::empty(204))
    }

    /// In the order of the times. What is paused stays, what is canceled goes nowhere.
    pub(super) fn send_what_is_due(&mut self, context: &mut Context<'_>) {
        let now = context.now;
        let holds = self.holds.clone();
        let hold = |message: &Message| holds.get(message.batch_id.as_ref()?).copied();
        let leaves = |message: &mut Message| message.is_due(now) && hold(message) != Some(Hold::Pause);
        let mut due: Vec<_> = self.scheduled.extract_if(.., leaves).collect();
        due.sort_by_key(|message| message.send_at);
        for message in due.into_iter().filter(|message| hold(message).is_none()) {
            self.deliver(context, message);
        }
    }

    fn known_batch<'b>(&self, batch: &'b str) -> Result<&'b str, Reply> {
        let is_known = self.batches.contains(batch);
        if is_known { Ok(batch) } else { Err(errors(400, [problem("invalid batch id", "batch_id")])) }
    }
}
