//! Messages that wait for their time, which is the virtual clock's.

use serde_json::json;

use super::{
    Slack,
    call::{Call, Made},
    chat::{authored, content},
    model::{Message, Scheduled},
    pages::{metadata, page},
    show,
};
use crate::twin::Context;

const AHEAD_MAX_S: i64 = 120 * 86_400; // the service's own limit
const TOO_LATE_S: i64 = 60; // a message this close to its time cannot be taken back

impl Slack {
    pub(super) fn schedule_message(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let channel = self.writable(call)?.id;
        let post_at = call.number("post_at").ok_or("invalid_time")?;
        let date_created = call.context.unix();
        if post_at <= date_created {
            return Err("time_in_past".into());
        }
        if post_at > date_created + AHEAD_MAX_S {
            return Err("time_too_far".into());
        }
        let content = content(call)?;
        let message = Message { thread_ts: call.owned("thread_ts"), ..authored(call, &channel, content) };
        let id = format!("Q{}", call.context.id("scheduled", 10).to_uppercase());
        let mut shown = self.message_json(&message, "");
        shown["type"] = "delayed_message".into();
        shown.as_object_mut().expect("messages are shown as objects").shift_remove("ts");
        let answer = json!({"channel": channel, "scheduled_message_id": id, "post_at": post_at, "message": shown});
        self.scheduled.insert(&id.clone(), Scheduled { id, post_at, date_created, message });
        Ok(answer)
    }

    pub(super) fn list_scheduled(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let (oldest, latest) = (call.number("oldest"), call.number("latest"));
        let wanted = |scheduled: &&Scheduled| {
            scheduled.message.user == call.actor.user
                && call.text("channel").is_none_or(|channel| scheduled.message.channel == channel)
                && oldest.is_none_or(|oldest| scheduled.post_at >= oldest)
                && latest.is_none_or(|latest| scheduled.post_at <= latest)
        };
        let found = self.scheduled.oldest_first().filter(wanted).map(show::scheduled).collect();
        let (page, next) = page(found, call, 100)?;
        Ok(json!({"scheduled_messages": page, "response_metadata": metadata(&next)}))
    }

    pub(super) fn delete_scheduled(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let id = call.need("scheduled_message_id")?;
        let channel = call.need("channel")?;
        let found = self.scheduled.get(id).filter(|it| it.message.channel == channel);
        let found = found.filter(|it| it.post_at - call.context.unix() > TOO_LATE_S);
        if found.is_none() {
            return Err("invalid_scheduled_message_id".into());
        }
        self.scheduled.remove(id);
        Ok(json!({}))
    }

    /// In the order of their times, each at its own.
    pub(super) fn post_what_is_due(&mut self, context: &mut Context<'_>) {
        if self.scheduled.len() == 0 {
            return;
        }
        let due = self.scheduled.oldest_first().filter(|it| it.post_at <= context.unix());
        let mut due: Vec<_> = due.map(|it| (it.post_at, it.id.clone())).collect();
        due.sort();
        let now = context.now;
        for (post_at, id) in due {
            let Some(scheduled) = self.scheduled.remove(&id) else { continue };
            context.now = jiff::Timestamp::from_second(post_at).unwrap_or(now);
            let ts = super::events::instant(context);
            let message = Message { ts, posted_at: context.now, ..scheduled.message.clone() };
            self.post(context, message);
        }
        context.now = now;
    }
}
