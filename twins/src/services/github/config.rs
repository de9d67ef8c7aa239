//! What a test may set up: who exists, with which tokens, and the repositories that are there from the start.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Deserialize;

use super::{
    GitHub,
    git::{Kind, MODE_FILE, Signature},
    model::{Account, Issue, Permission, Token},
    repos::NewRepo,
};
use crate::{TwinError, engine::outbox::Endpoint};

/// When everything of the configuration was made: a fixed instant, so that its hashes are known beforehand.
const BORN: Timestamp = Timestamp::constant(1_767_225_600, 0); // 2026-01-01
const SCOPES: [&str; 7] = ["admin:org", "admin:repo_hook", "delete_repo", "gist", "repo", "user", "workflow"];

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in super::super) struct Config {
    users: Vec<UserConfig>,
    organizations: Vec<OrganizationConfig>,
    repositories: Vec<RepositoryConfig>,
    /// Receivers of the events of all repositories.
    webhooks: Vec<Endpoint>,
    rate_limit: Limits,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UserConfig {
    login: String,
    name: Option<String>,
    email: Option<String>,
    #[serde(default)]
    site_admin: bool,
    #[serde(default)]
    tokens: Vec<TokenConfig>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenConfig {
    token: String,
    #[serde(default = "every_scope")]
    scopes: Vec<String>,
    expires_at: Option<Timestamp>,
}

fn every_scope() -> Vec<String> {
    SCOPES.map(str::to_owned).to_vec()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OrganizationConfig {
    login: String,
    name: Option<String>,
    #[serde(default)]
    members: BTreeSet<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RepositoryConfig {
    /// `owner/name`.
    full_name: String,
    description: Option<String>,
    #[serde(default)]
    private: bool,
    #[serde(default = "main")]
    default_branch: String,
    /// The first commit: text by path.
    #[serde(default)]
    files: BTreeMap<String, String>,
    /// `pull`, `triage`, `push`, `maintain` or `admin` by login.
    #[serde(default)]
    collaborators: BTreeMap<String, String>,
    #[serde(default)]
    issues: Vec<IssueConfig>,
}

fn main() -> String {
    "main".to_owned()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct IssueConfig {
    title: String,
    body: Option<String>,
    #[serde(default)]
    labels: BTreeSet<String>,
}

/// Requests per hour, and searches per minute.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Limits {
    pub(super) core: u64,
    pub(super) search: u64,
    pub(super) anonymous: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { core: 5_000, search: 30, anonymous: 60 }
    }
}

impl Default for Config {
    fn default() -> Self {
        let token = TokenConfig { token: "ghp_twin".to_owned(), scopes: every_scope(), expires_at: None };
        let (login, name) = ("octocat".to_owned(), Some("The Octocat".to_owned()));
        let user = UserConfig { login, name, email: None, site_admin: false, tokens: vec![token] };
        let (organizations, repositories, webhooks) = Default::default();
        Self { users: vec![user], organizations, repositories, webhooks, rate_limit: Limits::default() }
    }
}

impl GitHub {
    pub(in super::super) fn open(config: Config) -> Result<Self, TwinError> {
        let bad = |why: String| TwinError::Config { twin: "github".to_owned(), why };
        let mut github = Self::empty(config.rate_limit, config.webhooks);
        for user in config.users {
            let UserConfig { login, name, email, site_admin, tokens } = user;
            for TokenConfig { token, scopes, expires_at } in tokens {
                github.tokens.insert(token, Token { login: login.clone(), scopes, expires_at });
            }
            github.add_account(Account { id: 0, login, name, email, site_admin, members: None });
        }
        for OrganizationConfig { login, name, members } in config.organizations {
            let members = Some(members);
            github.add_account(Account { id: 0, login, name, email: None, site_admin: false, members });
        }
        for repository in config.repositories {
            github.add_configured(repository).map_err(bad)?;
        }
        github.refresh_endpoints();
        Ok(github)
    }

    fn add_account(&mut self, mut account: Account) {
        account.id = self.next_id();
        self.accounts.insert(&account.login.to_lowercase(), account);
    }

    fn add_configured(&mut self, config: RepositoryConfig) -> Result<(), String> {
        let (owner, name) = config.full_name.split_once('/').ok_or("a repository's `full_name` is `owner/name`")?;
        let account = self.accounts.get(&owner.to_lowercase()).ok_or_else(|| {
            format!("the owner of `{}` is no user or organization; add it to `users`", config.full_name)
        })?;
        let (owner, author) = (account.login.clone(), account.clone());
        let new = NewRepo { owner: owner.clone(), name: name.to_owned(), default_branch: config.default_branch };
        let mut repo = self.new_repo(new, BORN);
        (repo.description, repo.private) = (config.description, config.private);
        for (login, permission) in config.collaborators {
            let known = Permission::of(&permission).ok_or_else(|| format!("unknown permission `{permission}`"))?;
            repo.collaborators.insert(login, known);
        }
        let mut tree = None;
        for (path, text) in config.files {
            let blob = repo.git.put(Kind::Blob, text);
            tree = Some(repo.git.with_path(tree, &path, Some((MODE_FILE, blob))));
        }
        if let Some(tree) = tree {
            let who = Signature::new(author.name.as_deref().unwrap_or(&owner), &author.commit_email(), BORN);
            repo.first_commit(tree, &who, "Initial commit");
        }
        for issue in config.issues {
            let (id, number) = (self.next_id(), repo.last_number + 1);
            repo.last_number = number;
            for name in &issue.labels {
                let label_id = self.next_id();
                repo.ensure_label(label_id, name);
            }
            let issue =
                Issue { body: issue.body, labels: issue.labels, ..Issue::new(id, number, &owner, issue.title, BORN) };
            repo.issues.insert(&number.to_string(), issue);
        }
        self.repos.insert(&repo.key(), repo);
        Ok(())
    }
}
