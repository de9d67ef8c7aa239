//! Pull requests: making, listing, changing them, and what is in them. They are merged in `merging`.

use std::{cmp::Reverse, collections::BTreeSet};

use serde_json::{Value, json};

use super::{
    GitHub,
    branches::owner_and_branch,
    commits::{diff_reply, patch_reply},
    contents::media_type,
    errors::{failed, invalid, invalid_because, not_found, unprocessable},
    git::{Change, Oid},
    issues::{issue_mut, names, repo_mut},
    links::{Links, paged},
    model::{Issue, Permission, Pull, Repo},
    show::files_json,
    show_issues::pull_commits,
};
use crate::{
    http::{Reply, Request},
    twin::{Answer, Context},
};

/// What the pull request changes: from where its branch began.
pub(super) fn pull_changes(repo: &Repo, pull: &Pull) -> Vec<Change> {
    let from = repo.git.merge_base(pull.base_sha, pull.head_sha);
    let tree = |oid: Oid| repo.git.commit(oid).map(|commit| commit.tree);
    repo.git.changes(from.and_then(tree), tree(pull.head_sha))
}

/// The pull request that the path names.
pub(super) fn asked_pull<'r>(repo: &'r Repo, request: &Request) -> Result<(&'r Issue, &'r Pull), Reply> {
    let issue = repo.issue(request.param("number")).ok_or_else(not_found)?;
    Ok((issue, issue.pull.as_ref().ok_or_else(not_found)?))
}

impl GitHub {
    pub(super) fn create_pull(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let fields = request.tracked();
        let caller = self.caller(request)?.login.clone();
        let repo = self.visible(request)?;
        let key = repo.key();
        let text = |name: &str| fields.get(name).as_str().filter(|text| !text.is_empty());
        let base = text("base").ok_or_else(|| invalid("PullRequest", "base", "missing_field"))?.to_owned();
        let head = text("head").ok_or_else(|| invalid("PullRequest", "head", "missing_field"))?;
        let base_sha = repo.git.branch(&base).ok_or_else(|| invalid("PullRequest", "base", "invalid"))?;
        let (owner, branch) = owner_and_branch(head);
        let source = match owner.filter(|owner| !owner.eq_ignore_ascii_case(&repo.owner)) {
            None => repo,
            Some(owner) => self.network(repo, owner).ok_or_else(|| invalid("PullRequest", "head", "invalid"))?,
        };
        let head_sha = source.git.branch(branch).ok_or_else(|| invalid("PullRequest", "head", "invalid"))?;
        let pull = Pull {
            base: base.clone(),
            base_sha,
            head_repo: source.key(),
            head_owner: source.owner.clone(),
            head: branch.to_owned(),
            head_sha,
            draft: fields.get("draft").as_bool() == Some(true),
            reviewers: BTreeSet::new(),
            merged: None,
        };
        self.check_new(repo, &pull)?;
        let (head_git, branch) = (source.git.clone(), pull.head.clone());
        let title = text("title").map(str::to_owned).or_else(|| fields.get("issue").as_u64().map(|_| branch));
        let title = title.ok_or_else(|| invalid("PullRequest", "title", "missing_field"))?;
        let (id, number) = (self.next_id(), repo_mut(self, &key).take_number());
        let body = fields.get("body").as_str().map(str::to_owned);
        let issue = Issue { body, pull: Some(pull), ..Issue::new(id, number, &caller, title, context.now) };
        let repo = repo_mut(self, &key);
        repo.git.absorb(&head_git, head_sha);
        repo.git.set_ref(&format!("refs/pull/{number}/head"), head_sha);
        repo.issues.insert(&number.to_string(), issue);
        let links = Links::of(request);
        self.announce_pull(context, &links, &key, number, "opened", &caller, json!({}));
        Ok(Reply::json(201, &self.one_pull(&links, &key, number)))
    }

