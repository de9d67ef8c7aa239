//! How accounts, repositories, commits and files read over the wire.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    GitHub,
    git::{Change, Commit, MODE_COMMIT, MODE_LINK, MODE_TREE, Oid, Signature, Store, patch_of},
    links::Links,
    model::{Account, Label, Permission, Repo},
};

pub(super) fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

pub(super) fn node_id(kind: &str, id: impl std::fmt::Display) -> String {
    BASE64_STANDARD.encode(format!("0{}:{kind}{id}", kind.len()))
}

impl GitHub {
    /// An account as it stands inside other rows; one that is gone reads as the service's stand-in.
    pub(super) fn user(&self, links: &Links, login: &str) -> Value {
        let Some(account) = self.account(login) else {
            return json!({"login": "ghost", "id": 10_137, "node_id": node_id("User", 10_137), "type": "User",
                "url": format!("{}/users/ghost", links.api), "html_url": format!("{}/ghost", links.web)});
        };
        let Account { id, login, .. } = account;
        let (url, html_url) = (format!("{}/users/{login}", links.api), format!("{}/{login}", links.web));
        let kind = if account.is_organization() { "Organization" } else { "User" };
        json!({"login": login, "id": id, "node_id": node_id(kind, id), "gravatar_id": "", "url": url,
            "avatar_url": format!("{}/avatars/u/{id}?v=4", links.web), "html_url": html_url,
            "followers_url": format!("{url}/followers"), "following_url": format!("{url}/following{{/other_user}}"),
            "gists_url": format!("{url}/gists{{/gist_id}}"), "starred_url": format!("{url}/starred{{/owner}}{{/repo}}"),
            "subscriptions_url": format!("{url}/subscriptions"), "organizations_url": format!("{url}/orgs"),
            "repos_url": format!("{url}/repos"), "events_url": format!("{url}/events{{/privacy}}"),
            "received_events_url": format!("{url}/received_events"), "type": kind, "user_view_type": "public",
            "site_admin": account.site_admin})
    }

    /// An account by itself.
    pub(super) fn account_json(&self, links: &Links, account: &Account) -> Value {
        let mut user = self.user(links, &account.login);
        let owned = self.repos.oldest_first().filter(|repo| repo.owner == account.login);
        let more = json!({"name": account.name, "company": null, "blog": "", "location": null, "email": account.email,
            "hireable": null, "bio": null, "twitter_username": null, "public_gists": 0, "followers": 0,
            "following": 0, "public_repos": owned.filter(|repo| !repo.private).count(),
            "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z"});
        extend(&mut user, more);
        user
    }

    pub(super) fn organization_json(&self, links: &Links, account: &Account) -> Value {
        let url = format!("{}/orgs/{}", links.api, account.login);
        json!({"login": account.login, "id": account.id, "node_id": node_id("Organization", account.id), "url": url,
            "repos_url": format!("{url}/repos"), "events_url": format!("{url}/events"),
            "hooks_url": format!("{url}/hooks"), "issues_url": format!("{url}/issues"),
            "members_url": format!("{url}/members{{/member}}"),
            "public_members_url": format!("{url}/public_members{{/member}}"),
            "avatar_url": format!("{}/avatars/u/{}?v=4", links.web, account.id), "description": "",
            "name": account.name, "html_url": format!("{}/{}", links.web, account.login), "type": "Organization",
            "has_organization_projects": true, "has_repository_projects": true, "public_gists": 0, "followers": 0,
            "following": 0, "public_repos": self.repos.oldest_first().filter(|it| it.owner == account.login).count(),
            "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z"})
    }

    /// `permission` is what the asking account may do; without it, it is left out, as in webhooks.
    pub(super) fn repo_json(&self, links: &Links, repo: &Repo, permission: Option<Permission>) -> Value {
        let (full_name, url) = (repo.full_name(), links.repo(&repo.full_name()));
        let html_url = format!("{}/{full_name}", links.web);
        let forks = self.repos.oldest_first().filter(|it| it.parent.as_ref() == Some(&repo.key())).count();
        let open = repo.open_issues();
        let mut shown = json!({"id": repo.id, "node_id": node_id("Repository", repo.id), "name": repo.name,
            "full_name": full_name, "private": repo.private, "owner": self.user(links, &repo.owner),
            "html_url": html_url, "description": repo.description, "fork": repo.parent.is_some(), "url": url,
            "homepage": repo.homepage, "language": null, "forks_count": forks, "stargazers_count": 0,
            "watchers_count": 0, "size": repo.git.size_bytes() / 1_024, "default_branch": repo.default_branch,
            "open_issues_count": open, "is_template": false, "topics": repo.topics, "has_issues": repo.has_issues,
            "has_projects": true, "has_wiki": repo.has_wiki, "has_pages": false, "has_downloads": true,
            "has_discussions": false, "archived": repo.archived, "disabled": false, "forks": forks, "watchers": 0,
            "visibility": if repo.private { "private" } else { "public" }, "open_issues": open, "license": null,
            "pushed_at": time(repo.pushed_at), "created_at": time(repo.created_at),
            "updated_at": time(repo.updated_at), "mirror_url": null, "allow_forking": true,
            "web_commit_signoff_required": false, "subscribers_count": 1, "network_count": forks,
            "git_url": format!("git:{}.git", html_url.trim_start_matches("http:")),
            "ssh_url": format!("git@github.com:{full_name}.git"), "clone_url": format!("{html_url}.git"),
            "svn_url": html_url});
        for (name, path) in REPO_LINKS {
            shown[*name] = json!(format!("{url}/{path}"));
        }
        if let Some(granted) = permission {
            let each = Permission::ALL.map(|one| (one.name().to_owned(), json!(granted >= one)));
            shown["permissions"] = Value::Object(each.into_iter().collect());
        }
        shown
    }

