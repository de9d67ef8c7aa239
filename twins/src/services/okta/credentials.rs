//! Passwords: changed, forgotten, expired.

use serde_json::{Value, json};

use super::{
    Okta, check,
    errors::{CREDENTIALS_NOT_UPDATED, FORGOT_NOT_ALLOWED, WRONG_STATUS, because, failed},
    lifecycle::mailed,
    model::Status,
    show::credentials,
};
use crate::{
    http::{Reply, Request},
    twin::{Answer, Context, check_secret},
};

/// Who has a password that can be reset or expired.
fn has_one(status: Status) -> bool {
    !matches!(status, Status::Staged | Status::Suspended | Status::Deprovisioned)
}

impl Okta {
    pub(super) fn reset_password(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let user = self.user_mut(context, request)?;
        if !has_one(user.status) {
            return Err(failed(context, WRONG_STATUS));
        }
        user.move_to(Status::Recovery, context.now);
        Ok(mailed(context, request, "/signin/reset-password", ("resetPasswordUrl", "")))
    }

    pub(super) fn forgot_password(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let user = self.user_mut(context, request)?;
        if user.status != Status::Active {
            return Err(failed(context, FORGOT_NOT_ALLOWED));
        }
        user.move_to(Status::Recovery, context.now);
        Ok(mailed(context, request, "/signin/reset-password", ("resetPasswordUrl", "")))
    }

    pub(super) fn expire_password(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let id = self.expire(context, request)?;
        Ok(self.shown_user(request, &id))
    }

    pub(super) fn expire_password_with_temporary(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let id = self.expire(context, request)?;
        let password = context.id("Tw1n", 12);
        if let Some(user) = self.users.get_mut(&id) {
            user.password = Some(password.clone());
        }
        if request.query["revokeSessions"].as_str() == Some("true") {
            self.end_sign_ins(&id);
        }
        Ok(Reply::json(200, &json!({"tempPassword": password})))
    }

    fn expire(&mut self, context: &Context<'_>, request: &Request) -> Result<String, Reply> {
        let user = self.user_mut(context, request)?;
        if !has_one(user.status) {
            return Err(failed(context, WRONG_STATUS));
        }
        user.move_to(Status::PasswordExpired, context.now);
        Ok(user.id.clone())
    }

    pub(super) fn change_password(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let body = Value::Object(check::body(context, request)?);
        let (old, new) = (body["oldPassword"]["value"].as_str(), body["newPassword"]["value"].as_str());
        let user = self.user_mut(context, request)?;
        if !has_one(user.status) {
            return Err(failed(context, WRONG_STATUS));
        }
        let right = user.password.as_deref().zip(old).is_some_and(|(right, old)| check_secret(old, right).is_ok());
        if !right {
            let cause = "oldPassword: Old Password is not correct".to_owned();
            return Err(because(context, CREDENTIALS_NOT_UPDATED, &[cause]));
        }
        let new = new.unwrap_or_default();
        check::check_password(context, new)?;
        user.set_password(Some(new.to_owned()), context.now);
        user.updated_at = context.now;
        Ok(Reply::json(200, &credentials(user)))
    }
}
