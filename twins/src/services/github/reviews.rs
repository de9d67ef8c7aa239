//! Reviews of pull requests, and comments on their lines.

use serde_json::{Value, json};

use super::{
    GitHub,
    errors::{failed, invalid, not_found, unprocessable},
    git::{Oid, patch_of},
    issues::{issue_mut, repo_mut},
    links::{Links, paged},
    model::{Comment, LineOf, Permission, Pull, Repo, Review},
    pulls::{asked_pull, pull_changes},
};
use crate::{
    http::{Reply, Request},
    twin::{Answer, Context},
};

fn asked_review<'r>(repo: &'r Repo, request: &Request) -> Result<&'r Review, Reply> {
    let number = asked_pull(repo, request)?.0.number;
    let review = repo.reviews.get(request.param("review_id"));
    review.filter(|review| review.number == number).ok_or_else(not_found)
}

/// The state that an event of a review leads to; none stays pending.
fn state_after(event: &Value) -> Result<&'static str, Reply> {
    match event.as_str() {
        None => Ok("PENDING"),
        Some("APPROVE") => Ok("APPROVED"),
        Some("REQUEST_CHANGES") => Ok("CHANGES_REQUESTED"),
        Some("COMMENT") => Ok("COMMENTED"),
        Some(_) => Err(invalid("PullRequestReview", "event", "invalid")),
    }
}

impl GitHub {
    pub(super) fn list_reviews(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let repo = self.visible(request)?;
        let number = asked_pull(repo, request)?.0.number;
        let rows = repo.reviews.oldest_first().filter(|review| review.number == number).collect();
        let links = Links::of(request);
        Ok(paged(request, rows, |review| self.review_json(&links, repo, review)))
    }

    pub(super) fn get_review(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let repo = self.visible(request)?;
        let review = asked_review(repo, request)?;
        Ok(Reply::json(200, &self.review_json(&Links::of(request), repo, review)))
    }

    pub(super) fn create_review(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let fields = request.tracked();
        let author = self.caller(request)?.login.clone();
        let repo = self.visible(request)?;
        let (issue, pull) = asked_pull(repo, request)?;
        let (key, number, pull) = (repo.key(), issue.number, pull.clone());
        let state = state_after(fields.get("event"))?;
        let body = fields.get("body").as_str().unwrap_or_default().to_owned();
        let own = author == issue.author;
        self.check_review(state, own, &body, fields.get("comments"))?;
        let commit = fields.get("commit_id").as_str().and_then(Oid::parse).unwrap_or(pull.head_sha);
        let comments = fields.get("comments").as_array().cloned().unwrap_or_default();
        let lines = comments.iter().map(|it| line_of(repo, &pull, it, commit)).collect::<Result<Vec<_>, _>>()?;
        let submitted_at = (state != "PENDING").then_some(context.now);
        let review = Review { id: self.next_id(), number, author, body, state, commit, submitted_at };
        repo_mut(self, &key).reviews.insert(&review.id.to_string(), review.clone());
        for (line, given) in lines.into_iter().zip(&comments) {
            let line = LineOf { review: review.id, ..line };
            let body = given["body"].as_str().unwrap_or_default();
            self.add_line_comment(context, request, &key, &review, line, body);
        }
        self.submitted(context, request, &key, &review);
        Ok(Reply::json(200, &self.review_json(&Links::of(request), self.repo(&key), &review)))
    }

    fn check_review(&self, state: &str, own: bool, body: &str, comments: &Value) -> Result<(), Reply> {
        if own && state == "APPROVED" {
            return Err(unprocessable("Can not approve your own pull request"));
        }
        if own && state == "CHANGES_REQUESTED" {
            return Err(unprocessable("Can not request changes on your own pull request"));
        }
        let silent = body.is_empty() && comments.as_array().is_none_or(Vec::is_empty);
        if silent && matches!(state, "CHANGES_REQUESTED" | "COMMENTED") {
            return Err(unprocessable("Body can't be blank"));
        }
        Ok(())
    }

    /// A review that is no longer pending takes its author off the list of those who are asked.
    fn submitted(&mut self, context: &mut Context<'_>, request: &Request, key: &str, review: &Review) {
        if review.state == "PENDING" {
            return;
        }
        if let Ok(issue) = issue_mut(self, key, review.number) {
            issue.updated_at = context.now;
            if let Some(pull) = &mut issue.pull {
                pull.reviewers.remove(&review.author);
            }
        }
        self.announce_review(context, request, key, review, "submitted");
    }

    fn announce_review(&self, context: &mut Context<'_>, request: &Request, key: &str, review: &Review, action: &str) {
        let (links, repo) = (Links::of(request), self.repo(key));
        let mut shown = self.review_json(&links, repo, review);
        shown["state"] = json!(review.state.to_lowercase());
        let Some(issue) = repo.issue(&review.number.to_string()) else { return };
        let pull = self.pull_json(&links, repo, issue);
        let payload = json!({"action": action, "review": shown, "pull_request": pull});
        self.announce(context, request, key, "pull_request_review", payload);
    }

    pub(super) fn submit_review(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let fields = request.tracked();
        let repo = self.visible(request)?;
        let (mut review, key) = (asked_review(repo, request)?.clone(), repo.key());
        let own = asked_pull(repo, request)?.0.author == review.author;
        if review.author != self.caller(request)?.login {
            return Err(not_found());
        }
        if review.state != "PENDING" {
            return Err(unprocessable("Can not submit a review that is not pending"));
        }
        let body = fields.get("body").as_str().map_or(review.body, str::to_owned);
        let state = state_after(fields.get("event"))?;
        self.check_review(state, own, &body, &Value::Null)?;
        review = Review { state, body, submitted_at: Some(context.now), ..review };
        repo_mut(self, &key).reviews.insert(&review.id.to_string(), review.clone());
        self.submitted(context, request, &key, &review);
        Ok(Reply::json(200, &self.review_json(&Links::of(request), self.repo(&key), &review)))
    }

