//! The people of the workspace.

use serde_json::{Map, Value, json};

use super::{
    Slack,
    call::{Call, Made},
    errors::Failure,
    model::User,
    pages::{metadata, page},
};

/// What people may fill in.
const FIELDS: [&str; 12] = [
    "display_name",
    "email",
    "fields",
    "first_name",
    "last_name",
    "phone",
    "pronouns",
    "real_name",
    "status_emoji",
    "status_expiration",
    "status_text",
    "title",
];
const STATUS_CHARS_MAX: usize = 100;

impl Slack {
    pub(super) fn list_users(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let users: Vec<_> = self.users.oldest_first().collect();
        let (page, next) = page(users, call, 100)?;
        let members: Vec<_> = page.into_iter().map(|user| self.user_json(user)).collect();
        Ok(json!({"members": members, "cache_ts": call.context.unix(), "response_metadata": metadata(&next)}))
    }

    pub(super) fn show_user(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        Ok(json!({ "user": self.user_json(self.user(call.need("user")?)?) }))
    }

    pub(super) fn find_user(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let email = call.need("email")?.to_lowercase();
        let has = |user: &&User| user.email.as_ref().is_some_and(|own| own.to_lowercase() == email);
        let user = self.users.oldest_first().find(has).ok_or("users_not_found")?;
        Ok(json!({ "user": self.user_json(user) }))
    }

    pub(super) fn show_presence(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let user = self.user(call.text("user").unwrap_or(&call.actor.user))?;
        let mut answer = json!({"presence": if user.is_away { "away" } else { "active" }});
        if user.id == call.actor.user {
            let more = json!({"online": !user.is_away, "auto_away": false, "manual_away": user.is_away,
                "connection_count": 1, "last_activity": call.context.unix()});
            answer
                .as_object_mut()
                .into_iter()
                .for_each(|answer| answer.extend(more.as_object().cloned().unwrap_or_default()));
        }
        Ok(answer)
    }

    pub(super) fn show_profile(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let user = self.user(call.text("user").unwrap_or(&call.actor.user))?;
        Ok(json!({ "profile": self.profile_json(user) }))
    }

    /// A person changes his own profile, an admin that of others; whole or by one field.
    pub(super) fn change_profile(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let id = call.text("user").unwrap_or(&call.actor.user).to_owned();
        let is_admin = self.user(&call.actor.user)?.is_admin;
        if id != call.actor.user && !is_admin {
            return Err("not_admin".into());
        }
        let changes = changes(call)?;
        let now = call.context.unix();
        let user = self.users.get_mut(&id).ok_or("user_not_found")?;
        for (name, value) in changes {
            if name == "email" {
                user.email = value.as_str().map(str::to_owned);
            } else {
                user.profile.insert(name, value);
            }
        }
        user.updated = now;
        let user = self.user(&id)?;
        let (profile, shown) = (self.profile_json(user), self.user_json(user));
        self.announce(call.context, "user_change", json!({"user": shown, "cache_ts": now}));
        Ok(json!({"username": self.user(&id)?.name, "profile": profile}))
    }

    pub(super) fn user(&self, id: &str) -> Result<&User, Failure> {
        self.users.get(id).ok_or_else(|| "user_not_found".into())
    }
}

fn changes(call: &Call<'_, '_, '_>) -> Result<Map<String, Value>, Failure> {
    let changes = match (call.structure("profile", "invalid_profile")?, call.text("name")) {
        (Value::Object(changes), _) => changes,
        (Value::Null, Some(name)) => Map::from_iter([(name.to_owned(), call.value("value").clone())]),
        _ => return Err("invalid_profile".into()),
    };
    if changes.keys().any(|name| !FIELDS.contains(&name.as_str())) {
        return Err("invalid_profile".into());
    }
    let status = changes.get("status_text").and_then(Value::as_str).unwrap_or_default();
    if status.chars().count() > STATUS_CHARS_MAX { Err("too_long".into()) } else { Ok(changes) }
}
