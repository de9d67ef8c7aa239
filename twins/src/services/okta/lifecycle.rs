//! What a user's status is, and what makes another of it.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    Okta,
    errors::{ALREADY_ACTIVE, UNLOCK_NOT_ALLOWED, WRONG_STATUS, failed, invalid},
    model::{Status, User},
    show::Links,
};
use crate::{
    http::{Reply, Request},
    twin::{Answer, Context},
};

const TOKEN_CHARS: usize = 20;

/// A link that a mail would have, where the caller wants it instead of the mail.
pub(super) fn mailed(context: &mut Context<'_>, request: &Request, path: &str, names: (&str, &str)) -> Reply {
    if request.query["sendEmail"].as_str() != Some("false") {
        return Reply::json(200, &json!({}));
    }
    let token = context.letters("mailed", TOKEN_CHARS);
    let mut answer = json!({names.0: Links::of(request).at(&format!("{path}/{token}"))});
    if !names.1.is_empty() {
        answer[names.1] = json!(token);
    }
    Reply::json(200, &answer)
}

impl Okta {
    pub(super) fn activate_user(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let user = self.user_mut(context, request)?;
        match user.status {
            Status::Staged | Status::Deprovisioned => {
                let has_password = user.password.is_some();
                user.move_to(if has_password { Status::Active } else { Status::Provisioned }, context.now);
                Ok(mailed(context, request, "/welcome", ("activationUrl", "activationToken")))
            }
            Status::Active => Err(failed(context, ALREADY_ACTIVE)),
            _ => Err(failed(context, WRONG_STATUS)),
        }
    }

    /// The mail once more.
    pub(super) fn reactivate_user(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let user = self.user_mut(context, request)?;
        if !matches!(user.status, Status::Provisioned | Status::Recovery) {
            return Err(failed(context, WRONG_STATUS));
        }
        Ok(mailed(context, request, "/welcome", ("activationUrl", "activationToken")))
    }

    pub(super) fn deactivate_user(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let id = self.user_id(context, request, "id")?;
        self.deprovision(&id, context.now);
        Ok(Reply::json(200, &json!({})))
    }

    /// Applications, sessions and tokens end; the row stays.
    pub(super) fn deprovision(&mut self, id: &str, now: Timestamp) {
        self.end_sign_ins(id);
        let assigned = self.applications.oldest_first().filter(|application| application.users.contains_key(id));
        let assigned: Vec<_> = assigned.map(|application| application.id.clone()).collect();
        for application in assigned {
            self.applications.get_mut(&application).map(|application| application.users.remove(id));
        }
        if let Some(user) = self.users.get_mut(id) {
            user.move_to(Status::Deprovisioned, now);
        }
    }

    pub(super) fn suspend_user(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let id = self.user_id(context, request, "id")?;
        let why = ("suspendUser", "Cannot suspend a user that is not active");
        self.turn(context, &id, Status::Active, Status::Suspended, why)?;
        self.end_sign_ins(&id);
        Ok(Reply::json(200, &json!({})))
    }

    pub(super) fn unsuspend_user(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let id = self.user_id(context, request, "id")?;
        let why = ("unsuspendUser", "Cannot unsuspend a user that is not suspended");
        self.turn(context, &id, Status::Suspended, Status::Active, why)?;
        Ok(Reply::json(200, &json!({})))
    }

    fn turn(
        &mut self,
        context: &Context<'_>,
        id: &str,
        from: Status,
        to: Status,
        (field, cause): (&str, &str),
    ) -> Result<(), Reply> {
        let user = self.users.get_mut(id).expect("callers found the user");
        if user.status != from {
            return Err(invalid(context, field, &[cause.to_owned()]));
        }
        user.move_to(to, context.now);
        Ok(())
    }

    pub(super) fn unlock_user(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let user = self.user_mut(context, request)?;
        if user.status != Status::LockedOut {
            return Err(failed(context, UNLOCK_NOT_ALLOWED));
        }
        user.failed_sign_ins = 0;
        user.move_to(Status::Active, context.now);
        Ok(Reply::json(200, &json!({})))
    }

    /// There are none to reset.
    pub(super) fn reset_factors(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        self.user_mut(context, request)?;
        Ok(Reply::json(200, &json!({})))
    }

    /// Too many wrong passwords, at once.
    pub(super) fn act_lock(&mut self, context: &Context<'_>, argument: &Value) -> Result<Value, String> {
        let login = argument["user"].as_str().ok_or("name the `user`")?;
        let id = self.user(login).map(|user| user.id.clone()).ok_or_else(|| format!("there is no user `{login}`"))?;
        let user = self.users.get_mut(&id).expect("the id was found just now");
        if user.status != Status::Active {
            return Err(format!("`{login}` is not active, so cannot be locked out"));
        }
        user.move_to(Status::LockedOut, context.now);
        Ok(json!({"id": id}))
    }
}

impl User {
    /// Sets it where one is given.
    pub(super) fn set_password(&mut self, password: Option<String>, now: Timestamp) {
        if password.is_some() {
            (self.password, self.password_changed_at) = (password, Some(now));
            if matches!(self.status, Status::Provisioned | Status::Recovery | Status::PasswordExpired) {
                self.move_to(Status::Active, now);
            }
        }
    }
}