    pub(super) fn dismiss_review(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let repo = &*self.writable(request, Permission::Push)?;
        let (mut review, key) = (asked_review(repo, request)?.clone(), repo.key());
        if request.tracked().get("message").as_str().is_none_or(str::is_empty) {
            return Err(invalid("PullRequestReview", "message", "missing_field"));
        }
        if !matches!(review.state, "APPROVED" | "CHANGES_REQUESTED") {
            return Err(unprocessable(&format!(
                "Can not dismiss a {} pull request review",
                review.state.to_lowercase()
            )));
        }
        review.state = "DISMISSED";
        repo_mut(self, &key).reviews.insert(&review.id.to_string(), review.clone());
        self.announce_review(context, request, &key, &review, "dismissed");
        Ok(Reply::json(200, &self.review_json(&Links::of(request), self.repo(&key), &review)))
    }

    pub(super) fn list_line_comments(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let repo = self.visible(request)?;
        let number = asked_pull(repo, request)?.0.number;
        let review = request.params.iter().find(|(name, _)| *name == "review_id").map(|(_, id)| id.as_str());
        let fits = |line: &LineOf| review.is_none_or(|review| line.review.to_string() == review);
        let rows = repo.comments.oldest_first().filter(|it| it.number == number && it.line.as_ref().is_some_and(fits));
        let links = Links::of(request);
        Ok(paged(request, rows.collect(), |comment| self.comment_json(&links, repo, comment)))
    }

    /// On a line, or as an answer to another comment.
    pub(super) fn create_line_comment(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let fields = request.tracked();
        let author = self.caller(request)?.login.clone();
        let repo = self.visible(request)?;
        let (issue, pull) = asked_pull(repo, request)?;
        let (key, number, pull) = (repo.key(), issue.number, pull.clone());
        let body = fields.get("body").as_str().filter(|body| !body.is_empty());
        let body = body.ok_or_else(|| invalid("PullRequestReviewComment", "body", "missing_field"))?;
        let in_path = request.params.iter().find(|(name, _)| *name == "comment_id").map(|(_, id)| id.clone());
        let line = match in_path.or_else(|| fields.get("in_reply_to").as_u64().map(|id| id.to_string())) {
            Some(id) => {
                let first = repo.comments.get(&id).ok_or_else(not_found)?;
                let line = first.line.clone().ok_or_else(not_found)?;
                LineOf { reply_to: Some(line.reply_to.unwrap_or(first.id)), ..line }
            }
            None => {
                let commit = fields.get("commit_id").as_str().and_then(Oid::parse);
                let commit = commit.filter(|oid| repo.git.commit(*oid).is_some());
                let commit = commit.ok_or_else(|| unprocessable("commit_id is not part of the pull request"))?;
                line_of(repo, &pull, request.fields(), commit)?
            }
        };
        let (id, state, submitted_at) = (self.next_id(), "COMMENTED", Some(context.now));
        let review = Review { id, number, author, body: String::new(), state, commit: line.commit, submitted_at };
        repo_mut(self, &key).reviews.insert(&id.to_string(), review.clone());
        let comment = self.add_line_comment(context, request, &key, &review, LineOf { review: id, ..line }, body);
        Ok(Reply::json(201, &self.comment_json(&Links::of(request), self.repo(&key), &comment)))
    }

    fn add_line_comment(
        &mut self,
        context: &mut Context<'_>,
        request: &Request,
        key: &str,
        review: &Review,
        line: LineOf,
        body: &str,
    ) -> Comment {
        let comment = Comment {
            id: self.next_id(),
            number: review.number,
            author: review.author.clone(),
            body: body.to_owned(),
            created_at: context.now,
            updated_at: context.now,
            line: Some(line),
        };
        repo_mut(self, key).comments.insert(&comment.id.to_string(), comment.clone());
        self.announce_line_comment(context, &Links::of(request), key, &comment);
        comment
    }

    pub(super) fn delete_pending_review(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let caller = self.caller(request)?.login.clone();
        let repo = self.visible(request)?;
        let (review, key) = (asked_review(repo, request)?.clone(), repo.key());
        if review.author != caller {
            return Err(not_found());
        }
        if review.state != "PENDING" {
            return Err(failed(422, "Can not delete a non-pending pull request review"));
        }
        repo_mut(self, &key).reviews.remove(&review.id.to_string());
        Ok(Reply::json(200, &self.review_json(&Links::of(request), self.repo(&key), &review)))
    }
}

/// The line that a comment is about; it must be in a file of the pull request.
fn line_of(repo: &Repo, pull: &Pull, given: &Value, commit: Oid) -> Result<LineOf, Reply> {
    let path = given["path"].as_str().ok_or_else(|| invalid("PullRequestReviewComment", "path", "missing_field"))?;
    let changes = pull_changes(repo, pull);
    let change = changes.iter().find(|change| change.path == path);
    let change =
        change.ok_or_else(|| invalid("PullRequestReviewComment", "pull_request_review_thread.path", "invalid"))?;
    let line = given["line"].as_u64().or_else(|| given["position"].as_u64());
    let whole_file = given["subject_type"] == "file";
    if line.is_none() && !whole_file {
        return Err(invalid("PullRequestReviewComment", "pull_request_review_thread.line", "missing_field"));
    }
    Ok(LineOf {
        review: 0,
        path: path.to_owned(),
        commit,
        line,
        side: given["side"].as_str().unwrap_or("RIGHT").to_owned(),
        reply_to: None,
        hunk: patch_of(&repo.git, change).text.unwrap_or_default(),
    })
}
