//! Groups and who is in them. Everyone is in `Everyone`, which nobody changes.

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::{
    Okta, check,
    errors::{FORBIDDEN, failed, invalid, not_found},
    model::{Group, GroupKind, User},
    pages::{Size, page},
    search::{Searched, found},
    show::Links,
};
use crate::{
    http::{Reply, Request},
    twin::{Answer, Context},
};

const GROUPS_MAX: usize = 5_000; // more are a mistake of the test
const PAGE: Size = Size { usual: 10_000, most: 10_000 };
const MEMBERS_PAGE: Size = Size { usual: 1_000, most: 1_000 };
const SEARCHED: Searched =
    Searched { begins: &["profile.name"], filtered: &["id", "type", "lastUpdated", "lastMembershipUpdated"] };

impl Okta {
    pub(super) fn group(&self, context: &Context<'_>, request: &Request, param: &str) -> Result<&Group, Reply> {
        let id = request.param(param);
        self.groups.get(id).ok_or_else(|| not_found(context, id, "UserGroup"))
    }

    /// The one of the path, if it may be changed.
    fn own_group(&self, context: &Context<'_>, request: &Request) -> Result<String, Reply> {
        let group = self.group(context, request, "id")?;
        if group.kind == GroupKind::BuiltIn { Err(failed(context, FORBIDDEN)) } else { Ok(group.id.clone()) }
    }

    pub(super) fn list_groups(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let links = Links::of(request);
        let rows: Vec<_> = self.groups.oldest_first().map(|group| links.group(group)).collect();
        let places = found(context, request, &rows, &SEARCHED)?;
        let rows: Vec<_> = places.into_iter().map(|place| &rows[place]).collect();
        page(context, request, &rows, PAGE, |row| row["id"].as_str().unwrap_or_default(), |row| (*row).clone())
    }

    pub(super) fn get_group(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        Ok(Reply::json(200, &Links::of(request).group(self.group(context, request, "id")?)))
    }

    /// The profile of a body, with a name that no other group has.
    fn group_profile(
        &self,
        context: &Context<'_>,
        request: &Request,
        id: Option<&str>,
    ) -> Result<Map<String, Value>, Reply> {
        let mut profile = check::object(&check::body(context, request)?, "profile");
        let name = profile.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
        if name.is_empty() {
            return Err(invalid(context, "name", &["name: The field cannot be left blank".to_owned()]));
        }
        let is_taken = |group: &Group| group.name() == name && Some(group.id.as_str()) != id;
        if self.groups.oldest_first().any(is_taken) {
            let cause = "name: An object with this field already exists in the current organization".to_owned();
            return Err(invalid(context, "name", &[cause]));
        }
        profile.entry("description").or_insert(Value::Null);
        Ok(profile)
    }

    pub(super) fn create_group(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let profile = self.group_profile(context, request, None)?;
        if self.groups.len() == GROUPS_MAX {
            let cause = format!("The okta twin keeps at most {GROUPS_MAX} groups.");
            return Err(invalid(context, "groups", &[cause]));
        }
        let group = Group::new(context.id("00g", 17), GroupKind::Okta, profile, context.now);
        let shown = Links::of(request).group(&group);
        let id = group.id.clone();
        self.groups.insert(&id, group);
        Ok(Reply::json(200, &shown))
    }

    pub(super) fn replace_group(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let id = self.own_group(context, request)?;
        let profile = self.group_profile(context, request, Some(&id))?;
        let group = self.groups.get_mut(&id).expect("the id was found just now");
        (group.profile, group.updated_at) = (profile, context.now);
        Ok(Reply::json(200, &Links::of(request).group(group)))
    }

    pub(super) fn delete_group(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let id = self.own_group(context, request)?;
        self.groups.remove(&id);
        let assigned = self.applications.oldest_first().filter(|application| application.groups.contains_key(&id));
        let assigned: Vec<_> = assigned.map(|application| application.id.clone()).collect();
        for application in assigned {
            self.applications.get_mut(&application).map(|application| application.groups.remove(&id));
        }
        Ok(Reply::empty(204))
    }

    pub(super) fn list_group_users(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let links = Links::of(request);
        let members: Vec<&User> = self.members(self.group(context, request, "id")?).collect();
        page(context, request, &members, MEMBERS_PAGE, |user| &user.id, |user| links.user(user, false))
    }

    pub(super) fn add_to_group(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let id = self.own_group(context, request)?;
        let user = self.user_id(context, request, "user")?;
        self.join(&id, &user, context.now);
        Ok(Reply::empty(204))
    }

    pub(super) fn remove_from_group(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let id = self.own_group(context, request)?;
        let user = self.user_id(context, request, "user")?;
        let group = self.groups.get_mut(&id).expect("the id was found just now");
        if group.members.remove(&user) {
            group.members_updated_at = context.now;
        }
        Ok(Reply::empty(204))
    }

    pub(super) fn join(&mut self, group: &str, user: &str, now: Timestamp) {
        if let Some(group) = self.groups.get_mut(group).filter(|group| group.kind == GroupKind::Okta)
            && group.members.insert(user.to_owned())
        {
            group.members_updated_at = now;
        }
    }

    /// Someone who is no more is in no group.
    pub(super) fn leave_all(&mut self, user: &str) {
        let joined = self.groups.oldest_first().filter(|group| group.members.contains(user));
        let joined: Vec<_> = joined.map(|group| group.id.clone()).collect();
        for group in joined {
            self.groups.get_mut(&group).map(|group| group.members.remove(user));
        }
    }
}
