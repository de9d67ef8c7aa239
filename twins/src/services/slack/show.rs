//! How rows read over the wire.

use serde_json::{Map, Value, json};

use super::{
    Slack,
    model::{
        BOT, BOT_NAME, BOT_USER, Channel, DOMAIN, File, Kind, Message, Note, Scheduled, Stage, TEAM, User, View,
        ViewKind,
    },
};

impl Slack {
    /// As `viewer` sees the channel.
    pub(super) fn channel_json(&self, channel: &Channel, viewer: &str) -> Value {
        let is = |kind| channel.kind == kind;
        let mut shown = json!({"id": channel.id, "created": channel.created, "creator": channel.creator,
            "is_archived": channel.is_archived, "is_channel": is(Kind::Public), "is_group": is(Kind::Private),
            "is_im": is(Kind::Direct), "is_mpim": is(Kind::Group), "is_private": !is(Kind::Public),
            "is_org_shared": false, "is_shared": false, "is_ext_shared": false, "is_pending_ext_shared": false,
            "context_team_id": TEAM, "updated": channel.created * 1_000, "unlinked": 0,
            "is_member": channel.has(viewer)});
        if is(Kind::Direct) {
            let other = channel.members.iter().find(|member| *member != viewer);
            shown["user"] = other.map_or(viewer, String::as_str).into();
            shown["is_open"] = true.into();
            return shown;
        }
        shown["name"] = channel.name.as_str().into();
        shown["name_normalized"] = channel.name.as_str().into();
        shown["is_general"] = is_general(channel).into();
        shown["topic"] = note(&channel.topic);
        shown["purpose"] = note(&channel.purpose);
        shown["previous_names"] = json!(channel.previous_names);
        if let Some(last_read) = channel.last_read.get(viewer) {
            shown["last_read"] = last_read.as_str().into();
        }
        shown
    }

    pub(super) fn channel_state(&self, channel: &Channel) -> Value {
        let kind = match channel.kind {
            Kind::Public => "public",
            Kind::Private => "private",
            Kind::Direct => "im",
            Kind::Group => "mpim",
        };
        json!({"id": channel.id, "name": channel.name, "kind": kind, "is_archived": channel.is_archived,
            "members": channel.members, "topic": channel.topic.value, "purpose": channel.purpose.value})
    }

    /// A message as `viewer` sees it.
    pub(super) fn message_json(&self, message: &Message, viewer: &str) -> Value {
        let mut shown = json!({"type": "message", "user": message.user, "ts": message.ts, "text": message.content.text,
            "team": TEAM});
        let fields = shown.as_object_mut().expect("was made as one");
        if message.by_app {
            self.add_author(message, fields);
        }
        let (blocks, attachments) = (&message.content.blocks, &message.content.attachments);
        for (name, value) in [("blocks", blocks), ("attachments", attachments), ("metadata", &message.content.metadata)]
        {
            add(fields, name, value.clone());
        }
        add(fields, "subtype", message.subtype.into());
        if message.is_broadcast {
            add(fields, "subtype", "thread_broadcast".into());
        }
        if let Some((user, ts)) = &message.edited {
            add(fields, "edited", json!({"user": user, "ts": ts}));
        }
        add(fields, "thread_ts", message.thread_ts.clone().into());
        self.add_thread(message, viewer, fields);
        if !message.reactions.is_empty() {
            add(fields, "reactions", reactions(message));
        }
        if message.pinned.is_some() {
            add(fields, "pinned_to", json!([message.channel]));
        }
        if !message.files.is_empty() {
            let files = message.files.iter().filter_map(|id| self.files.get(id)).map(|file| self.file_json(file));
            add(fields, "files", files.collect());
        }
        shown
    }

    fn add_author(&self, message: &Message, fields: &mut Map<String, Value>) {
        add(fields, "bot_id", BOT.into());
        add(fields, "app_id", self.app.id.as_str().into());
        let profile = json!({"id": BOT, "app_id": self.app.id, "user_id": BOT_USER, "name": BOT_NAME, "deleted": false,
            "updated": 0, "team_id": TEAM});
        add(fields, "bot_profile", profile);
        add(fields, "username", message.content.username.clone().into());
        if let Some((kind, icon)) = &message.content.icon {
            add(fields, "icons", json!({ *kind: icon }));
        }
    }

    /// What a message says about the answers to it, and an answer about its parent.
    fn add_thread(&self, message: &Message, viewer: &str, fields: &mut Map<String, Value>) {
        if let Some(last) = message.replies.last() {
            let mut users: Vec<&str> = Vec::new();
            for reply in &message.replies {
                if !users.contains(&reply.user.as_str()) {
                    users.push(&reply.user);
                }
            }
            add(fields, "reply_count", message.replies.len().into());
            add(fields, "reply_users_count", users.len().into());
            add(fields, "latest_reply", last.ts.as_str().into());
            add(fields, "subscribed", users.contains(&viewer).into());
            add(fields, "reply_users", json!(users));
            add(fields, "is_locked", false.into());
        } else if let Some(thread) = message.thread_ts.as_ref().filter(|thread| **thread != message.ts) {
            let parent = self.messages.get(&super::messages::key(&message.channel, thread));
            add(fields, "parent_user_id", parent.map(|parent| parent.user.as_str()).into());
        }
    }

