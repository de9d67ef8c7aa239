//! Who the caller is, and how an app gets its token.

use serde_json::{Value, json};

use super::{
    Slack,
    call::{Call, Made},
    errors::Failure,
    model::{BOT, BOT_USER, DOMAIN, TEAM},
};
use crate::{
    http::{Reply, Request},
    twin::{Answer, Context, check_secret},
};

impl Slack {
    /// Answers with what it was asked, or with the error that it was asked for.
    pub(super) fn test_api(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let arguments = call.arguments();
        match call.text("error") {
            Some(error) => Err(Failure::new(error.to_owned()).with("args", arguments)),
            None if arguments.as_object().is_none_or(serde_json::Map::is_empty) => Ok(json!({})),
            None => Ok(json!({ "args": arguments })),
        }
    }

    pub(super) fn test_auth(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let user = self.user(&call.actor.user)?;
        let mut answer = json!({"url": format!("https://{DOMAIN}.slack.com/"), "team": "Twin", "user": user.name,
            "team_id": TEAM, "user_id": user.id, "is_enterprise_install": false});
        if call.actor.is_bot() {
            answer["bot_id"] = BOT.into();
        }
        Ok(answer)
    }

    /// Where a person lets the app in; here everybody does at once.
    pub(super) fn authorize(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let given = |name: &str| request.query[name].as_str().unwrap_or_default();
        if given("client_id") != self.app.client_id {
            return Err(Failure::new("invalid_client_id").reply());
        }
        let Ok(mut back) = url::Url::parse(given("redirect_uri")) else {
            return Err(Failure::new("bad_redirect_uri").reply());
        };
        let code = self.new_code(context);
        back.query_pairs_mut().append_pair("code", &code).append_pair("state", given("state"));
        Ok(Reply::empty(302).header("location", back.to_string()))
    }

    pub(super) fn new_code(&mut self, context: &mut Context<'_>) -> String {
        let code = context.id("code", 24);
        self.codes.insert(code.clone(), true);
        code
    }

    /// The client's id and secret come as arguments or as basic authentication.
    pub(super) fn exchange_code(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let (basic_id, basic_secret) = basic(call.request).unzip();
        let id = call.owned("client_id").or(basic_id).unwrap_or_default();
        if id != self.app.client_id {
            return Err("invalid_client_id".into());
        }
        let secret = call.owned("client_secret").or(basic_secret).unwrap_or_default();
        if check_secret(&secret, &self.app.client_secret).is_err() {
            return Err("bad_client_secret".into());
        }
        let code = call.text("code").unwrap_or_default();
        let fresh = self.codes.get_mut(code).ok_or("invalid_code")?;
        if !std::mem::take(fresh) {
            return Err("code_already_used".into());
        }
        let installer = self.users.oldest_first().find(|user| !user.is_bot).map(|user| user.id.clone());
        let token = &self.app.bot_token;
        let scopes = self.actors.get(token).map(|actor| actor.scopes_shown.to_string());
        Ok(json!({"app_id": self.app.id, "authed_user": {"id": installer}, "scope": scopes, "token_type": "bot",
            "access_token": token, "bot_user_id": BOT_USER, "team": {"id": TEAM, "name": "Twin"},
            "enterprise": Value::Null, "is_enterprise_install": false}))
    }
}

fn basic(request: &Request) -> Option<(String, String)> {
    use base64::{Engine as _, prelude::BASE64_STANDARD};
    let encoded = request.header("authorization")?.strip_prefix("Basic ")?;
    let decoded = String::from_utf8(BASE64_STANDARD.decode(encoded).ok()?).ok()?;
    decoded.split_once(':').map(|(id, secret)| (id.to_owned(), secret.to_owned()))
}