    /// A repository by itself, with what merging it allows and where it comes from.
    pub(super) fn full_repo_json(&self, links: &Links, repo: &Repo, permission: Option<Permission>) -> Value {
        let mut shown = self.repo_json(links, repo, permission);
        let merging = json!({"allow_squash_merge": true, "allow_merge_commit": true, "allow_rebase_merge": true,
            "allow_auto_merge": false, "delete_branch_on_merge": false, "allow_update_branch": false,
            "temp_clone_token": null});
        extend(&mut shown, merging);
        if let Some(parent) = repo.parent.as_ref().and_then(|key| self.repos.get(key)) {
            let parent = self.repo_json(links, parent, None);
            shown["source"] = parent.clone();
            shown["parent"] = parent;
        }
        shown
    }

    /// A commit in lists; its author is the account with that address, if there is one.
    pub(super) fn commit_json(&self, links: &Links, repo: &Repo, oid: Oid, commit: &Commit) -> Value {
        let (url, html) = (links.repo(&repo.full_name()), format!("{}/{}", links.web, repo.full_name()));
        let account = |who: &Signature| {
            let known = self.accounts.oldest_first().find(|account| account.commit_email() == who.email);
            known.map_or(Value::Null, |account| self.user(links, &account.login))
        };
        let parent = |parent: &Oid| {
            json!({"sha": parent, "url": format!("{url}/commits/{parent}"),
            "html_url": format!("{html}/commit/{parent}")})
        };
        json!({"sha": oid, "node_id": node_id("Commit", oid), "url": format!("{url}/commits/{oid}"),
            "html_url": format!("{html}/commit/{oid}"), "comments_url": format!("{url}/commits/{oid}/comments"),
            "commit": {"author": person(&commit.author), "committer": person(&commit.committer),
                "message": commit.message.trim_end(), "comment_count": 0,
                "tree": {"sha": commit.tree, "url": format!("{url}/git/trees/{}", commit.tree)},
                "url": format!("{url}/git/commits/{oid}"), "verification": unverified()},
            "author": account(&commit.author), "committer": account(&commit.committer),
            "parents": commit.parents.iter().map(parent).collect::<Vec<_>>()})
    }

    /// A commit by itself, with what it changed.
    pub(super) fn full_commit_json(&self, links: &Links, repo: &Repo, oid: Oid, commit: &Commit) -> Value {
        let mut shown = self.commit_json(links, repo, oid, commit);
        let files = files_json(links, repo, oid, &commit_changes(&repo.git, commit));
        let sum = |field: &str| files.iter().filter_map(|file| file[field].as_u64()).sum::<u64>();
        let (additions, deletions) = (sum("additions"), sum("deletions"));
        shown["stats"] = json!({"total": additions + deletions, "additions": additions, "deletions": deletions});
        shown["files"] = json!(files);
        shown
    }

    pub(super) fn label_json(&self, links: &Links, repo: &Repo, label: &Label) -> Value {
        let name = super::repos::encoded(&label.name);
        json!({"id": label.id, "node_id": node_id("Label", label.id), "name": label.name, "color": label.color,
            "default": label.default, "description": label.description,
            "url": format!("{}/labels/{name}", links.repo(&repo.full_name()))})
    }

