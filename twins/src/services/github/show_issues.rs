//! How issues, pull requests and what hangs on them read over the wire.

use serde_json::{Value, json};

use super::{
    GitHub,
    git::{Merged, Oid},
    links::Links,
    model::{Comment, Issue, Merge, Milestone, Pull, Repo, Review},
    show::{node_id, time},
};

/// Nobody has reacted: reactions are not imitated.
fn reactions(url: &str) -> Value {
    json!({"url": format!("{url}/reactions"), "total_count": 0, "+1": 0, "-1": 0, "laugh": 0, "hooray": 0,
        "confused": 0, "heart": 0, "rocket": 0, "eyes": 0})
}

impl GitHub {
    /// How the author stands to the repository.
    fn association(&self, repo: &Repo, login: &str) -> &'static str {
        let owner = self.account(&repo.owner).and_then(|owner| owner.members.as_ref());
        if repo.owner.eq_ignore_ascii_case(login) {
            "OWNER"
        } else if owner.is_some_and(|members| members.contains(login)) {
            "MEMBER"
        } else if repo.collaborators.contains_key(login) {
            "COLLABORATOR"
        } else {
            "NONE"
        }
    }

    /// What issues and pull requests have in common.
    fn common_json(&self, links: &Links, repo: &Repo, issue: &Issue, url: &str) -> Value {
        let labels = issue.labels.iter().filter_map(|name| repo.labels.get(&name.to_lowercase()));
        let labels: Vec<Value> = labels.map(|label| self.label_json(links, repo, label)).collect();
        let assignees: Vec<Value> = issue.assignees.iter().map(|login| self.user(links, login)).collect();
        let milestone = issue.milestone.and_then(|number| repo.milestones.get(&number.to_string()));
        json!({"url": url, "id": issue.id, "number": issue.number, "title": issue.title, "body": issue.body,
            "user": self.user(links, &issue.author), "labels": labels, "state": issue.state(),
            "locked": issue.locked, "active_lock_reason": null, "assignee": assignees.first(),
            "assignees": assignees, "milestone": milestone.map(|it| self.milestone_json(links, repo, it)),
            "created_at": time(issue.created_at), "updated_at": time(issue.updated_at),
            "closed_at": issue.closed.as_ref().map(|closed| time(closed.at)),
            "author_association": self.association(repo, &issue.author)})
    }

    /// An issue; a pull request reads as one with a `pull_request`.
    pub(super) fn issue_json(&self, links: &Links, repo: &Repo, issue: &Issue) -> Value {
        let (root, number) = (links.repo(&repo.full_name()), issue.number);
        let (url, html) = (format!("{root}/issues/{number}"), format!("{}/{}", links.web, repo.full_name()));
        let mut shown = self.common_json(links, repo, issue, &url);
        let kind = if issue.pull.is_some() { "pull" } else { "issues" };
        let comments = repo.comments.oldest_first().filter(|it| it.number == number && it.line.is_none()).count();
        let closed = issue.closed.as_ref();
        let state_reason = closed.map(|closed| closed.reason.as_str());
        super::show::extend(
            &mut shown,
            json!({"node_id": node_id("Issue", issue.id), "repository_url": root, "comments": comments,
                "labels_url": format!("{url}/labels{{/name}}"), "comments_url": format!("{url}/comments"),
                "events_url": format!("{url}/events"), "html_url": format!("{html}/{kind}/{number}"),
                "timeline_url": format!("{url}/timeline"), "performed_via_github_app": null,
                "state_reason": state_reason, "reactions": reactions(&url),
                "closed_by": closed.map(|closed| self.user(links, &closed.by))}),
        );
        if let Some(pull) = &issue.pull {
            let page = format!("{html}/pull/{number}");
            shown["draft"] = json!(pull.draft);
            shown["pull_request"] = json!({"url": format!("{root}/pulls/{number}"), "html_url": page,
                "diff_url": format!("{page}.diff"), "patch_url": format!("{page}.patch"),
                "merged_at": pull.merged.as_ref().map(|merge| time(merge.at))});
        }
        shown
    }

    /// A pull request in lists. Null where the issue is none.
    pub(super) fn pull_json(&self, links: &Links, repo: &Repo, issue: &Issue) -> Value {
        let Some(pull) = &issue.pull else { return Value::Null };
        let (root, number) = (links.repo(&repo.full_name()), issue.number);
        let (url, page) =
            (format!("{root}/pulls/{number}"), format!("{}/{}/pull/{number}", links.web, repo.full_name()));
        let issue_url = format!("{root}/issues/{number}");
        let mut shown = self.common_json(links, repo, issue, &url);
        let reviewers: Vec<Value> = pull.reviewers.iter().map(|login| self.user(links, login)).collect();
        let head_repo = self.repos.get(&pull.head_repo);
        let (comments, commits) = (format!("{issue_url}/comments"), format!("{url}/commits"));
        let (review_comments, statuses) = (format!("{url}/comments"), format!("{root}/statuses/{}", pull.head_sha));
        let review_comment = format!("{root}/pulls/comments{{/number}}");
        super::show::extend(
            &mut shown,
            json!({"node_id": node_id("PullRequest", issue.id), "html_url": page, "diff_url": format!("{page}.diff"),
                "patch_url": format!("{page}.patch"), "issue_url": issue_url, "draft": pull.draft,
                "merged_at": pull.merged.as_ref().map(|merge| time(merge.at)), "requested_reviewers": reviewers,
                "requested_teams": [], "commits_url": commits, "comments_url": comments, "statuses_url": statuses,
                "review_comments_url": review_comments, "review_comment_url": review_comment, "auto_merge": null,
                "merge_commit_sha": pull.merged.as_ref().map(|merge| merge.sha),
                "head": self.side_json(links, &pull.head_owner, &pull.head, pull.head_sha, head_repo),
                "base": self.side_json(links, &repo.owner, &pull.base, pull.base_sha, Some(repo)),
                "_links": {"self": {"href": url}, "html": {"href": page}, "issue": {"href": issue_url},
                    "comments": {"href": comments}, "commits": {"href": commits}, "statuses": {"href": statuses},
                    "review_comments": {"href": review_comments}, "review_comment": {"href": review_comment}}}),
        );
        shown
    }

    fn side_json(&self, links: &Links, owner: &str, branch: &str, sha: Oid, repo: Option<&Repo>) -> Value {
        json!({"label": format!("{owner}:{branch}"), "ref": branch, "sha": sha, "user": self.user(links, owner),
            "repo": repo.map(|repo| self.repo_json(links, repo, None))})
    }

    /// A pull request by itself: whether it can be merged, and how large it is.
    pub(super) fn full_pull_json(&self, links: &Links, repo: &Repo, issue: &Issue) -> Value {
        let mut shown = self.pull_json(links, repo, issue);
        let Some(pull) = &issue.pull else { return shown };
        let commits = pull_commits(repo, pull);
        let files = super::pulls::pull_changes(repo, pull);
        let patches = files.iter().map(|change| super::git::patch_of(&repo.git, change));
        let (additions, deletions) =
            patches.fold((0, 0), |(plus, minus), patch| (plus + patch.additions, minus + patch.deletions));
        let of = |review: bool| {
            let all = repo.comments.oldest_first().filter(|it| it.number == issue.number);
            all.filter(|it| it.line.is_some() == review).count()
        };
        let (mergeable, state) = mergeable(repo, issue, pull);
        let merged_by = pull.merged.as_ref().map(|Merge { by, .. }| self.user(links, by));
        super::show::extend(
            &mut shown,
            json!({"merged": pull.merged.is_some(), "mergeable": mergeable, "rebaseable": mergeable,
                "mergeable_state": state, "merged_by": merged_by, "comments": of(false),
                "review_comments": of(true), "maintainer_can_modify": false, "commits": commits.len(),
                "additions": additions, "deletions": deletions, "changed_files": files.len()}),
        );
        shown
    }

    pub(super) fn milestone_json(&self, links: &Links, repo: &Repo, milestone: &Milestone) -> Value {
        let number = milestone.number;
        let url = format!("{}/milestones/{number}", links.repo(&repo.full_name()));
        let mine = || repo.issues.oldest_first().filter(|issue| issue.milestone == Some(number));
        let open = mine().filter(|issue| issue.is_open()).count();
        json!({"url": url, "html_url": format!("{}/{}/milestone/{number}", links.web, repo.full_name()),
            "labels_url": format!("{url}/labels"), "id": milestone.id, "number": number,
            "node_id": node_id("Milestone", milestone.id), "title": milestone.title,
            "description": milestone.description, "creator": self.user(links, &milestone.creator),
            "open_issues": open, "closed_issues": mine().count() - open,
            "state": if milestone.open { "open" } else { "closed" }, "created_at": time(milestone.created_at),
            "updated_at": time(milestone.updated_at), "due_on": milestone.due_on,
            "closed_at": (!milestone.open).then(|| time(milestone.updated_at))})
    }

    /// A comment on an issue, or one on a line of a pull request.
    pub(super) fn comment_json(&self, links: &Links, repo: &Repo, comment: &Comment) -> Value {
        let (root, id, number) = (links.repo(&repo.full_name()), comment.id, comment.number);
        let html = format!("{}/{}", links.web, repo.full_name());
        let mut shown = json!({"id": id, "user": self.user(links, &comment.author), "body": comment.body,
            "created_at": time(comment.created_at), "updated_at": time(comment.updated_at),
            "author_association": self.association(repo, &comment.author)});
        let more = match &comment.line {
            None => {
                let url = format!("{root}/issues/comments/{id}");
                json!({"url": url, "node_id": node_id("IssueComment", id), "performed_via_github_app": null,
                    "html_url": format!("{html}/issues/{number}#issuecomment-{id}"),
                    "issue_url": format!("{root}/issues/{number}"), "reactions": reactions(&url)})
            }
            Some(line) => {
                let url = format!("{root}/pulls/comments/{id}");
                let (pull, page) = (format!("{root}/pulls/{number}"), format!("{html}/pull/{number}#discussion_r{id}"));
                let mut more = json!({"url": url, "node_id": node_id("PullRequestReviewComment", id),
                    "pull_request_review_id": line.review, "diff_hunk": line.hunk, "path": line.path,
                    "commit_id": line.commit, "original_commit_id": line.commit, "line": line.line,
                    "original_line": line.line, "start_line": null, "original_start_line": null, "side": line.side,
                    "start_side": null, "position": line.line, "original_position": line.line,
                    "subject_type": "line", "html_url": page, "pull_request_url": pull,
                    "reactions": reactions(&url), "_links": {"self": {"href": url}, "html": {"href": page},
                        "pull_request": {"href": pull}}});
                if let Some(reply_to) = line.reply_to {
                    more["in_reply_to_id"] = json!(reply_to);
                }
                more
            }
        };
        super::show::extend(&mut shown, more);
        shown
    }

    pub(super) fn review_json(&self, links: &Links, repo: &Repo, review: &Review) -> Value {
        let pull = format!("{}/pulls/{}", links.repo(&repo.full_name()), review.number);
        let page = format!("{}/{}/pull/{}", links.web, repo.full_name(), review.number);
        let html = format!("{page}#pullrequestreview-{}", review.id);
        let mut shown = json!({"id": review.id, "node_id": node_id("PullRequestReview", review.id),
            "user": self.user(links, &review.author), "body": review.body, "state": review.state, "html_url": html,
            "pull_request_url": pull, "author_association": self.association(repo, &review.author),
            "commit_id": review.commit, "_links": {"html": {"href": html}, "pull_request": {"href": pull}}});
        if let Some(at) = review.submitted_at {
            shown["submitted_at"] = json!(time(at));
        }
        shown
    }
}

/// The commits that the pull request adds, oldest first.
pub(super) fn pull_commits(repo: &Repo, pull: &Pull) -> Vec<Oid> {
    let mut commits = repo.git.log(&[pull.head_sha], &[pull.base_sha]);
    commits.reverse();
    commits
}

fn mergeable(repo: &Repo, issue: &Issue, pull: &Pull) -> (Value, &'static str) {
    if !issue.is_open() {
        return (Value::Null, "unknown");
    }
    // Trying leaves nothing behind: a store is a value.
    let clean = matches!(repo.git.clone().merge(pull.base_sha, pull.head_sha), Merged::Tree(_));
    let state = match (clean, pull.draft) {
        (false, _) => "dirty",
        (true, true) => "draft",
        (true, false) => "clean",
    };
    (json!(clean), state)
}
