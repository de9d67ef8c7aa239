//! `chat.*`: what the app says.

use serde_json::{Value, json};

use super::{
    Slack, blocks,
    call::{Call, Made},
    errors::Failure,
    gate::Actor,
    messages::{key, written},
    model::{Channel, Content, DOMAIN, Kind, Message},
};

const TEXT_CHARS_MAX: usize = 40_000; // the service's own limit

/// What the arguments say.
pub(super) fn content(call: &Call<'_, '_, '_>) -> Result<Content, Failure> {
    let text = call.text("text").unwrap_or_default();
    let content = Content {
        text: text.to_owned(),
        blocks: call.structure("blocks", "invalid_blocks_format")?,
        attachments: call.structure("attachments", "invalid_attachments")?,
        metadata: call.structure("metadata", "invalid_metadata_format")?,
        username: None,
        icon: None,
    };
    let is_empty = |value: &Value| value.as_array().is_none_or(Vec::is_empty);
    if text.is_empty() && is_empty(&content.blocks) && is_empty(&content.attachments) {
        return Err("no_text".into());
    }
    if text.chars().count() > TEXT_CHARS_MAX {
        return Err("msg_too_long".into());
    }
    blocks::check(&content.blocks)?;
    Ok(content)
}

/// With a name and a picture of the app's choice.
fn dressed(call: &Call<'_, '_, '_>) -> Result<Content, Failure> {
    let icon = ["emoji", "image_64"].into_iter().zip(["icon_emoji", "icon_url"]);
    let icon = icon.filter_map(|(kind, argument)| Some((kind, call.owned(argument)?))).next();
    Ok(Content { username: call.owned("username"), icon, ..content(call)? })
}

/// A message of the caller.
pub(super) fn authored(call: &mut Call<'_, '_, '_>, channel: &str, content: Content) -> Message {
    let Actor { user, .. } = call.actor;
    written(call.context, channel, user, call.actor.is_bot(), content)
}

impl Slack {
    pub(super) fn post_message(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let channel = self.writable(call)?.id;
        let content = dressed(call)?;
        let thread_ts = call.owned("thread_ts");
        if thread_ts.as_ref().is_some_and(|parent| self.messages.get(&key(&channel, parent)).is_none()) {
            return Err("thread_not_found".into());
        }
        let is_broadcast = thread_ts.is_some() && call.flag("reply_broadcast");
        let message = Message { thread_ts, is_broadcast, ..authored(call, &channel, content) };
        let answer = json!({"channel": channel, "ts": message.ts, "message": self.message_json(&message, "")});
        self.post(call.context, message);
        Ok(answer)
    }

    pub(super) fn post_me_message(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let channel = self.writable(call)?.id;
        let content = Content { text: call.text("text").ok_or("no_text")?.to_owned(), ..Content::default() };
        let message = Message { subtype: Some("me_message"), ..authored(call, &channel, content) };
        let answer = json!({"channel": channel, "ts": message.ts});
        self.post(call.context, message);
        Ok(answer)
    }

    pub(super) fn post_ephemeral(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let channel = self.writable(call)?;
        let reader = call.need("user")?;
        if !channel.has(reader) {
            return Err("user_not_in_channel".into());
        }
        let content = dressed(call)?;
        let message = Message { thread_ts: call.owned("thread_ts"), ..authored(call, &channel.id, content) };
        let answer = json!({ "message_ts": message.ts });
        self.ephemerals.insert(&key(reader, &message.ts), message);
        Ok(answer)
    }

    pub(super) fn update_message(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let channel = self.writable(call)?.id;
        let message = self.message_of(call, &channel, "ts")?;
        if message.user != call.actor.user || message.subtype == Some("tombstone") {
            return Err("cant_update_message".into());
        }
        let (key, ts, before) = (key(&channel, &message.ts), message.ts.clone(), message.content.clone());
        let given = content(call)?;
        let by = call.actor.user.clone();
        let at = super::events::instant(call.context);
        self.change(call.context, &key, |message| {
            // What is not given stays, but for blocks: they go when the text comes alone.
            let attachments = if given.attachments.is_null() { before.attachments } else { given.attachments };
            message.content =
                Content { text: given.text, blocks: given.blocks, attachments, metadata: given.metadata, ..before };
            message.edited = Some((by, at));
        });
        let message = self.messages.get(&key).ok_or("message_not_found")?;
        Ok(json!({"channel": channel, "ts": ts, "text": message.content.text,
            "message": self.message_json(message, "")}))
    }

    pub(super) fn delete_message(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let channel = self.writable(call)?.id;
        let message = self.message_of(call, &channel, "ts")?;
        if message.user != call.actor.user || message.subtype == Some("tombstone") {
            return Err("cant_delete_message".into());
        }
        let ts = message.ts.clone();
        self.remove(call.context, &key(&channel, &ts));
        Ok(json!({"channel": channel, "ts": ts}))
    }

    pub(super) fn permalink(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let channel = self.seen_channel(call, call.need("channel")?)?.id.as_str();
        let message = self.message_of(call, channel, "message_ts")?;
        let mut link = format!("https://{DOMAIN}.slack.com/archives/{channel}/p{}", message.ts.replace('.', ""));
        if let Some(thread) = message.thread_ts.as_ref().filter(|thread| **thread != message.ts) {
            link = format!("{link}?thread_ts={thread}&cid={channel}");
        }
        Ok(json!({"channel": channel, "permalink": link}))
    }

    /// The channel where the caller wants to write: by id, by name with or without `#`, or a person's id.
    pub(super) fn writable(&mut self, call: &mut Call<'_, '_, '_>) -> Result<Channel, Failure> {
        let wanted = call.text("channel").ok_or("channel_not_found")?;
        if self.users.contains(wanted) {
            let between = vec![call.actor.user.clone(), wanted.to_owned()];
            return Ok(self.conversation_between(call.context, between).0);
        }
        let name = wanted.trim_start_matches('#');
        let named = |channel: &&Channel| channel.name == name && !channel.is_conversation();
        let found = self.channels.get(wanted).or_else(|| self.channels.oldest_first().find(named));
        let channel = found.ok_or("channel_not_found")?;
        let is_member = channel.has(&call.actor.user);
        if !is_member && channel.kind != Kind::Public {
            return Err("channel_not_found".into());
        }
        if channel.is_archived {
            return Err("is_archived".into());
        }
        if !is_member && !call.actor.may_post_anywhere() {
            return Err("not_in_channel".into());
        }
        Ok(channel.clone())
    }
}
