//! Comments on issues and pull requests; those on lines of a pull request are made in `reviews`.

use serde_json::{Value, json};

use super::{
    GitHub,
    errors::{failed, invalid, not_found},
    issues::{issue_mut, repo_mut},
    links::{Links, paged},
    model::{Comment, Permission},
};
use crate::{
    http::{Reply, Request},
    twin::{Answer, Context},
};

impl GitHub {
    pub(super) fn list_issue_comments(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let repo = self.visible(request)?;
        let number = repo.issue(request.param("number")).ok_or_else(not_found)?.number;
        let rows = repo.comments.oldest_first().filter(|it| it.number == number && it.line.is_none());
        let links = Links::of(request);
        Ok(paged(request, rows.collect(), |comment| self.comment_json(&links, repo, comment)))
    }

    pub(super) fn list_all_comments(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let repo = self.visible(request)?;
        let rows = repo.comments.oldest_first().filter(|it| it.line.is_none());
        let links = Links::of(request);
        Ok(paged(request, rows.collect(), |comment| self.comment_json(&links, repo, comment)))
    }

    pub(super) fn create_comment(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let caller = self.caller(request)?.login.clone();
        let repo = self.visible(request)?;
        let (key, issue) = (repo.key(), repo.issue(request.param("number")).ok_or_else(not_found)?);
        let number = issue.number;
        if issue.locked && self.granted(repo, request) < Some(Permission::Triage) {
            return Err(failed(403, "Unable to create comment because issue is locked."));
        }
        let body = request.tracked().get("body").as_str().filter(|body| !body.trim().is_empty());
        let body = body.ok_or_else(|| invalid("IssueComment", "body", "missing_field"))?.to_owned();
        let comment = self.add_comment(context, &Links::of(request), &key, number, &caller, body)?;
        Ok(Reply::json(201, &self.comment_json(&Links::of(request), self.repo(&key), &comment)))
    }

    fn add_comment(
        &mut self,
        context: &mut Context<'_>,
        links: &Links,
        key: &str,
        number: u64,
        author: &str,
        body: String,
    ) -> Result<Comment, Reply> {
        let (id, author) = (self.next_id(), author.to_owned());
        let (created_at, updated_at) = (context.now, context.now);
        issue_mut(self, key, number)?.updated_at = context.now;
        let comment = Comment { id, number, author, body, created_at, updated_at, line: None };
        repo_mut(self, key).comments.insert(&id.to_string(), comment.clone());
        self.announce_comment(context, links, key, &comment, "created", &comment.author, json!({}));
        Ok(comment)
    }

    #[expect(clippy::too_many_arguments, reason = "an event has these parts")]
    fn announce_comment(
        &self,
        context: &mut Context<'_>,
        links: &Links,
        key: &str,
        comment: &Comment,
        action: &str,
        sender: &str,
        more: Value,
    ) {
        let repo = self.repo(key);
        let shown = self.comment_json(links, repo, comment);
        let mut payload = json!({"action": action, "comment": shown});
        super::show::extend(&mut payload, more);
        let Some(issue) = repo.issue(&comment.number.to_string()) else { return };
        if comment.line.is_some() {
            payload["pull_request"] = self.pull_json(links, repo, issue);
            return self.announce_by(context, links, key, "pull_request_review_comment", payload, sender);
        }
        payload["issue"] = self.issue_json(links, repo, issue);
        self.announce_by(context, links, key, "issue_comment", payload, sender);
    }

    pub(super) fn announce_line_comment(&self, context: &mut Context<'_>, links: &Links, key: &str, comment: &Comment) {
        self.announce_comment(context, links, key, comment, "created", &comment.author, json!({}));
    }

    pub(super) fn get_comment(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let repo = self.visible(request)?;
        let comment = repo.comments.get(request.param("comment_id")).filter(|it| fits(request, it));
        let comment = comment.ok_or_else(not_found)?;
        Ok(Reply::json(200, &self.comment_json(&Links::of(request), repo, comment)))
    }

    pub(super) fn update_comment(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let (key, mut comment) = self.own_comment(request)?;
        let body = request.tracked().get("body").as_str().filter(|body| !body.trim().is_empty());
        let body = body.ok_or_else(|| invalid("IssueComment", "body", "missing_field"))?;
        let more = json!({"changes": {"body": {"from": comment.body}}});
        (comment.body, comment.updated_at) = (body.to_owned(), context.now);
        repo_mut(self, &key).comments.insert(&comment.id.to_string(), comment.clone());
        let (links, sender) = (Links::of(request), self.caller(request)?.login.clone());
        self.announce_comment(context, &links, &key, &comment, "edited", &sender, more);
        Ok(Reply::json(200, &self.comment_json(&links, self.repo(&key), &comment)))
    }

    pub(super) fn delete_comment(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let (key, comment) = self.own_comment(request)?;
        repo_mut(self, &key).comments.remove(&comment.id.to_string());
        let (links, sender) = (Links::of(request), self.caller(request)?.login.clone());
        self.announce_comment(context, &links, &key, &comment, "deleted", &sender, json!({}));
        Ok(Reply::empty(204))
    }

    /// A comment that the caller may change: his own, or any for one who may push.
    fn own_comment(&self, request: &Request) -> Result<(String, Comment), Reply> {
        let caller = &self.caller(request)?.login;
        let repo = self.visible(request)?;
        let comment = repo.comments.get(request.param("comment_id")).filter(|it| fits(request, it));
        let comment = comment.ok_or_else(not_found)?;
        let allowed = comment.author == *caller || self.granted(repo, request) >= Some(Permission::Push);
        let forbidden = || failed(403, "Must have admin rights to Repository.");
        if allowed { Ok((repo.key(), comment.clone())) } else { Err(forbidden()) }
    }

    /// Somebody writes a comment: `{"repo", "number", "by", "body"}`.
    pub(super) fn act_comment(&mut self, context: &mut Context<'_>, argument: &Value) -> Result<Value, String> {
        let text = |name: &str| argument[name].as_str().ok_or_else(|| format!("give `{name}`"));
        let (key, by, body) = (text("repo")?.to_lowercase(), text("by")?, text("body")?.to_owned());
        let number = argument["number"].as_u64().ok_or("give `number`")?;
        let repo = self.repos.get(&key).ok_or_else(|| format!("no repository `{key}`"))?;
        repo.issue(&number.to_string()).ok_or_else(|| format!("no issue {number}"))?;
        let by = self.account(by).ok_or_else(|| format!("no user `{by}`"))?.login.clone();
        let links = Links::below("http://github.twin");
        let comment = self.add_comment(context, &links, &key, number, &by, body);
        comment.map(|comment| json!({"id": comment.id})).map_err(|_| "the issue is gone".to_owned())
    }
}

/// Comments on lines have a path of their own.
fn fits(request: &Request, comment: &Comment) -> bool {
    request.path.contains("/pulls/comments/") == comment.line.is_some()
}
