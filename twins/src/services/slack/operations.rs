//! The table of methods: what a token needs for each, how often it may be called, and what it does.

use std::collections::BTreeSet;

use super::{
    Slack,
    call::{Call, Made},
    model::Kind,
};
use crate::twin::Operation;

pub(super) struct Method {
    pub(super) name: &'static str,
    pub(super) tier: Tier,
    pub(super) needs: Needs,
    pub(super) run: fn(&mut Slack, &mut Call<'_, '_, '_>) -> Made,
}

/// How often a method may be called.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Tier {
    Two,
    Three,
    Four,
    /// Once a second in each channel, with bursts.
    PerChannel,
    Unlimited,
}

impl Tier {
    pub(super) fn per_minute(self) -> Option<u32> {
        match self {
            Self::Two => Some(20),
            Self::Three => Some(50),
            Self::Four => Some(100),
            Self::PerChannel => Some(60),
            Self::Unlimited => None,
        }
    }
}

/// What a token must have.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Needs {
    Nothing,
    Scope(&'static str),
    /// A scope, in the token of a person.
    Person(&'static str),
    /// The scope depends on the kind of the channel.
    ByKind(Verb),
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Read,
    History,
    Write,
}

/// Any of these lets a token do this in a channel of this kind.
pub(super) fn kind_scopes(verb: Verb, kind: Kind) -> &'static [&'static str] {
    match (verb, kind) {
        (Verb::Read, Kind::Public) => &["channels:read"],
        (Verb::Read, Kind::Private) => &["groups:read"],
        (Verb::Read, Kind::Direct) => &["im:read"],
        (Verb::Read, Kind::Group) => &["mpim:read"],
        (Verb::History, Kind::Public) => &["channels:history"],
        (Verb::History, Kind::Private) => &["groups:history"],
        (Verb::History, Kind::Direct) => &["im:history"],
        (Verb::History, Kind::Group) => &["mpim:history"],
        (Verb::Write, Kind::Public) => &["channels:manage", "channels:write"],
        (Verb::Write, Kind::Private) => &["groups:write"],
        (Verb::Write, Kind::Direct) => &["im:write"],
        (Verb::Write, Kind::Group) => &["mpim:write"],
    }
}

/// `"name" tier needs method;`, then operations that are no methods of the Web API.
macro_rules! table {
    ($($name:literal $tier:ident $needs:expr => $run:path;)* and $($other:literal $verb:literal $path:literal => $serve:path;)*) => {
        const METHODS: &[Method] =
            &[$(Method { name: $name, tier: Tier::$tier, needs: $needs, run: $run }),*];
        pub(super) const OPERATIONS: &[Operation<Slack>] = &[
            $(Operation {
                name: $name,
                method: "*",
                path: concat!("/api/", $name),
                run: |slack, context, request| {
                    const METHOD: Method = Method { name: $name, tier: Tier::$tier, needs: $needs, run: $run };
                    slack.serve(context, request, &METHOD)
                },
                when: None,
            },)*
            $(Operation { name: $other, method: $verb, path: $path, run: $serve, when: None },)*
        ];
    };
}

/// Every scope that means something here.
pub(super) fn scopes() -> BTreeSet<&'static str> {
    let of = |method: &Method| match method.needs {
        Needs::Nothing => Vec::new(),
        Needs::Scope(scope) | Needs::Person(scope) => vec![scope],
        Needs::ByKind(verb) => {
            let kinds = [Kind::Public, Kind::Private, Kind::Direct, Kind::Group];
            kinds.into_iter().flat_map(|kind| kind_scopes(verb, kind)).copied().collect()
        }
    };
    METHODS.iter().flat_map(of).chain(["chat:write.public", "commands"]).collect()
}

const READ: Needs = Needs::ByKind(Verb::Read);
const HISTORY: Needs = Needs::ByKind(Verb::History);
const WRITE: Needs = Needs::ByKind(Verb::Write);

const fn scope(name: &'static str) -> Needs {
    Needs::Scope(name)
}

