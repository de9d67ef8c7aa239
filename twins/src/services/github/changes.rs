//! What follows when a ref moves, whoever moved it: events, pull requests that see new commits, a default branch.

use serde_json::{Value, json};

use super::{
    GitHub,
    git::{Commit, Oid},
    links::Links,
    model::Repo,
    show::{commit_changes, time},
};
use crate::twin::Context;

const PUSHED_COMMITS_MAX: usize = 2_048; // in one event, as the service has it

/// A ref of a repository before and after; [`Oid::ZERO`] where there is none.
#[derive(Clone, Copy)]
pub(super) struct Moved<'a> {
    pub(super) key: &'a str,
    pub(super) name: &'a str,
    pub(super) old: Oid,
    pub(super) new: Oid,
}

impl GitHub {
    pub(super) fn ref_moved(&mut self, context: &mut Context<'_>, links: &Links, sender: &str, moved: Moved<'_>) {
        let Some(repo) = self.repos.get_mut(moved.key) else { return };
        (repo.pushed_at, repo.updated_at) = (context.now, context.now);
        let branch = moved.name.strip_prefix("refs/heads/");
        if let (Some(branch), None) = (branch, repo.head()) {
            branch.clone_into(&mut repo.default_branch); // the first branch of an empty repository
        }
        let (short, kind) = match (branch, moved.name.strip_prefix("refs/tags/")) {
            (Some(branch), _) => (branch, "branch"),
            (None, Some(tag)) => (tag, "tag"),
            (None, None) => return,
        };
        for (event, happened) in [("create", moved.old == Oid::ZERO), ("delete", moved.new == Oid::ZERO)] {
            if happened {
                let mut payload = json!({"ref": short, "ref_type": kind, "pusher_type": "user"});
                if event == "create" {
                    let repo = self.repo(moved.key);
                    payload["master_branch"] = json!(repo.default_branch);
                    payload["description"] = json!(repo.description);
                }
                self.announce_by(context, links, moved.key, event, payload, sender);
            }
        }
        let payload = self.push_json(links, sender, moved);
        self.announce_by(context, links, moved.key, "push", payload, sender);
        if let Some(branch) = branch {
            self.branch_moved(context, links, sender, moved, branch);
        }
    }

    fn push_json(&self, links: &Links, sender: &str, moved: Moved<'_>) -> Value {
        let repo = self.repo(moved.key);
        let html = format!("{}/{}", links.web, repo.full_name());
        let known: Vec<Oid> = match moved.old {
            Oid::ZERO => repo.head().into_iter().filter(|head| *head != moved.new).collect(),
            old => vec![old],
        };
        let mut commits = repo.git.log(&[moved.new], &known);
        commits.truncate(PUSHED_COMMITS_MAX);
        commits.reverse();
        let shown = |oid: &Oid| repo.git.commit(*oid).map(|commit| pushed_commit(links, repo, *oid, &commit));
        let email = self.account(sender).map(super::model::Account::commit_email);
        let forced = moved.old != Oid::ZERO && moved.new != Oid::ZERO && !repo.git.is_ancestor(moved.old, moved.new);
        json!({"ref": moved.name, "before": moved.old, "after": moved.new, "created": moved.old == Oid::ZERO,
            "deleted": moved.new == Oid::ZERO, "forced": forced, "base_ref": null,
            "compare": format!("{html}/compare/{}...{}", moved.old, moved.new),
            "commits": commits.iter().filter_map(shown).collect::<Vec<_>>(), "head_commit": shown(&moved.new),
            "pusher": {"name": sender, "email": email}})
    }

    /// Open pull requests from this branch get its commits; those into it get a new base.
    fn branch_moved(&mut self, context: &mut Context<'_>, links: &Links, sender: &str, moved: Moved<'_>, branch: &str) {
        let source = self.repo(moved.key).git.clone();
        let mut touched = Vec::new();
        for repo in self.repos.oldest_first() {
            for issue in repo.issues.oldest_first().filter(|issue| issue.is_open()) {
                let Some(pull) = &issue.pull else { continue };
                let head = pull.head_repo == moved.key && pull.head == branch;
                let base = repo.key() == moved.key && pull.base == branch;
                if head || base {
                    touched.push((repo.key(), issue.number, head));
                }
            }
        }
        for (key, number, is_head) in touched {
            let Some(repo) = self.repos.get_mut(&key) else { continue };
            if is_head && moved.new != Oid::ZERO {
                repo.git.absorb(&source, moved.new);
                repo.git.set_ref(&format!("refs/pull/{number}/head"), moved.new);
            }
            let Some(issue) = repo.issues.get_mut(&number.to_string()) else { continue };
            issue.updated_at = context.now;
            let Some(pull) = &mut issue.pull else { continue };
            match (is_head, moved.new) {
                (true, Oid::ZERO) => self.close_issue(context, links, &key, number, sender, "completed"),
                (true, new) => {
                    pull.head_sha = new;
                    let more = json!({"before": moved.old, "after": new});
                    self.announce_pull(context, links, &key, number, "synchronize", sender, more);
                }
                (false, Oid::ZERO) => self.close_issue(context, links, &key, number, sender, "completed"),
                (false, new) => pull.base_sha = new,
            }
        }
    }
}

/// A commit as push events write it.
fn pushed_commit(links: &Links, repo: &Repo, oid: Oid, commit: &Commit) -> Value {
    let changes = commit_changes(&repo.git, commit);
    let paths = |wanted: &[&str]| -> Vec<&str> {
        changes.iter().filter(|change| wanted.contains(&change.status())).map(|change| change.path.as_str()).collect()
    };
    let who = |who: &super::git::Signature| json!({"name": who.name, "email": who.email});
    json!({"id": oid, "tree_id": commit.tree, "distinct": true, "message": commit.message.trim_end(),
        "timestamp": time(commit.committer.at), "author": who(&commit.author), "committer": who(&commit.committer),
        "url": format!("{}/{}/commit/{oid}", links.web, repo.full_name()), "added": paths(&["added", "renamed"]),
        "removed": paths(&["removed"]), "modified": paths(&["modified"])})
}
