//! Slack's Web API, below `/api/`: says `ok: false` with status 200 for nearly everything that goes wrong.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    http::{Content, Fields, Reply, Request},
    twin::{Answer, Context, Manifest, Operation, Refusal, Twin, check_secret, operations},
};

const TEXT_CHARS_MAX: usize = 40_000; // the service's own limit
const PAGE_DEFAULT: usize = 100;
const PAGE_MAX: usize = 1_000;
const TEAM: &str = "T0TWIN0001";
const BOT_USER: &str = "U0TWINBOT1";
const BOT: &str = "B0TWINBOT1";
const APP: &str = "A0TWINAPP1";

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Config {
    bot_token: String,
    /// Names of channels that exist, without `#`.
    channels: Vec<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self { bot_token: "xoxb-twin".to_owned(), channels: vec!["general".to_owned()] }
    }
}

#[derive(Clone)]
pub(super) struct Slack {
    bot_token: String,
    channels: Vec<Channel>,
    messages: Vec<Message>,
}

#[derive(Clone, Serialize)]
struct Channel {
    id: String,
    name: String,
}

#[derive(Clone, Serialize)]
struct Message {
    ts: String,
    channel: String,
    channel_name: String,
    text: String,
    #[serde(skip_serializing_if = "Value::is_null")]
    blocks: Value,
    #[serde(skip_serializing_if = "Value::is_null")]
    thread_ts: Value,
    posted_at: Timestamp,
}

impl Slack {
    pub(super) fn open(config: Config) -> Self {
        let channel = |(number, name): (usize, String)| Channel {
            id: format!("C0TWIN{:04}", number + 1),
            name: name.trim_start_matches('#').to_owned(),
        };
        Self {
            bot_token: config.bot_token,
            channels: config.channels.into_iter().enumerate().map(channel).collect(),
            messages: Vec::new(),
        }
    }

    fn auth_test(&mut self, _: &mut Context<'_>, _: &Request) -> Answer {
        Ok(Reply::json(
            200,
            &json!({"ok": true, "url": "https://twin.slack.com/", "team": "Twin", "user": "twin-bot",
                "team_id": TEAM, "user_id": BOT_USER, "bot_id": BOT, "is_enterprise_install": false}),
        ))
    }

    fn post_message(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let fields = request.tracked();
        let channel = self.channel(fields.get("channel").as_str().unwrap_or_default())?;
        let text = fields.get("text").as_str().unwrap_or_default();
        let blocks = structured(fields.get("blocks")).map_err(|()| error("invalid_blocks_format"))?;
        if text.is_empty() && blocks.is_null() && fields.get("attachments").is_null() {
            return Err(error("no_text"));
        }
        if text.chars().count() > TEXT_CHARS_MAX {
            return Err(error("msg_too_long"));
        }
        let message = Message {
            ts: timestamp(context),
            channel: channel.id,
            channel_name: channel.name,
            text: text.to_owned(),
            blocks,
            thread_ts: fields.get("thread_ts").clone(),
            posted_at: context.now,
        };
        let answer = posted(&message);
        self.messages.push(message);
        Ok(Reply::json(200, &answer))
    }

    fn list_conversations(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let created = context.unix();
        let shown = |channel: &Channel| {
            json!({"id": channel.id, "name": channel.name, "name_normalized": channel.name, "is_channel": true,
                "is_group": false, "is_im": false, "is_mpim": false, "is_private": false, "is_archived": false,
                "is_general": channel.name == "general", "is_member": true, "created": created - 86_400,
                "creator": BOT_USER, "context_team_id": TEAM, "num_members": 2})
        };
        let (page, next) = page(&self.channels, request.tracked())?;
        let channels: Vec<_> = page.iter().map(shown).collect();
        Ok(Reply::json(200, &json!({"ok": true, "channels": channels, "response_metadata": {"next_cursor": next}})))
    }

    fn list_users(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let users = [json!({"id": BOT_USER, "team_id": TEAM, "name": "twin-bot", "real_name": "Twin Bot",
            "deleted": false, "is_bot": true, "is_app_user": false, "updated": context.unix(), "tz": "Etc/UTC",
            "profile": {"real_name": "Twin Bot", "display_name": "twin-bot", "bot_id": BOT, "api_app_id": APP}})];
        let (page, next) = page(&users, request.tracked())?;
        Ok(Reply::json(
            200,
            &json!({"ok": true, "members": page, "cache_ts": context.unix(),
                "response_metadata": {"next_cursor": next}}),
        ))
    }

    /// By id, or by name with or without `#`.
    fn channel(&self, wanted: &str) -> Result<Channel, Reply> {
        let name = wanted.trim_start_matches('#');
        let found = self.channels.iter().find(|channel| channel.id == wanted || channel.name == name);
        found.cloned().ok_or_else(|| error("channel_not_found"))
    }
}

