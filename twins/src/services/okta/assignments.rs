//! Who may use an application: users, and groups with all who are in them.

use serde_json::{Map, Value, json};

use super::{
    Okta, check,
    errors::not_found,
    model::{Application, Assignment, Group, Status, User},
    pages::{Size, page},
    show::Links,
};
use crate::{
    http::{Content, Reply, Request},
    twin::{Answer, Context},
};

const PAGE: Size = Size { usual: 50, most: 500 };
const GROUPS_PAGE: Size = Size { usual: 20, most: 200 };

fn assignment(context: &Context<'_>, body: &Map<String, Value>) -> Assignment {
    let user_name = body.get("credentials").and_then(|credentials| credentials["userName"].as_str());
    Assignment {
        user_name: user_name.map(str::to_owned),
        profile: check::object(body, "profile"),
        priority: body.get("priority").and_then(Value::as_u64).unwrap_or_default(),
        created_at: context.now,
        updated_at: context.now,
    }
}

impl Okta {
    /// Users with what assigned them, in the order in which they were made; one's own assignment comes before a group's.
    pub(super) fn assigned<'o>(
        &'o self,
        application: &'o Application,
    ) -> impl Iterator<Item = (&'o User, &'o Assignment, &'static str)> {
        let active = self.users.oldest_first().filter(|user| user.status != Status::Deprovisioned);
        active.filter_map(|user| {
            if let Some(own) = application.users.get(&user.id) {
                return Some((user, own, "USER"));
            }
            let mut groups = application.groups.iter();
            let (_, by) = groups.find(|(id, _)| self.groups.get(id).is_some_and(|group| group.has(&user.id)))?;
            Some((user, by, "GROUP"))
        })
    }

    pub(super) fn list_application_users(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let (links, application) = (Links::of(request), self.application(context, request)?);
        let begin = request.query["q"].as_str().unwrap_or_default().to_lowercase();
        let is_meant = |user: &User| {
            let mut fields = ["login", "email", "firstName", "lastName"].iter().filter_map(|field| user.text(field));
            begin.is_empty() || fields.any(|text| text.to_lowercase().starts_with(&begin))
        };
        let rows: Vec<_> = self.assigned(application).filter(|(user, ..)| is_meant(user)).collect();
        page(
            context,
            request,
            &rows,
            PAGE,
            |row| &row.0.id,
            |row| links.application_user(application, row.0, row.1, row.2),
        )
    }

    pub(super) fn assign_user(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let body = check::body(context, request)?;
        let name = body.get("id").and_then(Value::as_str).unwrap_or_default();
        let user = self.user(name).ok_or_else(|| not_found(context, name, "User"))?.id.clone();
        let given = assignment(context, &body);
        self.application_mut(context, request)?.users.insert(user.clone(), given);
        self.shown_assignment(context, request, &user)
    }

    fn shown_assignment(&self, context: &Context<'_>, request: &Request, id: &str) -> Answer {
        let application = self.application(context, request)?;
        let found = self.assigned(application).find(|(user, ..)| user.id == id);
        let (user, given, scope) = found.ok_or_else(|| not_found(context, id, "AppUser"))?;
        Ok(Reply::json(200, &Links::of(request).application_user(application, user, given, scope)))
    }

    pub(super) fn get_application_user(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        self.application(context, request)?;
        let id = self.user_id(context, request, "user")?;
        self.shown_assignment(context, request, &id)
    }

    pub(super) fn update_application_user(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let body = check::body(context, request)?;
        let id = self.user_id(context, request, "user")?;
        let new = assignment(context, &body);
        let found = self.application_mut(context, request)?.users.get_mut(&id);
        let given = found.ok_or_else(|| not_found(context, request.param("user"), "AppUser"))?;
        check::merge(&mut given.profile, &new.profile);
        given.user_name = new.user_name.or_else(|| given.user_name.take());
        given.updated_at = context.now;
        self.shown_assignment(context, request, &id)
    }

    pub(super) fn unassign_user(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let id = self.user_id(context, request, "user")?;
        let removed = self.application_mut(context, request)?.users.remove(&id);
        removed.map(|_| Reply::empty(204)).ok_or_else(|| not_found(context, request.param("user"), "AppUser"))
    }

    pub(super) fn list_application_groups(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let (links, application) = (Links::of(request), self.application(context, request)?);
        let mut rows: Vec<_> = application.groups.iter().collect();
        rows.sort_by_key(|(_, given)| (given.priority, given.created_at));
        page(
            context,
            request,
            &rows,
            GROUPS_PAGE,
            |row| row.0,
            |row| links.application_group(application, row.0, row.1),
        )
    }

    pub(super) fn assign_group(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        self.application(context, request)?;
        let group = self.group(context, request, "group")?.id.clone();
        let body = if request.content == Content::Empty { Map::new() } else { check::body(context, request)? };
        let new = assignment(context, &body);
        let application = self.application_mut(context, request)?;
        let created_at = application.groups.get(&group).map_or(context.now, |given| given.created_at);
        application.groups.insert(group, Assignment { created_at, ..new });
        self.get_application_group(context, request)
    }

    pub(super) fn get_application_group(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let (application, group) = (self.application(context, request)?, request.param("group"));
        let given = application.groups.get(group);
        let given = given.ok_or_else(|| not_found(context, group, "ApplicationGroupAssignment"))?;
        Ok(Reply::json(200, &Links::of(request).application_group(application, group, given)))
    }

    pub(super) fn unassign_group(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let group = request.param("group");
        let removed = self.application_mut(context, request)?.groups.remove(group);
        removed.map(|_| Reply::empty(204)).ok_or_else(|| not_found(context, group, "ApplicationGroupAssignment"))
    }

    pub(super) fn list_group_applications(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let (links, group) = (Links::of(request), self.group(context, request, "id")?);
        let is_assigned = |application: &&Application| application.groups.contains_key(&group.id);
        let rows: Vec<_> = self.applications.oldest_first().filter(is_assigned).collect();
        page(context, request, &rows, GROUPS_PAGE, |row| &row.id, |row| links.application(row))
    }

    /// What a person sees on their start page.
    pub(super) fn list_app_links(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let (id, links) = (self.user_id(context, request, "id")?, Links::of(request));
        let user = self.users.get(&id).expect("the id was found just now");
        let groups: Vec<&Group> = self.groups_of(user).collect();
        let may_use = |application: &&Application| {
            let by_group = || groups.iter().any(|group| application.groups.contains_key(&group.id));
            application.is_active && (application.users.contains_key(&id) || by_group())
        };
        let shown = self.applications.oldest_first().filter(may_use).enumerate().map(|(place, application)| {
            json!({"id": format!("{}-{}", application.id, user.id), "label": application.body["label"],
                "linkUrl": links.at(&format!("/home/{}/{}", application.body["name"].as_str().unwrap_or_default(), application.id)),
                "logoUrl": null, "appName": application.body["name"], "appInstanceId": application.id,
                "appAssignmentId": user.id, "credentialsSetup": false, "hidden": false, "sortOrder": place})
        });
        Ok(Reply::json(200, &shown.collect::<Vec<_>>()))
    }
}
