//! Who may work on a repository, and who may be assigned.

use serde_json::{Value, json};

use super::{
    GitHub,
    errors::{invalid, not_found},
    links::{Links, paged},
    model::{Account, Permission},
};
use crate::{
    http::{Reply, Request},
    twin::{Answer, Context},
};

impl GitHub {
    pub(super) fn list_assignees(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let repo = self.visible(request)?;
        let rows = self.accounts.oldest_first().filter(|account| self.is_assignable(repo, &account.login)).collect();
        let links = Links::of(request);
        Ok(paged(request, rows, |account: &Account| self.user(&links, &account.login)))
    }

    pub(super) fn check_assignee(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let repo = self.visible(request)?;
        if self.is_assignable(repo, request.param("assignee")) { Ok(Reply::empty(204)) } else { Err(not_found()) }
    }

    pub(super) fn list_collaborators(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let key = self.writable(request, Permission::Push)?.key();
        let repo = self.repo(&key);
        let given = |account: &&Account| {
            let member = repo.collaborators.keys().any(|login| login.eq_ignore_ascii_case(&account.login));
            !account.is_organization() && (member || account.login == repo.owner)
        };
        let links = Links::of(request);
        let shown = |account: &Account| {
            let mut shown = self.user(&links, &account.login);
            super::show::extend(&mut shown, self.permission_json(&key, &account.login));
            shown
        };
        Ok(paged(request, self.accounts.oldest_first().filter(given).collect(), shown))
    }

    fn permission_json(&self, key: &str, login: &str) -> Value {
        let granted = self.permission(self.repo(key), login);
        let each = Permission::ALL.map(|one| (one.name().to_owned(), json!(granted >= Some(one))));
        json!({"permissions": Value::Object(each.into_iter().collect()), "role_name": role(granted)})
    }

    pub(super) fn check_collaborator(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let key = self.writable(request, Permission::Push)?.key();
        let (repo, login) = (self.repo(&key), request.param("username"));
        let listed = repo.collaborators.keys().any(|known| known.eq_ignore_ascii_case(login));
        if listed || repo.owner.eq_ignore_ascii_case(login) { Ok(Reply::empty(204)) } else { Err(not_found()) }
    }

    /// The twin accepts the invitation at once in the name of the invited.
    pub(super) fn add_collaborator(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let login = self.named_account(request.param("username"))?.login.clone();
        let repo = self.writable(request, Permission::Admin)?;
        let wanted = request.tracked().get("permission").as_str().unwrap_or("push");
        let permission = match wanted {
            "read" => Some(Permission::Pull),
            "write" => Some(Permission::Push),
            name => Permission::of(name),
        };
        let permission = permission.ok_or_else(|| invalid("Repository", "permission", "invalid"))?;
        repo.collaborators.insert(login, permission);
        Ok(Reply::empty(204))
    }

    pub(super) fn remove_collaborator(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let login = request.param("username");
        let repo = self.writable(request, Permission::Admin)?;
        repo.collaborators.retain(|known, _| !known.eq_ignore_ascii_case(login));
        Ok(Reply::empty(204))
    }

    pub(super) fn get_permission(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let key = self.writable(request, Permission::Push)?.key();
        let login = self.named_account(request.param("username"))?.login.clone();
        let granted = self.permission(self.repo(&key), &login);
        let coarse = match granted {
            None => "none",
            Some(Permission::Pull | Permission::Triage) => "read",
            Some(Permission::Push | Permission::Maintain) => "write",
            Some(Permission::Admin) => "admin",
        };
        let user = self.user(&Links::of(request), &login);
        Ok(Reply::json(200, &json!({"permission": coarse, "role_name": role(granted), "user": user})))
    }
}

fn role(granted: Option<Permission>) -> &'static str {
    match granted {
        None => "none",
        Some(Permission::Pull) => "read",
        Some(Permission::Push) => "write",
        Some(other) => other.name(),
    }
}
