//! What a workspace holds.

use std::collections::BTreeMap;

use axum::body::Bytes;
use jiff::Timestamp;
use serde_json::Value;

pub(super) const TEAM: &str = "T0TWIN0001";
pub(super) const DOMAIN: &str = "twin";
pub(super) const BOT_USER: &str = "U0TWINBOT1";
pub(super) const BOT: &str = "B0TWINBOT1";
pub(super) const BOT_NAME: &str = "twin-bot";

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Public,
    Private,
    /// Between two people.
    Direct,
    /// Between a few.
    Group,
}

#[derive(Clone)]
pub(super) struct Channel {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) creator: String,
    pub(super) created: i64,
    /// In the order in which they came.
    pub(super) members: Vec<String>,
    pub(super) topic: Note,
    pub(super) purpose: Note,
    pub(super) is_archived: bool,
    pub(super) previous_names: Vec<String>,
    /// By user: the `ts` up to which all is read.
    pub(super) last_read: BTreeMap<String, String>,
}

impl Channel {
    pub(super) fn has(&self, user: &str) -> bool {
        self.members.iter().any(|member| member == user)
    }

    pub(super) fn is_conversation(&self) -> bool {
        matches!(self.kind, Kind::Direct | Kind::Group)
    }
}

/// A channel's topic or purpose.
#[derive(Clone, Default)]
pub(super) struct Note {
    pub(super) value: String,
    pub(super) creator: String,
    pub(super) last_set: i64,
}

#[derive(Clone)]
pub(super) struct Message {
    pub(super) ts: String,
    pub(super) channel: String,
    pub(super) user: String,
    /// The app wrote it.
    pub(super) by_app: bool,
    pub(super) subtype: Option<&'static str>,
    pub(super) content: Content,
    pub(super) thread_ts: Option<String>,
    /// A reply that the channel shows too.
    pub(super) is_broadcast: bool,
    /// Who answered in its thread, oldest first.
    pub(super) replies: Vec<Reply>,
    /// Who changed it last, and the `ts` of that.
    pub(super) edited: Option<(String, String)>,
    pub(super) reactions: Vec<Reaction>,
    /// Who pinned it, and when.
    pub(super) pinned: Option<(String, i64)>,
    pub(super) files: Vec<String>,
    pub(super) posted_at: Timestamp,
}

/// What an author gives, null where it is not there.
#[derive(Clone, Default)]
pub(super) struct Content {
    pub(super) text: String,
    pub(super) blocks: Value,
    pub(super) attachments: Value,
    pub(super) metadata: Value,
    pub(super) username: Option<String>,
    /// An emoji or a URL.
    pub(super) icon: Option<(&'static str, String)>,
}

#[derive(Clone)]
pub(super) struct Reply {
    pub(super) user: String,
    pub(super) ts: String,
}

#[derive(Clone)]
pub(super) struct Reaction {
    pub(super) name: String,
    pub(super) users: Vec<String>,
}

#[derive(Clone)]
pub(super) struct Scheduled {
    pub(super) id: String,
    pub(super) post_at: i64,
    pub(super) date_created: i64,
    pub(super) message: Message,
}

#[derive(Clone)]
pub(super) struct User {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) email: Option<String>,
    pub(super) is_bot: bool,
    pub(super) is_admin: bool,
    pub(super) is_away: bool,
    pub(super) timezone: String,
    pub(super) updated: i64,
    /// What people fill in, by the service's names of the fields.
    pub(super) profile: BTreeMap<String, Value>,
}

#[derive(Clone)]
pub(super) struct File {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) title: String,
    pub(super) alt_text: Option<String>,
    pub(super) user: String,
    pub(super) created: i64,
    pub(super) length: usize,
    pub(super) stage: Stage,
    pub(super) bytes: Bytes,
    pub(super) channels: Vec<String>,
    /// What the addresses of the file begin with.
    pub(super) origin: String,
}

/// How far an upload has come.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Announced,
    Uploaded,
    Complete,
}

#[derive(Clone)]
pub(super) struct View {
    pub(super) id: String,
    pub(super) kind: ViewKind,
    /// Who sees it.
    pub(super) user: String,
    /// As the app gave it.
    pub(super) given: Value,
    pub(super) hash: String,
    pub(super) root: String,
    pub(super) previous: Option<String>,
    pub(super) external_id: String,
    /// What the person entered, by block and action.
    pub(super) values: Value,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum ViewKind {
    Modal,
    Home,
}

/// What a person did, for which the app may open a view soon after.
#[derive(Clone)]
pub(super) struct Trigger {
    pub(super) user: String,
    pub(super) at: Timestamp,
    pub(super) used: bool,
    /// It happened in this view.
    pub(super) view: Option<String>,
}
