//! Merging pull requests in the service's three ways, and bringing them up to date.

use serde_json::{Value, json};

use super::{
    GitHub,
    changes::Moved,
    errors::{failed, not_found, unprocessable},
    git::{Commit, Merged, Oid, Signature},
    issues::{issue_mut, repo_mut},
    links::Links,
    model::{Account, Closed, Merge, Permission, Pull, Repo},
    pulls::asked_pull,
    show_issues::pull_commits,
};
use crate::{
    http::{Reply, Request},
    twin::{Answer, Context},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Method {
    Merge,
    Squash,
    Rebase,
}

impl Method {
    fn of(value: &Value) -> Result<Self, Reply> {
        match value.as_str() {
            None | Some("merge") => Ok(Self::Merge),
            Some("squash") => Ok(Self::Squash),
            Some("rebase") => Ok(Self::Rebase),
            Some(_) => Err(unprocessable("merge_method must be merge, squash or rebase")),
        }
    }
}

/// A merge that shall be done.
struct Wish<'a> {
    method: Method,
    title: Option<&'a str>,
    message: Option<&'a str>,
}

fn unmergeable() -> Reply {
    failed(405, "Pull Request is not mergeable")
}

impl GitHub {
    pub(super) fn check_merged(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let (_, pull) = asked_pull(self.visible(request)?, request)?;
        if pull.merged.is_some() { Ok(Reply::empty(204)) } else { Err(not_found()) }
    }

    pub(super) fn merge_pull(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let fields = request.tracked();
        let caller = self.caller(request)?.clone();
        let repo = &*self.writable(request, Permission::Push)?;
        let (issue, pull) = asked_pull(repo, request)?;
        if !issue.is_open() {
            return Err(unmergeable());
        }
        if pull.draft {
            return Err(failed(405, "Pull Request is still a work in progress"));
        }
        if fields.get("sha").as_str().is_some_and(|sha| sha != pull.head_sha.to_string()) {
            return Err(failed(409, "Head branch was modified. Review and try the merge again."));
        }
        let wish = Wish {
            method: Method::of(fields.get("merge_method"))?,
            title: fields.get("commit_title").as_str(),
            message: fields.get("commit_message").as_str(),
        };
        let (key, number) = (repo.key(), issue.number);
        let sha = self.merge_now(context, &Links::of(request), &caller, &key, number, &wish)?;
        let body = json!({"sha": sha, "merged": true, "message": "Pull Request successfully merged"});
        Ok(Reply::json(200, &body))
    }

    fn merge_now(
        &mut self,
        context: &mut Context<'_>,
        links: &Links,
        by: &Account,
        key: &str,
        number: u64,
        wish: &Wish<'_>,
    ) -> Result<Oid, Reply> {
        let issue = self.repo(key).issue(&number.to_string()).ok_or_else(not_found)?.clone();
        let pull = issue.pull.ok_or_else(not_found)?;
        let who = Signature::new(by.name.as_deref().unwrap_or(&by.login), &by.commit_email(), context.now);
        let repo = repo_mut(self, key);
        let new = match wish.method {
            Method::Merge => {
                let title = format!("Merge pull request #{number} from {}/{}", pull.head_owner, pull.head);
                let message = written(wish, &title, &issue.title);
                joined(repo, &pull, vec![pull.base_sha, pull.head_sha], &who, message)?
            }
            Method::Squash => {
                let message = written(wish, &format!("{} (#{number})", issue.title), &squashed(repo, &pull));
                joined(repo, &pull, vec![pull.base_sha], &who, message)?
            }
            Method::Rebase => {
                let commits = pull_commits(repo, &pull);
                repo.git.rebase(&commits, pull.base_sha, &who).map_err(|_| unmergeable())?
            }
        };
        let name = format!("refs/heads/{}", pull.base);
        repo.git.set_ref(&name, new);
        let issue = issue_mut(self, key, number)?;
        issue.closed = Some(Closed { at: context.now, by: by.login.clone(), reason: "completed".to_owned() });
        issue.updated_at = context.now;
        if let Some(pull) = &mut issue.pull {
            pull.merged = Some(Merge { at: context.now, by: by.login.clone(), sha: new });
        }
        let body = issue.body.clone().unwrap_or_default();
        self.announce_pull(context, links, key, number, "closed", &by.login, json!({}));
        self.ref_moved(context, links, &by.login, Moved { key, name: &name, old: pull.base_sha, new });
        if pull.base == self.repo(key).default_branch {
            self.close_mentioned(context, links, key, &by.login, &body);
        }
        Ok(new)
    }

