//! Channels themselves: which there are, made, named, described and put away.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    Slack,
    call::{Call, Made},
    errors::Failure,
    gate::check_kind,
    model::{Channel, Kind, Note},
    pages::{metadata, page},
    show::is_general,
};

const NAME_CHARS_MAX: usize = 80;
const NOTE_CHARS_MAX: usize = 250;

impl Slack {
    pub(super) fn list_conversations(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let kinds = kinds(call)?;
        let me = &call.actor.user;
        let wanted = |channel: &&Channel| {
            kinds.contains(&channel.kind)
                && (channel.kind == Kind::Public || channel.has(me))
                && !(channel.is_archived && call.flag("exclude_archived"))
        };
        let found: Vec<_> = self.channels.oldest_first().filter(wanted).collect();
        let (page, next) = page(found, call, 100)?;
        let shown: Vec<_> = page.into_iter().map(|channel| self.counted(channel, me)).collect();
        Ok(json!({"channels": shown, "response_metadata": metadata(&next)}))
    }

    /// Those of one person: the caller, or `user`.
    pub(super) fn list_own_conversations(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let kinds = kinds(call)?;
        let me = call.actor.user.as_str();
        let user = call.text("user").unwrap_or(me);
        if !self.users.contains(user) {
            return Err("user_not_found".into());
        }
        let wanted = |channel: &&Channel| {
            kinds.contains(&channel.kind)
                && channel.has(user)
                && (channel.kind == Kind::Public || channel.has(me))
                && !(channel.is_archived && call.flag("exclude_archived"))
        };
        let found = self.channels.oldest_first().filter(wanted).map(|channel| self.channel_json(channel, user));
        let (page, next) = page(found.collect(), call, 100)?;
        Ok(json!({"channels": page, "response_metadata": metadata(&next)}))
    }

    pub(super) fn show_conversation(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let channel = self.channel_of(call)?;
        let mut shown = self.channel_json(channel, &call.actor.user);
        if call.flag("include_num_members") {
            shown["num_members"] = channel.members.len().into();
        }
        Ok(json!({ "channel": shown }))
    }

    pub(super) fn create_conversation(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let name = call.value("name").as_str().unwrap_or_default();
        self.check_name(name)?;
        let kind = if call.flag("is_private") { Kind::Private } else { Kind::Public };
        check_kind(call, kind)?;
        let id = format!("C{}", call.context.id("channel", 10).to_uppercase());
        let me = call.actor.user.clone();
        let channel = Channel {
            name: name.to_owned(),
            kind,
            creator: me.clone(),
            created: call.context.unix(),
            members: vec![me.clone()],
            ..bare(id.clone())
        };
        let shown = self.channel_json(&channel, &me);
        self.channels.insert(&id, channel);
        self.announce(call.context, "channel_created", json!({ "channel": shown }));
        Ok(json!({ "channel": shown }))
    }

    pub(super) fn rename_conversation(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let name = call.value("name").as_str().unwrap_or_default();
        let channel = self.changeable(call)?;
        self.check_name(name)?;
        let (old, text) =
            (channel.name.clone(), format!("has renamed the channel from \"{}\" to \"{name}\"", channel.name));
        self.update(&channel.id, |channel| {
            channel.previous_names.insert(0, old);
            channel.name = name.to_owned();
        });
        let event = json!({"channel": {"id": channel.id, "name": name, "created": channel.created}});
        self.announce(call.context, "channel_rename", event);
        self.note(call.context, &channel.id, &call.actor.user, "channel_name", text);
        self.shown_again(call, &channel.id)
    }

    pub(super) fn archive_conversation(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let channel = self.member_channel(call)?;
        if channel.is_archived {
            return Err("already_archived".into());
        }
        if is_general(&channel) {
            return Err("cant_archive_general".into());
        }
        let text = "archived the channel".to_owned();
        self.note(call.context, &channel.id, &call.actor.user, "channel_archive", text);
        self.update(&channel.id, |channel| channel.is_archived = true);
        self.announce(call.context, "channel_archive", json!({"channel": channel.id, "user": call.actor.user}));
        Ok(json!({}))
    }

    pub(super) fn unarchive_conversation(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let channel = self.member_channel(call)?;
        if !channel.is_archived {
            return Err("not_archived".into());
        }
        self.update(&channel.id, |channel| channel.is_archived = false);
        let text = "un-archived the channel".to_owned();
        self.note(call.context, &channel.id, &call.actor.user, "channel_unarchive", text);
        self.announce(call.context, "channel_unarchive", json!({"channel": channel.id, "user": call.actor.user}));
        Ok(json!({}))
    }

