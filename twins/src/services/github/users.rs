//! People, organizations, and the tokens of apps.

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{
    GitHub, errors,
    gate::credentials,
    links::{Links, paged},
    model::{Account, Token},
    show::time,
};
use crate::{
    http::{Reply, Request},
    twin::{Answer, Context},
};

const INSTALLATION_TOKEN_LASTS: SignedDuration = SignedDuration::from_hours(1); // as the service's do

impl GitHub {
    pub(super) fn root(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let api = Links::of(request).api;
        Ok(Reply::json(
            200,
            &json!({"current_user_url": format!("{api}/user"),
                "repository_url": format!("{api}/repos/{{owner}}/{{repo}}"),
                "rate_limit_url": format!("{api}/rate_limit"), "user_url": format!("{api}/users/{{user}}"),
                "organization_url": format!("{api}/orgs/{{org}}")}),
        ))
    }

    pub(super) fn get_user(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let account = self.caller(request)?;
        let mut shown = self.account_json(&Links::of(request), account);
        let private = self.repos.oldest_first().filter(|repo| repo.private && repo.owner == account.login).count();
        super::show::extend(
            &mut shown,
            json!({"total_private_repos": private, "owned_private_repos": private, "private_gists": 0,
                "disk_usage": 0, "collaborators": 0, "two_factor_authentication": true,
                "plan": {"name": "free", "space": 976_562_499, "collaborators": 0, "private_repos": 10_000}}),
        );
        Ok(Reply::json(200, &shown))
    }

    pub(super) fn get_named_user(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let account = self.named_account(request.param("username"))?;
        Ok(Reply::json(200, &self.account_json(&Links::of(request), account)))
    }

    pub(super) fn list_own_orgs(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let caller = self.caller(request)?.login.clone();
        let mine = |account: &&Account| account.members.as_ref().is_some_and(|members| members.contains(&caller));
        let orgs: Vec<&Account> = self.accounts.oldest_first().filter(mine).collect();
        let links = Links::of(request);
        Ok(paged(request, orgs, |org| self.organization_json(&links, org)))
    }

    fn organization(&self, request: &Request) -> Result<&Account, Reply> {
        let account = self.named_account(request.param("org"))?;
        if account.is_organization() { Ok(account) } else { Err(errors::not_found()) }
    }

    pub(super) fn get_org(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        Ok(Reply::json(200, &self.organization_json(&Links::of(request), self.organization(request)?)))
    }

    pub(super) fn list_org_members(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let members = self.organization(request)?.members.iter().flatten().collect();
        let links = Links::of(request);
        Ok(paged(request, members, |login: &String| self.user(&links, login)))
    }

    /// A token of the app's owner, which is whom `iss` names, or else the first user.
    pub(super) fn create_installation_token(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let given = credentials(request).unwrap_or_default();
        let claims = claims(&given).ok_or_else(|| errors::failed(401, "A JSON web token could not be decoded"))?;
        let issuer = claims["iss"].as_str().and_then(|login| self.account(login));
        let owner = issuer.or_else(|| self.accounts.oldest_first().next()).ok_or_else(errors::not_found)?;
        let login = owner.login.clone();
        let expires_at = context.now.saturating_add(INSTALLATION_TOKEN_LASTS).expect("a signed duration saturates");
        let token = context.id("ghs_", 36);
        let scopes = vec!["repo".to_owned(), "admin:repo_hook".to_owned()];
        self.tokens.insert(token.clone(), Token { login, scopes, expires_at: Some(expires_at) });
        let permissions = json!({"contents": "write", "issues": "write", "metadata": "read", "pull_requests": "write"});
        let body = json!({"token": token, "expires_at": time(expires_at), "permissions": permissions,
            "repository_selection": "all"});
        Ok(Reply::json(201, &body))
    }
}

/// What a JSON web token says. Its signature is not checked: the twin does not know the app's key.
fn claims(token: &str) -> Option<Value> {
    use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
    let payload = BASE64_URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    serde_json::from_slice(&payload).ok()
}