table! {
    "api.test" Unlimited Needs::Nothing => Slack::test_api;
    "auth.test" Unlimited Needs::Nothing => Slack::test_auth;
    "oauth.v2.access" Four Needs::Nothing => Slack::exchange_code;
    "chat.postMessage" PerChannel scope("chat:write") => Slack::post_message;
    "chat.postEphemeral" Four scope("chat:write") => Slack::post_ephemeral;
    "chat.meMessage" Three scope("chat:write") => Slack::post_me_message;
    "chat.update" Three scope("chat:write") => Slack::update_message;
    "chat.delete" Three scope("chat:write") => Slack::delete_message;
    "chat.getPermalink" Unlimited Needs::Nothing => Slack::permalink;
    "chat.scheduleMessage" Three scope("chat:write") => Slack::schedule_message;
    "chat.scheduledMessages.list" Three Needs::Nothing => Slack::list_scheduled;
    "chat.deleteScheduledMessage" Three scope("chat:write") => Slack::delete_scheduled;
    "conversations.list" Two READ => Slack::list_conversations;
    "conversations.info" Three READ => Slack::show_conversation;
    "conversations.create" Two WRITE => Slack::create_conversation;
    "conversations.rename" Two WRITE => Slack::rename_conversation;
    "conversations.archive" Two WRITE => Slack::archive_conversation;
    "conversations.unarchive" Two WRITE => Slack::unarchive_conversation;
    "conversations.setTopic" Two WRITE => Slack::set_topic;
    "conversations.setPurpose" Two WRITE => Slack::set_purpose;
    "conversations.join" Three scope("channels:join") => Slack::join_conversation;
    "conversations.leave" Three WRITE => Slack::leave_conversation;
    "conversations.invite" Three WRITE => Slack::invite_to_conversation;
    "conversations.kick" Three WRITE => Slack::kick_from_conversation;
    "conversations.members" Four READ => Slack::list_members;
    "conversations.open" Three WRITE => Slack::open_conversation;
    "conversations.close" Two WRITE => Slack::close_conversation;
    "conversations.history" Three HISTORY => Slack::show_history;
    "conversations.replies" Three HISTORY => Slack::show_replies;
    "conversations.mark" Three WRITE => Slack::mark_conversation;
    "users.list" Two scope("users:read") => Slack::list_users;
    "users.info" Four scope("users:read") => Slack::show_user;
    "users.lookupByEmail" Three scope("users:read.email") => Slack::find_user;
    "users.conversations" Three READ => Slack::list_own_conversations;
    "users.getPresence" Three scope("users:read") => Slack::show_presence;
    "users.profile.get" Four scope("users.profile:read") => Slack::show_profile;
    "users.profile.set" Three Needs::Person("users.profile:write") => Slack::change_profile;
    "reactions.add" Three scope("reactions:write") => Slack::add_reaction;
    "reactions.remove" Two scope("reactions:write") => Slack::remove_reaction;
    "reactions.get" Three scope("reactions:read") => Slack::show_reactions;
    "reactions.list" Two scope("reactions:read") => Slack::list_reactions;
    "pins.add" Two scope("pins:write") => Slack::add_pin;
    "pins.remove" Two scope("pins:write") => Slack::remove_pin;
    "pins.list" Two scope("pins:read") => Slack::list_pins;
    "files.getUploadURLExternal" Four scope("files:write") => Slack::announce_upload;
    "files.completeUploadExternal" Four scope("files:write") => Slack::complete_upload;
    "files.info" Four scope("files:read") => Slack::show_file;
    "files.list" Three scope("files:read") => Slack::list_files;
    "files.delete" Three scope("files:write") => Slack::delete_file;
    "views.open" Four Needs::Nothing => Slack::open_view;
    "views.push" Four Needs::Nothing => Slack::push_view;
    "views.update" Four Needs::Nothing => Slack::update_view;
    "views.publish" Four Needs::Nothing => Slack::publish_view;
    and
    "oauth.v2.authorize" "GET" "/oauth/v2/authorize" => Slack::authorize;
    "upload" "POST" "/upload/v1/{key}" => Slack::receive_upload;
    "upload" "PUT" "/upload/v1/{key}" => Slack::receive_upload;
    "files.download" "GET" "/files-pri/{id}/{name}" => Slack::download_file;
    "response_url" "POST" "/actions/{key}" => Slack::answer_interaction;
}