    fn check_new(&self, repo: &Repo, pull: &Pull) -> Result<(), Reply> {
        let label = format!("{}:{}", pull.head_owner, pull.head);
        let mut twin = repo.git.clone();
        if let Some(source) = self.repos.get(&pull.head_repo) {
            twin.absorb(&source.git, pull.head_sha);
        }
        if twin.log(&[pull.head_sha], &[pull.base_sha]).is_empty() {
            let message = format!("No commits between {} and {}", pull.base, pull.head);
            return Err(invalid_because("PullRequest", "head", &message));
        }
        let open = repo.issues.oldest_first().filter(|issue| issue.is_open()).filter_map(|issue| issue.pull.as_ref());
        let same =
            |known: &Pull| known.head_repo == pull.head_repo && known.head == pull.head && known.base == pull.base;
        if open.into_iter().any(same) {
            let message = format!("A pull request already exists for {label}.");
            return Err(invalid_because("PullRequest", "head", &message));
        }
        Ok(())
    }

    pub(super) fn one_pull(&self, links: &Links, key: &str, number: u64) -> Value {
        let repo = self.repo(key);
        repo.issue(&number.to_string()).map_or(Value::Null, |issue| self.full_pull_json(links, repo, issue))
    }

    #[expect(clippy::too_many_arguments, reason = "an event has these parts")]
    pub(super) fn announce_pull(
        &self,
        context: &mut Context<'_>,
        links: &Links,
        key: &str,
        number: u64,
        action: &str,
        sender: &str,
        more: Value,
    ) {
        let pull = self.one_pull(links, key, number);
        let mut payload = json!({"action": action, "number": number, "pull_request": pull});
        super::show::extend(&mut payload, more);
        self.announce_by(context, links, key, "pull_request", payload, sender);
    }

    pub(super) fn list_pulls(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let repo = self.visible(request)?;
        let query = |name: &str| request.query[name].as_str().filter(|value| !value.is_empty());
        let state = query("state").unwrap_or("open");
        let fits = |issue: &&Issue| {
            let Some(pull) = &issue.pull else { return false };
            let label = format!("{}:{}", pull.head_owner, pull.head);
            (state == "all" || issue.state() == state)
                && query("base").is_none_or(|base| base == pull.base)
                // Without an owner the service does not filter by head at all.
                && query("head").filter(|head| head.contains(':')).is_none_or(|head| head == label)
        };
        let mut rows: Vec<&Issue> = repo.issues.newest_first().filter(fits).collect();
        if query("sort") == Some("updated") {
            rows.sort_by_key(|issue| Reverse((issue.updated_at, issue.id)));
        }
        let ascending =
            query("direction").map_or_else(|| query("sort").is_some_and(|sort| sort != "created"), |it| it == "asc");
        if ascending {
            rows.reverse();
        }
        let links = Links::of(request);
        Ok(paged(request, rows, |issue| self.pull_json(&links, repo, issue)))
    }

    pub(super) fn get_pull(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let repo = self.visible(request)?;
        let (issue, pull) = asked_pull(repo, request)?;
        Ok(match media_type(request) {
            "diff" => diff_reply(repo, repo.git.merge_base(pull.base_sha, pull.head_sha), pull.head_sha),
            "patch" => patch_reply(repo, &pull_commits(repo, pull)),
            _ => Reply::json(200, &self.full_pull_json(&Links::of(request), repo, issue)),
        })
    }