    pub(super) fn set_topic(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        self.set_note(call, "topic", "channel_topic", |channel| &mut channel.topic)
    }

    pub(super) fn set_purpose(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        self.set_note(call, "purpose", "channel_purpose", |channel| &mut channel.purpose)
    }

    fn set_note(
        &mut self,
        call: &mut Call<'_, '_, '_>,
        name: &str,
        subtype: &'static str,
        place: fn(&mut Channel) -> &mut Note,
    ) -> Made {
        let channel = self.changeable(call)?;
        let value =
            call.value(name).as_str().ok_or_else(|| Failure::argument(&format!("missing required field: {name}")))?;
        if value.chars().count() > NOTE_CHARS_MAX {
            return Err("too_long".into());
        }
        let note = Note { value: value.to_owned(), creator: call.actor.user.clone(), last_set: call.context.unix() };
        self.update(&channel.id, |channel| *place(channel) = note);
        let text = format!("set the channel {name}: {value}");
        self.note(call.context, &channel.id, &call.actor.user, subtype, text);
        self.shown_again(call, &channel.id)
    }

    /// The channel of the arguments, in which the caller is.
    pub(super) fn member_channel(&self, call: &Call<'_, '_, '_>) -> Result<Channel, Failure> {
        let channel = self.channel_of(call)?;
        if channel.is_conversation() {
            return Err("method_not_supported_for_channel_type".into());
        }
        if !channel.has(&call.actor.user) {
            return Err("not_in_channel".into());
        }
        Ok(channel.clone())
    }

    /// As [`Slack::member_channel`], not archived.
    pub(super) fn changeable(&self, call: &Call<'_, '_, '_>) -> Result<Channel, Failure> {
        let channel = self.member_channel(call)?;
        if channel.is_archived { Err("is_archived".into()) } else { Ok(channel) }
    }

    pub(super) fn update(&mut self, id: &str, change: impl FnOnce(&mut Channel)) {
        if let Some(channel) = self.channels.get_mut(id) {
            change(channel);
        }
    }

    /// The channel after a change.
    pub(super) fn shown_again(&self, call: &Call<'_, '_, '_>, id: &str) -> Made {
        let channel = self.channels.get(id).ok_or("channel_not_found")?;
        Ok(json!({ "channel": self.channel_json(channel, &call.actor.user) }))
    }

    fn counted(&self, channel: &Channel, viewer: &str) -> Value {
        let mut shown = self.channel_json(channel, viewer);
        if !channel.is_conversation() {
            shown["num_members"] = channel.members.len().into();
        }
        shown
    }

    fn check_name(&self, name: &str) -> Result<(), Failure> {
        let fits = |letter: char| (letter.is_alphanumeric() && !letter.is_uppercase()) || "-_".contains(letter);
        if name.is_empty() {
            return Err("invalid_name_required".into());
        }
        if name.chars().count() > NAME_CHARS_MAX {
            return Err("invalid_name_maxlength".into());
        }
        if !name.chars().any(char::is_alphanumeric) {
            return Err("invalid_name_punctuation".into());
        }
        if !name.chars().all(fits) {
            return Err("invalid_name_specials".into());
        }
        let taken = self.channels.oldest_first().any(|channel| channel.name == name && !channel.is_conversation());
        if taken { Err("name_taken".into()) } else { Ok(()) }
    }
}

/// A channel with nothing in it.
pub(super) fn bare(id: String) -> Channel {
    Channel {
        id,
        name: String::new(),
        kind: Kind::Public,
        creator: String::new(),
        created: 0,
        members: Vec::new(),
        topic: Note::default(),
        purpose: Note::default(),
        is_archived: false,
        previous_names: Vec::new(),
        last_read: BTreeMap::new(),
    }
}

/// The kinds that `types` names; the token must reach each.
fn kinds(call: &Call<'_, '_, '_>) -> Result<Vec<Kind>, Failure> {
    let kind = |name: &str| match name {
        "public_channel" => Ok(Kind::Public),
        "private_channel" => Ok(Kind::Private),
        "im" => Ok(Kind::Direct),
        "mpim" => Ok(Kind::Group),
        _ => Err(Failure::new("invalid_types")),
    };
    let named = call.list("types");
    let kinds: Vec<_> = if named.is_empty() {
        vec![Kind::Public]
    } else {
        named.iter().map(|name| kind(name)).collect::<Result<_, _>>()?
    };
    kinds.iter().try_for_each(|kind| check_kind(call, *kind))?;
    Ok(kinds)
}
