//! What people do in the workspace, without the app: they write, react, join, click, submit and type commands. The app
//! hears of it by its events, interactions and commands.

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{
    Slack,
    errors::Failure,
    messages::{key, written},
    model::{Channel, Content, Message, Trigger, User, View, ViewKind},
    reactions::emoji,
};
use crate::{
    http::{Reply, Request},
    twin::{Answer, Context},
};

pub(super) const ACTIONS: &[&str] = &[
    "post_message",
    "add_reaction",
    "join_channel",
    "open_home",
    "slash_command",
    "click_button",
    "submit_view",
    "close_view",
    "use_shortcut",
    "approve_app",
    "verify_url",
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Post {
    user: String,
    channel: String,
    text: String,
    thread_ts: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct React {
    user: String,
    channel: String,
    ts: String,
    name: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Join {
    user: String,
    channel: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OpenHome {
    user: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Command {
    user: String,
    channel: String,
    command: String,
    #[serde(default)]
    text: String,
}

/// A button (or another element) of a message or of a view.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Click {
    user: String,
    action_id: String,
    channel: Option<String>,
    ts: Option<String>,
    view: Option<String>,
    /// What a menu was set to; where left out, the button's own value.
    value: Option<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Submit {
    user: String,
    /// By id, or by `callback_id`.
    view: String,
    /// By block, then by action, as in the view's state.
    #[serde(default)]
    values: serde_json::Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Shortcut {
    user: String,
    callback_id: String,
}

fn read<T: DeserializeOwned>(argument: &Value) -> Result<T, String> {
    serde_json::from_value(argument.clone()).map_err(|error| error.to_string())
}

impl Slack {
    pub(super) fn happens(
        &mut self,
        context: &mut Context<'_>,
        action: &str,
        argument: &Value,
    ) -> Result<Value, String> {
        self.post_what_is_due(context);
        match action {
            "post_message" => self.person_posts(context, &read(argument)?),
            "add_reaction" => self.person_reacts(context, &read(argument)?),
            "join_channel" => self.person_joins(context, &read(argument)?),
            "open_home" => self.person_opens_home(context, &read(argument)?),
            "slash_command" => self.person_commands(context, &read(argument)?),
            "click_button" => self.person_clicks(context, &read(argument)?),
            "submit_view" => self.person_submits(context, &read(argument)?, "view_submission"),
            "close_view" => self.person_submits(context, &read(argument)?, "view_closed"),
            "use_shortcut" => self.person_uses_shortcut(context, &read(argument)?),
            "approve_app" => Ok(json!({ "code": self.new_code(context) })),
            "verify_url" => self.challenge(context),
            _ => Err(format!("unknown action `{action}`")),
        }
    }

    fn person_posts(&mut self, context: &mut Context<'_>, post: &Post) -> Result<Value, String> {
        let (user, channel) = (self.person(&post.user)?.id.clone(), self.place(&post.channel)?.id.clone());
        let content = Content { text: post.text.clone(), ..Content::default() };
        let message = written(context, &channel, &user, false, content);
        let answer = json!({"channel": channel, "ts": message.ts});
        self.post(context, Message { thread_ts: post.thread_ts.clone(), ..message });
        Ok(answer)
    }

    fn person_reacts(&mut self, context: &mut Context<'_>, react: &React) -> Result<Value, String> {
        let (user, channel) = (self.person(&react.user)?.id.clone(), self.place(&react.channel)?.id.clone());
        let said = |failure: Failure| failure.code().to_owned();
        let name = emoji(&react.name).map_err(said)?;
        self.react(context, &key(&channel, &react.ts), &user, &name).map_err(said)?;
        Ok(json!({}))
    }

    fn person_joins(&mut self, context: &mut Context<'_>, join: &Join) -> Result<Value, String> {
        let (user, channel) = (self.person(&join.user)?.id.clone(), self.place(&join.channel)?);
        if channel.has(&user) {
            return Err(format!("`{}` is in `{}` already", join.user, join.channel));
        }
        let id = channel.id.clone();
        self.bring_in(context, &id, &user, None);
        Ok(json!({ "channel": id }))
    }

    fn person_opens_home(&mut self, context: &mut Context<'_>, open: &OpenHome) -> Result<Value, String> {
        let user = self.person(&open.user)?.id.clone();
        let between = vec![super::model::BOT_USER.to_owned(), user.clone()];
        let channel = self.conversation_between(context, between).0.id;
        let home = self.views.oldest_first().find(|view| view.kind == ViewKind::Home && view.user == user);
        let mut event = json!({"user": user, "channel": channel, "tab": "home"});
        if let Some(view) = home {
            event["view"] = self.view_json(view);
        }
        self.announce(context, "app_home_opened", event);
        Ok(json!({ "channel": channel }))
    }

    fn person_commands(&mut self, context: &mut Context<'_>, given: &Command) -> Result<Value, String> {
        let (user, channel) = (self.person(&given.user)?.clone(), self.place(&given.channel)?.clone());
        let trigger = self.trigger(context, &user.id, None);
        let response_url = self.response_url(context, &channel.id);
        let answer = json!({"trigger_id": trigger, "response_url": response_url});
        self.command(
            context,
            &[
                ("command", &given.command),
                ("text", &given.text),
                ("user_id", &user.id),
                ("user_name", &user.name),
                ("channel_id", &channel.id),
                ("channel_name", &channel.name),
                ("trigger_id", &trigger),
                ("response_url", &response_url),
            ],
        )?;
        Ok(answer)
    }

    fn person_clicks(&mut self, context: &mut Context<'_>, click: &Click) -> Result<Value, String> {
        let user = self.person(&click.user)?.clone();
        let mut payload = json!({ "user": person(&user) });
        let (holder, view) = match (&click.view, &click.channel, &click.ts) {
            (Some(view), None, None) => {
                let view = self.open_view_named(view, &user.id)?;
                payload["view"] = self.view_json(view);
                payload["container"] = json!({"type": "view", "view_id": view.id});
                (view.given["blocks"].clone(), Some(view.id.clone()))
            }
            (None, Some(channel), Some(ts)) => {
                let channel = self.place(channel)?.clone();
                let message = self.messages.get(&key(&channel.id, ts)).cloned();
                let message = message.ok_or_else(|| format!("there is no message `{ts}` in `{}`", channel.name))?;
                payload["channel"] = json!({"id": channel.id, "name": channel.name});
                payload["message"] = self.message_json(&message, &user.id);
                payload["container"] = json!({"type": "message", "message_ts": ts, "channel_id": channel.id,
                    "is_ephemeral": false});
                payload["response_url"] = self.response_url(context, &channel.id).into();
                (message.content.blocks, None)
            }
            _ => return Err("give `view`, or `channel` and `ts`".to_owned()),
        };
        let mut action = element(&holder, &click.action_id)?;
        if let Some(value) = &click.value {
            action["value"] = value.clone();
        }
        action["action_ts"] = super::events::instant(context).into();
        payload["actions"] = json!([action]);
        let trigger = self.trigger(context, &user.id, view);
        payload["trigger_id"] = trigger.as_str().into();
        self.interact(context, "block_actions", payload)?;
        Ok(json!({ "trigger_id": trigger }))
    }

    /// What the app answers (errors, another view) is not read.
    fn person_submits(&mut self, context: &mut Context<'_>, submit: &Submit, kind: &str) -> Result<Value, String> {
        let user = self.person(&submit.user)?.clone();
        let id = self.open_view_named(&submit.view, &user.id)?.id.clone();
        if let Some(view) = self.views.get_mut(&id) {
            view.values = submit.values.clone().into();
        }
        let trigger = self.trigger(context, &user.id, Some(id.clone()));
        let view = self.views.get(&id).map(|view| self.view_json(view)).unwrap_or_default();
        let tells = kind == "view_submission" || view["notify_on_close"] == true;
        let mut payload = json!({"user": person(&user), "view": view});
        if kind == "view_submission" {
            payload["trigger_id"] = trigger.as_str().into();
            payload["response_urls"] = json!([]);
        } else {
            payload["is_cleared"] = false.into();
        }
        if tells {
            self.interact(context, kind, payload)?;
        }
        if kind == "view_closed" {
            self.views.remove(&id);
        }
        Ok(json!({"view_id": id, "trigger_id": trigger}))
    }

    fn person_uses_shortcut(&mut self, context: &mut Context<'_>, shortcut: &Shortcut) -> Result<Value, String> {
        let user = self.person(&shortcut.user)?.clone();
        let trigger = self.trigger(context, &user.id, None);
        let action_ts = super::events::instant(context);
        let payload = json!({"user": person(&user), "callback_id": shortcut.callback_id, "trigger_id": trigger,
            "action_ts": action_ts});
        self.interact(context, "shortcut", payload)?;
        Ok(json!({ "trigger_id": trigger }))
    }

    /// The app answers to a command or a click, at the address it was given.
    pub(super) fn answer_interaction(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let channel = request.param("key").split('-').next().unwrap_or_default().to_owned();
        let fields = request.tracked();
        let text = fields.get("text").as_str().unwrap_or_default().to_owned();
        let blocks = fields.get("blocks").clone();
        let is_known = self.triggers.contains(&format!("response {}", request.param("key")));
        if !is_known || (text.is_empty() && blocks.is_null()) {
            return Err(Reply::bytes(404, "text/plain", if is_known { "no_text" } else { "expired_url" }));
        }
        let in_channel = fields.get("response_type") == "in_channel";
        let content = Content { text, blocks, ..Content::default() };
        let message = written(context, &channel, super::model::BOT_USER, true, content);
        if in_channel {
            self.post(context, message);
        } else {
            self.ephemerals.insert(&key(&channel, &message.ts), message);
        }
        Ok(Reply::bytes(200, "text/plain", "ok"))
    }

    fn trigger(&mut self, context: &mut Context<'_>, user: &str, view: Option<String>) -> String {
        let number = context.number("trigger");
        let id = format!("{}.{number}.{}", context.now.as_millisecond(), context.id("trigger id", 32).to_lowercase());
        self.triggers.insert(&id, Trigger { user: user.to_owned(), at: context.now, used: false, view });
        id
    }

    fn response_url(&mut self, context: &mut Context<'_>, channel: &str) -> String {
        let name = format!("{channel}-{}", context.id("response", 24));
        let trigger = Trigger { user: String::new(), at: context.now, used: true, view: None };
        self.triggers.insert(&format!("response {name}"), trigger);
        format!("{}/actions/{name}", self.origin)
    }

    /// By id, name or address.
    fn person(&self, wanted: &str) -> Result<&User, String> {
        let is = |user: &&User| user.id == wanted || user.name == wanted || user.email.as_deref() == Some(wanted);
        self.users.oldest_first().find(is).ok_or_else(|| format!("there is no user `{wanted}`; add it to `users`"))
    }

    /// By id or name.
    fn place(&self, wanted: &str) -> Result<&Channel, String> {
        let name = wanted.trim_start_matches('#');
        let is = |channel: &&Channel| channel.id == wanted || channel.name == name;
        let found = self.channels.oldest_first().find(is);
        found.ok_or_else(|| format!("there is no channel `{wanted}`; add it to `channels`"))
    }

    fn open_view_named(&self, wanted: &str, user: &str) -> Result<&View, String> {
        let is = |view: &&View| view.user == user && (view.id == wanted || view.given["callback_id"] == wanted);
        self.views.newest_first().find(is).ok_or_else(|| format!("no view `{wanted}` is open for this person"))
    }
}

fn person(user: &User) -> Value {
    json!({"id": user.id, "username": user.name, "name": user.name, "team_id": super::model::TEAM})
}

/// The element of some blocks that has the action id, as an action shows it.
fn element(blocks: &Value, action_id: &str) -> Result<Value, String> {
    for block in blocks.as_array().into_iter().flatten() {
        let single = [&block["accessory"], &block["element"]];
        let elements = block["elements"].as_array().into_iter().flatten().chain(single);
        if let Some(found) = elements.into_iter().find(|element| element["action_id"] == action_id) {
            let mut action = found.clone();
            action["block_id"] = block["block_id"].as_str().unwrap_or("b1").into();
            return Ok(action);
        }
    }
    Err(format!("no element has the action_id `{action_id}`"))
}