    pub(super) fn update_pull(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let fields = request.tracked();
        let caller = self.caller(request)?.login.clone();
        let repo = self.visible(request)?;
        let (before, pull) = asked_pull(repo, request)?;
        let (key, before, merged) = (repo.key(), before.clone(), pull.merged.is_some());
        if self.granted(repo, request) < Some(Permission::Push) && before.author != caller {
            return Err(failed(403, "Must have admin rights to Repository."));
        }
        let base = match fields.get("base").as_str() {
            Some(base) => Some((base, repo.git.branch(base).ok_or_else(|| invalid("PullRequest", "base", "invalid"))?)),
            None => None,
        };
        let state = fields.get("state").as_str();
        if merged && state == Some("open") {
            return Err(unprocessable("Cannot reopen a merged pull request"));
        }
        let issue = issue_mut(self, &key, before.number)?;
        issue.updated_at = context.now;
        if let Some(title) = fields.get("title").as_str() {
            title.clone_into(&mut issue.title);
        }
        if fields.names().any(|name| name == "body") {
            issue.body = fields.get("body").as_str().map(str::to_owned);
        }
        if let (Some((base, sha)), Some(pull)) = (base, &mut issue.pull) {
            (pull.base, pull.base_sha) = (base.to_owned(), sha);
        }
        let links = Links::of(request);
        match state {
            Some("closed") if before.is_open() => {
                self.close_issue(context, &links, &key, before.number, &caller, "completed");
            }
            Some("open") if !before.is_open() => {
                issue.closed = None;
                self.announce_pull(context, &links, &key, before.number, "reopened", &caller, json!({}));
            }
            None | Some("open" | "closed") => {}
            Some(_) => return Err(invalid("PullRequest", "state", "invalid")),
        }
        self.announce_changes(context, request, &key, &before);
        Ok(Reply::json(200, &self.one_pull(&links, &key, before.number)))
    }

    pub(super) fn list_pull_files(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let repo = self.visible(request)?;
        let (_, pull) = asked_pull(repo, request)?;
        let files = files_json(&Links::of(request), repo, pull.head_sha, &pull_changes(repo, pull));
        Ok(paged(request, files, |file| file))
    }

    pub(super) fn list_pull_commits(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let repo = self.visible(request)?;
        let (_, pull) = asked_pull(repo, request)?;
        let links = Links::of(request);
        let shown = |oid: Oid| {
            let commit = repo.git.commit(oid);
            json!(commit.map(|commit| self.commit_json(&links, repo, oid, &commit)))
        };
        Ok(paged(request, pull_commits(repo, pull), shown))
    }

    pub(super) fn list_reviewers(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let (_, pull) = asked_pull(self.visible(request)?, request)?;
        let links = Links::of(request);
        let users: Vec<Value> = pull.reviewers.iter().map(|login| self.user(&links, login)).collect();
        Ok(Reply::json(200, &json!({"users": users, "teams": []})))
    }

    pub(super) fn request_reviewers(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let asked = names(request.tracked().get("reviewers")).unwrap_or_default();
        let repo = &*self.writable(request, Permission::Triage)?;
        let (issue, _) = asked_pull(repo, request)?;
        let (key, number, author) = (repo.key(), issue.number, issue.author.clone());
        let removes = request.method == "DELETE";
        let mut known = BTreeSet::new();
        for login in &asked {
            if login.eq_ignore_ascii_case(&author) && !removes {
                return Err(unprocessable("Review cannot be requested from pull request author."));
            }
            let granted = self.permission(self.repo(&key), login);
            let account = self.account(login).filter(|_| granted.is_some()).ok_or_else(|| {
                unprocessable(
                    "Reviews may only be requested from collaborators. One or more of the users or teams \
                    you specified is not a collaborator of the repository.",
                )
            })?;
            known.insert(account.login.clone());
        }
        if let Some(pull) = &mut issue_mut(self, &key, number)?.pull {
            let old = &pull.reviewers;
            pull.reviewers = if removes { old - &known } else { old | &known };
        }
        let (links, sender) = (Links::of(request), self.caller(request)?.login.clone());
        let action = if removes { "review_request_removed" } else { "review_requested" };
        for login in &known {
            let more = json!({"requested_reviewer": self.user(&links, login)});
            self.announce_pull(context, &links, &key, number, action, &sender, more);
        }
        let repo = self.repo(&key);
        let shown = self.pull_json(&links, repo, asked_pull(repo, request)?.0);
        Ok(Reply::json(if removes { 200 } else { 201 }, &shown))
    }
}
