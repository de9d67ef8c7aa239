//! Signing in at the organization itself: a password for a token that counts once, that token for a session.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{
    Okta, check,
    errors::{AUTHENTICATION_FAILED, failed, not_found},
    model::{Session, Status, User},
    show::{Links, instant},
};
use crate::{
    http::{Reply, Request},
    twin::{Answer, Context, check_secret},
};

const SESSION: SignedDuration = SignedDuration::from_hours(2); // of the default policy
const TOKEN: SignedDuration = SignedDuration::from_mins(5);
const FAILED_SIGN_INS_MAX: u32 = 10; // of the default policy; then the user is locked out
const SESSIONS_MAX: usize = 10_000; // the oldest is forgotten first

fn after(now: Timestamp, time: SignedDuration) -> Timestamp {
    now.saturating_add(time).expect("a signed duration saturates")
}

impl Okta {
    /// A token for a session is a session that has not begun: it is kept under its own text.
    pub(super) fn authenticate_primary(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let body = Value::Object(check::body(context, request)?);
        let (login, password) = (body["username"].as_str(), body["password"].as_str().unwrap_or_default());
        let found = login.and_then(|login| self.user(login)).map(|user| user.id.clone());
        let id = found.ok_or_else(|| failed(context, AUTHENTICATION_FAILED))?;
        let user = self.users.get_mut(&id).expect("the id was found just now");
        let is_right = user.password.as_deref().is_none_or(|right| check_secret(password, right).is_ok());
        if !user.try_sign_in(is_right, context.now) {
            return Err(failed(context, AUTHENTICATION_FAILED));
        }
        let expires_at = after(context.now, TOKEN);
        let token = context.id("20111", 40);
        let shown = json!({"expiresAt": instant(expires_at), "status": "SUCCESS", "sessionToken": token,
            "_embedded": {"user": {"id": id, "profile": {"login": user.login(), "firstName": user.text("firstName"),
                "lastName": user.text("lastName"), "locale": "en", "timeZone": "America/Los_Angeles"}}}});
        self.keep(Session { id: token, user: id, created_at: context.now, expires_at });
        Ok(Reply::json(200, &shown))
    }

    fn keep(&mut self, session: Session) {
        if self.sessions.len() == SESSIONS_MAX {
            self.sessions.remove_oldest();
        }
        let id = session.id.clone();
        self.sessions.insert(&id, session);
    }

    pub(super) fn create_session(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let body = Value::Object(check::body(context, request)?);
        let token = body["sessionToken"].as_str().filter(|token| token.starts_with("20111")).unwrap_or_default();
        let taken = self.sessions.remove(token).filter(|token| token.expires_at > context.now);
        let user = taken.ok_or_else(|| failed(context, AUTHENTICATION_FAILED))?.user.clone();
        let (id, expires_at) = (context.id("102", 22), after(context.now, SESSION));
        self.keep(Session { id: id.clone(), user, created_at: context.now, expires_at });
        self.shown_session(context, request, &id)
    }

    fn shown_session(&self, context: &Context<'_>, request: &Request, id: &str) -> Answer {
        let live =
            self.sessions.get(id).filter(|session| session.id.starts_with("102") && session.expires_at > context.now);
        let found = live.and_then(|session| Some((session, self.users.get(&session.user)?)));
        let (session, user) = found.ok_or_else(|| not_found(context, id, "Session"))?;
        Ok(Reply::json(200, &Links::of(request).session(session, user)))
    }

    pub(super) fn get_session(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        self.shown_session(context, request, request.param("id"))
    }

    pub(super) fn refresh_session(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let id = request.param("id");
        self.shown_session(context, request, id)?;
        if let Some(session) = self.sessions.get_mut(id) {
            session.expires_at = after(context.now, SESSION);
        }
        self.shown_session(context, request, id)
    }

    pub(super) fn revoke_session(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let id = request.param("id");
        self.shown_session(context, request, id)?;
        self.sessions.remove(id);
        Ok(Reply::empty(204))
    }

    pub(super) fn revoke_user_sessions(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let id = self.user_id(context, request, "id")?;
        self.end_sessions(&id);
        if request.query["oauthTokens"].as_str() == Some("true") {
            self.end_tokens(&id);
        }
        Ok(Reply::empty(204))
    }

    /// Whoever is no longer active is signed out everywhere.
    pub(super) fn end_sign_ins(&mut self, user: &str) {
        self.end_sessions(user);
        self.end_tokens(user);
    }

    fn end_sessions(&mut self, user: &str) {
        let own = self.sessions.oldest_first().filter(|session| session.user == user);
        let own: Vec<_> = own.map(|session| session.id.clone()).collect();
        own.iter().for_each(|id| drop(self.sessions.remove(id)));
    }

    fn end_tokens(&mut self, user: &str) {
        self.products.end_tokens_of(user);
        self.organization.end_tokens_of(user);
    }

    pub(super) fn sessions_shown(&self) -> Vec<Value> {
        let begun = self.sessions.oldest_first().filter(|session| session.id.starts_with("102"));
        let row = |session: &Session| json!({"id": session.id, "user": session.user, "created_at": session.created_at, "expires_at": session.expires_at});
        begun.map(row).collect()
    }
}

impl User {
    /// Whether a sign-in with a password that is right or not succeeds.
    fn try_sign_in(&mut self, is_right: bool, now: Timestamp) -> bool {
        if self.status != Status::Active {
            return false;
        }
        if is_right {
            (self.failed_sign_ins, self.last_login_at) = (0, Some(now));
            return true;
        }
        self.failed_sign_ins += 1;
        if self.failed_sign_ins >= FAILED_SIGN_INS_MAX {
            self.move_to(Status::LockedOut, now);
        }
        false
    }
}
