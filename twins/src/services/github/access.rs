//! Who sees and changes which repository. What one may not see does not exist.

use super::{
    GitHub, errors,
    model::{Account, Permission, Repo},
};
use crate::http::{Reply, Request};

impl GitHub {
    /// The login of the token, as its account writes it.
    pub(super) fn caller(&self, request: &Request) -> Result<&Account, Reply> {
        let token = self.token(request).ok_or_else(errors::requires_authentication)?;
        self.account(&token.login).ok_or_else(errors::requires_authentication)
    }

    pub(super) fn account(&self, login: &str) -> Option<&Account> {
        self.accounts.get(&login.to_lowercase())
    }

    pub(super) fn named_account(&self, login: &str) -> Result<&Account, Reply> {
        self.account(login).ok_or_else(errors::not_found)
    }

    /// What an account may do, whatever its token allows.
    pub(super) fn permission(&self, repo: &Repo, login: &str) -> Option<Permission> {
        let same = |other: &str| other.eq_ignore_ascii_case(login);
        let owner = self.account(&repo.owner);
        let member = owner.and_then(|owner| owner.members.as_ref()).is_some_and(|all| all.iter().any(|it| same(it)));
        let admin = self.account(login).is_some_and(|account| account.site_admin);
        if same(&repo.owner) || member || admin {
            return Some(Permission::Admin);
        }
        let given = repo.collaborators.iter().find(|(name, _)| same(name)).map(|(_, permission)| *permission);
        given.or_else(|| (!repo.private).then_some(Permission::Pull))
    }

    /// What the request may do: the account's right, as far as the token's scopes reach.
    pub(super) fn granted(&self, repo: &Repo, request: &Request) -> Option<Permission> {
        let Some(token) = self.token(request) else { return (!repo.private).then_some(Permission::Pull) };
        let permission = self.permission(repo, &token.login)?;
        let has = |scope: &str| token.scopes.iter().any(|known| known == scope);
        match (has("repo"), repo.private) {
            (true, _) => Some(permission),
            (false, true) => None,
            (false, false) if has("public_repo") => Some(permission),
            (false, false) => Some(Permission::Pull),
        }
    }

    fn asked_key(request: &Request) -> String {
        let name = request.param("repo");
        format!("{}/{}", request.param("owner"), name.strip_suffix(".git").unwrap_or(name)).to_lowercase()
    }

    pub(super) fn visible(&self, request: &Request) -> Result<&Repo, Reply> {
        let repo = self.repos.get(&Self::asked_key(request)).ok_or_else(errors::not_found)?;
        self.granted(repo, request).map(|_| repo).ok_or_else(errors::not_found)
    }

    /// The repository to change, for one who has at least `needed`.
    pub(super) fn writable(&mut self, request: &Request, needed: Permission) -> Result<&mut Repo, Reply> {
        let repo = self.visible(request)?;
        self.caller(request)?;
        let granted = self.granted(repo, request);
        let account = self.token(request).and_then(|token| self.permission(repo, &token.login));
        if granted < Some(needed) {
            return Err(match needed {
                _ if account >= Some(needed) => errors::not_found(), // the token's scopes do not reach
                Permission::Admin => errors::failed(403, "Must have admin rights to Repository."),
                _ => errors::failed(403, "Must have push access to repository."),
            });
        }
        if repo.archived && needed < Permission::Admin {
            return Err(errors::failed(403, "Repository was archived so is read-only."));
        }
        let key = repo.key();
        Ok(self.repos.get_mut(&key).expect("was just seen"))
    }

    /// A repository that was looked up in this request.
    pub(super) fn repo(&self, key: &str) -> &Repo {
        self.repos.get(key).expect("was looked up in this request")
    }
}
