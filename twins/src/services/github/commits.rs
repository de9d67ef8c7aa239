//! Commits: lists, one by one, and how two of them differ.

use jiff::Timestamp;
use serde_json::json;

use super::{
    GitHub,
    branches::owner_and_branch,
    contents::media_type,
    errors::{failed, not_found, unprocessable},
    git::{Commit, Oid, unified},
    links::{Links, paged, paged_as},
    model::Repo,
    show::{commit_changes, files_json},
};
use crate::{
    http::{Reply, Request},
    twin::{Answer, Context},
};

const COMPARED_FILES_MAX: usize = 300; // as at the service

fn media(kind: &str, text: String) -> Reply {
    Reply::bytes(200, &format!("application/vnd.github.{kind}; charset=utf-8"), text)
}

/// A commit as `git format-patch` writes it.
fn mail(repo: &Repo, oid: Oid, commit: &Commit) -> String {
    let (author, subject) = (&commit.author, commit.subject());
    let body = commit.message.trim_start_matches(subject).trim();
    let body = if body.is_empty() { String::new() } else { format!("{body}\n\n") };
    let diff = unified(&repo.git, &commit_changes(&repo.git, commit));
    let (name, email, date) = (&author.name, &author.email, author.mail_date());
    format!(
        "From {oid} Mon Sep 17 00:00:00 2001\nFrom: {name} <{email}>\nDate: {date}\nSubject: [PATCH] {subject}\n\n\
        {body}---\n{diff}\n"
    )
}

/// Several commits as one text, oldest first.
pub(super) fn mails(repo: &Repo, commits: &[Oid]) -> String {
    commits.iter().filter_map(|oid| Some(mail(repo, *oid, &repo.git.commit(*oid)?))).collect()
}

pub(super) fn diff_reply(repo: &Repo, base: Option<Oid>, head: Oid) -> Reply {
    let tree = |oid: Oid| repo.git.commit(oid).map(|commit| commit.tree);
    media("diff", unified(&repo.git, &repo.git.changes(base.and_then(tree), tree(head))))
}

pub(super) fn patch_reply(repo: &Repo, commits: &[Oid]) -> Reply {
    media("patch", mails(repo, commits))
}

impl GitHub {
    pub(super) fn list_commits(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let repo = self.visible(request)?;
        let query = |name: &str| request.query[name].as_str();
        let start = match query("sha") {
            Some(name) => repo.git.resolve(name).ok_or_else(not_found)?,
            None => repo.head().ok_or_else(|| failed(409, "Git Repository is empty."))?,
        };
        let instant = |name: &str| query(name).map(str::parse::<Timestamp>).transpose();
        let (since, until) = (instant("since"), instant("until"));
        let (Ok(since), Ok(until)) = (since, until) else { return Err(unprocessable("Invalid date")) };
        let path = query("path").map(|path| path.trim_matches('/')).filter(|path| !path.is_empty());
        let wanted = |commit: &Commit| {
            since.is_none_or(|since| commit.committer.at >= since)
                && until.is_none_or(|until| commit.committer.at <= until)
                && query("author").is_none_or(|author| self.is_by(commit, author))
                && path.is_none_or(|path| touches(repo, commit, path))
        };
        let all = repo.git.log(&[start], &[]).into_iter().filter_map(|oid| Some((oid, repo.git.commit(oid)?)));
        let rows: Vec<(Oid, Commit)> = all.filter(|(_, commit)| wanted(commit)).collect();
        let links = Links::of(request);
        Ok(paged(request, rows, |(oid, commit)| self.commit_json(&links, repo, oid, &commit)))
    }

    fn is_by(&self, commit: &Commit, author: &str) -> bool {
        let email = self.account(author).map(super::model::Account::commit_email);
        commit.author.email == author || Some(&commit.author.email) == email.as_ref()
    }

    pub(super) fn get_commit(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let repo = self.visible(request)?;
        let name = request.param("ref");
        let no_commit = || unprocessable(&format!("No commit found for SHA: {name}"));
        let oid = repo.git.resolve(name).ok_or_else(no_commit)?;
        let commit = repo.git.commit(oid).ok_or_else(no_commit)?;
        Ok(match media_type(request) {
            "diff" => diff_reply(repo, commit.parents.first().copied(), oid),
            "patch" => patch_reply(repo, &[oid]),
            "sha" => media("sha", oid.to_string()),
            _ => Reply::json(200, &self.full_commit_json(&Links::of(request), repo, oid, &commit)),
        })
    }

