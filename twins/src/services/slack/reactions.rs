//! Reactions to messages.

use serde_json::{Value, json};

use super::{
    Slack,
    call::{Call, Made},
    errors::Failure,
    messages::key,
    model::{Message, Reaction},
    pages::{metadata, page},
};
use crate::twin::Context;

const NAMES_MAX: usize = 50; // different ones at a message

impl Slack {
    pub(super) fn add_reaction(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let key = self.item(call)?;
        let name = emoji(call.need("name")?)?;
        self.react(call.context, &key, &call.actor.user, &name)?;
        Ok(json!({}))
    }

    pub(super) fn remove_reaction(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let key = self.item(call)?;
        let name = emoji(call.need("name")?)?;
        let me = call.actor.user.as_str();
        let message = self.messages.get_mut(&key).ok_or("message_not_found")?;
        let reaction = message.reactions.iter_mut().find(|reaction| reaction.name == name);
        let reaction = reaction.filter(|reaction| reaction.users.iter().any(|user| user == me)).ok_or("no_reaction")?;
        reaction.users.retain(|user| user != me);
        message.reactions.retain(|reaction| !reaction.users.is_empty());
        let event = about(message, me, &name);
        self.announce(call.context, "reaction_removed", event);
        Ok(json!({}))
    }

    pub(super) fn show_reactions(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let message = self.messages.get(&self.item(call)?).ok_or("message_not_found")?;
        Ok(json!({"type": "message", "channel": message.channel, "message": self.message_json(message, "")}))
    }

    /// What a person reacted to: the caller, or `user`.
    pub(super) fn list_reactions(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let user = call.text("user").unwrap_or(&call.actor.user);
        self.user(user)?;
        let reacted = |message: &&Message| {
            let by_user = message.reactions.iter().any(|reaction| reaction.users.iter().any(|id| id == user));
            by_user && self.seen_channel(call, &message.channel).is_ok()
        };
        let shown = |message: &Message| json!({"type": "message", "channel": message.channel, "message": self.message_json(message, "")});
        let found = self.messages.newest_first().filter(reacted).map(shown).collect();
        let (page, next) = page(found, call, 100)?;
        Ok(json!({"items": page, "response_metadata": metadata(&next)}))
    }

    pub(super) fn react(
        &mut self,
        context: &mut Context<'_>,
        key: &str,
        user: &str,
        name: &str,
    ) -> Result<(), Failure> {
        let message = self.messages.get_mut(key).ok_or("message_not_found")?;
        let names = message.reactions.len();
        match message.reactions.iter_mut().find(|reaction| reaction.name == name) {
            Some(reaction) if reaction.users.iter().any(|known| known == user) => return Err("already_reacted".into()),
            Some(reaction) => reaction.users.push(user.to_owned()),
            None if names == NAMES_MAX => return Err("too_many_emoji".into()),
            None => message.reactions.push(Reaction { name: name.to_owned(), users: vec![user.to_owned()] }),
        }
        let event = about(message, user, name);
        self.announce(context, "reaction_added", event);
        Ok(())
    }

    /// The key of the message that the arguments `channel` and `timestamp` name.
    pub(super) fn item(&self, call: &Call<'_, '_, '_>) -> Result<String, Failure> {
        let (Some(channel), Some(ts)) = (call.text("channel"), call.text("timestamp")) else {
            return Err("no_item_specified".into());
        };
        let channel = self.seen_channel(call, channel)?;
        let key = key(&channel.id, ts);
        if self.messages.contains(&key) { Ok(key) } else { Err("message_not_found".into()) }
    }
}

fn about(message: &Message, user: &str, name: &str) -> Value {
    json!({"user": user, "reaction": name, "item_user": message.user,
        "item": {"type": "message", "channel": message.channel, "ts": message.ts}})
}

/// `thumbsup`, with or without colons and a skin tone.
pub(super) fn emoji(name: &str) -> Result<String, Failure> {
    let name = name.trim_matches(':');
    let fits = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || "_+-':".contains(letter);
    let fits = !name.is_empty() && name.chars().all(|letter| fits(letter) || !letter.is_ascii());
    if fits { Ok(name.to_owned()) } else { Err("invalid_name".into()) }
}