    /// Flat, for assertions: what the message is, and where.
    pub(super) fn message_state(&self, message: &Message) -> Value {
        let name = self.channels.get(&message.channel).map(|channel| channel.name.as_str());
        let mut shown = self.message_json(message, "");
        let fields = shown.as_object_mut().expect("was made as one");
        for name in ["type", "team", "app_id", "bot_profile", "is_locked", "subscribed"] {
            fields.shift_remove(name);
        }
        add(fields, "channel", message.channel.as_str().into());
        add(fields, "channel_name", name.into());
        add(fields, "posted_at", json!(message.posted_at));
        shown
    }

    pub(super) fn user_json(&self, user: &User) -> Value {
        json!({"id": user.id, "team_id": TEAM, "name": user.name, "deleted": false, "color": "9f69e7",
            "real_name": user.profile.get("real_name"), "tz": user.timezone, "tz_label": user.timezone, "tz_offset": 0,
            "profile": self.profile_json(user), "is_admin": user.is_admin, "is_owner": user.is_admin,
            "is_primary_owner": false, "is_restricted": false, "is_ultra_restricted": false, "is_bot": user.is_bot,
            "is_app_user": false, "updated": user.updated, "is_email_confirmed": user.email.is_some()})
    }

    pub(super) fn profile_json(&self, user: &User) -> Value {
        let mut shown: Map<String, Value> = user.profile.clone().into_iter().collect();
        if user.is_bot {
            shown.insert("api_app_id".to_owned(), self.app.id.as_str().into());
        }
        add(&mut shown, "email", user.email.clone().into());
        for name in ["real_name", "display_name"] {
            let value = shown.get(name).cloned().unwrap_or_default();
            shown.insert(format!("{name}_normalized"), value);
        }
        shown.insert("team".to_owned(), TEAM.into());
        shown.into()
    }

    pub(super) fn file_json(&self, file: &File) -> Value {
        let (extension, mimetype) = kind_of(&file.name);
        let url = format!("{}/files-pri/{}/{}", file.origin, file.id, encoded(&file.name));
        json!({"id": file.id, "created": file.created, "timestamp": file.created, "name": file.name,
            "title": file.title, "alt_txt": file.alt_text, "mimetype": mimetype, "filetype": extension,
            "pretty_type": extension.to_uppercase(), "user": file.user, "user_team": TEAM, "editable": false,
            "size": file.length, "mode": "hosted", "is_external": false, "is_public": true,
            "url_private": url, "url_private_download": url,
            "permalink": format!("https://{DOMAIN}.slack.com/files/{}/{}/{}", file.user, file.id, encoded(&file.name)),
            "channels": file.channels, "groups": [], "ims": [], "comments_count": 0,
            "uploaded": file.stage != Stage::Announced})
    }

    pub(super) fn view_json(&self, view: &View) -> Value {
        let mut shown = view.given.clone();
        shown["id"] = view.id.as_str().into();
        shown["team_id"] = TEAM.into();
        shown["state"] = json!({"values": view.values});
        shown["hash"] = view.hash.as_str().into();
        shown["root_view_id"] = view.root.as_str().into();
        shown["previous_view_id"] = view.previous.clone().into();
        shown["app_id"] = self.app.id.as_str().into();
        shown["bot_id"] = BOT.into();
        shown["external_id"] = view.external_id.as_str().into();
        for (name, otherwise) in [
            ("callback_id", json!("")),
            ("private_metadata", json!("")),
            ("clear_on_close", json!(false)),
            ("notify_on_close", json!(false)),
            ("close", Value::Null),
            ("submit", Value::Null),
        ] {
            if shown[name].is_null() && (view.kind == ViewKind::Modal || !otherwise.is_null()) {
                shown[name] = otherwise;
            }
        }
        shown
    }
}

pub(super) fn is_general(channel: &Channel) -> bool {
    channel.name == "general"
}

pub(super) fn reactions(message: &Message) -> Value {
    let shown = message
        .reactions
        .iter()
        .map(|reaction| json!({"name": reaction.name, "users": reaction.users, "count": reaction.users.len()}));
    shown.collect()
}

pub(super) fn scheduled(scheduled: &Scheduled) -> Value {
    json!({"id": scheduled.id, "channel_id": scheduled.message.channel, "post_at": scheduled.post_at,
        "date_created": scheduled.date_created, "text": scheduled.message.content.text})
}

fn note(note: &Note) -> Value {
    json!({"value": note.value, "creator": note.creator, "last_set": note.last_set})
}

/// Null is not shown.
fn add(fields: &mut Map<String, Value>, name: &str, value: Value) {
    if !value.is_null() {
        fields.insert(name.to_owned(), value);
    }
}

fn encoded(name: &str) -> String {
    percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC).to_string().replace("%2E", ".")
}

/// The service's name for the kind of a file, and the content type.
pub(super) fn kind_of(name: &str) -> (&'static str, &'static str) {
    match name.rsplit_once('.').map(|(_, extension)| extension) {
        Some("png") => ("png", "image/png"),
        Some("jpg" | "jpeg") => ("jpg", "image/jpeg"),
        Some("gif") => ("gif", "image/gif"),
        Some("pdf") => ("pdf", "application/pdf"),
        Some("csv") => ("csv", "text/csv"),
        Some("json") => ("json", "application/json"),
        Some("txt" | "log") => ("text", "text/plain"),
        Some("md") => ("markdown", "text/markdown"),
        Some("zip") => ("zip", "application/zip"),
        Some(_) | None => ("binary", "application/octet-stream"),
    }
}