    /// `base...head`, each with `owner:` in front where it is in a fork.
    pub(super) fn compare(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let mut repo = self.visible(request)?.clone();
        let (base, head) = request.param("basehead").split_once("...").ok_or_else(not_found)?;
        let (base, head) = (self.compared(&mut repo, base)?, self.compared(&mut repo, head)?);
        let relation = repo.git.relation(base, head);
        let from = relation.merge_base.ok_or_else(|| failed(404, "No common ancestor between the two commits."))?;
        let mut ahead = relation.ahead;
        ahead.reverse();
        match media_type(request) {
            "diff" => return Ok(diff_reply(&repo, Some(from), head)),
            "patch" => return Ok(patch_reply(&repo, &ahead)),
            _ => {}
        }
        let (links, total, behind) = (Links::of(request), ahead.len(), relation.behind);
        let status = match (total, behind) {
            (0, 0) => "identical",
            (_, 0) => "ahead",
            (0, _) => "behind",
            _ => "diverged",
        };
        let tree = |oid: Oid| repo.git.commit(oid).map(|commit| commit.tree);
        let mut files = files_json(&links, &repo, head, &repo.git.changes(tree(from), tree(head)));
        files.truncate(COMPARED_FILES_MAX);
        let shown = |oid: Oid| repo.git.commit(oid).map(|commit| self.commit_json(&links, &repo, oid, &commit));
        let (url, html) = (links.repo(&repo.full_name()), format!("{}/{}", links.web, repo.full_name()));
        let whole = json!({"url": format!("{url}/compare/{}", request.param("basehead")),
            "html_url": format!("{html}/compare/{}", request.param("basehead")),
            "permalink_url": format!("{html}/compare/{base}...{head}"),
            "diff_url": format!("{html}/compare/{}.diff", request.param("basehead")),
            "patch_url": format!("{html}/compare/{}.patch", request.param("basehead")),
            "base_commit": shown(base), "merge_base_commit": shown(from), "status": status, "ahead_by": total,
            "behind_by": behind, "total_commits": total, "files": files});
        Ok(paged_as(
            request,
            ahead,
            |oid| json!(shown(oid)),
            |commits, _| {
                let mut body = whole.clone();
                body["commits"] = json!(commits);
                body
            },
        ))
    }

    /// The commit that a side of a comparison means; one of a fork is taken over first.
    fn compared(&self, repo: &mut Repo, side: &str) -> Result<Oid, Reply> {
        let (owner, name) = owner_and_branch(side);
        let same = |owner: &&str| !owner.eq_ignore_ascii_case(&repo.owner);
        let Some(owner) = owner.filter(same) else { return repo.git.resolve(name).ok_or_else(not_found) };
        let fork = self.network(repo, owner).ok_or_else(not_found)?;
        let tip = fork.git.resolve(name).ok_or_else(not_found)?;
        repo.git.absorb(&fork.git, tip);
        Ok(tip)
    }

    /// The repository of `owner` that was forked from `repo`, or that `repo` was forked from.
    pub(super) fn network(&self, repo: &Repo, owner: &str) -> Option<&Repo> {
        let root = |repo: &Repo| repo.parent.clone().unwrap_or_else(|| repo.key());
        let wanted = root(repo);
        self.repos.oldest_first().find(|other| other.owner.eq_ignore_ascii_case(owner) && root(other) == wanted)
    }
}

/// Whether the commit changed something at or below `path`.
fn touches(repo: &Repo, commit: &Commit, path: &str) -> bool {
    let at = |tree: Oid| repo.git.at_path(tree, path).map(|entry| entry.oid);
    let own = at(commit.tree);
    let parents = commit.parents.iter().filter_map(|parent| repo.git.commit(*parent));
    let mut before: Vec<_> = parents.map(|parent| at(parent.tree)).collect();
    if before.is_empty() {
        before.push(None);
    }
    before.iter().all(|before| *before != own)
}
