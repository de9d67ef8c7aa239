//! The workspace as configured: who is in it, which channels there are, and where the app listens.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::json;

use super::{
    Slack,
    events::{COMMANDS, EVENTS, INTERACTIONS},
    gate::{Actor, Quotas, RateLimits, TokenKind},
    model::{BOT, BOT_NAME, BOT_USER, Channel, Kind, Note, User},
    operations::scopes,
};
use crate::engine::{outbox::Endpoint, table::Table};

const CREATED: i64 = 1_577_836_800; // the workspace is older than every test

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::services) struct Config {
    bot_token: String,
    /// What the bot token may do; where left out, everything.
    scopes: Option<Vec<String>>,
    /// Further tokens that are let in, by the token.
    tokens: BTreeMap<String, TokenConfig>,
    users: Vec<UserEntry>,
    /// The channels that exist, by name without `#`.
    channels: Vec<ChannelEntry>,
    app: App,
    /// Receivers of events, by their types (`message`, `reaction_added`, …).
    webhooks: Vec<Endpoint>,
    /// Receiver of what people do with buttons, menus and views.
    interactions: Option<Receiver>,
    /// Receiver of slash commands.
    commands: Option<Receiver>,
    rate_limits: RateLimits,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::services) struct App {
    pub(super) id: String,
    pub(super) client_id: String,
    pub(super) client_secret: String,
    /// Codes that `oauth.v2.access` takes, once each.
    codes: BTreeSet<String>,
    /// What `oauth.v2.access` gives.
    #[serde(skip)]
    pub(super) bot_token: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenConfig {
    /// Whose token it is, by name; where left out, the bot's.
    user: Option<String>,
    scopes: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum UserEntry {
    Name(String),
    Whole(UserConfig),
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct UserConfig {
    name: String,
    email: Option<String>,
    real_name: Option<String>,
    timezone: Option<String>,
    admin: bool,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum ChannelEntry {
    Name(String),
    Whole(ChannelConfig),
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct ChannelConfig {
    name: String,
    private: bool,
    archived: bool,
    topic: String,
    purpose: String,
    /// By name; where left out, everybody and the bot (`twin-bot`).
    members: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Receiver {
    /// A URL, or a path below the webhook base.
    to: String,
    /// The app's signing secret.
    secret: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            bot_token: "xoxb-twin".to_owned(),
            scopes: None,
            tokens: BTreeMap::new(),
            users: vec![UserEntry::Name("ann".to_owned())],
            channels: vec![ChannelEntry::Name("general".to_owned())],
            app: App::default(),
            webhooks: Vec::new(),
            interactions: None,
            commands: None,
            rate_limits: RateLimits::Off,
        }
    }
}

impl Default for App {
    fn default() -> Self {
        Self {
            id: "A0TWINAPP1".to_owned(),
            client_id: "1000.2000".to_owned(),
            client_secret: "twin-client-secret".to_owned(),
            codes: BTreeSet::new(),
            bot_token: String::new(),
        }
    }
}

impl Slack {
    /// Says what is wrong with the configuration where names in it mean nobody.
    pub(in crate::services) fn open(config: Config) -> Result<Self, String> {
        let users = people(config.users);
        let find = |name: &String| {
            let user = users.oldest_first().find(|user| user.name == *name || user.id == *name);
            user.map(|user| user.id.clone()).ok_or_else(|| format!("there is no user `{name}`; add it to `users`"))
        };
        let mut channels = Table::default();
        for (number, entry) in config.channels.into_iter().enumerate() {
            let channel = channel(number, entry, &users, &find)?;
            channels.insert(&channel.id.clone(), channel);
        }
        let mut actors = BTreeMap::new();
        for (token, given) in config.tokens {
            let user = given.user.as_ref().map(find).transpose()?;
            actors.insert(token, actor(user, given.scopes));
        }
        actors.insert(config.bot_token.clone(), actor(None, config.scopes));
        Ok(Self {
            codes: config.app.codes.iter().map(|code| (code.clone(), true)).collect(),
            app: App { bot_token: config.bot_token, ..config.app },
            actors,
            users,
            channels,
            messages: Table::default(),
            ephemerals: Table::default(),
            scheduled: Table::default(),
            files: Table::default(),
            views: Table::default(),
            triggers: Table::default(),
            quotas: Quotas::new(config.rate_limits),
            endpoints: endpoints(config.webhooks, config.interactions, config.commands),
            origin: "http://slack.twin".to_owned(),
        })
    }
}

fn actor(user: Option<String>, given: Option<Vec<String>>) -> Actor {
    let scopes = given.unwrap_or_else(|| scopes().into_iter().map(str::to_owned).collect());
    match user {
        Some(user) => Actor::new(user, TokenKind::User, scopes),
        None => Actor::new(BOT_USER.to_owned(), TokenKind::Bot, scopes),
    }
}

fn endpoints(webhooks: Vec<Endpoint>, interactions: Option<Receiver>, commands: Option<Receiver>) -> Vec<Endpoint> {
    let keyed = |key: &str, receiver: Receiver| Endpoint {
        to: receiver.to,
        secret: receiver.secret,
        events: vec!["*".to_owned()],
        key: Some(key.to_owned()),
    };
    let events = webhooks.into_iter().map(|endpoint| Endpoint { key: Some(EVENTS.to_owned()), ..endpoint });
    let others = [(INTERACTIONS, interactions), (COMMANDS, commands)];
    events.chain(others.into_iter().filter_map(|(key, receiver)| Some(keyed(key, receiver?)))).collect()
}

/// The bot first, then those of the configuration.
fn people(entries: Vec<UserEntry>) -> Table<User> {
    let mut users = Table::default();
    let bot = UserConfig { name: BOT_NAME.to_owned(), real_name: Some("Twin Bot".to_owned()), ..UserConfig::default() };
    users.insert(BOT_USER, user(BOT_USER.to_owned(), bot, true));
    for (number, entry) in entries.into_iter().enumerate() {
        let given = match entry {
            UserEntry::Name(name) => UserConfig { name, ..UserConfig::default() },
            UserEntry::Whole(given) => given,
        };
        let id = format!("U0TWIN{:04}", number + 1);
        users.insert(&id, user(id.clone(), given, false));
    }
    users
}

fn user(id: String, given: UserConfig, is_bot: bool) -> User {
    let real_name = given.real_name.unwrap_or_else(|| given.name.clone());
    let fields = [
        ("real_name", json!(real_name)),
        ("display_name", json!(given.name)),
        ("status_text", json!("")),
        ("status_emoji", json!("")),
        ("title", json!("")),
        ("phone", json!("")),
    ];
    let mut profile: BTreeMap<_, _> = fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    if is_bot {
        profile.insert("bot_id".to_owned(), json!(BOT));
    }
    let email = given.email.or_else(|| (!is_bot).then(|| format!("{}@example.com", given.name)));
    User {
        id,
        name: given.name,
        email,
        is_bot,
        is_admin: given.admin,
        is_away: false,
        timezone: given.timezone.unwrap_or_else(|| "Etc/UTC".to_owned()),
        updated: CREATED,
        profile,
    }
}

fn channel(
    number: usize,
    entry: ChannelEntry,
    users: &Table<User>,
    find: &impl Fn(&String) -> Result<String, String>,
) -> Result<Channel, String> {
    let given = match entry {
        ChannelEntry::Name(name) => ChannelConfig { name, ..ChannelConfig::default() },
        ChannelEntry::Whole(given) => given,
    };
    let members = match &given.members {
        None => users.oldest_first().map(|user| user.id.clone()).collect(),
        Some(names) => names.iter().map(find).collect::<Result<_, _>>()?,
    };
    let creator = users.oldest_first().nth(1).map_or(BOT_USER, |user| user.id.as_str());
    let note = |value: String| Note { value, creator: creator.to_owned(), last_set: CREATED };
    Ok(Channel {
        id: format!("C0TWIN{:04}", number + 1),
        name: given.name.trim_start_matches('#').to_owned(),
        kind: if given.private { Kind::Private } else { Kind::Public },
        creator: creator.to_owned(),
        created: CREATED,
        members,
        topic: note(given.topic),
        purpose: note(given.purpose),
        is_archived: given.archived,
        previous_names: Vec::new(),
        last_read: BTreeMap::new(),
    })
}
