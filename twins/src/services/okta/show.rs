//! How rows read over the wire, with links that lead back to the address that the client used.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::model::{Application, Assignment, Group, Session, Status, User};
use crate::http::Request;

/// The one type of users that there is.
const USER_TYPE: &str = "oty0twin0000000default";

pub(super) struct Links {
    origin: String,
}

pub(super) fn instant(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

fn optional(at: Option<Timestamp>) -> Value {
    json!(at.map(instant))
}

impl Links {
    pub(super) fn of(request: &Request) -> Self {
        Self { origin: request.origin() }
    }

    pub(super) fn below(origin: &str) -> Self {
        Self { origin: origin.to_owned() }
    }

    pub(super) fn at(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }

    fn href(&self, path: &str) -> Value {
        json!({"href": self.at(path)})
    }

    fn method(&self, path: &str, method: &str) -> Value {
        json!({"href": self.at(path), "method": method})
    }

    /// `is_whole`: with what may be done to the user now, as the answer about one user has it.
    pub(super) fn user(&self, user: &User, is_whole: bool) -> Value {
        let own = format!("/api/v1/users/{}", user.id);
        let mut links = json!({"self": self.href(&own)});
        if is_whole {
            links["schema"] = self.href("/api/v1/meta/schemas/user/osc0twin0000000default");
            links["type"] = self.href(&format!("/api/v1/meta/types/user/{USER_TYPE}"));
            for (name, path) in possible(user.status) {
                links[*name] = self.method(&format!("{own}/{path}"), "POST");
            }
        }
        json!({"id": user.id, "status": user.status, "created": instant(user.created_at),
            "activated": optional(user.activated_at), "statusChanged": optional(user.status_changed_at),
            "lastLogin": optional(user.last_login_at), "lastUpdated": instant(user.updated_at),
            "passwordChanged": optional(user.password_changed_at), "type": {"id": USER_TYPE},
            "profile": user.profile, "credentials": credentials(user), "_links": links})
    }

    pub(super) fn group(&self, group: &Group) -> Value {
        let own = format!("/api/v1/groups/{}", group.id);
        json!({"id": group.id, "created": instant(group.created_at), "lastUpdated": instant(group.updated_at),
            "lastMembershipUpdated": instant(group.members_updated_at), "objectClass": ["okta:user_group"],
            "type": group.kind, "profile": group.profile,
            "_links": {"users": self.href(&format!("{own}/users")), "apps": self.href(&format!("{own}/apps"))}})
    }

    pub(super) fn application(&self, application: &Application) -> Value {
        let own = format!("/api/v1/apps/{}", application.id);
        let (turn, path) = if application.is_active { ("deactivate", "deactivate") } else { ("activate", "activate") };
        let mut shown = Value::Object(application.body.clone());
        shown["id"] = json!(application.id);
        shown["status"] = json!(if application.is_active { "ACTIVE" } else { "INACTIVE" });
        shown["created"] = json!(instant(application.created_at));
        shown["lastUpdated"] = json!(instant(application.updated_at));
        shown["_links"] = json!({"self": self.href(&own), "users": self.href(&format!("{own}/users")),
            "groups": self.href(&format!("{own}/groups")), "logo": [], "appLinks": [],
            turn: self.method(&format!("{own}/lifecycle/{path}"), "POST")});
        shown
    }

    /// `scope` is `USER`, or `GROUP` where the user is there because of a group.
    pub(super) fn application_user(
        &self,
        application: &Application,
        user: &User,
        given: &Assignment,
        scope: &str,
    ) -> Value {
        let own = format!("/api/v1/apps/{}", application.id);
        let user_name = given.user_name.as_deref().unwrap_or_else(|| user.login());
        json!({"id": user.id, "externalId": null, "created": instant(given.created_at),
            "lastUpdated": instant(given.updated_at), "scope": scope, "status": "ACTIVE",
            "statusChanged": instant(given.created_at), "passwordChanged": null, "syncState": "DISABLED",
            "credentials": {"userName": user_name}, "profile": given.profile,
            "_links": {"app": self.href(&own), "user": self.href(&format!("/api/v1/users/{}", user.id))}})
    }

    pub(super) fn application_group(&self, application: &Application, group: &str, given: &Assignment) -> Value {
        let own = format!("/api/v1/apps/{}", application.id);
        json!({"id": group, "lastUpdated": instant(given.updated_at), "priority": given.priority,
            "profile": given.profile, "_links": {"app": self.href(&own),
            "self": self.href(&format!("{own}/groups/{group}")), "group": self.href(&format!("/api/v1/groups/{group}"))}})
    }

    pub(super) fn session(&self, session: &Session, user: &User) -> Value {
        let own = format!("/api/v1/sessions/{}", session.id);
        let begun = instant(session.created_at);
        json!({"id": session.id, "userId": user.id, "login": user.login(), "status": "ACTIVE", "createdAt": begun,
            "expiresAt": instant(session.expires_at), "lastPasswordVerification": begun,
            "lastFactorVerification": null, "amr": ["pwd"], "idp": {"id": "0oa0twin0000000default", "type": "OKTA"},
            "mfaActive": false, "_links": {"self": {"href": self.at(&own), "hints": {"allow": ["GET", "DELETE"]}},
            "refresh": {"href": self.at(&format!("{own}/lifecycle/refresh")), "hints": {"allow": ["POST"]}},
            "user": self.href(&format!("/api/v1/users/{}", user.id))}})
    }
}

/// Never the password itself.
pub(super) fn credentials(user: &User) -> Value {
    let mut shown = Map::new();
    if user.password.is_some() {
        shown.insert("password".to_owned(), json!({}));
    }
    if let Some(question) = &user.recovery_question {
        shown.insert("recovery_question".to_owned(), json!({"question": question}));
    }
    shown.insert("provider".to_owned(), json!({"type": "OKTA", "name": "OKTA"}));
    Value::Object(shown)
}

fn possible(status: Status) -> &'static [(&'static str, &'static str)] {
    const DEACTIVATE: (&str, &str) = ("deactivate", "lifecycle/deactivate");
    const RESET: (&str, &str) = ("resetPassword", "lifecycle/reset_password");
    match status {
        Status::Staged => &[("activate", "lifecycle/activate"), DEACTIVATE],
        Status::Deprovisioned => &[("activate", "lifecycle/activate")],
        Status::Provisioned => &[("reactivate", "lifecycle/reactivate"), RESET, DEACTIVATE],
        Status::Suspended => &[("unsuspend", "lifecycle/unsuspend"), DEACTIVATE],
        Status::LockedOut => &[("unlock", "lifecycle/unlock"), RESET, DEACTIVATE],
        Status::Recovery | Status::PasswordExpired => &[RESET, DEACTIVATE],
        Status::Active => &[
            ("suspend", "lifecycle/suspend"),
            RESET,
            ("expirePassword", "lifecycle/expire_password"),
            ("forgotPassword", "credentials/forgot_password"),
            ("changePassword", "credentials/change_password"),
            ("resetFactors", "lifecycle/reset_factors"),
            DEACTIVATE,
        ],
    }
}
