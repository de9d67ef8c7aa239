//! Messages in their channels and threads: how they are kept, found, changed and removed, whoever asks.

use serde_json::{Value, json};

use super::{
    Slack,
    call::Call,
    errors::Failure,
    events::{EVENTS, instant},
    model::{BOT_USER, Channel, Content, Kind, Message, Reply},
};
use crate::twin::Context;

pub(super) fn key(channel: &str, ts: &str) -> String {
    format!("{channel}/{ts}")
}

/// A message that is written now.
pub(super) fn written(context: &mut Context<'_>, channel: &str, user: &str, by_app: bool, content: Content) -> Message {
    Message {
        ts: instant(context),
        channel: channel.to_owned(),
        user: user.to_owned(),
        by_app,
        subtype: None,
        content,
        thread_ts: None,
        is_broadcast: false,
        replies: Vec::new(),
        edited: None,
        reactions: Vec::new(),
        pinned: None,
        files: Vec::new(),
        posted_at: context.now,
    }
}

impl Slack {
    /// Keeps a message, tells its thread, and tells who listens.
    pub(super) fn post(&mut self, context: &mut Context<'_>, message: Message) {
        let thread = message.thread_ts.as_ref().filter(|thread| **thread != message.ts);
        if let Some(parent) = thread.and_then(|thread| self.messages.get_mut(&key(&message.channel, thread))) {
            parent.thread_ts.get_or_insert_with(|| parent.ts.clone());
            parent.replies.push(Reply { user: message.user.clone(), ts: message.ts.clone() });
        }
        self.messages.insert(&key(&message.channel, &message.ts), message.clone());
        if !self.listens(EVENTS) {
            return;
        }
        let shown = self.message_event(&message);
        let mention = format!("<@{BOT_USER}>");
        if !message.by_app && message.subtype.is_none() && message.content.text.contains(&mention) {
            self.announce(context, "app_mention", shown.clone());
        }
        self.announce(context, "message", shown);
    }

    /// What the service itself says in a channel.
    pub(super) fn note(
        &mut self,
        context: &mut Context<'_>,
        channel: &str,
        user: &str,
        subtype: &'static str,
        text: String,
    ) {
        let content = Content { text, ..Content::default() };
        let message = written(context, channel, user, false, content);
        self.post(context, Message { subtype: Some(subtype), ..message });
    }

    /// A message as events show it.
    fn message_event(&self, message: &Message) -> Value {
        let mut shown = self.message_json(message, "");
        shown["channel"] = message.channel.as_str().into();
        shown["channel_type"] = self.channels.get(&message.channel).map_or("channel", channel_type).into();
        shown
    }

    /// The message of the arguments `channel` and `name`.
    pub(super) fn message_of(&self, call: &Call<'_, '_, '_>, channel: &str, name: &str) -> Result<&Message, Failure> {
        let ts = call.need(name)?;
        self.messages.get(&key(channel, ts)).ok_or_else(|| "message_not_found".into())
    }

    /// Changes a message and tells who listens.
    pub(super) fn change(&mut self, context: &mut Context<'_>, key: &str, change: impl FnOnce(&mut Message)) {
        let Some(message) = self.messages.get_mut(key) else { return };
        let before = message.clone();
        change(message);
        let after = message.clone();
        let mut event = self.about(context, &before, "message_changed");
        event["message"] = self.message_json(&after, "");
        event["previous_message"] = self.message_json(&before, "");
        self.announce(context, "message", event);
    }

    /// Removes a message. One with replies leaves a tombstone, which holds the thread together.
    pub(super) fn remove(&mut self, context: &mut Context<'_>, key_of_message: &str) {
        let Some(message) = self.messages.get(key_of_message).cloned() else { return };
        if message.replies.is_empty() {
            self.messages.remove(key_of_message);
        } else if let Some(message) = self.messages.get_mut(key_of_message) {
            message.subtype = Some("tombstone");
            message.content = Content { text: "This message was deleted.".to_owned(), ..Content::default() };
            message.reactions.clear();
            message.files.clear();
        }
        let thread = message.thread_ts.as_deref().unwrap_or_default();
        if let Some(parent) = self.messages.get_mut(&key(&message.channel, thread)) {
            parent.replies.retain(|reply| reply.ts != message.ts);
        }
        let mut event = self.about(context, &message, "message_deleted");
        event["deleted_ts"] = message.ts.as_str().into();
        event["previous_message"] = self.message_json(&message, "");
        self.announce(context, "message", event);
    }

    fn about(&self, context: &mut Context<'_>, message: &Message, subtype: &str) -> Value {
        let channel_type = self.channels.get(&message.channel).map_or("channel", channel_type);
        json!({"type": "message", "subtype": subtype, "hidden": true, "channel": message.channel,
            "channel_type": channel_type, "ts": instant(context)})
    }

    /// Messages of a channel, newest first.
    pub(super) fn messages_in<'s>(&'s self, channel: &'s str) -> impl Iterator<Item = &'s Message> {
        self.messages.newest_first().filter(move |message| message.channel == channel)
    }
}

fn channel_type(channel: &Channel) -> &'static str {
    match channel.kind {
        Kind::Public => "channel",
        Kind::Private => "group",
        Kind::Direct => "im",
        Kind::Group => "mpim",
    }
}
