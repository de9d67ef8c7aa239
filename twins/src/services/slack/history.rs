//! Reading a channel: its messages, its threads, and up to where.

use serde_json::json;

use super::{
    Slack,
    call::{Call, Made},
    errors::Failure,
    messages::key,
    model::{Channel, Message},
    pages::{metadata, page},
};

impl Slack {
    pub(super) fn show_history(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let channel = self.readable_channel(call)?;
        let wanted = |message: &&Message| {
            let in_thread = message.thread_ts.as_ref().is_some_and(|thread| *thread != message.ts);
            (!in_thread || message.is_broadcast) && in_window(call, &message.ts)
        };
        let found: Vec<_> = self.messages_in(&channel.id).filter(wanted).collect();
        let (page, next) = page(found, call, 100)?;
        let shown: Vec<_> = page.into_iter().map(|message| self.message_json(message, &call.actor.user)).collect();
        let pins = self.messages_in(&channel.id).filter(|message| message.pinned.is_some()).count();
        let mut answer = json!({"messages": shown, "has_more": !next.is_empty(), "pin_count": pins,
            "channel_actions_ts": null, "channel_actions_count": 0});
        if !next.is_empty() {
            answer["response_metadata"] = metadata(&next);
        }
        Ok(answer)
    }

    pub(super) fn show_replies(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let channel = self.readable_channel(call)?;
        let ts = call.need("ts")?;
        let asked = self.messages.get(&key(&channel.id, ts)).ok_or("thread_not_found")?;
        let parent = asked.thread_ts.as_deref().unwrap_or(ts);
        let parent = self.messages.get(&key(&channel.id, parent)).ok_or("thread_not_found")?;
        let replies = parent.replies.iter().filter_map(|reply| self.messages.get(&key(&channel.id, &reply.ts)));
        let replies = replies.filter(|message| in_window(call, &message.ts));
        // The parent is on every page's side: it is the first message whatever the window.
        let thread: Vec<_> = std::iter::once(parent).chain(replies).collect();
        let (page, next) = page(thread, call, 1_000)?;
        let shown: Vec<_> = page.into_iter().map(|message| self.message_json(message, &call.actor.user)).collect();
        let mut answer = json!({"messages": shown, "has_more": !next.is_empty()});
        if !next.is_empty() {
            answer["response_metadata"] = metadata(&next);
        }
        Ok(answer)
    }

    pub(super) fn mark_conversation(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let id = self.readable_channel(call)?.id.clone();
        let ts = call.need("ts")?;
        let is_ts = ts.split_once('.').is_some_and(|(seconds, rest)| {
            [seconds, rest].iter().all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
        });
        if !is_ts {
            return Err("invalid_timestamp".into());
        }
        self.update(&id, |channel| {
            channel.last_read.insert(call.actor.user.clone(), ts.to_owned());
        });
        Ok(json!({}))
    }

    fn readable_channel(&self, call: &Call<'_, '_, '_>) -> Result<&Channel, Failure> {
        let channel = self.channel_of(call)?;
        if channel.has(&call.actor.user) { Ok(channel) } else { Err("not_in_channel".into()) }
    }
}

/// Whether a `ts` is between `oldest` and `latest`, which count themselves with `inclusive`. All have the same number
/// of digits until the year 2286, so their order is the one of texts.
fn in_window(call: &Call<'_, '_, '_>, ts: &str) -> bool {
    let inclusive = call.flag("inclusive");
    let bound =
        |name| call.value(name).as_str().map(str::to_owned).or_else(|| Some(call.value(name).as_f64()?.to_string()));
    let after = bound("oldest").filter(|oldest| oldest != "0" && !oldest.is_empty());
    let before = bound("latest").filter(|latest| latest != "now" && !latest.is_empty());
    after.is_none_or(|oldest| *ts > *oldest || (inclusive && ts == oldest))
        && before.is_none_or(|latest| *ts < *latest || (inclusive && ts == latest))
}
