//! Who is in a channel, and conversations between people.

use serde_json::{Value, json};

use super::{
    Slack,
    call::{Call, Made},
    channels::bare,
    errors::Failure,
    gate::check_kind,
    model::{Channel, Kind},
    pages::{metadata, page},
    show::is_general,
};
use crate::twin::Context;

const OTHERS_MAX: usize = 8; // in a conversation between people
const INVITED_MAX: usize = 1_000;

impl Slack {
    pub(super) fn list_members(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let members = self.channel_of(call)?.members.clone();
        let (page, next) = page(members, call, 100)?;
        Ok(json!({"members": page, "response_metadata": metadata(&next)}))
    }

    pub(super) fn join_conversation(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let channel = self.channel_of(call)?.clone();
        if channel.kind != Kind::Public {
            return Err("method_not_supported_for_channel_type".into());
        }
        if channel.is_archived {
            return Err("is_archived".into());
        }
        let mut answer = json!({});
        if channel.has(&call.actor.user) {
            answer["warning"] = "already_in_channel".into();
            answer["response_metadata"] = json!({"warnings": ["already_in_channel"]});
        } else {
            self.bring_in(call.context, &channel.id, &call.actor.user, None);
        }
        answer["channel"] = self.shown_again(call, &channel.id)?["channel"].take();
        Ok(answer)
    }

    pub(super) fn leave_conversation(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let channel = self.channel_of(call)?.clone();
        if channel.is_conversation() {
            return Err("method_not_supported_for_channel_type".into());
        }
        if !channel.has(&call.actor.user) {
            return Ok(json!({ "not_in_channel": true }));
        }
        if is_general(&channel) {
            return Err("cant_leave_general".into());
        }
        if channel.is_archived {
            return Err("is_archived".into());
        }
        self.take_out(call.context, &channel.id, &call.actor.user);
        Ok(json!({}))
    }

    pub(super) fn invite_to_conversation(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let channel = self.changeable(call)?;
        let users = call.list("users");
        if users.is_empty() {
            return Err("no_user".into());
        }
        if users.len() > INVITED_MAX {
            return Err("too_many_users".into());
        }
        let refused = |user: &String| {
            if !self.users.contains(user) {
                Some("user_not_found")
            } else if *user == call.actor.user {
                Some("cant_invite_self")
            } else if channel.has(user) {
                Some("already_in_channel")
            } else {
                None
            }
        };
        let errors: Vec<_> = users.iter().filter_map(|user| Some((user, refused(user)?))).collect();
        if let Some((_, first)) = errors.first() {
            let each = errors.iter().map(|(user, error)| json!({"user": user, "ok": false, "error": error}));
            return Err(Failure::new(*first).with("errors", each.collect::<Vec<_>>()));
        }
        for user in &users {
            self.bring_in(call.context, &channel.id, user, Some(&call.actor.user));
        }
        self.shown_again(call, &channel.id)
    }

    pub(super) fn kick_from_conversation(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let channel = self.changeable(call)?;
        let user = call.need("user")?;
        if !self.users.contains(user) {
            return Err("user_not_found".into());
        }
        if user == call.actor.user {
            return Err("cant_kick_self".into());
        }
        if is_general(&channel) {
            return Err("cant_kick_from_general".into());
        }
        if !channel.has(user) {
            return Err("not_in_channel".into());
        }
        self.take_out(call.context, &channel.id, user);
        Ok(json!({ "errors": {} }))
    }

    pub(super) fn open_conversation(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let whole = call.flag("return_im");
        if let Some(id) = call.text("channel") {
            let channel = self.seen_channel(call, id)?;
            if !channel.is_conversation() {
                return Err("method_not_supported_for_channel_type".into());
            }
            return Ok(self.opened(call, &channel.clone(), true, whole));
        }
        let mut users = call.list("users");
        users.retain(|user| *user != call.actor.user);
        if users.is_empty() {
            return Err("users_list_not_supplied".into());
        }
        if users.len() > OTHERS_MAX {
            return Err("too_many_users".into());
        }
        if users.iter().any(|user| !self.users.contains(user)) {
            return Err("user_not_found".into());
        }
        check_kind(call, if users.len() == 1 { Kind::Direct } else { Kind::Group })?;
        users.insert(0, call.actor.user.clone());
        let (channel, was_there) = self.conversation_between(call.context, users);
        Ok(self.opened(call, &channel, was_there, whole))
    }

    /// Nothing changes but what the caller's list shows, which the twin does not keep.
    pub(super) fn close_conversation(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        if !self.channel_of(call)?.is_conversation() {
            return Err("method_not_supported_for_channel_type".into());
        }
        Ok(json!({}))
    }

    fn opened(&self, call: &Call<'_, '_, '_>, channel: &Channel, was_there: bool, whole: bool) -> Value {
        let shown = if whole { self.channel_json(channel, &call.actor.user) } else { json!({ "id": channel.id }) };
        if was_there {
            return json!({"no_op": true, "already_open": true, "channel": shown});
        }
        json!({ "channel": shown })
    }

    /// The conversation of just these people, and whether it was there already.
    pub(super) fn conversation_between(
        &mut self,
        context: &mut Context<'_>,
        mut people: Vec<String>,
    ) -> (Channel, bool) {
        people.dedup();
        let (kind, letter) = if people.len() > 2 { (Kind::Group, "C") } else { (Kind::Direct, "D") };
        let same = |channel: &&Channel| {
            channel.kind == kind
                && channel.members.len() == people.len()
                && people.iter().all(|person| channel.has(person))
        };
        if let Some(found) = self.channels.oldest_first().find(same) {
            return (found.clone(), true);
        }
        let id = format!("{letter}{}", context.id("conversation", 10).to_uppercase());
        let names = people.iter().filter_map(|id| self.users.get(id)).map(|user| user.name.as_str());
        let name = if kind == Kind::Group {
            format!("mpdm-{}-1", names.collect::<Vec<_>>().join("--"))
        } else {
            String::new()
        };
        let creator = people.first().cloned().unwrap_or_default();
        let channel = Channel { name, kind, creator, created: context.unix(), members: people, ..bare(id.clone()) };
        self.channels.insert(&id, channel.clone());
        (channel, false)
    }

    /// Somebody comes, by himself or asked by another.
    pub(super) fn bring_in(&mut self, context: &mut Context<'_>, channel: &str, user: &str, inviter: Option<&str>) {
        self.update(channel, |channel| channel.members.push(user.to_owned()));
        self.note(context, channel, user, "channel_join", format!("<@{user}> has joined the channel"));
        let mut event = json!({"user": user, "channel": channel, "channel_type": "C", "team": super::model::TEAM});
        if let Some(inviter) = inviter {
            event["inviter"] = inviter.into();
        }
        self.announce(context, "member_joined_channel", event);
    }

    fn take_out(&mut self, context: &mut Context<'_>, channel: &str, user: &str) {
        self.update(channel, |channel| channel.members.retain(|member| member != user));
        self.note(context, channel, user, "channel_leave", format!("<@{user}> has left the channel"));
        let event = json!({"user": user, "channel": channel, "channel_type": "C", "team": super::model::TEAM});
        self.announce(context, "member_left_channel", event);
    }
}