impl Twin for Slack {
    const MANIFEST: Manifest =
        Manifest { name: "slack", api_version: "Web API", body_bytes_max: 1024 * 1024, actions: &[] };
    const OPERATIONS: &'static [Operation<Self>] = operations! {
        "auth.test" "*" "/api/auth.test" Self::auth_test;
        "chat.postMessage" "*" "/api/chat.postMessage" Self::post_message;
        "conversations.list" "*" "/api/conversations.list" Self::list_conversations;
        "users.list" "*" "/api/users.list" Self::list_users;
    };

    fn authenticate(&self, request: &Request, _operation: &str) -> Result<(), Refusal> {
        let in_form = match &request.content {
            Content::Form(form) => form["token"].as_str(),
            _ => None,
        };
        let given = request.bearer().or(in_form).ok_or(Refusal::CredentialsMissing)?;
        check_secret(given, &self.bot_token)
    }

    fn refuse(&self, _context: &Context<'_>, refusal: &Refusal) -> Reply {
        match refusal {
            Refusal::CredentialsMissing => error("not_authed"),
            Refusal::CredentialsWrong => error("invalid_auth"),
            Refusal::CredentialsExpired => error("token_expired"),
            Refusal::Unimplemented { method, path } => {
                let gap = format!("the slack twin does not implement {method} {path}");
                Reply::json(501, &json!({"ok": false, "error": "unknown_method", "detail": gap}))
            }
            Refusal::BodyTooLarge { .. } => failed(413, "request_too_large"),
            Refusal::BodyMalformed { .. } => error("invalid_json"),
            Refusal::RateLimited { retry_after_s } => {
                failed(429, "ratelimited").header("retry-after", retry_after_s.to_string())
            }
            Refusal::Status(503) => failed(503, "service_unavailable"),
            Refusal::Status(status) => failed(*status, "internal_error"),
            Refusal::IdempotencyMismatch { .. } | Refusal::IdempotencyInUse { .. } | Refusal::IdempotencyKeyTooLong => {
                error("invalid_arguments")
            }
        }
    }

    fn decorate(&self, context: &Context<'_>, _request: &Request, reply: &mut Reply) {
        reply.set("content-type", "application/json; charset=utf-8");
        reply.set("x-oauth-scopes", "chat:write,channels:read,users:read");
        reply.set("x-slack-req-id", context.request_token.to_lowercase());
    }

    fn state(&self) -> Value {
        json!({"channels": self.channels, "messages": self.messages})
    }

    fn act(&mut self, _: &mut Context<'_>, action: &str, _: &Value) -> Result<Value, String> {
        Err(format!("unknown action `{action}`"))
    }
}

/// Seconds and a six-digit number that is never the same twice: the id of a message in its channel.
fn timestamp(context: &mut Context<'_>) -> String {
    let number = context.number("message") % 1_000_000;
    format!("{}.{number:06}", context.unix())
}

fn posted(message: &Message) -> Value {
    let mut body = json!({"user": BOT_USER, "type": "message", "ts": message.ts, "bot_id": BOT, "app_id": APP,
        "text": message.text, "team": TEAM,
        "bot_profile": {"id": BOT, "app_id": APP, "name": "twin-bot", "deleted": false, "team_id": TEAM}});
    for (field, value) in [("blocks", &message.blocks), ("thread_ts", &message.thread_ts)] {
        if !value.is_null() {
            body[field] = value.clone();
        }
    }
    json!({"ok": true, "channel": message.channel, "ts": message.ts, "message": body})
}

/// In a form, structures travel as JSON text.
fn structured(value: &Value) -> Result<Value, ()> {
    match value {
        Value::String(text) => serde_json::from_str(text).map_err(|_| ()),
        other => Ok(other.clone()),
    }
}

/// The cursor is the index of the next item; clients must not read it, so it is written unreadably.
fn page<'i, T>(items: &'i [T], fields: Fields<'_>) -> Result<(&'i [T], String), Reply> {
    let number = |value: &Value| value.as_u64().or_else(|| value.as_str()?.parse().ok());
    let limit = number(fields.get("limit")).map_or(PAGE_DEFAULT, |limit| usize::try_from(limit).unwrap_or(PAGE_MAX));
    let start = match fields.get("cursor").as_str() {
        None | Some("") => 0,
        Some(cursor) => {
            read_cursor(cursor).filter(|start| *start <= items.len()).ok_or_else(|| error("invalid_cursor"))?
        }
    };
    let end = items.len().min(start + limit.clamp(1, PAGE_MAX));
    let next = if end < items.len() { hex::encode(format!("next:{end}")) } else { String::new() };
    Ok((&items[start..end], next))
}

fn read_cursor(cursor: &str) -> Option<usize> {
    let bytes = hex::decode(cursor).ok()?;
    std::str::from_utf8(&bytes).ok()?.strip_prefix("next:")?.parse().ok()
}

fn error(code: &str) -> Reply {
    failed(200, code)
}

fn failed(status: u16, code: &str) -> Reply {
    Reply::json(status, &json!({"ok": false, "error": code}))
}