    /// The whole of a repository for assertions.
    pub(super) fn repo_state(&self, links: &Links, repo: &Repo) -> Value {
        let mut shown = self.repo_json(links, repo, None);
        let branches = repo.git.refs("refs/heads/").map(|(name, oid)| (name[11..].to_owned(), json!(oid)));
        let (branches, tree) = (branches.collect(), repo.head().and_then(|head| repo.git.commit(head)));
        let files = tree.map(|commit| repo.git.files(commit.tree)).unwrap_or_default();
        let text = |oid: Oid| repo.git.blob(oid).map(|data| String::from_utf8_lossy(data).into_owned());
        let files = files.into_iter().map(|(path, (_, oid))| (path, json!(text(oid)))).collect();
        shown["branches"] = Value::Object(branches);
        shown["files"] = Value::Object(files);
        let (issues, pulls): (Vec<_>, Vec<_>) = repo.issues.oldest_first().partition(|issue| issue.pull.is_none());
        shown["issues"] = issues.iter().map(|issue| self.issue_json(links, repo, issue)).collect();
        shown["pulls"] = pulls.iter().map(|issue| self.pull_json(links, repo, issue)).collect();
        shown["comments"] = repo.comments.oldest_first().map(|it| self.comment_json(links, repo, it)).collect();
        shown
    }
}

const REPO_LINKS: &[(&str, &str)] = &[
    ("archive_url", "{archive_format}{/ref}"),
    ("assignees_url", "assignees{/user}"),
    ("blobs_url", "git/blobs{/sha}"),
    ("branches_url", "branches{/branch}"),
    ("collaborators_url", "collaborators{/collaborator}"),
    ("comments_url", "comments{/number}"),
    ("commits_url", "commits{/sha}"),
    ("compare_url", "compare/{base}...{head}"),
    ("contents_url", "contents/{+path}"),
    ("contributors_url", "contributors"),
    ("deployments_url", "deployments"),
    ("downloads_url", "downloads"),
    ("events_url", "events"),
    ("forks_url", "forks"),
    ("git_commits_url", "git/commits{/sha}"),
    ("git_refs_url", "git/refs{/sha}"),
    ("git_tags_url", "git/tags{/sha}"),
    ("hooks_url", "hooks"),
    ("issue_comment_url", "issues/comments{/number}"),
    ("issue_events_url", "issues/events{/number}"),
    ("issues_url", "issues{/number}"),
    ("keys_url", "keys{/key_id}"),
    ("labels_url", "labels{/name}"),
    ("languages_url", "languages"),
    ("merges_url", "merges"),
    ("milestones_url", "milestones{/number}"),
    ("notifications_url", "notifications{?since,all,participating}"),
    ("pulls_url", "pulls{/number}"),
    ("releases_url", "releases{/id}"),
    ("stargazers_url", "stargazers"),
    ("statuses_url", "statuses/{sha}"),
    ("subscribers_url", "subscribers"),
    ("subscription_url", "subscription"),
    ("tags_url", "tags"),
    ("teams_url", "teams"),
    ("trees_url", "git/trees{/sha}"),
];

pub(super) fn person(who: &Signature) -> Value {
    json!({"name": who.name, "email": who.email, "date": who.date()})
}

pub(super) fn unverified() -> Value {
    json!({"verified": false, "reason": "unsigned", "signature": null, "payload": null, "verified_at": null})
}

/// Against the first parent.
pub(super) fn commit_changes(store: &Store, commit: &Commit) -> Vec<Change> {
    let before = commit.parents.first().and_then(|parent| store.commit(*parent)).map(|parent| parent.tree);
    store.changes(before, Some(commit.tree))
}

pub(super) fn files_json(links: &Links, repo: &Repo, at: Oid, changes: &[Change]) -> Vec<Value> {
    let (url, html) = (links.repo(&repo.full_name()), format!("{}/{}", links.web, repo.full_name()));
    let shown = |change: &Change| {
        let patch = patch_of(&repo.git, change);
        let sha = change.new.or(change.old).map(|(_, oid)| oid);
        let path = &change.path;
        let mut file = json!({"sha": sha, "filename": path, "status": change.status(),
            "additions": patch.additions, "deletions": patch.deletions, "changes": patch.additions + patch.deletions,
            "blob_url": format!("{html}/blob/{at}/{path}"), "raw_url": format!("{html}/raw/{at}/{path}"),
            "contents_url": format!("{url}/contents/{path}?ref={at}")});
        if let Some(text) = patch.text {
            file["patch"] = json!(text);
        }
        if let Some(previous) = &change.previous {
            file["previous_filename"] = json!(previous);
        }
        file
    };
    changes.iter().map(shown).collect()
}

/// What REST calls the kind of a tree's entry.
pub(super) fn entry_type(mode: u32) -> &'static str {
    match mode {
        MODE_TREE => "tree",
        MODE_COMMIT => "commit",
        _ => "blob",
    }
}

/// And what the contents API calls it.
pub(super) fn content_type(mode: u32) -> &'static str {
    match mode {
        MODE_TREE => "dir",
        MODE_COMMIT => "submodule",
        MODE_LINK => "symlink",
        _ => "file",
    }
}

pub(super) fn extend(object: &mut Value, more: Value) {
    if let (Value::Object(object), Value::Object(more)) = (object, more) {
        object.extend(more);
    }
}