    /// `Fixes #7` in the text of a pull request closes the issue when it is merged.
    fn close_mentioned(&mut self, context: &mut Context<'_>, links: &Links, key: &str, by: &str, text: &str) {
        let words: Vec<String> = text.split_whitespace().map(str::to_lowercase).collect();
        let closing = ["close", "closes", "closed", "fix", "fixes", "fixed", "resolve", "resolves", "resolved"];
        for pair in words.windows(2).filter(|pair| closing.contains(&pair[0].trim_end_matches(':'))) {
            let number = pair[1].strip_prefix('#').map(|it| it.trim_end_matches(|c: char| !c.is_ascii_digit()));
            let number = number.and_then(|it| it.parse::<u64>().ok());
            let open = number.filter(|it| self.repo(key).issue(&it.to_string()).is_some_and(|issue| issue.is_open()));
            if let Some(number) = open {
                self.close_issue(context, links, key, number, by, "completed");
            }
        }
    }

    /// Merges the base into the head, as the button does.
    pub(super) fn update_pull_branch(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let caller = self.caller(request)?.clone();
        let repo = &*self.writable(request, Permission::Push)?;
        let (_, pull) = asked_pull(repo, request)?;
        let pull = pull.clone();
        let expected = request.tracked().get("expected_head_sha").as_str();
        if expected.is_some_and(|sha| sha != pull.head_sha.to_string()) {
            return Err(unprocessable("expected head sha didn't match current head ref."));
        }
        let base_git = repo.git.clone();
        if base_git.is_ancestor(pull.base_sha, pull.head_sha) {
            return Err(unprocessable("There are no new commits on the base branch."));
        }
        let links = Links::of(request);
        let head = self.repos.get_mut(&pull.head_repo).ok_or_else(not_found)?;
        head.git.absorb(&base_git, pull.base_sha);
        let Merged::Tree(tree) = head.git.merge(pull.head_sha, pull.base_sha) else {
            return Err(unprocessable("merge conflict between base and head"));
        };
        let who = Signature::new(caller.name.as_deref().unwrap_or(&caller.login), &caller.commit_email(), context.now);
        let message = format!("Merge branch '{}' into {}", pull.base, pull.head);
        let (author, parents) = (who.clone(), vec![pull.head_sha, pull.base_sha]);
        let new = head.git.put_commit(&Commit { tree, parents, author, committer: who, message });
        let name = format!("refs/heads/{}", pull.head);
        head.git.set_ref(&name, new);
        let moved = Moved { key: &pull.head_repo, name: &name, old: pull.head_sha, new };
        self.ref_moved(context, &links, &caller.login, moved);
        let url = format!("{}/{}", links.web, request.param("number"));
        Ok(Reply::json(202, &json!({"message": "Updating pull request branch.", "url": url})))
    }

    /// Somebody presses the button: `{"repo", "number", "by", "method"}`.
    pub(super) fn act_merge(&mut self, context: &mut Context<'_>, argument: &Value) -> Result<Value, String> {
        let text = |name: &str| argument[name].as_str().ok_or_else(|| format!("give `{name}`"));
        let key = text("repo")?.to_lowercase();
        let number = argument["number"].as_u64().ok_or("give `number`")?;
        let repo = self.repos.get(&key).ok_or_else(|| format!("no repository `{key}`"))?;
        let by = argument["by"].as_str().unwrap_or(&repo.owner).to_owned();
        let open = repo.issue(&number.to_string()).is_some_and(|issue| issue.is_open() && issue.pull.is_some());
        if !open {
            return Err(format!("no open pull request {number}"));
        }
        let by = self.account(&by).ok_or_else(|| format!("no user `{by}`"))?.clone();
        let method = Method::of(&argument["method"]).map_err(|_| "`method` is merge, squash or rebase".to_owned())?;
        let wish = Wish { method, title: None, message: None };
        let merged = self.merge_now(context, &Links::below("http://github.twin"), &by, &key, number, &wish);
        merged.map(|sha| json!({"sha": sha})).map_err(|_| "the pull request is not mergeable".to_owned())
    }
}

fn written(wish: &Wish<'_>, title: &str, message: &str) -> String {
    let (title, message) = (wish.title.unwrap_or(title), wish.message.unwrap_or(message));
    if message.is_empty() { title.to_owned() } else { format!("{title}\n\n{message}") }
}

/// What the service proposes for the message of a squash: all messages, or that of a single commit.
fn squashed(repo: &Repo, pull: &Pull) -> String {
    let commits: Vec<Commit> = pull_commits(repo, pull).iter().filter_map(|oid| repo.git.commit(*oid)).collect();
    match &commits[..] {
        [one] => one.message.trim_start_matches(one.subject()).trim().to_owned(),
        all => all.iter().map(|commit| format!("* {}", commit.message.trim_end())).collect::<Vec<_>>().join("\n\n"),
    }
}

/// One commit with the merged tree.
fn joined(repo: &mut Repo, pull: &Pull, parents: Vec<Oid>, who: &Signature, message: String) -> Result<Oid, Reply> {
    let Merged::Tree(tree) = repo.git.merge(pull.base_sha, pull.head_sha) else { return Err(unmergeable()) };
    Ok(repo.git.put_commit(&Commit { tree, parents, author: who.clone(), committer: who.clone(), message }))
}
