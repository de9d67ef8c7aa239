//! Users: made, read, changed and deleted.

use serde_json::{Map, Value};

use super::{
    Okta, check,
    errors::{invalid, not_found},
    model::{Status, User},
    pages::{Size, page},
    search::{Searched, found, is_narrowed},
    show::Links,
};
use crate::{
    http::{Reply, Request},
    twin::{Answer, Context},
};

const USERS_MAX: usize = 20_000; // more are a mistake of the test
const PAGE: Size = Size { usual: 200, most: 200 };
const SEARCHED: Searched = Searched {
    begins: &["profile.firstName", "profile.lastName", "profile.email"],
    filtered: &[
        "status",
        "id",
        "lastUpdated",
        "profile.login",
        "profile.email",
        "profile.firstName",
        "profile.lastName",
    ],
};

impl Okta {
    /// The id of the user whom the path names; `me` is who made the token.
    pub(super) fn user_id(&self, context: &Context<'_>, request: &Request, param: &str) -> Result<String, Reply> {
        let name = request.param(param);
        let named = if name == "me" { self.caller(request).unwrap_or(name) } else { name };
        let user = self.user(named).ok_or_else(|| not_found(context, name, "User"))?;
        Ok(user.id.clone())
    }

    /// The one of the path, to be changed.
    pub(super) fn user_mut(&mut self, context: &Context<'_>, request: &Request) -> Result<&mut User, Reply> {
        let id = self.user_id(context, request, "id")?;
        Ok(self.users.get_mut(&id).expect("the id was found just now"))
    }

    pub(super) fn shown_user(&self, request: &Request, id: &str) -> Reply {
        let user = self.users.get(id).expect("callers found the user");
        Reply::json(200, &Links::of(request).user(user, true))
    }

    pub(super) fn list_users(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let links = Links::of(request);
        let all = is_narrowed(request);
        let shown = |user: &&User| all || user.status != Status::Deprovisioned;
        let rows: Vec<_> = self.users.oldest_first().filter(shown).map(|user| links.user(user, false)).collect();
        let places = found(context, request, &rows, &SEARCHED)?;
        let rows: Vec<_> = places.into_iter().map(|place| &rows[place]).collect();
        page(context, request, &rows, PAGE, |row| row["id"].as_str().unwrap_or_default(), |row| (*row).clone())
    }

    pub(super) fn get_user(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let id = self.user_id(context, request, "id")?;
        Ok(self.shown_user(request, &id))
    }

    pub(super) fn create_user(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let body = check::body(context, request)?;
        let profile: Map<_, _> =
            check::object(&body, "profile").into_iter().filter(|(_, value)| !value.is_null()).collect();
        self.check_profile(context, &profile, None)?;
        if self.users.len() == USERS_MAX {
            let cause = format!("The okta twin keeps at most {USERS_MAX} users.");
            return Err(invalid(context, "users", &[cause]));
        }
        let credentials = Value::Object(check::object(&body, "credentials"));
        let password = check::password(context, &credentials)?;
        let groups: Vec<_> = body.get("groupIds").and_then(Value::as_array).into_iter().flatten().collect();
        let groups: Vec<_> = groups.into_iter().filter_map(Value::as_str).map(str::to_owned).collect();
        if let Some(unknown) = groups.iter().find(|group| !self.groups.contains(group)) {
            return Err(not_found(context, unknown, "UserGroup"));
        }
        let status = match (request.query["activate"].as_str(), &password) {
            (Some("false"), _) => Status::Staged,
            (_, Some(_)) => Status::Active,
            (_, None) => Status::Provisioned,
        };
        let mut user = User::new(context.id("00u", 17), profile, Status::Staged, context.now);
        user.move_to(status, context.now);
        user.recovery_question = credentials["recovery_question"]["question"].as_str().map(str::to_owned);
        user.set_password(password, context.now);
        let id = user.id.clone();
        self.logins.insert(user.login().to_lowercase(), id.clone());
        self.users.insert(&id, user);
        for group in groups {
            self.join(&group, &id, context.now);
        }
        Ok(self.shown_user(request, &id))
    }

    /// Some fields.
    pub(super) fn update_user(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let body = check::body(context, request)?;
        let id = self.user_id(context, request, "id")?;
        let mut profile = self.users.get(&id).map(|user| user.profile.clone()).unwrap_or_default();
        check::merge(&mut profile, &check::object(&body, "profile"));
        self.change(context, request, &id, profile, &body)
    }

    /// All fields: what is left out is gone.
    pub(super) fn replace_user(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let body = check::body(context, request)?;
        let id = self.user_id(context, request, "id")?;
        let mut profile = Map::new();
        check::merge(&mut profile, &check::object(&body, "profile"));
        self.change(context, request, &id, profile, &body)
    }

    fn change(
        &mut self,
        context: &Context<'_>,
        request: &Request,
        id: &str,
        profile: Map<String, Value>,
        body: &Map<String, Value>,
    ) -> Answer {
        self.check_profile(context, &profile, Some(id))?;
        let credentials = Value::Object(check::object(body, "credentials"));
        let password = check::password(context, &credentials)?;
        let user = self.users.get_mut(id).expect("callers found the user");
        self.logins.remove(&user.login().to_lowercase());
        (user.profile, user.updated_at) = (profile, context.now);
        if let Some(question) = credentials["recovery_question"]["question"].as_str() {
            user.recovery_question = Some(question.to_owned());
        }
        user.set_password(password, context.now);
        self.logins.insert(user.login().to_lowercase(), id.to_owned());
        Ok(self.shown_user(request, id))
    }

    /// The first call ends what the user can do, the second one takes the user away.
    pub(super) fn delete_user(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let id = self.user_id(context, request, "id")?;
        let user = self.users.get(&id).expect("the id was found just now");
        if user.status == Status::Deprovisioned {
            self.logins.remove(&user.login().to_lowercase());
            self.users.remove(&id);
            self.leave_all(&id);
        } else {
            self.deprovision(&id, context.now);
        }
        Ok(Reply::empty(204))
    }

    pub(super) fn list_user_groups(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let id = self.user_id(context, request, "id")?;
        let links = Links::of(request);
        let user = self.users.get(&id).expect("the id was found just now");
        let groups: Vec<_> = self.groups_of(user).collect();
        page(context, request, &groups, PAGE, |group| &group.id, |group| links.group(group))
    }
}
